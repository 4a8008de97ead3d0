// Stand-in for QuPath 0.1.x: shapes, and their conversion to java.awt.geom (single precision, as in QuPath).
package qupath.lib.roi

import java.awt.Shape
import java.awt.geom.Area
import java.awt.geom.Ellipse2D
import java.awt.geom.Path2D
import java.awt.geom.Rectangle2D
import qupath.lib.roi.interfaces.PathArea
import qupath.lib.roi.interfaces.ROI

abstract class AbstractPathROI implements ROI {
    Map data

    AbstractPathROI(Map data) { this.data = data }

    String getROIType() { data.kind }

    boolean isEmpty() { data.parts.isEmpty() }

    List bounds() {
        List points = data.parts.collectMany { it.collectMany { it } }
        return [points*.get(0).min(), points*.get(1).min(), points*.get(0).max(), points*.get(1).max()]
    }
}

class PointsROI extends AbstractPathROI {
    PointsROI(Map data) { super(data) }
}

class LineROI extends AbstractPathROI {
    LineROI(Map data) { super(data) }
}

class RectangleROI extends AbstractPathROI implements PathArea {
    RectangleROI(Map data) { super(data) }
}

class EllipseROI extends AbstractPathROI implements PathArea {
    EllipseROI(Map data) { super(data) }
}

class PolygonROI extends AbstractPathROI implements PathArea {
    PolygonROI(Map data) { super(data) }
}

class AWTAreaROI extends AbstractPathROI implements PathArea {
    AWTAreaROI(Map data) { super(data) }
}

class PathROIToolsAwt {
    static Shape getShape(ROI roi) {
        def (x0, y0, x1, y1) = roi.bounds()
        if (roi instanceof RectangleROI)
            return new Rectangle2D.Float(x0 as float, y0 as float, (x1 - x0) as float, (y1 - y0) as float)
        if (roi instanceof EllipseROI)
            return new Ellipse2D.Float(x0 as float, y0 as float, (x1 - x0) as float, (y1 - y0) as float)
        // All rings in one path: which is a hole follows from the even-odd rule, no ring is marked.
        Path2D path = new Path2D.Float(Path2D.WIND_EVEN_ODD)
        roi.data.parts.each { rings ->
            rings.each { ring ->
                path.moveTo(ring[0][0], ring[0][1])
                ring.drop(1).each { path.lineTo(it[0], it[1]) }
                path.closePath()
            }
        }
        return path
    }

    static Area getArea(ROI roi) { new Area(getShape(roi)) }
}
