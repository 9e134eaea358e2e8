"""The papers' ablations and our own, on phantoms: runs the grid, resumes it, and writes the tables.

    python experiments/ablations.py                      the whole grid of experiments/ablations.yaml
    python experiments/ablations.py --dry-run            what would run, and about how long
    python experiments/ablations.py --smoke out=/tmp/s   a grid of toys, to see that everything works
    python experiments/ablations.py --only rewards       what one of its experiments needs, and no more
    python experiments/ablations.py --write-docs         docs/experiments.md from what is finished so far

Stop it at any time, even with kill -9, and start it again: finished runs are not run again, and the others go
on from their last checkpoint or row. A job that fails holds up those that need it, and no others. Each worker
computes with one thread, because for a model this small two jobs on two cores do more than one job with two
threads.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from traceback import format_exception
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from grid import FROM_THE_DEMO, Experiment, Grid, Job, jobs, only  # noqa: E402

from cxreason.demo import RECIPE  # noqa: E402
from cxreason.errors import UserError  # noqa: E402
from cxreason.progress import set_quiet, silenced  # noqa: E402
from cxreason.recipes import DemoRecipe, load, validate  # noqa: E402
from cxreason.rows import write_json, write_text  # noqa: E402
from cxreason.runs import recipe_changes, state_of  # noqa: E402

GRID = HERE / "ablations.yaml"
TEMPLATE = HERE / "experiments.md"
PAGE = HERE.parent / "docs" / "experiments.md"

Say = Callable[[str], None]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    try:
        grid = read_grid(options.grid, options.changes, smoke=options.smoke)
        planned = jobs(grid)
        chosen = (
            only(planned, [_experiment(grid, name) for name in options.only]) if options.only else planned
        )
        if options.dry_run:
            sys.stdout.write(describe(grid, chosen) + "\n")
            return 0
        if not options.write_docs:
            run(grid, chosen, lambda line: print(line, file=sys.stderr, flush=True))
        write_tables(grid, planned, PAGE if options.write_docs else None)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; run the same command again to continue", file=sys.stderr)
        return 130
    return 0


def read_grid(path: Path, changes: Sequence[str] = (), *, smoke: bool = False) -> Grid:
    """The grid of a file, on top of what the demo tells the stages that both have."""
    demo = load(DemoRecipe, RECIPE)
    own = load(Grid, path, changes).model_dump()
    grid = validate(Grid, _deep({stage: getattr(demo, stage) for stage in FROM_THE_DEMO}, own), path)
    return validate(Grid, _deep(grid.model_dump(), grid.smoke), f"{path}, 'smoke'") if smoke else grid


def _experiment(grid: Grid, name: str) -> Experiment:
    if name not in grid.experiments:
        raise UserError(f"--only {name}: there is no such experiment. Known: {', '.join(grid.experiments)}.")
    return grid.experiments[name]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("changes", nargs="*", metavar="KEY=VALUE", help="wins over the grid's file")
    parser.add_argument("--grid", type=Path, default=GRID, help="another grid than ablations.yaml")
    parser.add_argument("--only", nargs="+", default=[], metavar="EXPERIMENT", help="what these need alone")
    parser.add_argument("--dry-run", action="store_true", help="list the jobs with an estimate")
    parser.add_argument("--smoke", action="store_true", help="the grid of toys; change it by smoke.KEY=VALUE")
    parser.add_argument("--write-docs", action="store_true", help="write docs/experiments.md, run nothing")
    return parser.parse_args(arguments)


def is_finished(job: Job) -> bool:
    """Whether a job's folder holds a finished run of the same recipe; one of another recipe is refused."""
    state = state_of(job.out)
    if state is None or not state["finished"]:
        return False
    changed = [change.partition(":")[0] for change in recipe_changes(job.out, job.recipe)]
    if changed:
        raise UserError(
            f"{job.out}: was made with another recipe ({', '.join(changed)}). Remove the folder and "
            "those of the jobs that follow from it, or choose another `out`."
        )
    return True


def run(grid: Grid, planned: Sequence[Job], say: Say) -> None:
    """Do all that is not done, as many jobs at once as there are workers."""
    started, done = time.monotonic(), {job.name for job in planned if is_finished(job)}
    todo = [job for job in planned if job.name not in done]
    say(f"{len(planned)} jobs, {len(done)} done before")
    if grid.workers:
        _run_in_processes(grid.workers, todo, done, say)
    else:
        with silenced():
            for job in todo:
                _told(job, _run_one(job), len(done) + 1, len(planned), say)
                done.add(job.name)
    say(f"in all: {time.monotonic() - started:.0f} s")


