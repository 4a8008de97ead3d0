// Stand-in for QuPath 0.2 to 0.6: the plane of a two-dimensional image.
package qupath.lib.regions

class ImagePlane {
    static ImagePlane getDefaultPlane() { new ImagePlane() }
}
