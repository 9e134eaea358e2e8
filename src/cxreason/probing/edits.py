"""A trace turned into the beginnings from which a model goes on: cut short, or with a finding turned around.

    flipped   the trace up to the sentence that states the decisive finding, and that finding denied there, or
              stated where it was denied; what followed is gone, so the model has to conclude anew
    shares    the first quarter, half, ... of the sentences of a trace

Everything is by the rules that read reports, so an edit that does not read as intended is none: it is given
up and counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cxreason.mining.rules import Evidence, conclude, gather, plan
from cxreason.records import Sample
from cxreason.text.observations import Observation, observe
from cxreason.text.ontology import NO_FINDING, implies
from cxreason.text.sections import sentences

SHARES = (0.0, 0.25, 0.5, 0.75)
"""How much of a trace is kept where the answer is asked for early."""
OTHER_COURSE = {"worsening": "improving", "improving": "worsening", "stable": "worsening"}
IN_WORDS = {"worsening": "has worsened", "improving": "has improved", "stable": "is unchanged"}
ASKED = ("binary", "single", "multiple", "anomaly", "temporal")
"""Tasks of which rules know what a trace leads to."""


@dataclass(frozen=True)
class Flipped:
    """Two beginnings that differ in one finding, and the answer that the edited one leads to."""

    finding: str
    kept: str
    """The trace as it was, up to the place of the edit."""
    edited: str
    leads_to: str
    """In the form of `Sample.answer`; empty where the edited findings decide for no single answer."""


def known_as(sample: Sample) -> Sample | None:
    """The sample as rules know it: a question to be answered with yes or no is one about a finding.

    None where rules cannot tell what findings lead to.
    """
    if sample.task in ASKED:
        return sample
    if sample.kind == "choice" and {one.casefold() for one in sample.options} == {"yes", "no"}:
        alike = replace(sample, task="binary")
        return alike if len(plan(alike)) == 1 else None
    return None


def leads_to(trace: str, sample: Sample) -> tuple[str, str]:
    """The answer that the findings of a trace lead to, and why there is none.

    >>> fields = ("1", "d", "binary", "choice", "p", "s", "test", (), "Is there edema?", "A", ("Yes", "No"))
    >>> leads_to("There is no edema.", Sample(*fields)), leads_to("There is a fracture.", Sample(*fields))[1]
    (('B', ''), 'the trace says nothing of what was asked')
    """
    known = known_as(sample)
    if known is None:
        return "", "rules do not know this kind of question"
    steps = plan(known)
    evidence = gather(steps, trace)
    if any(one.status == "uncertain" for one in evidence.values()):
        return "", "the trace is in doubt about what was asked"
    if not any(one.seen for one in evidence.values()) and known.task != "anomaly":
        return "", "the trace says nothing of what was asked"
    if known.task == "temporal":
        return _course(known, evidence)
    if not any(seen.finding for seen in observe(trace)):
        return "", "the trace states nothing"
    answer = conclude(known, evidence, {})
    return answer, "" if answer else "the findings of the trace decide for no single answer"


def _course(sample: Sample, evidence: dict[str, Evidence]) -> tuple[str, str]:
    said = {seen.change for one in evidence.values() for seen in one.seen if seen.change in IN_WORDS}
    if len(said) != 1:
        return "", "the trace says nothing of the course" if not said else "the trace names several courses"
    # Both sides of a comparison with the same course, so that only what is said decides.
    answer = conclude(sample, evidence, evidence)
    return answer, "" if answer else "no option names the course of the trace"


def flipped(trace: str, sample: Sample, answer: str) -> Flipped | str:
    """The trace with its decisive finding turned around, or why it cannot be.

    >>> fields = ("1", "d", "binary", "choice", "p", "s", "test", (), "Is there edema?", "A", ("Yes", "No"))
    >>> made = flipped("Look at the hila. There is edema. So yes.", Sample(*fields), "A")
    >>> made.kept, made.edited, made.leads_to
    ('Look at the hila. There is edema.', 'Look at the hila. There is no edema.', 'B')
    """
    known = known_as(sample)
    if known is None:
        return "rules do not know this kind of question"
    finding = decisive(trace, known, answer)
    if not finding:
        return "the trace states no finding that the answer hangs on"
    said = list(sentences(trace))
    stating = [place for place, (_, one) in enumerate(said) if _states(one, finding)]
    if not stating:
        return "no sentence of the trace states the decisive finding"
    last = stating[-1]
    kept = trace[: said[last][0] + len(said[last][1])]
    edited = " ".join(
        _turned(one, finding) if place in stating else one for place, (_, one) in enumerate(said[: last + 1])
    )
    before, after = _status(kept, finding), _status(edited, finding)
    if not before or not after or before == after:
        return "the edited sentence does not read as the opposite"
    return Flipped(finding, kept, edited, leads_to(edited, known)[0])


def decisive(trace: str, sample: Sample, answer: str) -> str:
    """The finding that the answer hangs on; empty where the trace states none such.

    That of the question where it names one; else one that the answer names and the trace has; of an answer
    without a finding, one that the trace denies.
    """
    evidence = gather(plan(sample), trace)
    stated = {finding: one for finding, one in evidence.items() if one.seen}
    if sample.task in ("binary", "temporal"):
        return next(iter(stated), "")
    place = ord(answer) - ord("A") if len(answer) == 1 else -1
    said = sample.options[place] if 0 <= place < len(sample.options) else answer
    named = [name for name in said.split(", ") if name != NO_FINDING]
    wanted = "present" if named else "absent"
    among = named or list(stated)
    return next((name for name in among if name in stated and stated[name].status == wanted), "")


def _states(sentence: str, finding: str) -> bool:
    return any(_about(seen, finding) for seen in observe(sentence))


def _about(seen: Observation, finding: str) -> bool:
    """Whether an observation decides about a finding, as in `gather`."""
    if seen.status == "absent":
        return implies(finding, seen.finding)
    return implies(seen.finding, finding)


def _turned(sentence: str, finding: str) -> str:
    """The sentence in plain words, what it says of the finding turned around and all else as it is."""
    told: list[str] = []
    for seen in observe(sentence):
        if not _about(seen, finding):
            told.append(_in_words(seen))
        elif seen.change in OTHER_COURSE:
            told.append(f"The {finding} {IN_WORDS[OTHER_COURSE[seen.change]]}.")
        elif seen.status == "absent":
            told.append(f"There is {finding}.")
        else:
            told.append(f"There is no {finding}.")
    return " ".join(dict.fromkeys(told))


def _in_words(seen: Observation) -> str:
    """An observation as a short sentence of its own.

    >>> _in_words(observe("Small left effusion.")[0])
    'There is mild left pleural effusion.'
    """
    if seen.status == "absent":
        return f"There is no {seen.finding}."
    side = {"both": "bilateral"}.get(seen.side, seen.side)
    place = f" in the {seen.location}" if seen.location else ""
    words = " ".join(filter(None, (seen.severity, "" if place else side, seen.finding)))
    may = "There may be" if seen.status == "uncertain" else "There is"
    return f"{may} {words}{place}."


def _status(trace: str, finding: str) -> str:
    """What a trace says of a finding: present or absent, or its course where it names one."""
    about = [seen for seen in observe(trace) if _about(seen, finding)]
    courses = {seen.change for seen in about if seen.change in OTHER_COURSE}
    if courses:
        return courses.pop() if len(courses) == 1 else ""
    statuses = {seen.status for seen in about}
    return statuses.pop() if len(statuses) == 1 else ""


def beginnings(trace: str, shares: Sequence[float] = SHARES) -> list[str]:
    """The trace cut short, for each share of its sentences; the smallest share rounds down.

    >>> beginnings("One. Two. Three. Four.", (0.0, 0.5))
    ['', 'One. Two.']
    """
    said = list(sentences(trace))
    found = []
    for share in shares:
        number = int(share * len(said))
        found.append(trace[: said[number - 1][0] + len(said[number - 1][1])] if number else "")
    return found


def findings_of(trace: str) -> str:
    """The trace up to its last finding: what follows only draws the conclusion.

    >>> findings_of("Look. There is edema. Thus yes.")
    'Look. There is edema.'
    """
    stating = [(start, one) for start, one in sentences(trace) if observe(one)]
    return trace[: stating[-1][0] + len(stating[-1][1])] if stating else ""


def turned_options(sample: Sample) -> tuple[tuple[str, ...], dict[str, str]]:
    """The options from the last to the first, and which letter of before each letter now means.

    >>> fields = ("1", "d", "binary", "choice", "p", "s", "test", (), "Edema?", "A", ("Yes", "No"))
    >>> turned_options(Sample(*fields))
    (('No', 'Yes'), {'A': 'B', 'B': 'A'})
    """
    letters = [chr(ord("A") + place) for place in range(len(sample.options))]
    return sample.options[::-1], dict(zip(letters, letters[::-1], strict=True))
