// Stand-in for QuPath 0.2 to 0.6: image servers. Field names and visibility as in QuPath, the script relies on them.
package qupath.lib.images.servers

import java.awt.geom.AffineTransform

interface ImageServer extends AutoCloseable {
    int getWidth()

    int getHeight()

    String getServerType()

    Collection<URI> getURIs()

    ImageServerMetadata getMetadata()
}

class ImageServerMetadata {
    String name
}

abstract class FileImageServer implements ImageServer {
    protected Map image

    int getWidth() { image.size[0] }

    int getHeight() { image.size[1] }

    Collection<URI> getURIs() { [new File(image.file).toURI()] }

    ImageServerMetadata getMetadata() { new ImageServerMetadata(name: image.name) }

    void close() {}
}

class BioFormatsImageServer extends FileImageServer {
    // Not an image server, although the name would fit: the script must not follow it.
    private String server = 'loci'

    BioFormatsImageServer(Map image) { this.image = image }

    String getServerType() { 'Bio-Formats' }
}

abstract class TransformingImageServer implements ImageServer {
    private ImageServer server

    protected TransformingImageServer(ImageServer server) { this.server = server }

    protected ImageServer getWrappedServer() { server }

    int getWidth() { server.getWidth() }

    int getHeight() { server.getHeight() }

    String getServerType() { server.getServerType() }

    Collection<URI> getURIs() { server.getURIs() }

    ImageServerMetadata getMetadata() { server.getMetadata() }

    void close() { server.close() }
}

enum Rotation { ROTATE_NONE, ROTATE_90, ROTATE_180, ROTATE_270 }

class RotatedImageServer extends TransformingImageServer {
    private Rotation rotation

    RotatedImageServer(ImageServer server, String rotation) {
        super(server)
        this.rotation = Rotation.valueOf(rotation)
    }

    Rotation getRotation() { rotation }
}

class CroppedImageServer extends TransformingImageServer {
    private Map region

    CroppedImageServer(ImageServer server, List region) {
        super(server)
        this.region = [x: region[0], y: region[1]]
    }

    CropRegion getCropRegion() { new CropRegion(x: region.x, y: region.y) }
}

class CropRegion {
    int x
    int y
}

class AffineTransformImageServer extends TransformingImageServer {
    private AffineTransform transform

    AffineTransformImageServer(ImageServer server, List matrix) {
        super(server)
        transform = new AffineTransform(matrix as double[])
    }

    AffineTransform getTransform() { transform }
}

class PyramidGeneratingImageServer extends FileImageServer {
    private ImageServer server

    PyramidGeneratingImageServer(ImageServer server) {
        this.server = server
        this.image = server.image
    }

    String getServerType() { server.getServerType() }
}
