"""The five question types of RadRBench-CXR, made from the labels of a study.

binary    Does it show <finding>?            Yes / No
single    Which finding is in it?            four findings, one of them present
multiple  Which findings are in it?          four sets of two or three out of four findings, one all present
anomaly   Which findings are in it?          no options: all present findings
temporal  How did <finding> change?          worsening / stable / improving, from two images

A label of -1 (uncertain) is never asked about, and neither is a label that nobody judged: unknown is not
absent. Whoever sees only the options must not be able to do better than chance. Builders see to that for
single and multiple choice: they give four studies the same options, each right for one (`build/quartets.py`).
Without a builder, wrong options are drawn as often as they are right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from random import Random

from cxreason.answers import labels
from cxreason.records import Study
from cxreason.tasks.asking import Asked, Given, Task, Topic, in_order, shuffled
from cxreason.text.labels import excludes_no_finding
from cxreason.text.ontology import FINDINGS, NO_FINDING, implies

CHANGES = ("worsening", "stable", "improving")
# A finding that came is worse than none, one that went is better; a device does neither.
COURSES = {**dict(zip(CHANGES, CHANGES, strict=True)), "new": "worsening", "resolved": "improving"}
WITHOUT_COURSE = ("support devices",)
ASKED = tuple(label for label in FINDINGS if label != "pleural other")
"""The findings of the published benchmark, which leaves one of CheXpert's out."""
LABELS = (*ASKED, NO_FINDING)
QUARTET = 4
SET_SIZES = (2, 3)
MOST_SETS = 4
"""So often one study is asked about sets at most: else a few with many findings would be half a test."""


def present(study: Study) -> tuple[str, ...]:
    """The findings of the benchmark labelled 1, in canonical order.

    >>> present(Study("a", "d", "p", (), labels={"fracture": 1, "edema": 1, "pneumothorax": -1}))
    ('edema', 'fracture')
    """
    return tuple(label for label in ASKED if study.labels.get(label) == 1)


def absent(study: Study, *, with_no_finding: bool = False) -> tuple[str, ...]:
    """The labels known to be 0, in canonical order: the only ones that may stand in a wrong option.

    A lung opacity labelled 0 beside a consolidation labelled 1 is a slip of the labeller, and left out.
    Labels that were mined from reports have no 0 for "no finding": that something is there denies it.

    >>> absent(Study("a", "d", "p", (), labels={"fracture": 1, "edema": 0}), with_no_finding=True)
    ('edema', 'no finding')
    """
    there = present(study)
    implied = {label for label in FINDINGS if any(implies(seen, label) for seen in there)}
    known = tuple(label for label in ASKED if study.labels.get(label) == 0 and label not in implied)
    return (*known, NO_FINDING) if with_no_finding and excludes_no_finding(study.labels) else known


def is_normal(study: Study) -> bool:
    """Labelled as normal, and nothing labelled present or uncertain beside it (devices count here)."""
    judged = [study.labels.get(label, 0) for label in FINDINGS]
    return study.labels.get(NO_FINDING) == 1 and not any(judged)


def draw(among: Sequence[str], count: int, frequency: Mapping[str, float], rng: Random) -> list[str]:
    """`count` different labels, likelier where `frequency` is higher; unlisted labels are unlikely, not out.

    Wrong options are drawn as often as they are right elsewhere, so that a label's name says nothing.
    (Weighted reservoir keys, Efraimidis and Spirakis 2006, equation 1.)
    """
    keys = {label: rng.random() ** (1 / max(frequency.get(label, 0.0), 1e-3)) for label in among}
    return sorted(among, key=lambda label: keys[label], reverse=True)[:count]


def binary_topics(study: Study) -> list[Topic]:
    words = {1: "yes", 0: "no"}
    return [
        Topic(group=label, value=words[study.labels[label]], subject=label)
        for label in ASKED
        if study.labels.get(label) in words
    ]


def ask_binary(study: Study, topic: Topic, rng: Random, given: Given) -> Asked:
    return ask_yes_no(topic, rng)


