"""The page's gallery: which test cases it shows, and everything that is shown of one."""

from __future__ import annotations

import base64
import io
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cxreason.evaluation.radrscore import mark_sentences
from cxreason.imaging.read import read_image
from cxreason.records import Box, Prediction, Sample, Score, content_id

NUM_PER_TASK = 3
IMAGE_SIDE = 448
"""Longest side of an inlined image in pixels: sharp on the page, and fifteen cases stay well below 1 MB."""
MAX_CHARACTERS = 6000
"""A longer reply is cut on the page; the whole is in the predictions file."""

MARK_NAMES = {
    "supported": "supported by the report",
    "contradicted": "contradicted by the report",
    "not in the report": "not in the report",
    "no claim": "claims nothing",
}
MARK_CLASSES = {
    "supported": "supported",
    "contradicted": "contradicted",
    "not in the report": "unmentioned",
    "no claim": "silent",
}


@dataclass(frozen=True)
class Picture:
    """An image as a data URI, with the gold boxes that lie on it in pixels, numbered over the whole case."""

    uri: str
    caption: str
    width: int
    height: int
    boxes: tuple[tuple[int, Box], ...]

    @property
    def places(self) -> dict[str, list[int]]:
        """What is boxed -> the numbers of its boxes."""
        numbers: dict[str, list[int]] = {}
        for number, box in self.boxes:
            numbers.setdefault(box.label, []).append(number)
        return numbers


@dataclass(frozen=True)
class Sentence:
    """A sentence of a trace with its mark and the mark in words."""

    text: str
    mark: str
    name: str


@dataclass(frozen=True)
class Reply:
    """What one model said in one mode, and what that was worth."""

    mode: str
    sentences: tuple[Sentence, ...]
    answer: str
    verdict: str
    """ "right", "partly" or "wrong"; empty where nothing scored it."""
    worth: str
    notes: tuple[str, ...]
    parts: tuple[tuple[str, str], ...]
    raw: str


@dataclass(frozen=True)
class Case:
    """One test question with its image, report and all replies, by model."""

    number: int
    sample: Sample
    pictures: tuple[Picture, ...]
    gold: str
    report: tuple[tuple[str, bool], ...]
    prior_report: tuple[tuple[str, bool], ...]
    verdict: str
    """What the judged model's answer was worth: the gallery is filtered by it."""
    judged_model: str
    """The last model, which the others lead up to."""
    replies: tuple[tuple[str, tuple[Reply, ...]], ...]


Values = Mapping[str, Mapping[str, float | None]]
"""Prediction id -> metric -> value."""


def values_of(scores: Iterable[Score]) -> dict[str, dict[str, float | None]]:
    """The scores of each prediction by metric."""
    values: dict[str, dict[str, float | None]] = defaultdict(dict)
    for score in scores:
        values[score.prediction_id][score.metric] = score.value
    return dict(values)


def verdict(prediction: Prediction | None, values: Values) -> str:
    """ "right", "partly" (some of several labels) or "wrong"; empty where the prediction has no score."""
    scored = values.get(prediction.id, {}) if prediction else {}
    worth = scored.get("accuracy", scored.get("anomaly_f1"))
    if worth is None:
        return ""
    return "right" if worth == 1 else "partly" if worth > 0 else "wrong"


def choose(
    samples: Sequence[Sample], judged: Mapping[str, str], *, per_task: int = NUM_PER_TASK, seed: int = 0
) -> list[Sample]:
    """Up to `per_task` samples of each task: one that was not fully right where there is one, the rest right.

    Which ones is decided by a hash of the sample id, so nobody picked the prettiest.

    >>> choose([], {})
    []
    """
    by_task: dict[str, list[Sample]] = defaultdict(list)
    for sample in sorted(samples, key=lambda one: content_id("gallery", seed, one.id)):
        by_task[sample.task].append(sample)
    chosen = []
    for queue in by_task.values():
        wrong = [sample for sample in queue if judged.get(sample.id) != "right"]
        right = [sample for sample in queue if judged.get(sample.id) == "right"]
        num_right = min(len(right), max(per_task - 1, per_task - len(wrong)))
        picked = right[:num_right] + wrong[: per_task - num_right]
        chosen += sorted(picked, key=queue.index)
    return sorted(chosen, key=lambda one: task_order(one.task))


