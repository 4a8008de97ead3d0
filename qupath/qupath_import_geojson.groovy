/*
 * Shows the quality-control masks that slidekit saved (qc.Save) as annotations in QuPath.
 *
 * QuPath 0.2 to 0.6. Open an image, then Automate > Script editor, open this file, and choose Run > Run; or, in a
 * project, Run > Run for project and choose the images.
 *
 * Input: <image name without extension>.qc.geojson, from the first of these folders that has it:
 *     FOLDER below, <project>/qc, the folder qc beside the image's file, the folder of the image's file.
 *
 * - Each mask is one locked annotation, "<mask> (slidekit)", whose class is the name of the mask.
 * - Run again, it replaces what it made before. An annotation that you unlocked is yours: it stays, and the mask is
 *   not added a second time.
 * - The outlines are simplified: they are to be looked at. Exact masks are in the PNG files beside the GeoJSON.
 *
 * Save the image afterwards (File > Save); "Run for project" saves by itself.
 */
import static qupath.lib.gui.scripting.QPEx.*   // this package since 0.2.0

import groovy.json.JsonSlurper
import java.awt.geom.AffineTransform
import java.awt.geom.Point2D
import org.locationtech.jts.geom.Coordinate     // QuPath brings JTS since 0.2.0
import org.locationtech.jts.geom.Geometry
import org.locationtech.jts.geom.GeometryFactory
import org.locationtech.jts.geom.LinearRing
import org.locationtech.jts.geom.Polygon
import qupath.lib.images.servers.ImageServer
import qupath.lib.objects.PathObjects
import qupath.lib.regions.ImagePlane
import qupath.lib.roi.GeometryTools

// A folder with the .qc.geojson files of all images, such as '/slides/qc'; empty for the folders that are named above.
String FOLDER = ''

def imageData = getCurrentImageData()
if (imageData == null) {
    println 'ERROR: no image is open. Open one, or choose Run > Run for project, then run this script again.'
    return
}
String name = imageName(imageData)
File file = maskFile(FOLDER, name, imageData)
if (file == null) {
    println "${name}: there is no ${baseName(name)}.qc.geojson. Save the masks with qc.Save, or set FOLDER in the " +
        'script to where they are.'
    return
}
try {
    importMasks(name, file, imageData)
} catch (Exception e) {
    println "${name}: ERROR: nothing was changed, ${file.getAbsolutePath()} cannot be read: ${e}"
}


/** Read all masks, then take away what an earlier run made, then add. */
void importMasks(String name, File file, imageData) {
    def content = new JsonSlurper().parse(file, 'UTF-8')
    if (!(content instanceof Map) || !(content.features instanceof List))
        throw new IllegalArgumentException('it is no GeoJSON of masks')
    AffineTransform toImage = fromFile(content, imageData.getServer())
    Map shapes = content.features.collectEntries { feature ->
        [(feature.properties.name + ' (slidekit)'): [label: feature.properties.classification.name,
                                                     geometry: areaOf(feature.geometry, toImage)]]
    }
    def ours = getAnnotationObjects().findAll { (it.getName() ?: '').endsWith(' (slidekit)') }
    def (before, kept) = ours.split { it.isLocked() }
    Set yours = kept.collect { it.getName() }.toSet()
    def added = shapes.findAll { !yours.contains(it.key) }.collect { annotationName, shape ->
        def roi = GeometryTools.geometryToROI(shape.geometry, ImagePlane.getDefaultPlane())
        def annotation = PathObjects.createAnnotationObject(roi, getPathClass(shape.label))
        annotation.setName(annotationName)
        annotation.setLocked(true)
        return annotation
    }
    removeObjects(before, true)
    addObjects(added)
    println "${name}: ${added.size()} mask(s) from ${file.getName()}: ${added.collect { it.getName() }.join(', ')}" +
        (before.isEmpty() ? '' : "; ${before.size()} of an earlier run replaced") +
        (kept.isEmpty() ? '' : "; unlocked, so left as they are: ${kept.collect { it.getName() }.join(', ')}")
}

/** The name that the image has in the project, or without one; "Mask image names" does not change it. */
String imageName(imageData) {
    def project = getProject()
    def entry = project == null ? null : project.getEntry(imageData)
    return entry == null ? imageData.getServer().getMetadata().getName() : entry.getOriginalImageName()
}

/** The file of masks of an image, or null; looked for by the image's name and by that of its file. */
File maskFile(String given, String name, imageData) {
    File image = imageFile(imageData.getServer())
    File beside = image == null ? null : image.getAbsoluteFile().getParentFile()
    List folders = [given.isEmpty() ? null : new File(given),
                    getProject() == null ? null : new File(buildFilePath(PROJECT_BASE_DIR, 'qc')),
                    beside == null ? null : new File(beside, 'qc'), beside]
    List names = [baseName(name), image == null ? null : baseName(image.getName())].findAll { it }.unique()
    List files = folders.findAll { it != null }.collectMany { folder ->
        names.collect { new File(folder, it + '.qc.geojson') }
    }
    return files.find { it.isFile() }
}