def ask_yes_no(topic: Topic, rng: Random) -> Asked:
    """Whether the subject of a topic is to be seen, where its value is the answer."""
    finding = topic.subject
    return shuffled(("Yes", "No"), topic.value.capitalize(), rng, fill={"finding": finding}, subject=finding)


def single_wrong(study: Study) -> tuple[str, ...]:
    return absent(study, with_no_finding=True)


def single_topics(study: Study) -> list[Topic]:
    if len(single_wrong(study)) < 3:
        return []
    truths = (NO_FINDING,) if is_normal(study) else present(study)
    return [Topic(group=label, value=label, subject=label) for label in truths]


def ask_single(study: Study, topic: Topic, rng: Random, given: Given) -> Asked:
    if given.options:
        return in_order(given.options, topic.value)
    return shuffled((topic.value, *draw(single_wrong(study), 3, given.frequency, rng)), topic.value, rng)


def multiple_topics(study: Study) -> list[Topic]:
    """Two or three of the present findings, as many as can be asked with what is known to be absent."""
    there, wrong = present(study), absent(study)
    return [
        Topic(group=str(size), value=", ".join(truth), subject=", ".join(truth))
        for size in SET_SIZES
        if len(wrong) >= QUARTET - size
        for truth in combinations(there, size)
    ]


def ask_multiple(study: Study, topic: Topic, rng: Random, given: Given) -> Asked:
    """Four sets out of four findings, of which the truth is known to be there and the rest not to be.

    Every finding stands in equally many of them, or the truth would be the option that shares most with the
    others, and could be found without looking. All sets are written in canonical order.
    """
    if given.options:
        return in_order(given.options, topic.value)
    truth = topic.value.split(", ")
    wrong = draw(absent(study), QUARTET - len(truth), given.frequency, rng)
    return shuffled(_sets(truth, wrong, rng), topic.value, rng)


def _sets(truth: Sequence[str], wrong: Sequence[str], rng: Random) -> list[str]:
    """All sets of three, or the pairs that take one finding out of each half."""
    if len(truth) == 3:
        sets = list(combinations((*truth, *wrong), 3))
    else:
        (kept, exchanged), (first, second) = rng.sample(truth, 2), rng.sample(wrong, 2)
        sets = [(one, other) for one in (kept, first) for other in (exchanged, second)]
    return [", ".join(sorted(one, key=FINDINGS.index)) for one in sets]


def anomaly_topics(study: Study) -> list[Topic]:
    if is_normal(study):
        return [Topic(group=NO_FINDING, value=labels.write(NO_FINDING))]
    found = present(study)
    there = [label for label in FINDINGS if study.labels.get(label) == 1]
    if not found or len(there) > len(found) or any(study.labels.get(label) == -1 for label in FINDINGS):
        return []
    return [Topic(group=str(min(len(found), 3)), value=labels.write(found))]


def ask_open(study: Study, topic: Topic, rng: Random, given: Given) -> Asked:
    return Asked((), topic.value)


def temporal_topics(study: Study) -> list[Topic]:
    if not study.prior_id:
        return []
    return [
        Topic(group=finding, value=COURSES[study.changes[finding]], subject=finding)
        for finding in ASKED
        if study.changes.get(finding) in COURSES and finding not in WITHOUT_COURSE
    ]


def ask_temporal(study: Study, topic: Topic, rng: Random, given: Given) -> Asked:
    finding = topic.subject
    return shuffled(CHANGES, topic.value, rng, fill={"finding": finding}, subject=finding)


TASKS: dict[str, Task] = {
    "binary": Task("choice", binary_topics, ask_binary, values=("yes", "no")),
    "single": Task("choice", single_topics, ask_single, wrong=single_wrong),
    "multiple": Task("choice", multiple_topics, ask_multiple, wrong=absent, turns=MOST_SETS),
    "anomaly": Task("labels", anomaly_topics, ask_open),
    "temporal": Task("choice", temporal_topics, ask_temporal, values=CHANGES, prior=True),
}
