// Stand-in for QuPath 0.2 to 0.6: a project and its entries.
package qupath.lib.projects

import qupath.lib.images.ImageData

class Project {
    final List imageList

    Project(List images) { imageList = images.collect { new ProjectImageEntry(it) } }

    ProjectImageEntry getEntry(ImageData data) { imageList.find { it.image.is(data.image) } }
}

class ProjectImageEntry {
    final Map image

    ProjectImageEntry(Map image) { this.image = image }

    String getID() { image.id }

    String getImageName() { 'masked-name' }

    String getOriginalImageName() { image.name }

    boolean hasImageData() { image.annotations != null || image.detections != null }

    ImageData readImageData() {
        if (image.broken)
            throw new IOException("cannot find ${image.file}")
        return new ImageData(image, false)
    }
}
