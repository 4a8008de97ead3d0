// Stand-in for QuPath 0.2 to 0.6: objects, their classes and their shapes.
package qupath.lib.objects

import org.locationtech.jts.geom.Coordinate
import org.locationtech.jts.geom.Geometry
import org.locationtech.jts.geom.GeometryFactory
import org.locationtech.jts.geom.LinearRing
import org.locationtech.jts.geom.Polygon
import org.locationtech.jts.geom.PrecisionModel

class PathObject {
    final Map data

    PathObject(Map data) { this.data = data }

    String getName() { data.name }

    void setName(String name) { data.name = name }

    boolean isLocked() { data.locked ?: false }

    void setLocked(boolean locked) { data.locked = locked }

    PathClass getPathClass() { data.label == null ? null : new PathClass(data.label) }

    ROI getROI() { data.kind == 'Nothing' ? null : new ROI(data) }
}

class PathClass {
    private final String fullName

    PathClass(String fullName) { this.fullName = fullName }

    // Only the last part of a derived class, and null for the class 'Unclassified', as in QuPath.
    String getName() { fullName == 'Unclassified' ? null : fullName.split(': ').last() }

    String toString() { fullName }
}

class ROI {
    // QuPath keeps two decimals.
    private static final GeometryFactory FACTORY = new GeometryFactory(new PrecisionModel(100d))

    final Map data

    ROI(Map data) { this.data = data }

    String getRoiName() { data.kind }

    boolean isArea() { !(data.kind in ['Points', 'Line', 'Polyline']) }

    double getArea() { isArea() ? getGeometry().getArea() : 0 }

    Geometry getGeometry() {
        def polygons = data.parts.collect { rings ->
            FACTORY.createPolygon(ring(rings[0]), rings.drop(1).collect { ring(it) } as LinearRing[])
        }
        return polygons.size() == 1 ? polygons[0] : FACTORY.createMultiPolygon(polygons as Polygon[])
    }

    private static ring(List points) {
        FACTORY.createLinearRing((points + [points[0]]).collect { new Coordinate(it[0], it[1]) } as Coordinate[])
    }

    // What QuPath returns, and what a script must not use: all rings in one list.
    List getAllPoints() { data.parts.collectMany { it.collectMany { it } } }
}
