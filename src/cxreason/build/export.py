"""Samples in the form of other trainers: JSON Lines for ms-swift, Parquet for verl, one file for each split.

Both hold what our own rewards read: the kind of answer, the options, the gold answer and the report.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cxreason.answers import DIALECTS
from cxreason.answers.conversation import conversation
from cxreason.build.paths import BuildError, image_path
from cxreason.records import Mode, Sample
from cxreason.rows import GROUP_ROWS, partial, replace_whole
from cxreason.runs import read

Row = dict[str, Any]


def export(
    data: Path, out: Path, *, form: str = "swift", dialect: str = "think", mode: str = "reasoning"
) -> dict[str, int]:
    """Write the samples of a run folder to `out/<split>.jsonl` or `.parquet`; returns rows per split.

    export(Path("runs/mine"), Path("runs/swift"), form="swift", dialect="boxed")
    """
    if form not in FORMS:
        raise BuildError(f"unknown form {form!r}. Known forms: {', '.join(FORMS)}.")
    if dialect not in DIALECTS:
        raise BuildError(f"unknown dialect {dialect!r}. Known dialects: {', '.join(DIALECTS)}.")
    if mode not in ("reasoning", "direct"):
        raise BuildError(f"unknown mode {mode!r}. Write reasoning or direct.")
    make, writer, suffix = FORMS[form]
    out.mkdir(parents=True, exist_ok=True)
    folder = data.parent if data.suffix == ".parquet" else data
    files: dict[str, tuple[Path, Any]] = {}
    counts: dict[str, int] = {}
    for sample in read(data, Sample):
        if sample.split not in files:
            final = out / f"{sample.split}{suffix}"
            files[sample.split] = final, writer(partial(final))
        counts[sample.split] = counts.get(sample.split, 0) + 1
        files[sample.split][1].add(make(sample, folder.resolve(), dialect, mode, counts[sample.split] - 1))
    for final, open_file in files.values():
        open_file.close()
        replace_whole(partial(final), final)
    return counts


def swift_row(sample: Sample, folder: Path, dialect: str, mode: Mode, index: int) -> Row:
    """A row as ms-swift reads it: messages with one <image> for each image, and columns for its rewards.

    The assistant's turn is there where there is something to learn: an answer, and reasoning in that mode.
    """
    messages = _messages(sample, dialect, mode)
    if mode == "direct" or sample.reasoning:
        reply = DIALECTS[dialect].target(sample.answer, mode, sample.reasoning)
        messages.append({"role": "assistant", "content": reply})
    return {
        "messages": messages,
        "images": _images(sample, folder),
        "solution": sample.answer,
        **_columns(sample, dialect, mode),
    }


def verl_row(sample: Sample, folder: Path, dialect: str, mode: Mode, index: int) -> Row:
    """A row as verl reads it; its `extra_info` goes to the reward function."""
    extra = {"split": sample.split, "index": index, "question": sample.question, "answer": sample.answer}
    return {
        "data_source": f"{sample.dataset}/{sample.task}",
        "prompt": _messages(sample, dialect, mode),
        "images": [{"image": path} for path in _images(sample, folder)],
        "ability": "chest X-ray",
        "reward_model": {"style": "rule", "ground_truth": sample.answer},
        "extra_info": {**extra, **_columns(sample, dialect, mode)},
    }


def _messages(sample: Sample, dialect: str, mode: Mode) -> list[dict[str, str]]:
    messages = conversation(sample, dialect=dialect, mode=mode)
    last = messages[-1]
    return [*messages[:-1], {**last, "content": "<image>" * len(sample.images) + last["content"]}]


def _images(sample: Sample, folder: Path) -> list[str]:
    return [str(image_path(folder, image)) for image in sample.images]


def _columns(sample: Sample, dialect: str, mode: str) -> Row:
    """What the rewards of `cxreason.rewards` read, under the names that they read it by."""
    return {
        "id": sample.id,
        "kind": sample.kind,
        "options": list(sample.options),
        "report": sample.facts,
        "task": sample.task,
        "dialect": dialect,
        "mode": mode,
    }


class _Lines:
    """JSON Lines, a row at a time."""

    def __init__(self, path: Path):
        self._stream = path.open("w", encoding="utf-8")

    def add(self, row: Row) -> None:
        self._stream.write(json.dumps(row, ensure_ascii=False) + "\n")

    def close(self) -> None:
        self._stream.close()


class _Parquet:
    """Parquet in row groups; the columns are those of `verl_row`."""

    def __init__(self, path: Path):
        self._path = path
        self._rows: list[Row] = []
        self._writer: Any = None

    def add(self, row: Row) -> None:
        self._rows.append(row)
        if len(self._rows) >= GROUP_ROWS:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if self._rows:
            if self._writer is None:
                self._writer = pq.ParquetWriter(self._path, _verl_schema(), compression="zstd")
            self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._writer.schema))
            self._rows = []


def _verl_schema() -> Any:
    import pyarrow as pa

    text = pa.string()
    extra = {"split": text, "index": pa.int64(), "question": text, "answer": text, "id": text, "kind": text}
    extra |= {"options": pa.list_(text), "report": text, "task": text, "dialect": text, "mode": text}
    return pa.schema(
        [
            ("data_source", text),
            ("prompt", pa.list_(pa.struct([("role", text), ("content", text)]))),
            ("images", pa.list_(pa.struct([("image", text)]))),
            ("ability", text),
            ("reward_model", pa.struct([("style", text), ("ground_truth", text)])),
            ("extra_info", pa.struct(list(extra.items()))),
        ]
    )


FORMS: dict[str, tuple[Callable[..., Row], Callable[[Path], Any], str]] = {
    "swift": (swift_row, _Lines, ".jsonl"),
    "verl": (verl_row, _Parquet, ".parquet"),
}
