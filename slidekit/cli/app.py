"""The commands, and what happens to errors on their way to the user."""

from __future__ import annotations

import functools
import logging
import signal
import sys
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.logging import RichHandler
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from slidekit import __version__
from slidekit.cli.cells import cells
from slidekit.cli.commands import create, info, preview, report
from slidekit.cli.convert import convert
from slidekit.cli.demo import demo
from slidekit.cli.export import export
from slidekit.cli.extract import extract
from slidekit.cli.qc import qc
from slidekit.cli.sample import bench_sampler, sample
from slidekit.cli.segment import rois, segment_export, train
from slidekit.cli.verify import verify
from slidekit.errors import RecordError, SlideError, SlidekitError, SpecError

__all__ = ["app", "main"]

_HELP = "`slidekit extract --help`"


class _HelpWithoutType:
    """Shows ``--help`` as what it is: a switch, which takes no value."""

    def get_help_option(self, ctx: Any) -> Any:
        option = super().get_help_option(ctx)  # type: ignore[misc]
        if option is not None:
            option.metavar = ""
        return option


class _Command(_HelpWithoutType, TyperCommand):
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except SpecError as error:
            raise _of_command(error, ctx) from error

    def get_params(self, ctx: Any) -> Any:
        params = super().get_params(ctx)
        for param in params:
            if param.nargs == -1:
                # Typer would show Python's own name of the type, list[Path].
                vars(param)["display_type"] = lambda ctx: "<path>"
        return params


def _of_command(error: SpecError, ctx: Any) -> SpecError:
    """An error whose advice names the command that was called: the spec itself knows that of an extraction alone."""
    if _HELP not in (error.mend or ""):
        return error
    words: list[str] = []
    while ctx.parent is not None:
        words, ctx = [str(ctx.info_name), *words], ctx.parent
    mend = (error.mend or "").replace(_HELP, f"`slidekit {' '.join(words)} --help`")
    return SpecError(error.message, mend=mend, path=error.path, line=error.line)


class _Group(_HelpWithoutType, TyperGroup):
    pass


app = typer.Typer(
    name="slidekit",
    cls=_Group,
    help="Turn whole-slide images into machine-learning datasets.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
)
_WRONG_USE = 2
_INTERRUPTED, _TERMINATED = 130, 143


class _TerminatedError(KeyboardInterrupt):
    """SIGTERM, which a batch system sends some time before it kills: to be ended by as by Ctrl-C."""


def _terminate(number: int, frame: FrameType | None) -> None:
    raise _TerminatedError


def _interruptible(command: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(command)
    def run(**values: Any) -> None:
        try:
            command(**values)
        except KeyboardInterrupt as ended:
            said = str(ended) or "What is finished is safe; the same command goes on where this one stopped."
            _say(f"Interrupted. {said}")
            raise typer.Exit(_TERMINATED if isinstance(ended, _TerminatedError) else _INTERRUPTED) from None

    return run


for _command in (
    *(create, extract, verify, report, export, convert, sample, bench_sampler),
    *(info, preview, qc, cells, demo),
):
    app.command(cls=_Command)(_interruptible(_command))

_segment = typer.Typer(
    name="segment",
    cls=_Group,
    help="Train a network on regions of interest, and let it draw such regions.",
    no_args_is_help=True,
)
for _name, _command in (("export", segment_export), ("train", train), ("rois", rois)):
    _segment.command(_name, cls=_Command)(_interruptible(_command))
app.add_typer(_segment)


@app.callback(invoke_without_command=True)
def slidekit(
    version: Annotated[bool, typer.Option("--version", metavar="", help="Print the version and leave.")] = False,
    debug: Annotated[bool, typer.Option("--debug", metavar="", help="Show tracebacks and log in detail.")] = False,
) -> None:
    """Turn whole-slide images into machine-learning datasets."""
    logging.basicConfig(
        level=logging.DEBUG if debug else logging.WARNING,
        format="%(message)s",
        handlers=[RichHandler(console=Console(stderr=True), show_time=False, show_path=False, markup=False)],
    )
    logging.getLogger("slidekit").setLevel(logging.DEBUG if debug else logging.INFO)
    for loud in ("PIL", "tifffile", "pyvips", "matplotlib"):
        logging.getLogger(loud).setLevel(logging.ERROR)
    if version:
        Console().print(f"slidekit {__version__}", highlight=False)
        raise typer.Exit


def main() -> None:
    """Run the command line; errors become a sentence and an exit code."""
    debug = "--debug" in sys.argv
    signal.signal(signal.SIGTERM, _terminate)
    if not debug:
        sys.excepthook = _say_unexpected
    try:
        # Calling `app` itself would put typer's hook, which prints a traceback, in place of the one above.
        get_command(app)()
    except SlidekitError as error:
        if debug:
            raise
        _say(str(error))
        # A slide or record that cannot be used is its own fault; all else is a matter of how slidekit was called.
        sys.exit(1 if isinstance(error, SlideError | RecordError) else _WRONG_USE)
    except KeyboardInterrupt as ended:
        # Outside of any command: while options are read, or modules loaded.
        _say("Interrupted.")
        sys.exit(_TERMINATED if isinstance(ended, _TerminatedError) else _INTERRUPTED)
    except OSError as error:
        if debug:
            raise
        place = "" if error.filename is None else f": {error.filename}"
        _say(f"{error.strerror}{place}" if error.strerror else f"{type(error).__name__}: {error}")
        sys.exit(_WRONG_USE)


def _say(text: str) -> None:
    Console(stderr=True).print(f"[bold red]error:[/] {_escape(text)}", highlight=False, soft_wrap=True)


def _escape(text: str) -> str:
    return text.replace("[", "\\[")


def _say_unexpected(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    _say(f"{kind.__name__}: {error}\nThis is a mistake in slidekit; --debug before the command shows where.")
