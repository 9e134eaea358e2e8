"""The papers' ablations and our own, on phantoms: runs the grid, resumes it, and writes the tables.

    python experiments/ablations.py                      the whole grid of experiments/ablations.yaml
    python experiments/ablations.py --dry-run            what would run, and about how long
    python experiments/ablations.py --smoke out=/tmp/s   a grid of toys, to see that everything works
    python experiments/ablations.py --write-docs         docs/experiments.md from what is finished

Stop it at any time, even with kill -9, and start it again: finished runs are not run again, and the others go
on from their last checkpoint or row. Each worker computes with one thread, because for a model this small two
jobs on two cores do more than one job with two threads.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from grid import Grid, Job, jobs  # noqa: E402

from cxreason.errors import UserError  # noqa: E402
from cxreason.progress import set_quiet, silenced  # noqa: E402
from cxreason.recipes import load, validate  # noqa: E402
from cxreason.rows import write_json, write_text  # noqa: E402
from cxreason.runs import state_of  # noqa: E402

GRID = HERE / "ablations.yaml"
TEMPLATE = HERE / "experiments.md"
PAGE = HERE.parent / "docs" / "experiments.md"

Say = Callable[[str], None]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    try:
        grid = load(Grid, options.grid, options.changes)
        if options.smoke:
            grid = validate(Grid, _deep(grid.model_dump(), grid.smoke), f"{options.grid}, 'smoke'")
        planned = jobs(grid)
        if options.dry_run:
            sys.stdout.write(describe(grid, planned) + "\n")
            return 0
        if not options.write_docs:
            run(grid, planned, lambda line: print(line, file=sys.stderr, flush=True))
        write_tables(grid, planned, PAGE if options.write_docs else None)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; run the same command again to continue", file=sys.stderr)
        return 130
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("changes", nargs="*", metavar="KEY=VALUE", help="wins over the grid's file")
    parser.add_argument("--grid", type=Path, default=GRID, help="another grid than the one in recipes/")
    parser.add_argument("--dry-run", action="store_true", help="list the jobs with an estimate")
    parser.add_argument("--smoke", action="store_true", help="the grid of toys")
    parser.add_argument("--write-docs", action="store_true", help="write docs/experiments.md, run nothing")
    return parser.parse_args(arguments)


def is_finished(job: Job) -> bool:
    """Whether a job's folder holds a finished run of the same recipe; one of another recipe is refused."""
    import yaml

    state = state_of(job.out)
    if state is None or not state["finished"]:
        return False
    before = yaml.safe_load((job.out / "recipe.yaml").read_text(encoding="utf-8"))
    now = job.recipe.model_dump(mode="json")
    changed = [key for key in before.keys() | now.keys() if key != "out" and before.get(key) != now.get(key)]
    if changed:
        raise UserError(
            f"{job.out}: was made with another recipe ({', '.join(sorted(changed))}). Remove the folder and "
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
    waiting, under_way = list(todo), dict[Future[float], Job]()
    total = len(todo) + len(done)
    os.environ["OMP_NUM_THREADS"] = "1"  # read when a worker loads its libraries
    with ProcessPoolExecutor(workers, get_context("spawn"), _start_worker, (os.getpid(),)) as pool:
        while waiting or under_way:
            for job in [one for one in waiting if done.issuperset(one.needs)][: workers - len(under_way)]:
                waiting.remove(job)
                under_way[pool.submit(_run_one, job)] = job
            finished, _ = wait(under_way, return_when=FIRST_COMPLETED)
            for future in finished:
                job = under_way.pop(future)
                _told(job, future.result(), len(done) + 1, total, say)
                done.add(job.name)


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
    """The jobs by stage, and about how long they take with the grid's workers."""
    stages: dict[str, list[Job]] = {}
    for job in planned:
        stages.setdefault(job.stage, []).append(job)
    lines = [f"{len(planned)} jobs under {grid.out}, seeds {', '.join(map(str, grid.seeds))}"]
    for stage, some in stages.items():
        about = len(some) * grid.seconds.get(stage, 0.0)
        names = ", ".join(dict.fromkeys(job.name.partition("@")[0] for job in some))
        lines.append(f"{stage}: {len(some)}, about {about / 60:.0f} minutes of one core. {names}")
    total = sum(grid.seconds.get(job.stage, 0.0) for job in planned)
    lines.append(f"in all about {total / 60 / max(1, grid.workers):.0f} minutes with {grid.workers} workers")
    return "\n".join(lines)


def write_tables(grid: Grid, planned: Sequence[Job], page: Path | None) -> None:
    """`tables.json` and `tables.md` in the grid's folder, and the page of the documentation where asked."""
    from tables import all_tables

    missing = [job.name for job in planned if not is_finished(job)]
    if missing:
        raise UserError(
            f"{len(missing)} jobs are not finished, the first is {missing[0]}. Run the grid first."
        )
    made = all_tables(grid, planned)
    write_json(grid.out / "tables.json", made)
    write_text(
        grid.out / "tables.md", "\n\n".join(f"## {name}\n\n{text}" for name, text in made.items()) + "\n"
    )
    if page is not None:
        text = TEMPLATE.read_text(encoding="utf-8")
        for name, table in made.items():
            text = text.replace(f"<!-- table: {name} -->", table)
        write_text(page, text)


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
