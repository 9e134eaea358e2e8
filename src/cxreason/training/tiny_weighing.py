"""The tiny base model learns to weigh: several findings against one image, and one finding against two.

To go through findings one by one, each with a threshold of its own, is the poorer way to choose: of four
findings of which one is there, the likeliest has to be said. So here the findings are named first, and who
says the first that is there has compared all of them. At first nothing is asked, so that all hangs on the
images; then the same is asked in conversation.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from cxreason.mining.rules import (
    TIMES,
    Evidence,
    Step,
    course_of,
    gather,
    in_question,
    name_of,
    state_when,
    what_fits,
    with_letter,
)
from cxreason.records import Study
from cxreason.tasks.radrbench import CHANGES, COURSES, WITHOUT_COURSE
from cxreason.text.ontology import FINDINGS, NO_FINDING
from cxreason.training.tiny_drills import CONCLUSIONS, QUESTIONS, Puzzle, Segment, Turn, posed, sets_with
from cxreason.training.tiny_speaking import COURSE, Rota, images_of

ROUNDS = 3
"""How often one image is chosen for: it is read once."""
IN_FORM = 0.75
"""How much of what is asked comes in the form of the drills: prompt, thought and answer."""
SETS = 0.75
"""How often two findings are asked for where there are two."""
NONE_FITS = 0.1
"""How often what is there is not among the options, and none of them fits."""

PICKS = ("What of {} is there?", "Choose from {}.", "Weigh {}.", "Which of {} do you see?")


def pick(study: Study, prior: Study | None, rota: Rota) -> tuple[list[tuple[str, int]], list[Turn]]:
    """An image and, some times over, a few findings and which of them are there."""
    said: list[Segment] = []
    for _ in range(ROUNDS):
        listed, told = _picked(study, rota)
        said += [(in_question(listed), False), (f" {told}", True), ("\n", False)]
    return images_of(study), [("", said)]


def pick_asked(study: Study, prior: Study | None, rota: Rota) -> tuple[list[tuple[str, int]], list[Turn]]:
    """The same in conversation, mostly in the form of the drills, so that neither a question nor a thought
    between the image and the choice disturbs it."""
    turns: list[Turn] = []
    for _ in range(ROUNDS):
        puzzle = _posed(study, rota) if rota.draw.random() < IN_FORM else None
        if puzzle:
            turns.append(posed(puzzle, rota.draw))
            continue
        listed, told = _picked(study, rota)
        question = rota.draw.choice(PICKS).format("; ".join(listed))
        there = [option for option in listed if all(study.labels[name] == 1 for name in option.split(", "))]
        end = _concluded(there[0], listed, rota.draw) if len(there) == 1 else ""
        turns.append((question, f"{in_question(listed)} {told}{end}"))
    return images_of(study), turns


def _posed(study: Study, rota: Rota) -> Puzzle | None:
    """A choice of one finding, or of two, of which the image tells what a drill tells in words.

    What is common is right no more often than what is rare, so that nothing can be had by guessing.
    """
    draw, there, gone = rota.draw, rota.shares(study, 1), rota.shares(study, 0)
    if len(gone) < 3:
        return None
    if len(there) > 1 and draw.random() < SETS:
        kind, truth, wrong = "set", _drawn(there, 2, draw), _drawn(gone, 2, draw)
        options, answer = sets_with(truth, wrong, draw), ", ".join(sorted(truth, key=FINDINGS.index))
    else:
        kind, truth, wrong = "one", _drawn(there, 1, draw), _drawn(gone, 3, draw)
        if draw.random() < NONE_FITS:
            truth = []
        answer = truth[0] if truth else NO_FINDING
        options = draw.sample([answer, *wrong], 4)
    named = [name for name in FINDINGS if name in (*truth, *wrong)]
    evidence = gather([Step(name, "") for name in named], study.report)
    retold = [what_fits(list(evidence.values()))]
    return Puzzle(named, draw.choice(QUESTIONS[kind]), [], answer, options, retold)


def _drawn(shares: dict[str, float], count: int, draw: random.Random) -> list[str]:
    """Some names, each the likelier the larger its share."""
    return sorted(shares, key=lambda name: draw.random() ** (1 / shares[name]), reverse=True)[:count]


def _concluded(option: str, options: Sequence[str], draw: random.Random) -> str:
    return " " + draw.choice(CONCLUSIONS).format(answer=with_letter(option, options))


def _picked(study: Study, rota: Rota) -> tuple[list[str], str]:
    """Some findings, one by one or in sets, and what is seen of those that are there; where none is, that."""
    draw, there = rota.draw, [name for name in FINDINGS if study.labels.get(name) == 1]
    gone = [name for name in FINDINGS if study.labels.get(name) == 0]
    count = draw.choice((2, 3, 4, 4, 4, 4))
    kept = draw.sample(there, min(len(there), draw.choices((0, 1, 2), (1, 8, 6))[0], count))
    named = [*kept, *draw.sample(gone, min(len(gone), count - len(kept)))]
    if len(kept) == 2 and len(named) == 4 and draw.random() < 0.7:
        listed = sets_with(kept, named[2:], draw)
    else:
        listed = draw.sample(named, len(named))
    evidence = gather([Step(name, "") for name in FINDINGS if name in named], study.report)
    return listed, what_fits(list(evidence.values()))


def tell_apart(study: Study, prior: Study | None, rota: Rota) -> tuple[list[tuple[str, int]], list[Turn]]:
    """Two images, and which of them has a finding that only one has: nothing but to know the first from the
    second can be learnt. A small model sees both as one for long, so this is short and comes often.
    """
    draw = rota.draw
    earlier = prior if prior is not None and draw.random() < 0.3 else rota.study()
    one_has = [name for name in FINDINGS if {earlier.labels.get(name), study.labels.get(name)} == {0, 1}]
    said: list[Segment] = []
    for name in draw.sample(one_has, min(6, len(one_has))):
        pair = zip(TIMES, (earlier, study), strict=True)
        for when, one in draw.sample(list(pair), 2):
            seen = Evidence(name, "present" if one.labels[name] else "absent")
            said += _seen_when(seen, when)
        said.append(("\n", False))
    if not said:
        return pick(study, None, rota)
    return [(earlier.id, 0), (study.id, 0)], [("", said)]


def follow(study: Study, prior: Study | None, rota: Rota) -> tuple[list[tuple[str, int]], list[Turn]]:
    """Two images, and what became of some findings: each on both, and its course before or after that.

    Where there is no prior image, that of another patient stands in for it: what is seen of a finding on two
    images can be compared all the same, and courses that are rare among priors come as often as the others.
    """
    draw = rota.draw
    earlier, real = _before(prior, rota)
    said: list[Segment] = []
    for name, course, before, now in _courses(earlier, study, real, draw)[:4]:
        verdict = [(f" The {name_of(name)} is", False), (f" {course}.", True)]
        seen = [
            segment
            for when, one in zip(TIMES, (before, now), strict=True)
            for segment in _seen_when(one, when)
        ]
        said += [*(verdict + seen if draw.random() < 0.5 else seen + verdict), ("\n", False)]
    if not said:
        return pick(study, None, rota)
    return [(earlier.id, 0), (study.id, 0)], [("", said)]


def follow_asked(study: Study, prior: Study | None, rota: Rota) -> tuple[list[tuple[str, int]], list[Turn]]:
    """The same as a conversation: what is asked about is looked up on both images, and its course follows."""
    earlier, real = _before(prior, rota)
    turns: list[Turn] = []
    for name, course, before, now in _courses(earlier, study, real, rota.draw)[:3]:
        seen = [state_when(one, when) for when, one in zip(TIMES, (before, now), strict=True)]
        verdict = f"The {name_of(name)} is {course}."
        options: list[str] = rota.draw.sample(CHANGES, len(CHANGES))
        if rota.draw.random() < IN_FORM:
            question = rota.draw.choice(QUESTIONS["course"]).format(name)
            turns.append(posed(Puzzle([name], question, [], course, options, [*seen, verdict]), rota.draw))
            continue
        question = rota.draw.choice(COURSE).format(name)
        end = _concluded(course, options, rota.draw)
        turns.append((question, f"{question} {in_question(options)} {' '.join(seen)} {verdict}{end}"))
    if not turns:
        return pick_asked(study, None, rota)
    return [(earlier.id, 0), (study.id, 0)], turns


def _before(prior: Study | None, rota: Rota) -> tuple[Study, bool]:
    """The study to compare with, and whether it is the real prior."""
    if prior is not None and rota.draw.random() < 0.7:
        return prior, True
    return rota.study(), False


def _seen_when(seen: Evidence, when: str) -> list[Segment]:
    """What is seen on one of two images: the name and the word for when are given, the rest is learnt."""
    before, word, after = state_when(seen, when).partition(f" {when}")
    return [(f" {before}{word}", False), (after, True)]


def _courses(
    earlier: Study, study: Study, real: bool, draw: random.Random
) -> list[tuple[str, str, Evidence, Evidence]]:
    """Findings in any order, with their course and what is seen of them on both images.

    What was there before and is now mostly stays as it was, so half of that is left out.
    """
    steps = [Step(name, "") for name in FINDINGS if name not in WITHOUT_COURSE]
    before, now = gather(steps, earlier.report), gather(steps, study.report)
    found = []
    for name in draw.sample([step.finding for step in steps], len(steps)):
        told = study.changes.get(name, "") if real else ""
        course = COURSES.get(told) or course_of(before[name], now[name])
        certain = all(one.labels.get(name) in (0, 1) for one in (earlier, study))
        if not course or not certain or (course == "stable" and draw.random() < 0.5):
            continue
        found.append((name, course, before[name], now[name]))
    return found
