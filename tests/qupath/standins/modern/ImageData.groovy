// Stand-in for QuPath 0.2 to 0.6: an image with its server and its objects.
package qupath.lib.images

import qupath.lib.images.servers.AffineTransformImageServer
import qupath.lib.images.servers.BioFormatsImageServer
import qupath.lib.images.servers.CroppedImageServer
import qupath.lib.images.servers.PyramidGeneratingImageServer
import qupath.lib.images.servers.RotatedImageServer
import qupath.lib.images.servers.openslide.OpenslideImageServer
import qupath.lib.objects.PathObject

class ImageData {
    final Map image
    final Hierarchy hierarchy
    final server

    ImageData(Map image, boolean open) {
        this.image = image
        // The open image has what is on the screen, which may be more than what was saved.
        hierarchy = new Hierarchy(annotationObjects: (open ? image.unsaved ?: image.annotations : image.annotations)
            .collect { new PathObject(it) })
        def made = image.server == 'bioformats' ? new BioFormatsImageServer(image) : new OpenslideImageServer(image)
        image.wrapped.each { step -> made = wrap(made, step) }
        server = made
    }

    private static wrap(inner, Map step) {
        switch (step.type) {
            case 'rotated': return new RotatedImageServer(inner, step.rotation)
            case 'cropped': return new CroppedImageServer(inner, step.region)
            case 'affine': return new AffineTransformImageServer(inner, step.matrix)
            default: return new PyramidGeneratingImageServer(inner)
        }
    }
}

class Hierarchy {
    Collection annotationObjects
}
