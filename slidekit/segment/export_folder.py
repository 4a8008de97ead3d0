"""The folder of an export: whose the files in it are, and what is in it after a kill."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from slidekit.errors import DatasetError
from slidekit.segment.mask_config import MASK_CONFIG, ExportedSlide, MaskConfig, image_file, mask_file
from slidekit.wording import some_of

__all__ = ["claim_folder", "release_folder"]


def claim_folder(folder: Path, config: MaskConfig, names: Iterable[str], *, overwrite: bool) -> MaskConfig:
    """Make the folder, or go on with what is in it, and write down what this export is before it writes any mask.

    Whenever it is killed, ``mask_config.json`` is of the masks that it lists, and files that it has not listed yet are
    known as its own.

    Parameters
    ----------
    folder
        Absolute.
    config
        Of the masks that will be written; without slides.
    names
        Slides that will be written.
    overwrite
        Whether masks of other parameters, and files that are of no export, are replaced.

    Returns
    -------
    MaskConfig
        With the slides that are there already.

    Raises
    ------
    DatasetError
        If the folder is a file, holds masks of other parameters or files that are of no export, or two slides would
        have one file.
    """
    wanted = sorted(names)
    if folder.exists() and not folder.is_dir():
        raise DatasetError("is a file, not a folder.", mend="Give a folder.", path=folder)
    before = MaskConfig.load(folder) if (folder / MASK_CONFIG).is_file() else config
    if differences := before.differences(config):
        if not overwrite:
            raise DatasetError(
                f"holds masks of other parameters: {differences}.",
                mend="Give another folder, or overwrite=True.",
                path=folder,
            )
        config = config.model_copy(update={"slides": {}})
    else:
        config = before
    _check_names({*wanted, *config.slides})
    known = {*before.slides, *before.unfinished}
    if not overwrite and (
        foreign := [file.name for name in wanted if name not in known for file in _there(folder, name)]
    ):
        raise DatasetError(
            f"holds files that no export wrote: {some_of(foreign)}.",
            mend="Give another folder, or overwrite=True, which replaces them.",
            path=folder,
        )
    unfinished = sorted((known | set(wanted)) - set(config.slides))
    claimed = config.model_copy(update={"slides": config.slides, "unfinished": tuple(unfinished)})
    folder.mkdir(parents=True, exist_ok=True)
    claimed.save(folder)
    return claimed


def release_folder(folder: Path, config: MaskConfig, slides: Mapping[str, ExportedSlide], *, done: bool) -> None:
    """Write down which slides are there.

    Parameters
    ----------
    folder
        Of the export.
    config
        What `claim_folder` gave.
    slides
        What is there.
    done
        Whether the export has ended: only files that are still there are then its own beside those of `slides`.
    """
    known = {*config.unfinished, *config.slides} - set(slides)
    unfinished = sorted(name for name in known if not done or _there(folder, name))
    config.model_copy(update={"slides": dict(slides), "unfinished": tuple(unfinished)}).save(folder)


def _check_names(names: set[str]) -> None:
    for name in sorted(names):
        if (whole := name.removesuffix(".mask")) != name and whole in names:
            raise DatasetError(
                f"The mask of the slide {whole!r} and the image of {name!r} would be one file.",
                mend="Rename one of the slides, or export them into two folders.",
            )


def _there(folder: Path, name: str) -> list[Path]:
    files = {image_file(folder, name), mask_file(folder, name, "binary"), mask_file(folder, name, "multilabel")}
    return sorted(file for file in files if file.exists())
