"""All 10,274,972 samples of Table S3, written from generated metadata at real sizes, beside the plain way.

.venv/bin/python bench/build.py                       the whole, with the plain way on a share of it
.venv/bin/python bench/build.py --share 0.05 --plain 100

`seconds_of_processors` are those of all processes together: what to compare where others use the machine too.
The audit looks at 500 samples of each task, dataset and side here, a tenth of what it looks at by itself.

Ours is `recipes/chexone/build.yaml` as it stands: read, split, survey, choose, write, card. The plain way is
Hugging Face `datasets`: for each task a `map` over the studies that makes the same rows with the same
functions, a `filter` by split, `to_parquet`, with as many processes. It runs on some studies of MIMIC-CXR,
and its figure is extrapolated by samples; it does less, since it neither balances nor looks for leaks.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

# One thread for each process: set before numpy and pyarrow start theirs.
for name in ("OMP_NUM_THREADS", "ARROW_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import generated  # noqa: E402  beside this file

from cxreason.build import build  # noqa: E402
from cxreason.machine import num_cores  # noqa: E402
from cxreason.recipes import BuildRecipe, load  # noqa: E402

ROOT = Path(__file__).parents[1]
LIMIT_SECONDS, LIMIT_MEGABYTES, NUM_SAMPLES = 360.0, 3072, 10_274_972
SHARE = float(os.environ.setdefault("CXREASON_BENCH_SHARE", "1"))
generated.register(SHARE)  # at import, because the workers import this file too


class Memory(threading.Thread):
    """The largest resident memory of this process and its children together, looked at twice a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = 0

    def run(self) -> None:
        page = os.sysconf("SC_PAGE_SIZE")
        while True:
            pids = [os.getpid(), *_children(os.getpid())]
            pages = 0
            for pid in pids:
                try:
                    pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
                except (OSError, IndexError):
                    continue
            self.most = max(self.most, pages * page)
            time.sleep(0.5)


def _children(pid: int) -> list[int]:
    try:
        found = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [*found, *(one for child in found for one in _children(child))]


def recipe(out: Path, share: float, workers: int) -> BuildRecipe:
    """The recipe of CheXinstruct-v2 with its numbers times the share."""
    told = [f"out={out}", f"folders=[{out.parent}]", f"workers={workers}", "evaluation=[]", "audit.most=500"]
    whole = load(BuildRecipe, ROOT / "recipes/chexone/build.yaml", told)
    feeds = tuple(
        feed.model_copy(
            update={
                "train": round(feed.train * share) if feed.train else feed.train,
                "validation": 0,
                "test": 0,
            }
        )
        for feed in whole.feeds
    )
    return whole.model_copy(update={"feeds": feeds, "shares": {}})


def ours(folder: Path, share: float, workers: int) -> dict:
    memory = Memory()
    memory.start()
    start = time.perf_counter()
    counts = build(recipe(folder / "ours", share, workers))
    seconds = time.perf_counter() - start
    spent = os.times()
    written = sum(file.stat().st_size for file in (folder / "ours" / "samples").iterdir())
    short = {
        f"{row['task']} of {row['dataset']}": row.get("train", 0) - wanted.train
        for row, wanted in zip(counts["feeds"], recipe(folder / "ours", share, workers).feeds, strict=True)
        if row.get("train", 0) < (wanted.train or 0)
    }
    return {
        "samples": counts["samples"],
        "seconds": round(seconds, 1),
        # Of all processes: what the seconds would be on so many cores that nobody else uses.
        "seconds_of_processors": round(
            spent.user + spent.system + spent.children_user + spent.children_system
        ),
        "megabytes_of_memory": round(memory.most / 2**20),
        "megabytes_written": round(written / 1e6),
        "short_of_table": short,
    }


