"""The run folder: what every verb writes, so that it can be stopped at any moment and continued.

A folder holds `recipe.yaml` (resolved), `run.json` (versions, commit, seed, machine, started, finished,
counts, seconds), the rows and `failed.jsonl`. Rows grow in `<name>.jsonl`; at the end they become
`<name>.parquet`, and only then does `run.json` get `finished`, by atomic rename.

    with Run.open(recipe.out, verb="mine", recipe=recipe, record=Sample, name="samples") as run:
        for sample in run.progress(samples, "mining"):
            if sample.id not in run.done:
                run.append(mine_sample(sample))
        return run.finish()

The rows of a finished run are in the order of their appending. A run that was interrupted skips what it has
and goes on in the order of its work list, so it ends in the same file as one that was not.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from cxreason import machine
from cxreason.errors import UserError
from cxreason.progress import progress, ticking
from cxreason.records import to_row
from cxreason.rows import (
    GROUP_ROWS,
    RunError,
    append_lines,
    drop_torn_line,
    partial,
    read_lines,
    replace_whole,
    stream_parquet,
    write_json,
    write_parquet,
    write_text,
)

__all__ = [
    "Run",
    "RunError",
    "UserError",
    "num_rows",
    "progress",
    "read",
    "row_files",
    "ticking",
    "write_json",
    "write_text",
]

Record = TypeVar("Record")

BATCH_ROWS = 256
BATCH_SECONDS = 1.0
STATE_SECONDS = 10.0

MADE_BY = {"Study": "phantom", "Sample": "build", "Prediction": "predict", "Score": "score"}
PLURALS = {"Study": "studies"}


class Run:
    """One stage's folder, held by one process at a time. Made by `Run.open`, used in a `with` block."""

    def __init__(self, folder: Path, record: type | None, name: str, lock: int, state: dict[str, Any]):
        self.folder = folder
        self.done: set[str] = set()
        """Ids of the rows already written: skip these."""
        self._record = record
        self._name = name
        self._lock = lock
        self._state = state
        self._waiting: list[str] = []
        self._failures: list[str] = []
        self._num_failed = 0
        self._session_started = time.monotonic()
        self._seconds_before = float(state["seconds"])
        self._last_sync = self._last_state = self._session_started

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        verb: str,
        recipe: Any,
        record: type | None = None,
        name: str = "",
        limit: int | None = None,
        note: str = "",
        may_change: Sequence[str] = (),
        reopen: bool = False,
    ) -> Run:
        """Start, continue or find finished the run in `folder`.

        `recipe` is a pydantic model; `out` is not compared, since a folder may be moved. `name` is the rows'
        file name, by default the record's plural. A run without rows (training) has `record=None` and keeps
        its own checkpoints in the folder. Keys in `may_change` (dotted, with all below them) may differ from
        the last start: what costs, not what is made. `reopen` makes a finished run an unfinished one again,
        because something in it is owed. Raises RunError where the recipe or the limit has changed or
        another process holds the folder.

            run = Run.open(Path("runs/mine-a"), verb="mine", recipe=recipe, record=Sample)
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        lock = _take_lock(folder)
        try:
            state = _start_or_resume(folder, verb, recipe, limit, note, may_change)
            if reopen and state["finished"]:
                state = {**state, "finished": None}
                write_json(folder / "run.json", state)
            run = cls(folder, record, name or (_plural(record) if record else ""), lock, state)
            run._recover()
        except BaseException:
            os.close(lock)
            raise
        return run

    @property
    def finished(self) -> bool:
        """True where the run was finished before: there is nothing to do, and `counts` says what it holds."""
        return bool(self._state["finished"])

    @property
    def counts(self) -> dict[str, Any]:
        """What `finish` was told, with the number of rows and failures; empty before."""
        return dict(self._state["counts"])

    @property
    def seconds(self) -> float:
        """Seconds of work so far, over all starts; of a killed start at most the last ten are missing."""
        if self.finished:
            return self._seconds_before
        return self._seconds_before + time.monotonic() - self._session_started

    def append(self, rows: Any) -> None:
        """Write one record or a list of them. Safe on disk after the next batch: 256 rows or a second.

        A second row with one id raises, because it would make two runs of one recipe differ.
        """
        if self._record is None or self.finished:
            raise RuntimeError(f"{self.folder} takes no rows: it is finished or was opened without a record")
        for row in rows if isinstance(rows, list | tuple) else [rows]:
            if row.id in self.done:
                raise ValueError(f"{self.folder}: row {row.id} was appended twice")
            self._waiting.append(json.dumps(to_row(row), ensure_ascii=False, allow_nan=False))
            self.done.add(row.id)
        self._sync_in_time()

    def fail(self, id: str, problem: str, **more: Any) -> None:
        """Note that the item `id` could not be done, in `failed.jsonl`. A later start owes it again.

        `more` is written beside the problem. On disk with the next batch, as rows are.
        """
        self._failures.append(json.dumps({"id": id, "problem": problem, **more}, ensure_ascii=False))
        self._num_failed += 1
        self._sync_in_time()

    def rows(self) -> Iterator[dict[str, Any]]:
        """The rows that an unfinished run holds so far, as `to_row` wrote them."""
        self.sync()
        return read_lines(self._growing) if self._growing.exists() else iter(())

    def _sync_in_time(self) -> None:
        waiting = len(self._waiting) + len(self._failures)
        if waiting >= BATCH_ROWS or time.monotonic() - self._last_sync >= BATCH_SECONDS:
            self.sync()

    def sync(self) -> None:
        """Write the waiting rows and wait until the disk has them."""
        # Given up before they are written: where the disk fails half-way, nothing may be written twice.
        waiting, self._waiting = self._waiting, []
        failures, self._failures = self._failures, []
        if waiting:
            append_lines(self._growing, waiting)
        if failures:
            append_lines(self.folder / "failed.jsonl", failures)
        self._last_sync = time.monotonic()
        if self._last_sync - self._last_state >= STATE_SECONDS and not self.finished:
            self._write_state()

    def finish(self, **counts: Any) -> dict[str, Any]:
        """Turn the rows into Parquet, mark the run finished and return its counts.

        On a run that was finished before this changes nothing and returns the counts of that time.
        """
        if self.finished:
            return self.counts
        self.sync()
        own: dict[str, Any] = {}
        if self._record is not None:
            own = {"rows": len(self.done), "failed": self._num_failed}
            rows = read_lines(self._growing) if self._growing.exists() else iter(())
            write_parquet(self._final, self._record, rows)
            self._growing.unlink(missing_ok=True)
        self._state["counts"] = {**own, **counts}
        self._write_state(finished=_now())
        return self.counts

    def progress(self, items: Iterable[Any] | int, what: str = "", total: int | None = None) -> Iterator[Any]:
        """The items, or the numbers below a total, with a bar on stderr: see `progress.progress`."""
        return progress(items, what or str(self._state["verb"]), total)

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if not self.finished:
                self.sync()
                self._write_state()
        finally:
            os.close(self._lock)  # also gives the lock back

    @property
    def _growing(self) -> Path:
        return self.folder / f"{self._name}.jsonl"

    @property
    def _final(self) -> Path:
        return self.folder / f"{self._name}.parquet"

    def _write_state(self, finished: str | None = None) -> None:
        self._last_state = time.monotonic()
        state = {**self._state, "seconds": round(self.seconds, 3), "finished": finished}
        write_json(self.folder / "run.json", state)
        if finished:
            self._seconds_before = state["seconds"]
        self._state = state

    def _recover(self) -> None:
        """Bring the rows of a stopped run back to a growing file with whole lines, and learn their ids."""
        import pyarrow.parquet as pq

        if self._record is None:
            return
        if self.finished:
            if not self._final.exists():
                gone = f"{self.folder}: is marked as finished, but {self._final.name} is gone."
                raise RunError(f"{gone} Remove the folder and run the same command again.")
            self.done = set(pq.read_table(self._final, columns=["id"]).column("id").to_pylist())
            return
        (self.folder / "failed.jsonl").unlink(missing_ok=True)  # what failed is tried again
        if self._final.exists() and not self._growing.exists():
            # Stopped after the rows had become Parquet but before the run was marked: go back one step,
            # because what failed may succeed now and be appended.
            part = partial(self._growing)
            part.unlink(missing_ok=True)
            for batch in pq.ParquetFile(self._final).iter_batches(GROUP_ROWS):
                append_lines(part, [json.dumps(row, ensure_ascii=False) for row in batch.to_pylist()])
            if part.exists():
                replace_whole(part, self._growing)
        self._final.unlink(missing_ok=True)  # nobody may take the rows so far for all of them
        if self._growing.exists():
            drop_torn_line(self._growing)
            self.done = {row["id"] for row in read_lines(self._growing)}


def read(path: Path, record: type[Record], name: str | None = None) -> Iterator[Record]:
    """The rows of a finished run, or of one Parquet file, in order, with flat memory.

    Where a run wrote shards, in a folder of the rows' name, they are read one after the other.

    Raises RunError at once where there is nothing to read or the run is unfinished.

        for sample in read(Path("runs/build-a"), Sample): ...
    """
    files = row_files(path, record, name)
    return (row for file in files for row in stream_parquet(file, record))


def num_rows(path: Path, record: type, name: str | None = None) -> int:
    """How many rows `read` will give, without reading them."""
    import pyarrow.parquet as pq

    return sum(pq.read_metadata(file).num_rows for file in row_files(path, record, name))


def row_files(path: Path, record: type, name: str | None = None) -> list[Path]:
    """The Parquet files that hold the rows: one, or the shards in a folder of the rows' name, in order.

    files = row_files(Path("runs/build-a"), Sample)
    """
    path = Path(path)
    if path.suffix == ".parquet" and path.is_file():
        return [path]
    _check_finished(path, record)
    file = path / f"{name or _plural(record)}.parquet"
    if not file.exists():
        if shards := sorted(file.with_suffix("").glob("*.parquet")):
            return shards
        there = sorted(other.name for other in path.glob("*.parquet"))
        made_by = MADE_BY.get(record.__name__)
        verb = f" `cxreason {made_by}` makes it." if made_by else ""
        raise RunError(
            f"{file}: there is no such file; the folder holds {', '.join(there) or 'no rows'}.{verb}"
        )
    return [file]


def _take_lock(folder: Path) -> int:
    # The file stays when the lock is given back: removing it would let two processes lock two files.
    lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        message = f"{folder}: another process is working in this folder. Wait for it or stop it."
        raise RunError(message) from None
    return lock


def _start_or_resume(
    folder: Path, verb: str, told: Any, limit: int | None, note: str, may_change: Sequence[str]
) -> dict[str, Any]:
    recipe = told.model_dump(mode="json")
    recipe_file, state_file = folder / "recipe.yaml", folder / "run.json"
    if not state_file.exists():
        # The recipe first: a folder with run.json always has the recipe that it is to be compared with.
        import yaml

        write_text(recipe_file, yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True))
        state = {"verb": verb, "note": note, "limit": limit, "seed": recipe.get("seed")}
        state |= {"versions": machine.versions(), "commit": machine.commit(), "machine": machine.machine()}
        state |= {"started": _now(), "finished": None, "seconds": 0.0, "counts": {}}
        write_json(state_file, state)
        return state
    state = _read_state(state_file)
    if state["verb"] != verb:
        raise RunError(
            f"{folder}: holds a run of `cxreason {state['verb']}`, and this is `cxreason {verb}`. "
            "Choose another `out`."
        )
    changes = recipe_changes(folder, told, may_change)
    if state.get("limit") != limit:
        changes.append(f"--limit: {_show(state.get('limit'))} -> {_show(limit)}")
    if changes:
        raise RunError(
            f"{folder}: was started with another recipe ({'; '.join(changes)}). "
            "Choose another `out`, or remove the folder to start over."
        )
    return state


def recipe_changes(folder: Path, told: Any, aside: Sequence[str] = ()) -> list[str]:
    """`key: old -> new` for what a recipe (a pydantic model) tells otherwise than that of a folder's run.

    `out` and what is `aside` do not count.
    """
    import yaml

    before = yaml.safe_load((folder / "recipe.yaml").read_text(encoding="utf-8"))
    recipe = told.model_dump(mode="json")
    # A key that came with a newer version changes nothing where it is left at its default.
    newer = [key for key in recipe if key not in before and key not in told.model_fields_set]
    return _differences(before, recipe, ("out", *newer, *aside))


def _differences(before: dict[str, Any], now: dict[str, Any], aside: Sequence[str]) -> list[str]:
    """`key: old -> new` for every value that differs, dotted keys; those `aside` do not count."""
    old, new = _flat(before), _flat(now)
    keys = [*old, *(key for key in new if key not in old)]
    return [
        f"{key}: {_show(old.get(key))} -> {_show(new.get(key))}"
        for key in keys
        if old.get(key) != new.get(key) and not any(key == one or key.startswith(f"{one}.") for one in aside)
    ]


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for key, item in value.items():
        flat |= _flat(item, f"{prefix}{key}.") if isinstance(item, dict) else {f"{prefix}{key}": item}
    return flat


def _show(value: Any) -> str:
    return "none" if value is None else json.dumps(value, ensure_ascii=False).strip('"')


def state_of(folder: Path) -> dict[str, Any] | None:
    """What `run.json` says of the run in a folder; None where there is none."""
    file = folder / "run.json"
    return _read_state(file) if file.exists() else None


def _read_state(file: Path) -> dict[str, Any]:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        raise RunError(f"{file}: is not readable JSON. Remove the folder to start over.") from None


def _check_finished(folder: Path, record: type) -> None:
    made_by = MADE_BY.get(record.__name__)
    if not folder.is_dir():
        verb = f" `cxreason {made_by}` makes one." if made_by else ""
        raise RunError(f"{folder}: there is no such run.{verb}")
    state = state_of(folder)
    if state is not None and not state["finished"]:
        limit = f" --limit {state['limit']}" if state.get("limit") else ""
        command = f"cxreason {state['verb']} {folder / 'recipe.yaml'}{limit}"
        raise RunError(f"{folder}: this run is not finished. Continue it with `{command}`.")


def _plural(record: type) -> str:
    return PLURALS.get(record.__name__, f"{record.__name__.lower()}s")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
