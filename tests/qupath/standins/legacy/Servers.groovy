// Stand-in for QuPath 0.1.x: image servers; the one of OpenSlide shows the whole slide and has no bounds.
package qupath.lib.images.servers

class OpenslideImageServer {
    String getServerType() { 'OpenSlide' }
}

class BioFormatsImageServer {
    String getServerType() { 'Bio-Formats' }
}
