"""Invented studies of every kind, and all that can be asked about them, put together as a builder does it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache
from random import Random

from cxreason.records import Box, Entity, Question, Sample, Study
from cxreason.tasks import TASKS, Topic, random_for, sample
from cxreason.text.ontology import FINDINGS, NO_FINDING

PHRASES = {
    "edema": "Mild pulmonary edema",
    "pneumonia": "Pneumonia in the left lower lobe",
    "pneumothorax": "Small right pneumothorax",
    "pleural effusion": "Large left pleural effusion",
    "fracture": "Fracture of a right rib",
    "cardiomegaly": "Severe cardiomegaly",
    "support devices": "Tube in the right hemithorax",
}
CHANGES = ("unchanged", "new", "increased")


def study(number: int, dataset: str = "toy") -> Study:
    """The same study for the same number, with something of everything; every third has a prior."""
    rng = Random(number)
    labels = {name: rng.choice((1, 0, 0, 0, -1)) for name in FINDINGS if rng.random() < 0.9}
    if not any(labels.values()):
        labels[NO_FINDING] = 1
    there = [name for name in PHRASES if labels.get(name) == 1]
    prior = f"toy/{number - 1}" if number % 3 == 2 else ""
    said = [f"{PHRASES[name]}{f', {rng.choice(CHANGES)}' if prior else ''}." for name in there]
    normal = "The bones are intact." if "cardiomegaly" in there else "The heart is normal."
    text = " ".join([*said, normal])
    boxes = []
    for name in there:
        x, y = rng.uniform(0, 0.7), rng.uniform(0, 0.7)
        boxes.append(Box(name, x, y, x + 0.2, y + 0.2, phrase=PHRASES[name]))
    view = rng.choice(("PA", "AP"))
    return Study(
        id=f"toy/{number}",
        dataset=dataset,
        patient_id=f"p{number // 3}",
        images=(f"{number}.png", f"{number}-lateral.png"),
        views=(view, rng.choice(("LATERAL", "LL"))),
        indication=rng.choice(("Cough.", "Fall.", "")),
        findings=f"{text} Examination {number}.",
        impression=" ".join(said) or "Normal chest.",
        narrative=f"Chest radiograph number {number}.",
        labels=labels,
        boxes=tuple(boxes),
        prior_id=prior,
        changes={name: rng.choice(("stable", "worsening", "improving")) for name in there} if prior else {},
        questions=(
            Question("Where is it?", ("left lower lobe",), type="location", id=f"q{number}"),
            Question("Is it large?", (rng.choice(("yes", "no")),), closed=True, type="presence"),
            Question("Which are there?", ("a", "c"), options=("a", "b", "c"), kind="labels", closed=True),
            Question("Which one?", ("three",), options=("one", "two", "three"), kind="choice", closed=True),
            Question("What has changed?", ("nothing",), type="difference"),
            Question("How large?", ("small",), context="A small effusion.", type="span"),
            Question("How old?", (), context="A small effusion.", type="unanswerable"),
            Question("", ("The left angle is blunted.",), type="explanation", subject="pleural effusion"),
        ),
        entities=(Entity("2", "effusion", "OBS-DP", 4, 4), Entity("1", "chest", "ANAT-DP", 0, 0)),
    )


def ask(task: str, studies: Sequence[Study], seed: int = 0) -> list[Sample]:
    """Every sample of a task, its company chosen in circles as `Task.company` wants it."""
    way, known = TASKS[task], {one.id: one for one in studies}
    offered = [(one, topic) for one in studies for topic in way.topics(one)]
    frequency: dict[str, float] = defaultdict(float)
    for _, topic in offered:
        for label in topic.value.split(", "):
            frequency[label] += 1
    others = _circles(task, offered) if way.company else {}
    asked = []
    for one, topic in offered:
        prior, beside = known.get(one.prior_id), others.get((topic.group, one.id), ())
        if (prior or not way.prior) and (beside or topic.alone or not way.company):
            rng = random_for(one, task, topic, seed)
            asked.append(sample(one, prior, task, topic, rng, frequency, beside))
    return asked


def _circles(task: str, offered: Iterable[tuple[Study, Topic]]) -> dict[tuple[str, str], tuple[Study, ...]]:
    way = TASKS[task]
    waiting: dict[str, list[tuple[Study, tuple[int, ...]]]] = defaultdict(list)
    for one, topic in offered:
        if all(one is not before for before, _ in waiting[topic.group]):
            waiting[topic.group].append((one, way.says(one, topic)))
    found = {}
    for group, queue in waiting.items():
        while queue:
            circle = [queue.pop(0)]
            for candidate in list(queue):
                if len(circle) <= way.company and all(_differ(candidate, member) for member in circle):
                    circle.append(candidate)
                    queue.remove(candidate)
            if len(circle) == way.company + 1:
                members = [one for one, _ in circle]
                for one in members:
                    found[group, one.id] = tuple(other for other in members if other is not one)
    return found


def _differ(first: tuple[Study, tuple[int, ...]], second: tuple[Study, tuple[int, ...]]) -> bool:
    return first[0].patient_id != second[0].patient_id and all(
        one != other for one, other in zip(first[1], second[1], strict=True)
    )


@cache
def samples(task: str) -> tuple[Sample, ...]:
    """All that is asked about 240 studies."""
    return tuple(ask(task, tuple(map(study, range(240)))))
