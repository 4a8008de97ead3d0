/*
 * Writes the annotations of the open image as regions of interest (ROIs) for slidekit.
 *
 * QuPath 0.1.x (0.1.2, 0.1.3). Open the image in its project, then Automate > Show script editor, open this file,
 * and choose Run > Run; or Run > Run for project, which runs it once for every image that you choose.
 * From QuPath 0.2 on use qupath_roi.groovy.
 *
 * Output: <project>/ROI/<image name without extension>.csv, one row per vertex:
 *     roi_name,label,x_base,y_base
 * Coordinates are pixels of the full-resolution slide, measured from the corner of the whole slide.
 *
 * - The class of an annotation is its label; an annotation without a class has an empty label.
 * - A hole is an ROI of its own, NAME_hole1, with the same label; further parts are NAME_part2, NAME_part3...
 * - Points, lines and other things without an area are left out and counted. Detections are never written.
 * - slidekit reads an ROI inside another of the same label as a hole. So annotations of one class that overlap
 *   with one, or a hole of one, inside the other are joined here, and the log says so.
 */
import static qupath.lib.scripting.QPEx.*       // this package in 0.1.x only

import java.awt.geom.Area
import java.awt.geom.Path2D
import java.awt.geom.PathIterator
import java.nio.file.Files
import java.nio.file.StandardCopyOption
import qupath.lib.objects.PathAnnotationObject
import qupath.lib.roi.PathROIToolsAwt           // 0.1.x; later versions give the geometry of a ROI themselves
import qupath.lib.roi.interfaces.PathArea       // 0.1.x; what rectangle, ellipse, polygon, brush and wand make

def project = getProject()
def imageData = getCurrentImageData()
if (project == null || imageData == null) {
    println 'ERROR: open a project and an image of it, then run this script again.'
    return
}
File folder = new File(buildFilePath(PROJECT_BASE_DIR, 'ROI'))
def entry = getProjectEntry()
String imageName = entry != null ? entry.getImageName() : imageData.getServer().getShortServerName()
println imageName
writeImageRois(imageData, new File(folder, fileName(imageName, entry, project) + '.csv'))
println "Done: the folder is ${folder.getAbsolutePath()}"


/** Write one image, and say what was written and what was left out. */
void writeImageRois(imageData, File file) {
    def annotations = imageData.getHierarchy().getObjects(null, PathAnnotationObject)
    def (areas, others) = annotations.split { it.getROI() instanceof PathArea && !it.getROI().isEmpty() }
    String left = others.isEmpty() ? '' :
        '; skipped, no area: ' + others.collect { it.getROI()?.getROIType() ?: 'no shape' }.join(', ')
    double[] offset = toSlidePixels(imageData.getServer())
    if (areas.isEmpty()) {
        println "    no annotation with an area, no file written${left}" +
            (file.exists() ? ". NOTE: an older ${file.getName()} is still in the folder" : '')
        return
    }
    def rows = csvRows(nameAll(joinNested(areas.collect { annotation ->
        [name: (annotation.getName() ?: '').replaceAll(/\s+/, ' ').trim(), label: classOf(annotation),
         area: PathROIToolsAwt.getArea(annotation.getROI())]
    })), offset)
    boolean replaced = writeWhole(file, rows)
    println "    ${rows.collect { it[0] }.toSet().size()} ROI(s) from ${areas.size()} annotation(s) -> " +
        "${file.getName()}${replaced ? ' (replaced)' : ''}; read by ${imageData.getServer().getServerType()}, " +
        "offset (${plain(offset[0])}, ${plain(offset[1])}); ${others.size()} object(s) skipped${left}"
}

/**
 * What to add to come from the pixels of QuPath to those of the whole slide.
 *
 * OpenslideImageServer of 0.1.x shows the whole slide, MIRAX too: nothing to add. Builds between 0.1.3 and 0.2 crop
 * it as 0.2 does, and keep the corner in the private fields boundsX and boundsY: these are added if they exist.
 */
