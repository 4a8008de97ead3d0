/*
 * Writes the annotations of a QuPath project as regions of interest (ROIs) for slidekit.
 *
 * QuPath 0.2 to 0.6. Open the project, then Automate > Script editor, open this file, and choose Run > Run
 * (not "Run for project": the script visits every image itself). Without a project the open image is written.
 * For QuPath 0.1.x there is qupath_roi_legacy.groovy.
 *
 * Output: <project>/ROI/<image name without extension>.csv, one row per vertex:
 *     roi_name,label,x_base,y_base
 * Coordinates are pixels of the full-resolution slide, measured from the corner of the whole slide. QuPath itself
 * shows some slides (MIRAX, Leica...) cropped to the scanned part, and an image may be rotated or cropped in the
 * project: both are undone here, for each image by itself.
 *
 * - The class of an annotation is its label; an annotation without a class has an empty label.
 * - A hole is an ROI of its own, NAME_hole1, with the same label; further parts are NAME_part2, NAME_part3...
 * - Points, lines and other things without an area are left out and counted. Detections are never written.
 * - slidekit reads an ROI inside another of the same label as a hole. So annotations of one class that overlap
 *   with one, or a hole of one, inside the other are joined here, and the log says so.
 *
 * The open image is written as it is on the screen; every other image as it was last saved (File > Save).
 */
import static qupath.lib.gui.scripting.QPEx.*   // this package since 0.2.0

import java.awt.geom.AffineTransform
import java.awt.geom.Point2D
import java.nio.file.Files
import java.nio.file.StandardCopyOption
import org.locationtech.jts.geom.Geometry       // QuPath brings JTS since 0.2.0
import org.locationtech.jts.geom.GeometryCollection
import org.locationtech.jts.geom.Polygon
import qupath.lib.images.servers.ImageServer

def project = getProject()
def openData = getCurrentImageData()
if (project == null && openData == null) {
    println 'ERROR: there is neither a project nor an image open. Open one, then run this script again.'
    return
}
File folder = roiFolder(project, openData)
if (folder == null) {
    println 'ERROR: the open image does not come from a file. Put it into a project, then run this script again.'
    return
}
def counts = [written: 0, empty: 0, failed: 0, rois: 0, skipped: 0]
writeProject(project, openData, folder, counts)
println "Done: ${counts.written} image(s) written with ${counts.rois} ROI(s); ${counts.skipped} object(s) without an " +
    "area skipped; ${counts.empty} image(s) without annotations; ${counts.failed} image(s) failed."
println "The files are in ${folder.getAbsolutePath()}"


/** Where the CSV files go: ROI in the project, or beside the open image when there is no project. */
File roiFolder(project, openData) {
    if (project != null)
        return new File(buildFilePath(PROJECT_BASE_DIR, 'ROI'))
    File image = imageFile(openData.getServer())
    return image == null ? null : new File(image.getAbsoluteFile().getParentFile(), 'ROI')
}

/** Write every image; what goes wrong with one image is reported and does not stop the others. */
void writeProject(project, openData, File folder, Map counts) {
    if (project == null) {
        String name = openData.getServer().getMetadata().getName()
        println name
        writeImageRois(name, openData, new File(folder, uniqueFileName(name, new HashSet()) + '.csv'), counts)
        return
    }
    def openEntry = openData == null ? null : project.getEntry(openData)
    Set usedNames = new HashSet()
    project.getImageList().each { entry ->
        // The original name, because "Mask image names" replaces the other one by a random one.
        String name = entry.getOriginalImageName()
        println name
        // Taken even if nothing is written: another image of this name must not pass for this one.
        File file = new File(folder, uniqueFileName(name, usedNames) + '.csv')
        boolean isOpen = openEntry != null && entry.getID() == openEntry.getID()
        try {
            // Reading opens the slide, which is slow: not for an image in which nothing was ever saved.
            def imageData = isOpen ? openData : entry.hasImageData() ? entry.readImageData() : null
            try {
                writeImageRois(name, imageData, file, counts)
            } finally {
                if (imageData != null && !isOpen)
                    imageData.getServer().close()
            }
        } catch (Exception e) {
            counts.failed += 1
            println "    ERROR: not written: ${e}"
        }
    }
}

