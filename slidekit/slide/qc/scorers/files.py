"""Networks that are given as files: loaded when the first image comes, and known by their content."""

from __future__ import annotations

import hashlib
import threading
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from slidekit.errors import MissingExtraError, QCError
from slidekit.slide.qc.scorers.base import Images, Scorer, Scores
from slidekit.slide.qc.scorers.onnx_header import external_files

__all__ = ["SUFFIXES", "FileScorer"]

SUFFIXES = {
    ".h5": "keras",
    ".keras": "keras",
    ".onnx": "onnx",
    ".pt": "torch",
    ".pt2": "torch",
    ".pth": "torch",
    ".ts": "torch",
}
"""Suffixes of networks' files, each with its kind."""

_LOADERS = {
    "deepfocus": "slidekit.slide.qc.networks.keras",
    "keras": "slidekit.slide.qc.scorers.keras",
    "onnx": "slidekit.slide.qc.scorers.onnx",
    "opencv": "slidekit.slide.qc.scorers.opencv",
    "torch": "slidekit.slide.qc.scorers.torch",
}
_NEEDS = {"deepfocus": "keras", "keras": "keras", "torch": "torch"}
_EXTRAS = {"keras": "tensorflow", "torch": "torch"}
_LOADING = threading.Lock()


class FileScorer:
    """The network of a file; a copy in another process knows the file alone, and loads it itself.

    Parameters
    ----------
    path
        The file; its suffix says what it is. Or the prefix of a checkpoint of TensorFlow, for kinds that take one.
    kind
        One of those in `SUFFIXES`; ``opencv``, which is ONNX by OpenCV even where onnxruntime is installed; or
        ``deepfocus``, whose files may hold weights alone. None goes by the suffix.
    digest
        SHA-256 of the file, and of those that belong to it, where it is known; it is made sure of when the network is
        loaded.

    Raises
    ------
    QCError
        If there is no such file, its suffix is none of a network's, one of several files is missing, or an ONNX names
        files outside its folder.
    MissingExtraError
        If the framework that it needs is not installed.
    """

    def __init__(self, path: str | Path, kind: str | None = None, digest: str | None = None) -> None:
        self.path = Path(path).expanduser().absolute()
        self.kind = kind or _kind(self.path)
        self.digest = digest or _digest(self.path)
        self._scorer: Scorer | None = None
        needed = _NEEDS.get(self.kind)
        if needed and find_spec(needed) is None:
            raise _missing(needed, self.path)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.path, self.kind, self.digest)

    @property
    def key(self) -> str:
        """The file's name and content; not its folder, which may be another on another machine."""
        return f"{self.path.name} sha256:{self.digest[:16]}"

    @property
    def window(self) -> tuple[int, int] | None:
        """Height and width of the images that it takes; None if it takes any, or does not say."""
        return self.load().window

    def __call__(self, batch: Images) -> Scores:
        """Scores of a batch; see `slidekit.slide.qc.scorers.base.Scorer`."""
        return self.load()(batch)

    def load(self) -> Scorer:
        """The network itself.

        Raises
        ------
        QCError
            If the file is another by now, damaged, or no network of RGB images.
        MissingExtraError
            If its framework cannot be imported.
        """
        with _LOADING:
            if self._scorer is None:
                if _digest(self.path) != self.digest:
                    raise QCError(
                        "The model has changed since the QC method was made.",
                        mend="Make the method again.",
                        path=self.path,
                    )
                kind = self.kind
                if kind == "onnx" and find_spec("onnxruntime") is None:
                    kind = "opencv"
                try:
                    module = import_module(_LOADERS[kind])
                except ImportError as error:
                    # Such as Keras without the framework that it works with.
                    raise _missing(_NEEDS.get(kind, kind), self.path) from error
                self._scorer = module.load(str(self.path), self.key)
            return self._scorer


def _kind(path: Path) -> str:
    kind = SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise QCError(
            f"{str(path)!r} is not the file of a model.", mend=f"Give one that ends in {', '.join(SUFFIXES)}."
        )
    return kind


def _digest(path: Path) -> str:
    files = _files(path)
    digest = hashlib.sha256()
    if not files:
        what = "is a folder, not the file of a model." if path.is_dir() else "There is no such model."
        raise QCError(what, mend="Give the path of a file that is there.", path=path)
    for one in files:
        try:
            with one.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise QCError(
                f"The model cannot be read: {error.strerror}.", mend="Give the path of a file that is there.", path=one
            ) from error
    return digest.hexdigest()


def _files(path: Path) -> list[Path]:
    """Files that a model consists of."""
    if path.is_file():
        # Larger networks of ONNX keep their weights in files beside them.
        return [path, *(external_files(path) if path.suffix.lower() == ".onnx" else ())]
    # TensorFlow's checkpoints are several files that begin alike.
    beside = path.parent.iterdir() if path.parent.is_dir() else ()
    index, data = f"{path.name}.index", f"{path.name}.data-"
    files = sorted(file for file in beside if file.name.startswith((index, data)))
    names = [file.name for file in files if file.name == index or file.name.startswith(data)]
    if names:
        shards = [name for name in names if name != index]
        count = int(shards[0].rpartition("-")[2]) if shards and shards[0].rpartition("-")[2].isdigit() else 1
        wanted = [index, *(f"{data}{shard:05}-of-{count:05}" for shard in range(count))]
        if missing := [name for name in wanted if name not in names]:
            raise QCError(
                f"Of this checkpoint of TensorFlow {', '.join(missing)} is missing.",
                mend="Put all of its files into one folder.",
                path=path,
            )
    return files


def _missing(needed: str, path: Path) -> MissingExtraError:
    return MissingExtraError(
        f"The model needs {needed}, which is not installed, or not with all that it needs.",
        mend=f"Install it with: pip install 'slidekit[{_EXTRAS.get(needed, needed)}]'.",
        path=path,
    )
