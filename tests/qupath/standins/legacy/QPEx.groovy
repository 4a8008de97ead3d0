// Stand-in for QuPath 0.1.x: what a script gets from its static imports, fed from a scenario (JSON).
package qupath.lib.scripting

import groovy.json.JsonSlurper
import qupath.lib.images.ImageData

class QPEx {
    static final String PROJECT_BASE_DIR = '{%PROJECT}'

    private static Map scenario
    private static Project project
    private static ImageData openData

    static void load(File file, String open) {
        scenario = new JsonSlurper().parse(file, 'UTF-8')
        project = scenario.project ? new Project(imageList: scenario.images.collect { new ProjectImageEntry(it) }) : null
        def image = scenario.images.find { it.id == (open ?: scenario.open) }
        openData = image == null ? null : new ImageData(image)
    }

    static Project getProject() { project }

    static ImageData getCurrentImageData() { openData }

    static ProjectImageEntry getProjectEntry() { project?.imageList?.find { it.image.is(openData.image) } }

    static String buildFilePath(String... path) {
        File file = new File(path[0].replace(PROJECT_BASE_DIR, scenario.folder))
        path.drop(1).each { file = new File(file, it) }
        return file.getAbsolutePath()
    }
}

class Project {
    List imageList
}

class ProjectImageEntry {
    final Map image

    ProjectImageEntry(Map image) { this.image = image }

    // 0.1.x strips the last extension when an image is added.
    String getImageName() { image.name.replaceFirst('[.][^.]+$', '') }
}