/** Write one image (imageData is null where nothing was saved) and add to the counts. */
void writeImageRois(String imageName, imageData, File file, Map counts) {
    def annotations = imageData == null ? [] : imageData.getHierarchy().getAnnotationObjects()
    def (areas, others) = annotations.split { it.getROI() != null && it.getROI().isArea() && it.getROI().getArea() > 0 }
    counts.skipped += others.size()
    String left = others.isEmpty() ? '' :
        '; skipped, no area: ' + others.collect { it.getROI()?.getRoiName() ?: 'no shape' }.join(', ')
    if (areas.isEmpty()) {
        counts.empty += 1
        println "    no annotation with an area, no file written${left}" +
            (file.exists() ? ". NOTE: an older ${file.getName()} is still in the folder" : '')
        return
    }
    def server = imageData.getServer()
    AffineTransform toSlide = toSlidePixels(server)
    def rows = csvRows(nameAll(joinNested(areas.collect { annotation ->
        [name: (annotation.getName() ?: '').replaceAll(/\s+/, ' ').trim(), label: classOf(annotation),
         geometry: annotation.getROI().getGeometry()]
    })), toSlide)
    boolean replaced = writeWhole(file, rows)
    int written = rows.collect { it[0] }.toSet().size()
    counts.written += 1
    counts.rois += written
    println "    ${written} ROI(s) from ${areas.size()} annotation(s) -> ${file.getName()}" +
        "${replaced ? ' (replaced)' : ''}; read by ${server.getServerType()}, ${offsetText(toSlide)}${left}"
    String slide = imageFile(server) == null ? null : baseName(imageFile(server).getName())
    if (slide != null && slide != baseName(imageName))
        println "    NOTE: the file of this image is ${imageFile(server).getName()}: slidekit looks for " +
            "${slide}.csv, so rename ${file.getName()}"
}

/** The label: the whole name of the class, 'Tumor: Positive' for a derived one; empty without a class. */
String classOf(annotation) {
    def pathClass = annotation.getPathClass()
    return pathClass == null || pathClass.getName() == null ? '' : pathClass.toString()
}


// ---- names ---------------------------------------------------------------------------------------------------

/** The name of an image without its extension: .ome.tif goes as a whole, the 345 of 'S12.345' stays. */
String baseName(String name) {
    String extensions = 'svs|tiff?|ndpi|vms|vmu|mrxs|scn|bif|svslide|dcm|czi|vsi|qptiff|btf|tf2|tf8|isyntax|zvi|' +
        'lif|nd2|jp2|jpe?g|png|bmp|gif|zarr'
    return name.replaceFirst('(?i)[.](' + extensions + ')$', '').replaceFirst('(?i)[.]ome$', '')
}

