// Stand-in for QuPath 0.2 to 0.6: objects that a script makes.
package qupath.lib.objects

class PathObjects {
    static PathObject createAnnotationObject(ROI roi, PathClass pathClass) {
        new PathObject([kind: roi.data.kind, parts: roi.data.parts, label: pathClass.toString()])
    }
}
