"""Progress bars on stderr with rate and time left; silent where nobody is looking."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any

_quiet = False


def set_quiet(quiet: bool) -> None:
    """Switch progress bars off, or on again, for the whole process."""
    global _quiet
    _quiet = quiet


@contextlib.contextmanager
def silenced(quiet: bool = True) -> Iterator[None]:
    """No progress bars within the block, or with False as many as there were.

    with silenced():
        ...
    """
    before = _quiet
    set_quiet(quiet or before)
    try:
        yield
    finally:
        set_quiet(before)


def progress(items: Iterable[Any] | int, what: str = "", total: int | None = None) -> Iterator[Any]:
    """The items (or the numbers below a total), with a bar, rate and time left on stderr.

    Silent where stderr is not a terminal, or within `silenced()` (`--quiet`).

        for sample in progress(samples, "mining"): ...
    """
    work = range(items) if isinstance(items, int) else items
    if total is None and isinstance(work, Sized):
        total = len(work)
    with ticking(total, what) as tick:
        for item in work:
            yield item
            tick(1)


@contextlib.contextmanager
def ticking(total: int | None, what: str) -> Iterator[Callable[[int], None]]:
    """A progress bar for work that is not a loop over items: the block gets `tick(num_done)`.

    with ticking(num_studies, "drawing") as tick:
        generate(out, num_studies=num_studies, on_progress=tick)
    """
    if _quiet or not sys.stderr.isatty():
        yield lambda count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    rate = TextColumn("{task.fields[rate]}")
    name = TextColumn("{task.description}")
    columns = (name, BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=total, rate="")

        def tick(count: int) -> None:
            speed = bar.tasks[0].speed
            bar.update(task, advance=count, rate=f"{speed:,.1f}/s" if speed else "")

        yield tick
