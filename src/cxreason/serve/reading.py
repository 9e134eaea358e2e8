"""What a reply says, while it grows and when it is whole: sentences, observations, answer, boxes, agreement.

Everything comes from the one parser and the one reader of radiology language. A sentence is told as soon as
another one begins behind it; what the whole reply turns out to say wins over what was told on the way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations, islice
from typing import Any

from cxreason.answers import DIALECTS, boxes, understand
from cxreason.answers.dialects import letters
from cxreason.evaluation.consistency import answers_consistency
from cxreason.imaging.boxes import matched_iou
from cxreason.serve.questions import Question
from cxreason.text.observations import read_sentence
from cxreason.text.sections import sentences

MOST_SENTENCES = 200
ENDS = ".!?\n"


def observations(sentence: str) -> list[dict[str, Any]]:
    """What a sentence says of which finding; start and end count characters of the sentence.

    >>> [(seen["finding"], seen["status"]) for seen in observations("No edema.")]
    [('edema', 'absent')]
    """
    return [
        {key: value for key, value in seen._asdict().items() if key != "sentence"}
        for seen in read_sentence(sentence)
    ]


def read_text(text: str) -> list[dict[str, Any]]:
    """The sentences of a text with their observations, each on one line."""
    lines = [" ".join(sentence.split()) for _, sentence in islice(sentences(text), MOST_SENTENCES)]
    return [{"text": line, "observations": observations(line)} for line in lines]


class Reading:
    """One growing reply.

    >>> reading = Reading(Question("Edema?", "choice", ("Yes", "No"), "reasoning", "think"))
    >>> [told["text"] for told in reading.add("<think> Clear lungs. No ed")]
    ['Clear lungs.']
    """

    def __init__(self, question: Question):
        self.question = question
        self.text = ""
        self.num_told = 0

    def add(self, piece: str) -> list[dict[str, Any]]:
        """The sentences of the reasoning that a piece completes; `rest` is what stands behind them."""
        self.text += piece
        if self.question.mode == "direct" or not any(end in piece for end in (*ENDS, " ", "<")):
            return []
        reasoning = DIALECTS[self.question.dialect].read(self.text, self.question.mode).reasoning
        found = [(start, sentence) for start, sentence in sentences(reasoning)][:MOST_SENTENCES]
        whole, self.num_told = found[self.num_told : -1], max(self.num_told, len(found) - 1)
        rest = " ".join(found[-1][1].split()) if found else ""
        lines = [" ".join(sentence.split()) for _, sentence in whole]
        return [{"text": line, "observations": observations(line), "rest": rest} for line in lines]

    def end(self) -> dict[str, Any]:
        """What the whole reply says."""
        asked = self.question
        said = understand(
            self.text, dialect=asked.dialect, mode=asked.mode, kind=asked.kind, options=asked.options
        )
        places = _places(said.answer if asked.kind == "boxes" else f"{said.reasoning} {said.answer}")
        return {
            "answer": said.answer,
            "label": _label(said.answer, asked),
            "problem": said.problem,
            "note": said.note,
            "reasoning": read_text(said.reasoning),
            "said": read_text(said.answer) if asked.kind in ("report", "text") else [],
            "boxes": places,
            "text": self.text,
        }


def _label(answer: str, asked: Question) -> str:
    """The answer in words: the option's text for a letter, names for boxes."""
    if asked.kind == "choice" and answer:
        return asked.options[letters(asked.options).index(answer)]
    if asked.kind == "boxes" and "<|" in answer:
        count = len(_places(answer))
        return f"{count} place{'s' if count > 1 else ''}"
    return answer


def _places(text: str) -> list[dict[str, Any]]:
    """The boxes that a text names, as fractions of the image."""
    if "<|box|>" not in text:
        return []
    return [
        {"label": box.label, "x1": box.x1, "y1": box.y1, "x2": box.x2, "y2": box.y2}
        for box in boxes.places(text)
    ]


def agreement(asked: Question, answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """How far several replies to one question agree: in their answers, and finding by finding.

    `share` is that of the most frequent answer among all replies, unreadable ones included; `consistency`
    is CheXOne's S_sc of a choice. Of boxes the mean overlap of each pair is told instead.
    """
    counts = Counter(one["label"] if one["answer"] else "" for one in answers)
    listed = [
        {"label": label or "no readable answer", "readable": bool(label), "count": count}
        for label, count in counts.most_common()
    ]
    readable = [one["count"] for one in listed if one["readable"]]
    comparable = asked.kind in ("choice", "labels")
    return {
        "answers": listed if comparable else [],
        "share": max(readable, default=0) / len(answers) if comparable else None,
        "consistency": answers_consistency([one["answer"] for one in answers], len(asked.options))
        if asked.kind == "choice"
        else None,
        "overlap": _overlap(answers) if asked.kind == "boxes" else None,
        "findings": _by_finding(answers),
        "num_samples": len(answers),
    }


def _overlap(answers: Sequence[dict[str, Any]]) -> float | None:
    drawn = [[(box["x1"], box["y1"], box["x2"], box["y2"]) for box in one["boxes"]] for one in answers]
    pairs = list(combinations(drawn, 2))
    return sum(matched_iou(one, other) for one, other in pairs) / len(pairs) if pairs else None


def _by_finding(answers: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Finding -> how many replies call it present, absent, uncertain; one that says two things says both."""
    counts: dict[str, Counter[str]] = {}
    for one in answers:
        said = [seen for part in ("reasoning", "said") for line in one[part] for seen in line["observations"]]
        for finding, status in dict.fromkeys((seen["finding"], seen["status"]) for seen in said):
            counts.setdefault(finding, Counter())[status] += 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1]["present"], -item[1].total(), item[0]))
    names = ("present", "absent", "uncertain")
    return [{"finding": name, **{status: counts[status] for status in names}} for name, counts in ordered]
