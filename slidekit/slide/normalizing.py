"""The stain normaliser of an extraction, and of one slide."""

from __future__ import annotations

import numpy as np

from slidekit.errors import NormalizerError
from slidekit.norm import StainNormalizer, autoselect
from slidekit.norm.cyclegan import CycleGANNormalizer
from slidekit.norm.hsv import HSVAugmenter
from slidekit.slide.spec import ExtractionSpec
from slidekit.slide.wsi import WSI

__all__ = ["make_normalizer", "make_slide_normalizer"]


def make_normalizer(spec: ExtractionSpec) -> StainNormalizer | None:
    """The normaliser that a spec names, fitted to its source, or seeded if it has none; None if it names none.

    Raises
    ------
    NormalizerError
        If there is no such method, its source cannot be used, or it is to have a context and takes none.
    """
    if spec.normalizer is None:
        return None
    normalizer = autoselect(spec.normalizer, spec.normalizer_source)
    if spec.normalizer_context and not normalizer.takes_context:
        raise NormalizerError(
            f"normalizer_context is given, but {spec.normalizer} takes no context.", mend="Leave it out."
        )
    return normalizer.set_augment(seed=spec.seed) if isinstance(normalizer, HSVAugmenter) else normalizer


def make_slide_normalizer(wsi: WSI, spec: ExtractionSpec) -> tuple[StainNormalizer | None, str | None]:
    """The normaliser for the tiles of a slide, with the slide's statistics where the spec asks for them.

    Parameters
    ----------
    wsi
        The slide, QC having been run.
    spec
        All parameters.

    Returns
    -------
    StainNormalizer or None
        None if the spec names none. Threads may share it.
    str or None
        A sentence for the report where the slide's statistics are not defined: its tiles are then normalised by
        their own.

    Raises
    ------
    NormalizerError
        As `make_normalizer` does, and if a generator cannot be loaded, or cannot work on tiles of this size.
    SlideReadError
        If the slide cannot be read at a low resolution.
    """
    normalizer = make_normalizer(spec)
    if normalizer is None or len(wsi) == 0:
        return normalizer, None
    if isinstance(normalizer, CycleGANNormalizer):
        # A blank tile as a trial: otherwise every tile would be dropped for the same reason, and the slide be empty.
        normalizer.normalize(np.full((spec.tile_px, spec.tile_px, 3), 255, np.uint8))
    if not spec.normalizer_context:
        return normalizer, None
    try:
        return normalizer.set_context(wsi), None
    except NormalizerError:
        return normalizer, (
            "The slide as a whole has too little stained tissue to be the context of stain normalisation:"
            " each tile was normalised by its own statistics."
        )
