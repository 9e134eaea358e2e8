"""What the verbs of the command line share: their options, how faults are told and how results are shown.

A user's mistake is one line on stderr and exit 1, wrong usage exit 2, Ctrl-C exit 130. What the machine has
too little of, or does not allow, is the user's to mend as well.
"""

from __future__ import annotations

import contextlib
import errno
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cxreason.errors import UserError

if TYPE_CHECKING:
    from pydantic import BaseModel

RecipeFile = Annotated[Path, typer.Argument(metavar="RECIPE", help="a YAML file; docs/cli.md lists its keys")]
Changes = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE", help="wins over the recipe: seed=3 trainer.max_steps=9"),
]
Limit = Annotated[int | None, typer.Option(min=1, help="take only so many items, for a first look")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="show the settings, the counts and one example")]
Json = Annotated[bool, typer.Option("--json", help="print the result as JSON on stdout")]
Quiet = Annotated[bool, typer.Option("--quiet", help="no progress bar")]


_NO_ROOM = "there is no room left on the disk. Make some and run the same command again; it continues"
_NOT_ALLOWED = "is not yours to read or write. Change its permissions, or name another folder"
_NO_FOLDER = "a folder is needed there, and it is a file. Name another one"
OF_THE_MACHINE = {
    errno.ENOSPC: _NO_ROOM,
    errno.EDQUOT: _NO_ROOM,
    errno.EACCES: _NOT_ALLOWED,
    errno.EPERM: _NOT_ALLOWED,
    errno.EROFS: "lies on a disk that can only be read. Name another folder",
    errno.EEXIST: _NO_FOLDER,
    errno.ENOTDIR: _NO_FOLDER,
    errno.ENAMETOOLONG: "is too long a name for this disk. Take a shorter one",
    errno.EMFILE: "too many files are open at once. Raise the limit with `ulimit -n 4096`",
}
"""What the system refuses -> what its user can do."""
_MEMORY_OF_A_GPU = (
    "the memory of the GPU is full. Make batches smaller (trainer.per_device_train_batch_size; batch_size of "
    "predict) or images (max_pixels), train adapters (lora), or share weights out over GPUs "
    "(recipes/accelerate)"
)


def of_the_machine(error: BaseException) -> str:
    """What a user can do about something that the machine lacks or forbids; empty where it is a bug.

    >>> of_the_machine(OSError(errno.ENOSPC, "No space left on device"))[:24]
    'there is no room left on'
    """
    if type(error).__name__ == "OutOfMemoryError":  # torch's, which is not imported for this
        return _MEMORY_OF_A_GPU
    # Writers of checkpoints tell a full disk in errors of their own.
    if isinstance(error, OSError) and error.errno in OF_THE_MACHINE:
        where = f"{error.filename}: " if error.filename else ""
        return where + OF_THE_MACHINE[error.errno]
    return _NO_ROOM if "No space left on device" in str(error) else ""


@contextlib.contextmanager
def user_errors(quiet: bool) -> Iterator[None]:
    """Turn what a user can mend into one line and an exit code; a bug keeps its traceback."""
    from cxreason.progress import silenced

    try:
        with silenced(quiet):
            yield
    except UserError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        typer.echo("stopped; run the same command again to continue", err=True)
        raise typer.Exit(130) from None
    except ModuleNotFoundError as error:
        from cxreason.doctor import extra_of

        extra = extra_of(error.name or "")
        if extra is None:
            raise
        message = f"error: {error.name} is not installed. pip install 'cxreason[{extra}]'"
        typer.echo(message, err=True)
        raise typer.Exit(1) from None
    except Exception as error:
        what = of_the_machine(error)
        if not what:
            raise
        typer.echo(f"error: {what}.", err=True)
        raise typer.Exit(1) from None


def report(recipe: BaseModel, result: dict[str, Any], dry_run: bool, as_json: bool) -> None:
    """Print what a verb did, or with `dry_run` what it would do, and where it is written.

    Of several processes that train together the first speaks for all.
    """
    from cxreason.machine import rank

    if rank():
        return
    settings = recipe.model_dump(mode="json")
    if dry_run:
        result = {"recipe": settings, **result}
    show(result, as_json)
    if not dry_run:
        typer.echo(f"written to {settings['out']}", err=True)


def show(result: dict[str, Any], as_json: bool) -> None:
    """Print a result: JSON for programs, YAML for people, whose long texts stay readable in it."""
    text = json.dumps(result, ensure_ascii=False, default=str)
    if not as_json:
        import yaml

        text = yaml.dump(
            json.loads(text), Dumper=_readable_yaml(), sort_keys=False, allow_unicode=True
        ).rstrip()
    sys.stdout.write(text + "\n")


def _readable_yaml() -> type:
    import yaml

    class Readable(yaml.SafeDumper):
        """Texts of several lines as blocks instead of one quoted line."""

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Readable.add_representer(str, text)
    return Readable