def _run_in_processes(workers: int, todo: Sequence[Job], done: set[str], say: Say) -> None:
    """Each job as soon as what it needs is done; one that fails stops those that need it and no others."""
    waiting, under_way, failed = list(todo), dict[Future[float], Job](), list[str]()
    total = len(todo) + len(done)
    os.environ["OMP_NUM_THREADS"] = "1"  # read when a worker loads its libraries
    with ProcessPoolExecutor(workers, get_context("spawn"), _start_worker, (os.getpid(),)) as pool:
        while True:
            for job in [one for one in waiting if done.issuperset(one.needs)][: workers - len(under_way)]:
                waiting.remove(job)
                under_way[pool.submit(_run_one, job)] = job
            if not under_way:
                break
            finished, _ = wait(under_way, return_when=FIRST_COMPLETED)
            for future in finished:
                job, error = under_way.pop(future), future.exception()
                if isinstance(error, BrokenProcessPool):
                    raise UserError(f"{job.name}: its process died. Run the same command again to continue.")
                if error is None:
                    _told(job, future.result(), len(done) + 1, total, say)
                    done.add(job.name)
                else:
                    failed.append(job.name)
                    what = str(error) if isinstance(error, UserError) else "".join(format_exception(error))
                    say(f"{job.name} failed: {what}")
    if failed:
        raise UserError(
            f"{', '.join(failed)} failed, and {len(waiting)} jobs wait for that; the reasons stand above. "
            "What could be done is done: run the same command again once that is mended."
        )


def _start_worker(parent: int) -> None:
    import torch

    torch.set_num_threads(1)
    set_quiet(True)
    threading.Thread(target=_die_with, args=(parent,), daemon=True).start()


def _die_with(parent: int) -> None:
    """A killed parent takes its workers along: one that went on alone would hold its run's folder."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _run_one(job: Job) -> float:
    from verbs import run_job

    started = time.monotonic()
    run_job(job)
    return time.monotonic() - started


def _told(job: Job, seconds: float, number: int, total: int, say: Say) -> None:
    say(f"[{number}/{total}] {job.name}: {seconds:.0f} s")


def describe(grid: Grid, planned: Sequence[Job]) -> str:
    """The jobs by kind, and about how long they take with the grid's workers."""
    kinds: dict[str, list[Job]] = {}
    for job in planned:
        kinds.setdefault(job.kind, []).append(job)
    lines = [f"{len(planned)} jobs under {grid.out}, seeds {', '.join(map(str, grid.seeds))}"]
    for kind, some in kinds.items():
        about = len(some) * grid.seconds.get(kind, 0.0)
        names = ", ".join(dict.fromkeys(job.name.partition("@")[0] for job in some))
        lines.append(f"{kind}: {len(some)}, about {about / 60:.0f} minutes of one core. {names}")
    total = sum(grid.seconds.get(job.kind, 0.0) for job in planned)
    lines.append(f"in all about {total / 60 / max(1, grid.workers):.0f} minutes with {grid.workers} workers")
    return "\n".join(lines)


def write_tables(grid: Grid, planned: Sequence[Job], page: Path | None) -> None:
    """`tables.json` and `tables.md` in the grid's folder, and the page of the documentation where asked."""
    from tables import all_tables

    made = all_tables(grid, planned, [job for job in planned if is_finished(job)])
    if page is None:
        told = "\n\n".join(f"## {name}\n\n{text}" for name, text in made.items() if text)
        write_json(grid.out / "tables.json", made)
        write_text(grid.out / "tables.md", told + "\n")
    else:
        write_text(page, filled(TEMPLATE.read_text(encoding="utf-8"), made))


def filled(template: str, made: Mapping[str, str]) -> str:
    """The template with a table in each of its places.

    >>> filled("<!-- table: a -->", {"a": "| 1 |"})
    '| 1 |'
    """
    parts = re.split(r"<!-- table: (.*?) -->", template)
    parts[1::2] = [made.get(name, "This grid has no such table.") for name in parts[1::2]]
    return "".join(parts)


def _deep(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The values with the changes on top, key by key; a policy that is changed to null is left out."""
    merged = dict(values)
    for key, value in changes.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _deep(merged[key], value)
        else:
            merged[key] = value
    return merged


if __name__ == "__main__":
    sys.exit(main())