def plain(folder: Path, num_studies: int, workers: int) -> dict:
    """The same rows with `datasets.map`, `filter` and `to_parquet`, for one piece of MIMIC-CXR."""
    from itertools import islice

    from cxreason.datasets import DATASETS
    from cxreason.records import to_row
    from datasets import Dataset, disable_progress_bars

    disable_progress_bars()
    made = list(islice(DATASETS["mimic-cxr"].read(folder), num_studies))
    rows = Dataset.from_list([to_row(one) for one in made])
    tasks = [feed.task for feed in recipe(folder / "x", 1.0, 1).feeds if feed.dataset == "mimic-cxr"]
    start, samples = time.perf_counter(), 0
    for task in tasks:
        asked = rows.map(
            _plain_rows,
            batched=True,
            batch_size=100,
            num_proc=workers,
            remove_columns=rows.column_names,
            fn_kwargs={"task": task},
        )
        asked = asked.filter(_is_train, num_proc=workers)
        asked.to_parquet(folder / f"plain-{task}.parquet")
        samples += len(asked)
    return {"samples": samples, "seconds": round(time.perf_counter() - start, 1), "studies": num_studies}


def _is_train(row: dict) -> bool:
    return row["split"] == "train"


def _plain_rows(batch: dict[str, list], task: str) -> dict[str, list]:
    """The samples of a task about a batch of studies, as a column for each field."""
    from cxreason.records import Sample, Study, from_row, to_row
    from cxreason.tasks import TASKS, random_for, sample

    way = TASKS[task]
    studies = [
        from_row(Study, dict(zip(batch, row, strict=True))) for row in zip(*batch.values(), strict=True)
    ]
    by_id = {study.id: study for study in studies}
    made: list[Sample] = []
    for place, study in enumerate(studies):
        prior = by_id.get(study.prior_id)
        if way.prior and prior is None:
            continue
        others = tuple(studies[(place + step) % len(studies)] for step in range(1, way.company + 1))
        for topic in way.topics(study):
            if any(topic.group not in [one.group for one in way.topics(other)] for other in others):
                continue
            made.append(sample(study, prior, task, topic, random_for(study, task, topic), None, others))
    rows = [to_row(one) for one in made]
    return {name: [row[name] for row in rows] for name in Sample.__dataclass_fields__}


def main() -> None:
    """Prints one JSON line: ours and the plain way, the ratio of their samples a second, limits, machine."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--share", type=float, default=1.0, help="of every dataset and every number")
    parser.add_argument("--plain", type=int, default=2000, help="studies that go the plain way; 0 = none")
    parser.add_argument("--workers", type=int, default=num_cores())
    parser.add_argument("--keep", type=Path, help="folder to write to and leave; by default a passing one")
    asked = parser.parse_args()
    if asked.share != SHARE:
        os.environ["CXREASON_BENCH_SHARE"] = str(asked.share)
        os.execv(sys.executable, [sys.executable, *sys.argv])
    folder = asked.keep or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    try:
        first = ours(folder, asked.share, asked.workers)
        other = plain(folder, asked.plain, asked.workers) if asked.plain else None
    finally:
        if asked.keep is None:
            shutil.rmtree(folder)
    rate = first["samples"] / first["seconds"]
    result = {
        "what": "seconds for all samples of Table S3, from generated metadata to Parquet, card and audit",
        "figure": first["seconds"],
        "limit": LIMIT_SECONDS * asked.share,
        "ours": {**first, "samples_a_second": round(rate)},
        "samples_wanted": round(NUM_SAMPLES * asked.share),
        "memory_limit": LIMIT_MEGABYTES,
    }
    if other:
        plain_rate = other["samples"] / other["seconds"]
        whole = NUM_SAMPLES * asked.share / plain_rate
        result["plain"] = {
            **other,
            "samples_a_second": round(plain_rate),
            "extrapolated_seconds": round(whole),
        }
        result["ratio"] = round(rate / plain_rate, 1)
    where = f"{platform.machine()}, {asked.workers} workers on {num_cores()} cores"
    sys.stdout.write(json.dumps({**result, "machine": f"{where}, Python {platform.python_version()}"}) + "\n")


if __name__ == "__main__":
    main()