def make_cases(
    samples: Sequence[Sample],
    predictions: Sequence[Prediction],
    values: Values,
    *,
    models: Sequence[str],
    modes: Sequence[str],
    folder: Path,
) -> list[Case]:
    """The chosen cases in full. `folder` is where the samples' image paths start."""
    said = {(item.sample_id, item.model, item.mode): item for item in predictions if item.repeat == 0}
    judged_by = [(model, mode) for model in reversed(models) for mode in modes]
    judge = next((pair for pair in judged_by if any((one.id, *pair) in said for one in samples)), None)
    asked = [sample for sample in samples if judge and (sample.id, *judge) in said]
    judged = {one.id: verdict(said[(one.id, *judge)], values) for one in asked if judge}
    cases = []
    for number, sample in enumerate(choose(asked, judged), start=1):
        replies = tuple(
            (
                model,
                tuple(
                    _reply(said[key], sample, values)
                    for mode in modes
                    if (key := (sample.id, model, mode)) in said
                ),
            )
            for model in models
        )
        cases.append(
            Case(
                number=number,
                sample=sample,
                pictures=tuple(_pictures(sample, folder)),
                gold=answer_text(sample.answer, sample),
                report=tuple(highlight(sample.report, sample.evidence)),
                prior_report=tuple(highlight(sample.prior_report, sample.evidence)),
                verdict=judged[sample.id],
                judged_model=judge[0] if judge else "",
                replies=tuple((model, said_by) for model, said_by in replies if said_by),
            )
        )
    return cases


def answer_text(answer: str, sample: Sample) -> str:
    """The answer with its option's text: "B · No"; the answer itself where there are no options."""
    position = ord(answer) - ord("A") if len(answer) == 1 else -1
    if 0 <= position < len(sample.options):
        return f"{answer} · {sample.options[position]}"
    return answer


def highlight(text: str, evidence: Sequence[str]) -> list[tuple[str, bool]]:
    """The text in pieces, each with whether it is one of the evidence sentences; white space may differ.

    >>> highlight("Clear lungs. No fracture.", ["No fracture."])
    [('Clear lungs. ', False), ('No fracture.', True)]
    """
    patterns = [r"\s+".join(map(re.escape, sentence.split())) for sentence in evidence if sentence.strip()]
    if not patterns:
        return [(text, False)] if text else []
    pieces = re.split(f"({'|'.join(sorted(patterns, key=len, reverse=True))})", text)
    return [(piece, position % 2 == 1) for position, piece in enumerate(pieces) if piece]


def task_order(task: str) -> tuple[int, str]:
    """Sorts tasks as the benchmark lists them, others after these."""
    known = ("binary", "single", "multiple", "anomaly", "temporal")
    return (known.index(task), "") if task in known else (len(known), task)


def _reply(prediction: Prediction, sample: Sample, values: Values) -> Reply:
    scored = values.get(prediction.id, {})
    reasoning = _cut(prediction.reasoning)
    marked = mark_sentences(reasoning, sample.facts) if reasoning.strip() else []
    worth = scored.get("anomaly_f1")
    notes = [f"No readable answer: {prediction.problem}."] if prediction.problem else []
    if not prediction.finished:
        notes.append("The text was cut at the token limit.")
    parts = [(name, scored.get(name)) for name in ("radrscore", "r_f", "r_c", "r_e")]
    return Reply(
        mode=prediction.mode,
        sentences=tuple(Sentence(text, MARK_CLASSES[mark], MARK_NAMES[mark]) for text, mark in marked),
        answer=answer_text(_cut(prediction.answer), sample),
        verdict=verdict(prediction, values),
        worth="" if worth is None else f"F1 {worth:.2f}",
        notes=tuple(notes),
        # A direct answer has no trace by design, so its worth of 0 would say nothing.
        parts=tuple((name, f"{value:.2f}") for name, value in parts if value is not None)
        if prediction.mode == "reasoning"
        else (),
        raw=_cut(prediction.text),
    )


def _cut(text: str) -> str:
    return text if len(text) <= MAX_CHARACTERS else text[:MAX_CHARACTERS] + " [… cut here on this page]"


def _pictures(sample: Sample, folder: Path) -> Iterable[Picture]:
    captions = ("Earlier image", "New image") if len(sample.images) == 2 else ("",) * len(sample.images)
    numbered = list(enumerate(sample.boxes, start=1))
    for position, (path, caption) in enumerate(zip(sample.images, captions, strict=True)):
        uri, width, height = _data_uri(folder / path)
        boxes = tuple(
            (number, _in_pixels(box, width, height)) for number, box in numbered if box.image == position
        )
        yield Picture(uri, caption, width, height, boxes)


def _in_pixels(box: Box, width: int, height: int) -> Box:
    return replace(
        box,
        x1=round(box.x1 * width, 1),
        x2=round(box.x2 * width, 1),
        y1=round(box.y1 * height, 1),
        y2=round(box.y2 * height, 1),
    )


def _data_uri(file: Path) -> tuple[str, int, int]:
    from PIL import Image

    picture = Image.fromarray(read_image(file))
    picture.thumbnail((IMAGE_SIDE, IMAGE_SIDE))
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=85, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(written.getvalue()).decode(), *picture.size
