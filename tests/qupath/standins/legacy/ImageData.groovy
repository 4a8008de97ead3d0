// Stand-in for QuPath 0.1.x: an image with its server and its objects.
package qupath.lib.images

import qupath.lib.images.servers.BioFormatsImageServer
import qupath.lib.images.servers.OpenslideImageServer
import qupath.lib.objects.PathAnnotationObject
import qupath.lib.objects.PathDetectionObject
import qupath.lib.objects.PathObject

class ImageData {
    final Map image
    final Hierarchy hierarchy
    final server

    ImageData(Map image) {
        this.image = image
        hierarchy = new Hierarchy(objects: image.annotations.collect { new PathAnnotationObject(it) } +
            image.detections.collect { new PathDetectionObject(it) })
        server = image.server == 'bioformats' ? new BioFormatsImageServer() : new OpenslideImageServer()
    }
}

class Hierarchy {
    List objects

    List getObjects(List into, Class type) { objects.findAll { type.isInstance(it) } }
}