/** A name that can be a file on every system and that no earlier image of this run has; changes are said. */
String uniqueFileName(String imageName, Set usedNames) {
    String base = baseName(imageName)
    String name = base.replaceAll(/[\\\/:*?"<>|\p{Cntrl}]/, '_').replaceAll(/[. ]+$/, '')
    if (name.isEmpty())
        name = 'image'
    if (name != base)
        println "    NOTE: the name of this image cannot be a file name, '${name}' is used"
    String unique = name
    // Windows and macOS do not tell 'a' from 'A' in file names.
    for (int i = 2; !usedNames.add(unique.toLowerCase()); i++)
        unique = "${name} (${i})".toString()
    if (unique != name)
        println "    WARNING: more than one image of the project has this name; this one goes to " +
            "'${unique}.csv', which slidekit finds only if the slide is renamed too"
    return unique
}

/** Give every ROI a name of its own: the first to bear a name keeps it, the others are ROI_0, ROI_1... */
List nameAll(List rois) {
    Set taken = rois.collect { it.name }.toSet()
    Set given = new HashSet()
    int next = 0
    return rois.collect { roi ->
        String name = roi.name
        if (name.isEmpty() || !given.add(name)) {
            while (!taken.add('ROI_' + next))
                next++
            name = 'ROI_' + next
            if (!roi.name.isEmpty())
                println "    NOTE: a second annotation is called '${roi.name}': it is written as ${name}"
        }
        return [name: name, label: roi.label, geometry: roi.geometry]
    }
}

/** The first of stem1, stem2... (from start on) that no ROI has yet. */
String numbered(String stem, int start, Set taken) {
    int i = start
    while (!taken.add(stem + i))
        i++
    return stem + i
}


// ---- geometry ------------------------------------------------------------------------------------------------

/** All polygons of a geometry, however deep in collections; lines and points in it are left out. */
List polygonsOf(Geometry geometry) {
    if (geometry instanceof Polygon)
        return geometry.isEmpty() ? [] : [geometry]
    if (!(geometry instanceof GeometryCollection))
        return []
    return (0..<geometry.getNumGeometries()).collectMany { polygonsOf(geometry.getGeometryN(it)) }
}

/** Outlines of the polygons without their holes. */
List outlinesOf(Geometry geometry) {
    return polygonsOf(geometry).collect { it.getFactory().createPolygon(it.getExteriorRing().getCoordinates()) }
}

/** The holes of the polygons, as polygons. */
List holesOf(Geometry geometry) {
    return polygonsOf(geometry).collectMany { polygon ->
        (0..<polygon.getNumInteriorRing()).collect {
            polygon.getFactory().createPolygon(polygon.getInteriorRingN(it).getCoordinates())
        }
    }
}

/** Whether two areas overlap and a ring of one, outline or hole, lies within an outline of the other. */
boolean nested(Geometry a, Geometry b) {
    if (!a.getEnvelopeInternal().intersects(b.getEnvelopeInternal()) || !a.isValid() || !b.isValid())
        return false
    if (!a.relate(b, 'T********'))  // DE-9IM: the interiors have a point in common
        return false
    List aroundA = outlinesOf(a)
    List aroundB = outlinesOf(b)
    return (aroundA + holesOf(a)).any { ring -> aroundB.any { it.covers(ring) } } ||
        (aroundB + holesOf(b)).any { ring -> aroundA.any { it.covers(ring) } }
}

/**
 * Join annotations of one class that are nested, since a CSV cannot tell the inner one from a hole.
 * The ROIs come back from top to bottom, so that numbers do not depend on the order that QuPath keeps.
 */
List joinNested(List rois) {
    def byPlace = { [it.geometry.getEnvelopeInternal().getMinY(), it.geometry.getEnvelopeInternal().getMinX()] }
    def order = { a, b -> byPlace(a)[0] <=> byPlace(b)[0] ?: byPlace(a)[1] <=> byPlace(b)[1] }
    List joined = []
    rois.sort(false, order).each { roi ->
        def current = roi
        def other = null
        while ((other = joined.find { it.label == current.label && nested(it.geometry, current.geometry) }) != null) {
            println "    NOTE: '${other.name ?: 'unnamed'}' and '${current.name ?: 'unnamed'}' (class " +
                "'${current.label}') overlap, one inside the other: written as one ROI"
            joined.removeAll { it.is(other) }
            current = [name: other.name ?: current.name, label: current.label,
                       geometry: other.geometry.union(current.geometry)]
        }
        joined << current
    }
    return joined.sort(false, order)
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

String offsetText(AffineTransform t) {
    String offset = "offset (${plain(t.getTranslateX())}, ${plain(t.getTranslateY())})"
    return t.getScaleX() == 1 && t.getScaleY() == 1 && t.getShearX() == 0 && t.getShearY() == 0 ? offset :
        'rotation or scaling in the project undone'
}

/** The file of an image, or null for one that does not come from a file. getURIs() exists since 0.2.0. */
File imageFile(server) {
    def uris = server.getURIs()
    def uri = uris.isEmpty() ? null : uris.iterator().next()
    return uri == null || uri.getPath() == null ? null : new File(uri.getPath())
}


// ---- CSV -----------------------------------------------------------------------------------------------------

/** One row [name, label, x, y] per vertex: outlines, then their holes; rings are not closed by a repeated vertex. */
List csvRows(List rois, AffineTransform toSlide) {
    Set taken = rois.collect { it.name }.toSet()
    List rows = []
    rois.each { roi ->
        polygonsOf(roi.geometry).eachWithIndex { polygon, index ->
            String part = index == 0 ? roi.name : numbered(roi.name + '_part', index + 1, taken)
            addRing(rows, part, roi.label, polygon.getExteriorRing(), toSlide)
            for (int i = 0; i < polygon.getNumInteriorRing(); i++)
                addRing(rows, numbered(part + '_hole', i + 1, taken), roi.label, polygon.getInteriorRingN(i), toSlide)
        }
    }
    return rows
}

void addRing(List rows, String name, String label, ring, AffineTransform toSlide) {
    def vertices = ring.getCoordinates()
    for (int i = 0; i < vertices.length - 1; i++) {
        def place = toSlide.transform(new Point2D.Double(vertices[i].x, vertices[i].y), null)
        rows << [name, label, plain(place.getX()), plain(place.getY())]
    }
}

/** A number with at most three decimals (QuPath keeps two), always with a point and never as 1E7. */
String plain(double value) {
    return BigDecimal.valueOf(value).setScale(3, java.math.RoundingMode.HALF_UP).stripTrailingZeros().toPlainString()
}

/** A CSV field as of RFC 4180: in quotes where it holds a comma, a quote or a line break. */
String quoted(String field) {
    return field =~ /[,"\r\n]/ ? '"' + field.replace('"', '""') + '"' : field
}

/** Write under another name first, so that no half file ever has the right name; true if it replaced one. */
boolean writeWhole(File file, List rows) {
    Files.createDirectories(file.getParentFile().toPath())
    boolean replaced = file.exists()
    File part = new File(file.getParentFile(), file.getName() + '.part')
    part.withWriter('UTF-8') { writer ->
        writer.write('roi_name,label,x_base,y_base\n')
        rows.each { writer.write([quoted(it[0]), quoted(it[1]), it[2], it[3]].join(',') + '\n') }
    }
    Files.move(part.toPath(), file.toPath(), StandardCopyOption.REPLACE_EXISTING)
    return replaced
}
