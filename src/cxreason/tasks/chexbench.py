"""What CheXbench asks beyond the other tasks: which of two descriptions fits, where they differ in one word.

reasoning   a sentence of the report against the same sentence with its side, its size or its course exchanged

The other questions of CheXbench are those of `view`, `binary`, `single`, `multiple`, `closed_vqa`, `findings`
and `summarization`; `QUESTIONS` maps its names to them. For each word both descriptions are right equally
often, so that the words alone give nothing away.
"""

from __future__ import annotations

import re
from functools import lru_cache
from random import Random

from cxreason.records import Study
from cxreason.tasks.asking import Asked, Given, Task, Topic, shuffled
from cxreason.text.comparisons import without_comparison
from cxreason.text.passages import named_regions
from cxreason.text.sections import headed_sentences

QUESTIONS = {
    "View Classification": "view",
    "Binary Disease Classification": "binary",
    "Single Disease Identification": "single",
    "Multi-Disease Identification": "multiple",
    "Visual Question Answering": "closed_vqa",
    "Image-Text Reasoning": "reasoning",
    "Findings Generation": "findings",
    "Findings Summarization": "summarization",
}
"""Kind of question in CheXbench -> the task that asks it."""

OPPOSITES = (("left", "right"), ("upper", "lower"), ("mild", "severe"), ("small", "large"))
"""Pairs of words of which exchanging one makes a sentence false, and nothing else of it."""

VALUES = ("first", "second")
"""Which word of its pair stands in the report."""

_OTHER = {word: other for pair in OPPOSITES for word, other in (pair, pair[::-1])}
_PAIR = {word: pair for pair in OPPOSITES for word in pair}
_WORD = re.compile(rf"\b(?:{'|'.join(_OTHER)})(?=\b|-)", re.IGNORECASE)
# Where both sides are spoken of, or none is seen, an exchange may leave a sentence true.
_SPOILED = re.compile(
    r"\b(?:both|bilateral\w*|no|not|without|or|than|greater|either|versus|may|possible)\b", re.IGNORECASE
)


@lru_cache(maxsize=4096)
def contrasts(text: str) -> tuple[tuple[str, str], ...]:
    """(word, sentence) for the sentences of a text that turn false when their one such word is exchanged.

    >>> contrasts("Small effusion. No left pneumothorax. Tube in the left main bronchus on the left.")
    (('small', 'Small effusion.'),)
    """
    found = []
    for _, said in headed_sentences(without_comparison(text)):
        for sentence in said:
            words = _WORD.findall(sentence)
            if len(words) == 1 and not _SPOILED.search(sentence):
                found.append((words[0].lower(), sentence))
    return tuple(found)


def exchanged(sentence: str) -> str:
    """The sentence with its word exchanged for the opposite.

    >>> exchanged("Left-sided effusion.")
    'Right-sided effusion.'
    """

    def other(match: re.Match[str]) -> str:
        word = _OTHER[match[0].lower()]
        return word.capitalize() if match[0][0].isupper() else word

    return _WORD.sub(other, sentence)


def reasoning_topics(study: Study) -> list[Topic]:
    """The sentences of the report with one word to exchange.

    A group is a pair of words and the regions that the sentence names: a pacemaker mostly lies on the left.
    """
    if not study.images:
        return []
    topics = []
    for number, (word, sentence) in enumerate(contrasts(study.findings or study.impression)):
        group = ", ".join((*_PAIR[word], *sorted(named_regions(sentence))))
        topics.append(Topic(group, VALUES[_PAIR[word].index(word)], number=number))
    return topics


def ask_reasoning(study: Study, topic: Topic, rng: Random, given: Given) -> Asked:
    """The sentence and its opposite."""
    _, sentence = contrasts(study.findings or study.impression)[topic.number]
    return shuffled((sentence, exchanged(sentence)), sentence, rng, styled=True)


TASKS: dict[str, Task] = {"reasoning": Task("choice", reasoning_topics, ask_reasoning, values=VALUES)}