double[] toSlidePixels(server) {
    if (server.getClass().getSimpleName() == 'RotatedImageServer')  // by 180 degrees
        throw new IllegalStateException('the image is rotated in the project: add it again as it is')
    return ['boundsX', 'boundsY'].collect { wanted ->
        def field = server.getClass().getDeclaredFields().find { it.getName() == wanted }
        field?.setAccessible(true)
        field == null ? 0d : field.get(server) as double
    } as double[]
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

String safeName(String imageName) {
    String name = baseName(imageName).replaceAll(/[\\\/:*?"<>|\p{Cntrl}]/, '_').replaceAll(/[. ]+$/, '')
    return name.isEmpty() ? 'image' : name
}

/** A name that can be a file on every system and that no earlier image of the project has; changes are said. */
String fileName(String imageName, entry, project) {
    String name = safeName(imageName)
    if (name != baseName(imageName))
        println "    NOTE: the name of this image cannot be a file name, '${name}' is used"
    // Every image is a run of its own, so the number comes from the list of images. Windows and macOS do not tell
    // 'a' from 'A' in file names.
    def alike = project.getImageList().findAll { safeName(it.getImageName()).equalsIgnoreCase(name) }
    int index = alike.findIndexOf { it.is(entry) || it == entry }
    if (index < 1)
        return name
    println "    WARNING: more than one image of the project has this name; this one goes to " +
        "'${name} (${index + 1}).csv', which slidekit finds only if the slide is renamed too"
    return "${name} (${index + 1})"
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
        return [name: name, label: roi.label, area: roi.area]
    }
}

/** The first of stem1, stem2... (from start on) that no ROI has yet. */
String numbered(String stem, int start, Set taken) {
    int i = start
    while (!taken.add(stem + i))
        i++
    return stem + i
}


// ---- geometry: java.awt.geom.Area, the only geometry that 0.1.x has ------------------------------------------

/** The rings of an area as lists of [x, y], not closed; curves become lines within a quarter of a pixel. */
List ringsOf(Area area) {
    List rings = []
    double[] place = new double[6]
    for (PathIterator path = area.getPathIterator(null, 0.25d); !path.isDone(); path.next()) {
        int kind = path.currentSegment(place)
        if (kind == PathIterator.SEG_MOVETO)
            rings << []
        if (kind != PathIterator.SEG_CLOSE && (rings.last().isEmpty() || rings.last().last() != [place[0], place[1]]))
            rings.last() << [place[0], place[1]]
    }
    rings.each { if (it.size() > 1 && it.first() == it.last()) it.remove(it.size() - 1) }
    return rings.findAll { it.size() > 2 && sizeOf(it) > 0 }
}

/** The area that a ring encloses, by the shoelace formula. */
double sizeOf(List ring) {
    double twice = 0
    ring.eachWithIndex { p, i ->
        def q = ring[(i + 1) % ring.size()]
        twice += p[0] * q[1] - q[0] * p[1]
    }
    return Math.abs(twice) / 2
}

Area filled(List ring) {
    Path2D path = new Path2D.Double()
    ring.eachWithIndex { p, i -> i == 0 ? path.moveTo(p[0], p[1]) : path.lineTo(p[0], p[1]) }
    path.closePath()
    return new Area(path)
}

/** A point inside a ring: the middle of the first stretch inside, on a line between its two uppermost levels. */
List insidePoint(List ring) {
    List levels = ring.collect { it[1] }.unique(false).sort()
    double y = (levels[0] + levels[1]) / 2
    List crossings = []
    ring.eachWithIndex { p, i ->
        def q = ring[(i + 1) % ring.size()]
        if ((p[1] < y) != (q[1] < y))
            crossings << p[0] + (y - p[1]) / (q[1] - p[1]) * (q[0] - p[0])
    }
    crossings = crossings.sort()
    return [(crossings[0] + crossings[1]) / 2, y]
}

/** The parts of an area, [outline: ring, holes: [ring...]]. Its rings never cross: depth tells what is a hole. */
List partsOf(Area area) {
    List rings = ringsOf(area).collect { [ring: it, size: sizeOf(it), fill: filled(it), inside: insidePoint(it)] }
    rings.each { one ->
        one.around = rings.findAll { it.size > one.size && it.fill.contains(one.inside[0], one.inside[1]) }
    }
    List parts = rings.findAll { it.around.size() % 2 == 0 }.collect { [outline: it.ring, holes: [], of: it] }
    rings.findAll { it.around.size() % 2 == 1 }.each { hole ->
        def owner = hole.around.min { it.size }
        parts.find { it.of.is(owner) }.holes << hole.ring
    }
    return parts
}

boolean covers(Area outer, Area inner) {
    Area rest = new Area(inner)
    rest.subtract(outer)
    return rest.isEmpty()
}

/** Whether two areas overlap and a ring of one, outline or hole, lies within an outline of the other. */
boolean nested(Area a, Area b) {
    if (!a.getBounds2D().intersects(b.getBounds2D()))
        return false
    Area common = new Area(a)
    common.intersect(b)
    if (common.isEmpty())
        return false
    List partsA = partsOf(a)
    List partsB = partsOf(b)
    return ringInside(partsA, partsB) || ringInside(partsB, partsA)
}

/** Whether a ring of the inner parts, outline or hole, lies within an outline of the outer ones. */
boolean ringInside(List inner, List outer) {
    List outlines = outer.collect { filled(it.outline) }
    return inner.collectMany { [it.outline] + it.holes }.any { ring -> outlines.any { covers(it, filled(ring)) } }
}

/**
 * Join annotations of one class that are nested, since a CSV cannot tell the inner one from a hole.
 * The ROIs come back from top to bottom, so that numbers do not depend on the order that QuPath keeps.
 */
List joinNested(List rois) {
    def order = { a, b ->
        a.area.getBounds2D().getMinY() <=> b.area.getBounds2D().getMinY() ?:
            a.area.getBounds2D().getMinX() <=> b.area.getBounds2D().getMinX()
    }
    List joined = []
    rois.sort(false, order).each { roi ->
        def current = roi
        def other = null
        while ((other = joined.find { it.label == current.label && nested(it.area, current.area) }) != null) {
            println "    NOTE: '${other.name ?: 'unnamed'}' and '${current.name ?: 'unnamed'}' (class " +
                "'${current.label}') overlap, one inside the other: written as one ROI"
            joined.removeAll { it.is(other) }
            Area both = new Area(other.area)
            both.add(current.area)
            current = [name: other.name ?: current.name, label: current.label, area: both]
        }
        joined << current
    }
    return joined.sort(false, order)
}


// ---- CSV -----------------------------------------------------------------------------------------------------

/** One row [name, label, x, y] per vertex: outlines, then their holes; rings are not closed by a repeated vertex. */
List csvRows(List rois, double[] offset) {
    Set taken = rois.collect { it.name }.toSet()
    List rows = []
    rois.each { roi ->
        partsOf(roi.area).eachWithIndex { part, index ->
            String name = index == 0 ? roi.name : numbered(roi.name + '_part', index + 1, taken)
            addRing(rows, name, roi.label, part.outline, offset)
            part.holes.eachWithIndex { ring, i ->
                addRing(rows, numbered(name + '_hole', i + 1, taken), roi.label, ring, offset)
            }
        }
    }
    return rows
}

void addRing(List rows, String name, String label, List ring, double[] offset) {
    ring.each { rows << [name, label, plain(it[0] + offset[0]), plain(it[1] + offset[1])] }
}

/** A number with at most three decimals, always with a point and never as 1E7. */
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
