// Stand-in for QuPath 0.1.x: the interfaces of shapes.
package qupath.lib.roi.interfaces

interface ROI {
    String getROIType()

    boolean isEmpty()
}

interface PathArea extends ROI {
}
