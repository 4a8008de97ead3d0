// Stand-in for QuPath 0.1.x: objects and their classes.
package qupath.lib.objects

import qupath.lib.roi.AWTAreaROI
import qupath.lib.roi.EllipseROI
import qupath.lib.roi.LineROI
import qupath.lib.roi.PointsROI
import qupath.lib.roi.PolygonROI
import qupath.lib.roi.RectangleROI
import qupath.lib.roi.interfaces.ROI

class PathObject {
    final Map data

    PathObject(Map data) { this.data = data }

    String getName() { data.name }

    PathClass getPathClass() { data.label == null ? null : new PathClass(data.label) }

    ROI getROI() {
        switch (data.kind) {
            case 'Nothing': return null
            case 'Points': return new PointsROI(data)
            case ['Line', 'Polyline']: return new LineROI(data)
            case 'Rectangle': return new RectangleROI(data)
            case 'Ellipse': return new EllipseROI(data)
            case 'Polygon': return new PolygonROI(data)
            default: return new AWTAreaROI(data)
        }
    }
}

class PathAnnotationObject extends PathObject {
    PathAnnotationObject(Map data) { super(data) }
}

class PathDetectionObject extends PathObject {
    PathDetectionObject(Map data) { super(data) }
}

class PathClass {
    private final String fullName

    PathClass(String fullName) { this.fullName = fullName }

    String getName() { fullName == 'Unclassified' ? null : fullName.split(': ').last() }

    String toString() { fullName }
}
