// Stand-in for QuPath 0.2 to 0.6: the server that reads with OpenSlide, cropped to openslide.bounds-x/y.
package qupath.lib.images.servers.openslide

import qupath.lib.images.servers.FileImageServer

class OpenslideImageServer extends FileImageServer {
    private int boundsX
    private int boundsY

    OpenslideImageServer(Map image) {
        this.image = image
        if (image.bounds) {
            boundsX = image.bounds[0]
            boundsY = image.bounds[1]
        }
    }

    String getServerType() { 'OpenSlide' }
}
