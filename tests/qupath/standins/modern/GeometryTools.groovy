// Stand-in for QuPath 0.2 to 0.6: shapes from geometries.
package qupath.lib.roi

import org.locationtech.jts.geom.Geometry
import qupath.lib.objects.ROI
import qupath.lib.regions.ImagePlane

class GeometryTools {
    static ROI geometryToROI(Geometry geometry, ImagePlane plane) {
        List parts = (0..<geometry.getNumGeometries()).collect { geometry.getGeometryN(it) }.collect { polygon ->
            [polygon.getExteriorRing(), *(0..<polygon.getNumInteriorRing()).collect { polygon.getInteriorRingN(it) }]
                .collect { ring -> ring.getCoordinates().toList().dropRight(1).collect { [it.x, it.y] } }
        }
        return new ROI([kind: parts.size() == 1 ? 'Polygon' : 'Geometry', parts: parts])
    }
}
