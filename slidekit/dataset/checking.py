"""Whether a dataset is what it seems: names, formats, duplicates, pictures of its slides and of its numbers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from slidekit.collection.matching import Unmatched
from slidekit.collection.selection import Selection
from slidekit.collection.sources import PathLike
from slidekit.errors import DatasetError
from slidekit.wording import cell_text, some_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from slidekit.record_tools.checks import StoredFormat
    from slidekit.record_tools.duplicates import DuplicatePair

__all__ = ["Checking"]

logger = logging.getLogger(__name__)


class Checking(Selection):
    """What `Dataset` finds out about its slides and TFRecords."""

    def verify_annotations_slides(self) -> Unmatched:
        """Check that slides and annotations belong together.

        Returns
        -------
        Unmatched
            Slides without rows, rows without slides, and ROI files without slides; the log says so, too.

        Raises
        ------
        AnnotationsError, DatasetError
            If two slides have one name, or no slide at all has a row that meets the filters.
        """
        if not self.slides():
            raise DatasetError(
                "No slide has a row in the annotations that meets the filters.",
                mend=f"The annotations name {some_of(self._collection.table.slides, 3) or 'none'}; "
                f"slides and TFRecords are named {some_of(self._names_found(), 3) or 'none'}.",
            )
        return self.unmatched

    def _names_found(self) -> list[str]:
        return sorted({*self._collection.index.paths, *self._collection.records})

    def verify_slide_names(self, allow_errors: bool = False) -> bool:
        """Check that each TFRecord file is named after the slide of its first record.

        Parameters
        ----------
        allow_errors
            Name the files in the log instead of raising.

        Returns
        -------
        bool
            Whether all are.

        Raises
        ------
        DatasetError
            If one is not.
        RecordError
            If a file is damaged.
        """
        from slidekit.record_tools.checks import first_records

        wrong = [
            f"{path.name} holds {record.slide!r}"
            for path, record in first_records(self.tfrecords()).items()
            if record.slide != path.name.removesuffix(".tfrecords")
        ]
        if wrong and not allow_errors:
            raise DatasetError(
                f"{len(wrong)} TFRecord files are not named after their slide: {some_of(wrong, 5)}.",
                mend="Name files and slides alike: labels are looked up by these names.",
            )
        if wrong:
            logger.warning("%d TFRecord files are not named after their slide: %s", len(wrong), some_of(wrong, 20))
        return not wrong

    def verify_img_format(self) -> StoredFormat | None:
        """Check that the first images of all TFRecords have one format.

        Returns
        -------
        str or None
            ``jpeg`` or ``png``; None if there are no TFRecords.

        Raises
        ------
        DatasetError
            If there are both.
        RecordError
            If a file is damaged.
        """
        from slidekit.record_tools.checks import image_formats

        formats = image_formats(self.tfrecords())
        found = sorted(set(formats.values()))
        if len(found) > 1:
            which = [path.name for path, name in formats.items() if name == "png"]
            raise DatasetError(
                f"{len(which)} of {len(formats)} TFRecord files hold PNG, the others JPEG: {some_of(which, 5)}.",
                mend="Extract all slides in one format, or filter some out.",
            )
        return found[0] if found else None

    @property
    def img_format(self) -> StoredFormat | None:
        """Format of the tiles, as `verify_img_format` finds it: ``jpeg`` or ``png``."""
        return self.verify_img_format()

    def check_duplicates(
        self, dataset: Selection | None = None, px: int = 64, mse_thresh: float = 100
    ) -> list[DuplicatePair]:
        """Look for slides that are there twice: as files, and as pictures.

        Parameters
        ----------
        dataset
            Another dataset whose slides are compared as well.
        px
            Edge of the thumbnails that are compared, pixels.
        mse_thresh
            Mean squared difference of two thumbnails below which they are of the same slide. Slides with very little
            tissue resemble each other: look at what is found.

        Returns
        -------
        list of DuplicatePair
            ``first``, ``second`` (paths), ``mse``, ``same_file``. Slides that cannot be drawn are in the log.

        Raises
        ------
        SpecError
            If `px` is no size of a picture.
        """
        from slidekit.record_tools.duplicates import find_duplicates

        paths = [*self.slide_paths(), *(dataset.slide_paths() if dataset is not None else ())]
        pairs, errors = find_duplicates(paths, px=px, mse_thresh=mse_thresh)
        for error in errors.values():
            logger.warning("not compared by its picture: %s", error)
        return pairs

    def thumbnails(
        self,
        outdir: PathLike,
        size: int = 512,
        roi: bool = False,
        enable_downsample: bool = True,
        *,
        overwrite: bool = False,
        num_workers: int | None = None,
    ) -> dict[str, Path]:
        """Write a picture of each slide as ``{slide}.png``.

        Parameters
        ----------
        outdir
            Folder; it is made.
        size
            Edge of the pictures, pixels: white squares with the slide in the middle, in its true proportions.
        roi
            Whether to draw the regions of interest.
        enable_downsample
            Whether pyramid levels are used; without, all of level 0 is read.
        overwrite
            Whether existing pictures are replaced.
        num_workers
            Threads; one a core by default.

        Returns
        -------
        dict
            Slide to picture. Slides that cannot be drawn are named in the log, and stop no other.

        Raises
        ------
        SpecError
            If `size` is no size of a picture.
        RecordError
            Before any work, if a picture exists, or the folder cannot be made.
        """
        from slidekit.record_tools.pictures import SlidePicture, write_thumbnails

        rois, mpp = self.roi_files() if roi else {}, self.mpp()
        pictures = {name: SlidePicture(path, rois.get(name), mpp.get(name)) for name, path in self.paths().items()}
        made, failed = write_thumbnails(
            pictures,
            Path(outdir).expanduser().absolute(),
            size=size,
            enable_downsample=enable_downsample,
            overwrite=overwrite,
            num_workers=num_workers,
        )
        for name, error in failed.items():
            logger.warning("no thumbnail of %s: %s", name, error)
        return made

    def manifest_histogram(self, by: str | None = None, binrange: tuple[float, float] | None = None) -> Figure:
        """Draw how many tiles slides have.

        Parameters
        ----------
        by
            Column of the annotations: one histogram for each value.
        binrange
            From which to which number of tiles; by default all.

        Returns
        -------
        matplotlib.figure.Figure
            ``figure.savefig("tiles.png")`` writes it.

        Raises
        ------
        DatasetError
            If there are no TFRecords, or no such column.
        """
        from slidekit.record_tools.histogram import tiles_figure

        if not (counts := {Path(path).stem: entry["total"] for path, entry in self.manifest().items()}):
            raise self._say_no_records()
        values = dict.fromkeys(counts, "")
        if by is not None:
            frame = self.annotations
            if by not in frame.columns:
                raise DatasetError(f"There is no column {by!r}.", mend=f"There are: {', '.join(frame.columns)}.")
            values = {slide: cell_text(value) for slide, value in zip(frame["slide"], frame[by], strict=True)}
        groups: dict[str, list[int]] = {}
        for slide, count in counts.items():
            title = "" if by is None else f"{by} = {values[slide] or '(empty)'}"
            groups.setdefault(title, []).append(count)
        return tiles_figure(dict(sorted(groups.items())), binrange=binrange)

    def convert_xml_rois(self) -> list[Path]:
        """Write regions that are XML (ImageScope, ASAP) as CSV beside it, for the slides whose regions are XML.

        The XML stays, and so does a CSV that is there. This dataset goes on with the XML; a new one reads the CSV.

        Returns
        -------
        list of Path
            The new files.

        Raises
        ------
        ROIError
            If a file cannot be used, or CSV cannot say what is in it; when all others are finished.
        """
        from slidekit.record_tools.batch import for_each
        from slidekit.record_tools.xml_rois import convert_xml

        files: Sequence[Path] = [path for path in self.rois() if path.suffix.lower() == ".xml"]
        made = for_each(convert_xml, files, name=lambda path: path.name)
        return [path for path in made if path is not None]
