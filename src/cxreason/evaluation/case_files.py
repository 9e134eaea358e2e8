"""The cases of a page, in files beside it: an index that is read at once, and shards that are read on demand.

    cases/index.js     what the list and its filters need of every case, as columns
    cases/0000.js      fifty whole cases: question, report, replies, scores
    cases/images/      pictures that a browser could not show as they are (DICOM, 16 bits)

They are scripts that hand one JSON value to the page, because a page that is opened from the disk may load
scripts from beside it and nothing else. Everything in them is text for the page to show, never markup.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxreason.answers import boxes as box_answer
from cxreason.evaluation.faithfulness import EXPERIMENTS
from cxreason.evaluation.page_gallery import MARK_CLASSES, answer_text, highlight
from cxreason.evaluation.radrscore import mark_sentences
from cxreason.evaluation.subgroups import SEXES, view_of
from cxreason.imaging.read import read_image
from cxreason.records import Box, Prediction, Sample, Score, content_id
from cxreason.rows import partial, replace_whole, write_text

SHARD_CASES = 50
MAX_CHARACTERS = 12_000
"""A longer text is cut on the page; the whole is in the predictions file."""
COPY_SIDE = 1024
GOLD_CHARACTERS = 80
"""Of the gold answer in the list."""
SHOWN_BY_BROWSERS = {".jpg", ".jpeg", ".png", ".webp", ".gif"}
PNG_BITS = 24
"""Where a PNG file says how many bits a channel has."""
NOT_ASKED, UNREADABLE = -1, -2

Column = tuple[str, str]
"""A model and a mode."""


@dataclass(frozen=True)
class Reply:
    """What one model said to a sample, and its scores."""

    prediction: Prediction
    scores: Sequence[Score]
    primary: str
    """The metric that says what its answer is worth."""
    probes: Sequence[Prediction] = ()
    """What it said when something was changed."""

    @property
    def worth(self) -> int:
        """What the answer is worth in hundredths; `UNREADABLE` where it could not be read."""
        if self.prediction.problem:
            return UNREADABLE
        value = next((one.value for one in self.scores if one.metric == self.primary), None)
        return NOT_ASKED if value is None else round(100 * value)


def choose_cases(samples: Sequence[Sample], most: int) -> list[Sample]:
    """At most so many samples, the tasks in turn, in an order that nobody picked.

    >>> choose_cases([], 5)
    []
    """
    queues: dict[str, list[Sample]] = defaultdict(list)
    for sample in sorted(samples, key=lambda one: content_id("case", one.id)):
        queues[sample.task].append(sample)
    turns = ((place, task, sample) for task, queue in queues.items() for place, sample in enumerate(queue))
    taken = sorted(turns, key=lambda one: one[:2])[:most]
    return [sample for *_, sample in sorted(taken, key=lambda one: (one[1], one[0]))]


def write_cases(
    folder: Path,
    samples: Sequence[Sample],
    replies: Callable[[Sample], Mapping[Column, Reply]],
    columns: Sequence[Column],
    images: Path,
) -> None:
    """Write the files of these cases under `folder`; image paths of samples start at `images`."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    # Links are looked up once: every step of a path that is followed through the disk takes its while.
    base, home = os.path.realpath(folder.parent), Path(os.path.realpath(images))
    worths: dict[Column, list[int]] = {column: [] for column in columns}
    num_shards = 0
    for number, shard in enumerate(_shards(samples)):
        cases = []
        for sample in shard:
            said = replies(sample)
            for column in columns:
                worths[column].append(said[column].worth if column in said else NOT_ASKED)
            cases.append(_case(sample, said, columns, folder, home, base))
        write_text(folder / f"{number:04}.js", f"cxreasonCases({number}, {_script(cases)});\n")
        num_shards = number + 1
    for old in folder.glob("[0-9]*.js"):
        if int(old.stem) >= num_shards:
            old.unlink()
    write_text(folder / "index.js", f"cxreasonIndex({_script(_index(samples, worths))});\n")


def _shards(samples: Sequence[Sample]) -> Iterator[Sequence[Sample]]:
    return (samples[start : start + SHARD_CASES] for start in range(0, len(samples), SHARD_CASES))


def _index(samples: Sequence[Sample], worths: Mapping[Column, list[int]]) -> dict[str, Any]:
    """What the list shows and filters by, as columns; names that come again and again as numbers."""
    return {
        "size": SHARD_CASES,
        "ids": [sample.id for sample in samples],
        "question": _coded(sample.question for sample in samples),
        "gold": _coded(answer_text(sample.answer, sample)[:GOLD_CHARACTERS] for sample in samples),
        "task": _coded(sample.task for sample in samples),
        "source": _coded(sample.dataset for sample in samples),
        "view": _coded(view_of(sample) for sample in samples),
        "sex": _coded(SEXES.get(sample.sex, "") for sample in samples),
        "age": [sample.age for sample in samples],
        "worth": list(worths.values()),
    }


