"""The scores of one prediction: a row for each metric that fits its kind of answer, with the reason."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from cxreason.answers import boxes as box_answer
from cxreason.answers import score as score_answer
from cxreason.errors import UserError
from cxreason.evaluation import grounding
from cxreason.evaluation.consistency import answers_consistency
from cxreason.evaluation.metrics import ANSWER_METRIC
from cxreason.evaluation.radrscore import RadRScore, entity_factuality, radrscore
from cxreason.evaluation.report_scores import report_parts, report_scores
from cxreason.imaging.boxes import Corners, corners, to_hundred
from cxreason.records import Prediction, Sample, Score, changed, score_of, text_id

HIT = 0.5
"""An overlap from here on counts as found (CheXOne)."""
ONE_CLASS = "phrase"
"""Tasks with this word in their name ask for phrases, which are no classes: AP takes them as one."""


def score_item(prediction: Prediction, sample: Sample, parts: RadRScore | None) -> Iterator[Score]:
    """The scores of one prediction, one per metric that applies to its task; `parts` are its RadRScore's."""
    said = prediction.problem or f"said {prediction.answer}, expected {sample.answer}"
    row = _row(prediction, sample, reason=said, flagged=bool(prediction.problem))
    try:
        worth = score_answer(prediction.answer, sample.answer, kind=sample.kind, options=sample.options)
    except ValueError as error:  # a hole in the samples, which nobody can answer right
        raise UserError(f"sample {sample.id} cannot be scored: {error}. Mend it, or leave it out.") from error
    yield _of(row, ANSWER_METRIC.get(sample.kind, "accuracy"), worth)
    if sample.kind == "boxes":
        yield _of(row, "iou_accuracy", float(worth >= HIT))
        yield from _box_rows(row, prediction, sample)
    if sample.kind == "report":
        yield _of(row, "report_radrscore", radrscore(prediction.answer, sample.answer, sample.facts).value)
        for metric, value in report_scores(prediction.answer, sample.answer).items():
            yield _of(row, metric, value)
        for metric, own in report_parts(prediction.answer, sample.answer).items():
            yield changed(_of(row, metric, None), parts=own)
    if parts is not None:
        yield from _trace_rows(row, prediction, sample, parts)


def _box_rows(row: Score, prediction: Prediction, sample: Sample) -> Iterator[Score]:
    said, true = _places(prediction.answer), gold_boxes(sample)
    if true:
        for metric, value in grounding.overlap_scores(said, true).items():
            yield _of(row, metric, value)
    else:  # "nothing there" has to be said: silence is no answer
        yield _of(row, "negative_accuracy", float(bool(prediction.answer) and not said))
    counted = changed(
        row,
        parts=grounding.detection_parts(said, true),
        group="" if ONE_CLASS in sample.task else sample.subject,
    )
    for metric in ("ap50", "ap50_95", "precision50", "recall50", "box_f1_50"):
        yield _of(counted, metric, None)


def _places(answer: str) -> list[Corners]:
    return [corners(box) for box in box_answer.places(answer)]


def gold_boxes(sample: Sample) -> list[Corners]:
    """The true boxes of a question as they were drawn, where its sample holds them; else as its answer has
    them, in whole hundredths: a small box loses a quarter of its overlap with itself by the rounding.

    >>> from cxreason.records import Box
    >>> fields = ("1", "d", "grounding", "boxes", "p", "s", "test", (), "Where?")
    >>> box = Box("nodule", 0.1234, 0.2, 0.3, 0.4)
    >>> answer = box_answer.write([box])
    >>> gold_boxes(Sample(*fields, answer)), gold_boxes(Sample(*fields, answer, boxes=(box,)))
    ([(0.12, 0.2, 0.3, 0.4)], [(0.1234, 0.2, 0.3, 0.4)])
    """
    drawn: dict[tuple[int, ...], list[Corners]] = {}
    for box in sample.boxes:
        drawn.setdefault(to_hundred(box), []).append(corners(box))
    rounded = _places(sample.answer)
    exact = []
    for place in rounded:
        same = drawn.get(tuple(round(100 * value) for value in place), [])
        exact.append(same.pop(0) if len(same) == 1 else place)  # of two alike nobody knows which was meant
    return exact


def _trace_rows(row: Score, prediction: Prediction, sample: Sample, parts: RadRScore) -> Iterator[Score]:
    reason = f"judge failed: {parts.failed}" if parts.failed else json.dumps(parts.counts)
    row = changed(row, reason=reason, flagged=parts.counts.get("model") == 0)
    yield _of(row, "radrscore", parts.value)
    yield _of(row, "r_f", parts.factuality)
    yield _of(row, "r_c", parts.completeness)
    yield _of(row, "r_e", parts.effectiveness)
    if prediction.mode == "direct":  # no trace was asked for, so S_f does not apply
        return
    named = entity_factuality(prediction.reasoning, sample.facts)
    asked = "\n".join((sample.question, *sample.options))
    unasked = entity_factuality(prediction.reasoning, sample.facts, without=asked)
    yield _of(changed(row, reason=f"{unasked} without what stands in the question"), "s_f", named)


def consistency_rows(pairs: Iterable[tuple[Prediction, Sample]]) -> Iterator[Score]:
    """S_sc of each closed question that a model was asked more than once."""
    draws: dict[str, list[tuple[Prediction, Sample]]] = {}
    for prediction, sample in pairs:
        if sample.kind == "choice":
            draws.setdefault(sample.id, []).append((prediction, sample))
    for drawn in draws.values():
        first, sample = drawn[0]
        if len(drawn) > 1 and len(sample.options) > 1:
            answers = [prediction.answer for prediction, _ in drawn]
            reason = f"said {', '.join(answer or '?' for answer in answers)}"
            row = _row(first, sample, reason=reason, flagged=not any(answers))
            yield _of(row, "self_consistency", answers_consistency(answers, len(sample.options)))


def given_rows(
    prediction: Prediction, sample: Sample, values: dict[str, float | None], reason: str, *, flagged: bool
) -> Iterator[Score]:
    """Rows of values that something else found out, as a backend or a file."""
    row = _row(prediction, sample, reason=reason, flagged=flagged)
    for metric, value in values.items():
        yield _of(row, metric, value)


def part_rows(
    prediction: Prediction, sample: Sample, parts: Mapping[str, Sequence[float]], reason: str
) -> Iterator[Score]:
    """Rows of what a prediction adds to metrics of the whole set, found out elsewhere."""
    row = _row(prediction, sample, reason=reason, flagged=bool(prediction.problem))
    for metric, own in parts.items():
        yield changed(_of(row, metric, None), parts=tuple(map(float, own)))


def _row(prediction: Prediction, sample: Sample, *, reason: str, flagged: bool) -> Score:
    """A score of this prediction that has yet to get a metric and a value."""
    about = {"reason": reason, "flagged": flagged, "model": prediction.model, "mode": prediction.mode}
    return score_of(prediction, sample, id="", metric="", value=None, **about)


def _of(row: Score, metric: str, value: float | None) -> Score:
    return changed(row, id=text_id(row.prediction_id, metric), metric=metric, value=value)
