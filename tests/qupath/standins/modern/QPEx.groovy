// Stand-in for QuPath 0.2 to 0.6: what a script gets from its static imports, fed from a scenario (JSON).
package qupath.lib.gui.scripting

import groovy.json.JsonOutput
import groovy.json.JsonSlurper
import qupath.lib.images.ImageData
import qupath.lib.objects.PathClass
import qupath.lib.projects.Project

class QPEx {
    static final String PROJECT_BASE_DIR = '{%PROJECT}'

    private static Map scenario
    private static Project project
    private static ImageData openData

    static void load(File file, String open) {
        scenario = new JsonSlurper().parse(file, 'UTF-8')
        project = scenario.project ? new Project(scenario.images) : null
        def image = scenario.images.find { it.name == (open ?: scenario.open) }
        openData = image == null ? null : new ImageData(image, true)
    }

    static Project getProject() { project }

    static ImageData getCurrentImageData() { openData }

    static String buildFilePath(String... path) {
        File file = new File(path[0].replace(PROJECT_BASE_DIR, scenario.folder))
        path.drop(1).each { file = new File(file, it) }
        return file.getAbsolutePath()
    }

    static Collection getAnnotationObjects() { openData.hierarchy.annotationObjects.toList() }

    static void addObjects(Collection objects) { openData.hierarchy.annotationObjects.addAll(objects) }

    static void removeObjects(Collection objects, boolean keepChildren) {
        openData.hierarchy.annotationObjects.removeAll { one -> objects.any { it.is(one) } }
    }

    static PathClass getPathClass(String name) { new PathClass(name) }

    /** The annotations of the open image, for the tests. */
    static void save(File file) {
        file.setText(JsonOutput.toJson(openData == null ? null : openData.hierarchy.annotationObjects*.data), 'UTF-8')
    }
}