def _coded(texts: Iterable[str]) -> dict[str, Any]:
    places: dict[str, int] = {}
    codes = [places.setdefault(text, len(places)) for text in texts]
    return {"names": list(places), "codes": codes}


def _script(value: Any) -> str:
    """A value as JSON that is also JavaScript, and that no parser could take for the end of a script."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("</", "<\\/").replace("<!--", "<\\u0021--")


def _case(
    sample: Sample,
    said: Mapping[Column, Reply],
    columns: Sequence[Column],
    folder: Path,
    images: Path,
    base: str,
) -> dict[str, Any]:
    compared = len(sample.images) == 2 and bool(sample.prior_report)
    return {
        "id": sample.id,
        "official": sample.official_id,
        "study": sample.study_id,
        "question": sample.question,
        "options": sample.options,
        "answer": sample.answer,
        "gold": answer_text(sample.answer, sample),
        "about": _about(sample),
        "images": [
            {"src": _source(images / path, folder, base), "caption": caption}
            for path, caption in zip(
                sample.images,
                ("Earlier image", "New image") if compared else sample.views or ("",) * len(sample.images),
                strict=False,
            )
        ],
        "boxes": [_place(box) for box in sample.boxes],
        "report": highlight(_cut(sample.report), sample.evidence),
        "prior": highlight(_cut(sample.prior_report), sample.evidence),
        "mined": sample.reasoning,
        "replies": [
            _reply(place, said[column], sample) for place, column in enumerate(columns) if column in said
        ],
    }


def _about(sample: Sample) -> str:
    """Who and what, in a line: source, views, sex and age as far as they are known."""
    known = [sample.dataset, " + ".join(dict.fromkeys(sample.views)), SEXES.get(sample.sex, "")]
    known += [] if sample.age is None else [f"{sample.age:g} years"]
    return " · ".join(filter(None, known))


def _reply(column: int, reply: Reply, sample: Sample) -> dict[str, Any]:
    said = reply.prediction
    reasoning = _cut(said.reasoning)
    marked = mark_sentences(reasoning, sample.facts) if reasoning.strip() else []
    places = box_answer.places(said.answer) if sample.kind == "boxes" else []
    return {
        "column": column,
        "trace": [[text, MARK_CLASSES[mark]] for text, mark in marked],
        "answer": answer_text(_cut(said.answer), sample),
        "worth": reply.worth,
        "problem": said.problem,
        "finished": said.finished,
        "tokens": said.num_tokens,
        "boxes": [_place(box) for box in places],
        "scores": [
            [one.metric, None if one.value is None else round(one.value, 4), one.reason]
            for one in reply.scores
        ],
        "probes": _probes(reply, sample),
        "raw": _cut(said.text),
    }


def _probes(reply: Reply, sample: Sample) -> list[list[Any]]:
    """[what was done, the answer then, whether it is the same, how the edited trace goes] of each probe."""
    by_kind = {one.probe: one for one in reply.probes}
    return [
        [
            what,
            answer_text(one.answer, sample) or f"none: {one.problem}",
            one.answer == reply.prediction.answer,
            _cut(one.reasoning) if kind == "flip" else "",
        ]
        for kind, what in EXPERIMENTS.items()
        if (one := by_kind.get(kind)) is not None
    ]


def _place(box: Box) -> list[Any]:
    return [box.label, *(round(value, 4) for value in (box.x1, box.y1, box.x2, box.y2)), box.image]


def _cut(text: str) -> str:
    return text if len(text) <= MAX_CHARACTERS else text[:MAX_CHARACTERS] + " [… cut here on this page]"


def _source(file: Path, folder: Path, base: str) -> str:
    """Where the page finds an image: where it lies, or as a copy where a browser could not show it."""
    if not file.is_file():
        return ""
    if _can_be_shown(file):
        return Path(os.path.relpath(file, base)).as_posix()
    copy = folder / "images" / f"{content_id(str(file), file.stat().st_mtime_ns)}.jpg"
    if not copy.exists():
        from PIL import Image

        picture = Image.fromarray(read_image(file))
        picture.thumbnail((COPY_SIDE, COPY_SIDE))
        picture.save(partial(copy), "JPEG", quality=88)
        replace_whole(partial(copy), copy)
    return copy.relative_to(folder.parent).as_posix()


def _can_be_shown(file: Path) -> bool:
    if file.suffix.lower() not in SHOWN_BY_BROWSERS:
        return False
    if file.suffix.lower() != ".png":
        return True
    with file.open("rb") as stream:
        head = stream.read(PNG_BITS + 1)
    return len(head) > PNG_BITS and head[PNG_BITS] <= 8
