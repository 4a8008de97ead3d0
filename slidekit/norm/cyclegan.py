"""Stain transfer by a generator that a CycleGAN has learned: method ``cyclegan``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NoReturn, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slidekit.errors import NormalizerError
from slidekit.norm.base import FitField, StainNormalizer
from slidekit.norm.fitting import FitSource, FittedTo
from slidekit.norm.generator.chain import GeneratorChain
from slidekit.norm.generator.files import GeneratorFile, check_unchanged, describe_file

__all__ = ["CycleGANNormalizer"]

_KEYS = set(GeneratorFile._fields)
_MEND = (
    "Give source= the path of a generator (.keras, .h5, .pt2, .pt), two such paths (H&E to another stain, and back), "
    "or a JSON file that save() wrote."
)


class CycleGANNormalizer(StainNormalizer):
    """Change colours by generators from files, one after another; slidekit brings none.

    From Zhu et al.: Unpaired image-to-image translation using cycle-consistent adversarial networks, ICCV 2017.
    The fit is the generators' paths and the SHA-256 of their files; there are no presets, no context and no stain
    augmentation. The networks are loaded when the first image comes, in each process; they may hold code, so give
    only files that you trust. An image of any size is allowed (`slidekit.norm.generator.windows`). Statistics are
    not defined where a generator gives numbers that are not finite: such tiles are left as they are; all others
    are changed, blank ones as well.

    Parameters
    ----------
    method
        ``cyclegan``.
    """

    _fields: ClassVar[Mapping[str, FitField]] = {}

    def __init__(self, method: str = "cyclegan") -> None:
        self._chain: GeneratorChain | None = None
        super().__init__(method)

    def fit(
        self, source: FitSource, *, max_tiles: int | None = 5000, seed: int = 0, threads: int | None = None
    ) -> Self:
        """Take the generators of these files.

        Parameters
        ----------
        source
            The path of a generator; several, applied one after another: Slideflow's way goes from H&E to Masson's
            trichrome and back, by two; or the path of a JSON file that `save` wrote.
        max_tiles, seed, threads
            Mean nothing here.

        Returns
        -------
        StainNormalizer
            This normaliser.

        Raises
        ------
        NormalizerError
            If a file is missing, or not of a generator.
        MissingExtraError
            If the framework that a generator needs is not installed.
        """
        if isinstance(source, str | Path) and Path(source).suffix.lower() == ".json":
            return self._fit_to_saved(Path(source))
        self._set_files(describe_file(path) for path in _paths(source))
        return self

    def _fit_to_saved(self, path: Path) -> Self:
        from slidekit.norm.saving import load

        saved = load(path)
        if not isinstance(saved, CycleGANNormalizer):
            raise NormalizerError(f"This is the fit of {saved.method}, not of {self.method}.", mend=_MEND, path=path)
        return self.set_fit(**saved.get_fit())

    def set_fit(self, **values: ArrayLike | Sequence[Mapping[str, str]]) -> Self:
        """Take the generators that `get_fit` returned, if their files are still the same.

        Parameters
        ----------
        **values
            `generators`: a list of objects with `path` and `sha256`.

        Returns
        -------
        StainNormalizer
            This normaliser.

        Raises
        ------
        NormalizerError
            If there is no such list, or a file is missing or another than it was.
        MissingExtraError
            If the framework that a generator needs is not installed.
        """
        files = _read_files(values)
        for file in files:
            check_unchanged(file)
        self._set_files(files)
        return self

    def _set_files(self, files: Iterable[GeneratorFile]) -> None:
        self._chain = GeneratorChain(tuple(files))
        self._fitted_to = FittedTo()

    def get_fit(self, as_list: bool = False) -> dict[str, Any]:
        """Paths and hashes of the generators, ready for JSON.

        Parameters
        ----------
        as_list
            Means nothing here.

        Returns
        -------
        dict
            `generators`: a list of objects with `path` (absolute) and `sha256`.

        Raises
        ------
        NormalizerError
            If there is no generator.
        """
        return {"generators": [file._asdict() for file in self._generators().files]}

    def _generators(self) -> GeneratorChain:
        if self._chain is None:
            raise NormalizerError(f"{self.method} has no generator.", mend=_MEND)
        return self._chain

    def _apply(
        self,
        image: NDArray[np.uint8],
        fit: Mapping[str, NDArray[np.float64]],
        context: Mapping[str, NDArray[np.float64]] | None = None,
    ) -> NDArray[np.uint8] | None:
        return self._generators()(image)

    def _measure(self, image: NDArray[np.uint8]) -> Mapping[str, NDArray[np.float64]] | None:
        return {}

    def _preset_stdev(self, preset: str) -> NoReturn:
        self._refuse_augmentation()

    def _check_stdev(self, stdev: Mapping[str, ArrayLike]) -> NoReturn:
        self._refuse_augmentation()

    def _refuse_augmentation(self) -> NoReturn:
        raise NormalizerError(
            f"{self.method} has no stain augmentation.", mend="Use macenko or reinhard for it, or method augment."
        )


def _paths(source: Any) -> list[str | Path]:
    """The paths of a source."""
    if isinstance(source, str | Path):
        return [source]
    paths = list(source) if isinstance(source, Sequence) else []
    if not paths or not all(isinstance(path, str | Path) for path in paths):
        raise NormalizerError(f"cyclegan is not fitted to {type(source).__name__}.", mend=_MEND)
    return paths


def _read_files(values: Mapping[str, Any]) -> tuple[GeneratorFile, ...]:
    """The files of a fit as `get_fit` returns it."""
    files = values.get("generators") if values.keys() == {"generators"} else None
    if not isinstance(files, Sequence) or not files or not all(map(_is_file, files)):
        raise NormalizerError(
            "A fit of cyclegan consists of generators, a list of objects with path and sha256.",
            mend="Give what get_fit returned; or fit(path) to generators by their paths.",
        )
    return tuple(GeneratorFile(**file) for file in files)


def _is_file(file: object) -> bool:
    return isinstance(file, Mapping) and file.keys() == _KEYS and all(isinstance(text, str) for text in file.values())