/** The name of an image without its extension: .ome.tif goes as a whole, the 345 of 'S12.345' stays. */
String baseName(String name) {
    String extensions = 'svs|tiff?|ndpi|vms|vmu|mrxs|scn|bif|svslide|dcm|czi|vsi|qptiff|btf|tf2|tf8|isyntax|zvi|' +
        'lif|nd2|jp2|jpe?g|png|bmp|gif|zarr'
    return name.replaceFirst('(?i)[.](' + extensions + ')$', '').replaceFirst('(?i)[.]ome$', '')
}


// ---- geometry ------------------------------------------------------------------------------------------------

/** From places in the file to those of the image in QuPath, which may be rotated or cropped in the project. */
AffineTransform fromFile(content, server) {
    List bounds = content.slidekit?.bounds_origin
    if (bounds == null)
        return new AffineTransform()  // not by slidekit: places are as QuPath shows them
    AffineTransform total = toSlidePixels(server).createInverse()
    total.translate(bounds[0] as double, bounds[1] as double)
    return total
}

/** A GeoJSON polygon or multipolygon as an area. */
Geometry areaOf(geometry, AffineTransform toImage) {
    List parts = geometry.type == 'Polygon' ? [geometry.coordinates] : geometry.coordinates
    def factory = new GeometryFactory()
    List polygons = parts.collect { rings ->
        List lines = rings.collect { ring -> factory.createLinearRing(placesOf(ring, toImage)) }
        factory.createPolygon(lines[0], lines.drop(1) as LinearRing[])
    }
    return polygons.size() == 1 ? polygons[0] : factory.createMultiPolygon(polygons as Polygon[])
}

Coordinate[] placesOf(List ring, AffineTransform toImage) {
    return ring.collect {
        def place = toImage.transform(new Point2D.Double(it[0] as double, it[1] as double), null)
        new Coordinate(place.getX(), place.getY())
    } as Coordinate[]
}

/**
 * From the pixels of an image in QuPath to those of the whole slide as OpenSlide sees it.
 *
 * Images may be stacked: rotated (0.2+), cropped or affinely transformed (0.2+) around the one that reads the file.
 * OpenSlide's reader (OpenslideImageServer; OpenSlideImageServer for a while) starts at openslide.bounds-x/y unless
 * the image was added with --no-crop. It keeps what it applied in the private fields boundsX and boundsY, the only
 * place that says so in all of 0.2 to 0.6. Other readers have no such fields and start at the corner of the slide.
 */
AffineTransform toSlidePixels(server) {
    AffineTransform total = new AffineTransform()
    def current = server
    while (current != null) {
        // Every image that wraps another keeps it in a private field of this name (0.2 to 0.6).
        def inner = hidden(current, 'server')
        if (!(inner instanceof ImageServer))
            inner = null
        total.preConcatenate(oneStep(current, inner))
        current = inner
    }
    return total
}

/** What one image does to coordinates, from its own pixels to those of the image that it wraps. */
AffineTransform oneStep(server, inner) {
    String type = server.getClass().getSimpleName()
    if (type.toLowerCase().startsWith('openslide'))
        return AffineTransform.getTranslateInstance((hidden(server, 'boundsX') ?: 0) as double,
                                                    (hidden(server, 'boundsY') ?: 0) as double)
    if (type == 'CroppedImageServer')
        return AffineTransform.getTranslateInstance(server.getCropRegion().getX() as double,
                                                    server.getCropRegion().getY() as double)
    if (type == 'AffineTransformImageServer')
        return server.getTransform().createInverse()
    if (type == 'RotatedImageServer')
        return unrotate(server.getRotation().name(), inner.getWidth() as double, inner.getHeight() as double)
    if (type == 'FlippedImageServer' && hidden(server, 'flip').name() != 'NONE')  // 0.6
        throw new IllegalStateException('the image is mirrored in the project, add it again as it is')
    return new AffineTransform()
}

/** Undo a clockwise rotation of an image that was width x height pixels before it. */
AffineTransform unrotate(String rotation, double width, double height) {
    if (rotation == 'ROTATE_90')
        return new AffineTransform(0d, -1d, 1d, 0d, 0d, height)
    if (rotation == 'ROTATE_180')
        return new AffineTransform(-1d, 0d, 0d, -1d, width, height)
    if (rotation == 'ROTATE_270')
        return new AffineTransform(0d, 1d, -1d, 0d, width, 0d)
    return new AffineTransform()
}

/** The value of a private field, looked for in the class and all that it extends; null where there is none. */
Object hidden(Object owner, String fieldName) {
    for (Class type = owner.getClass(); type != null; type = type.getSuperclass()) {
        def field = type.getDeclaredFields().find { it.getName() == fieldName }
        if (field != null) {
            field.setAccessible(true)
            return field.get(owner)
        }
    }
    return null
}

/** The file of an image, or null for one that does not come from a file. getURIs() exists since 0.2.0. */
File imageFile(server) {
    def uris = server.getURIs()
    def uri = uris.isEmpty() ? null : uris.iterator().next()
    return uri == null || uri.getPath() == null ? null : new File(uri.getPath())
}
