"""The embedded engine: a question and a report become a short chain of reasoning, by rules.

1. plan      which findings decide the question and where one looks for them: from question and options only
2. evidence  what the report says of each; a finding that it leaves unsaid is normal
3. chain     problem, the options, what is seen that decides among them, conclusion: as if read off the image

The gold answer is never looked at. The conclusion follows from the evidence, and `run.py` drops the chains
whose conclusion is not the gold answer. How it is worded is data: `wording.yaml`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from random import Random
from typing import Any

import yaml

from cxreason.answers import choice, labels
from cxreason.answers.dialects import letters
from cxreason.records import Sample, content_id
from cxreason.tasks.radrbench import CHANGES
from cxreason.text.observations import Observation, observe
from cxreason.text.ontology import FINDINGS, NO_FINDING, implies, main_finding

SEVERITIES = ("mild", "moderate", "severe")
LEADING = ("cardiomegaly", "lung opacity", "pleural effusion")
ZONES = ("upper", "mid", "lower")
TIMES = ("before", "now")


@dataclass(frozen=True)
class Step:
    """One item of a plan: a finding that the question turns on, and where one looks for it."""

    finding: str
    place: str


@dataclass(frozen=True)
class Evidence:
    """What a report says of one finding: nothing but "absent" where it says nothing."""

    finding: str
    status: str
    seen: tuple[Observation, ...] = ()

    @property
    def sentences(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.sentence for one in self.seen))


@dataclass(frozen=True)
class Mined:
    """A chain, what it rests on and where it leads; or an empty chain and the reason why there is none."""

    reasoning: str = ""
    evidence: tuple[str, ...] = ()
    answer: str = ""
    """The answer that the evidence leads to, in the form of `Sample.answer`."""
    problem: str = ""


def plan(sample: Sample) -> list[Step]:
    """The findings to look at, in the order in which question and options name them, from these alone.

    An open question is about every finding that was judged for the study, whatever the judgement.

    >>> question = "Does this chest X-ray show edema?"
    >>> plan(Sample("1", "d", "binary", "choice", "p", "s", "test", (), question, "A", ("Yes", "No")))
    [Step(finding='edema', place='the vessels around the hila')]
    """
    asked = list(dict.fromkeys(name for text in (sample.question, *sample.options) for name in _named(text)))
    if not asked:
        asked = [finding for finding in FINDINGS if finding in sample.labels] or list(FINDINGS)
    return [Step(finding, wording()["findings"][finding]["place"]) for finding in asked]


def gather(steps: Sequence[Step], report: str) -> dict[str, Evidence]:
    """What a report says of each finding of a plan. A finding seen anywhere is present, whatever is clear."""
    observations = _read(report)
    result = {}
    for step in steps:
        about = [one for one in observations if _tells(one, step.finding)]
        status, seen = "absent", []
        for possible in ("present", "uncertain", "absent"):
            seen = [one for one in about if one.status == possible]
            if seen:
                status = possible
                break
        named = [one._replace(finding=step.finding) for one in seen]
        result[step.finding] = Evidence(step.finding, status, tuple(_distinct(named)))
    return result


def _tells(seen: Observation, finding: str) -> bool:
    """Whether an observation decides about a finding: a consolidation is a lung opacity, and no lung
    opacity at all is no consolidation. "No nodule" is what a report says where there is no lung lesion."""
    if seen.status == "present":
        return implies(seen.finding, finding)
    return main_finding(seen.finding) == finding or (
        seen.status == "absent" and implies(finding, seen.finding)
    )


def mine_sample(sample: Sample) -> Mined:
    """The chain for one sample; the same sample always gets the same one.

    >>> question = "Does this chest X-ray show edema?"
    >>> options = ("No", "Yes")
    >>> sample = Sample("1", "d", "binary", "choice", "p", "s", "test", (), question, "A", options)
    >>> mine_sample(sample).answer
    'A'
    """
    steps = plan(sample)
    evidence = gather(steps, sample.report)
    earlier = gather(steps, sample.prior_report) if sample.task == "temporal" else {}
    uncertain = [one.finding for one in (*evidence.values(), *earlier.values()) if one.status == "uncertain"]
    if uncertain:
        return Mined(problem=f"uncertain: {uncertain[0]}")
    answer = conclude(sample, evidence, earlier)
    if not answer:
        return Mined(problem="answer: the evidence decides for no single option")
    rng = Random(content_id("chain", sample.id))
    if sample.task == "temporal":
        sentences = _temporal(sample, steps[0], earlier[steps[0].finding], evidence[steps[0].finding], rng)
    else:
        sentences = _one_image(sample, steps, evidence, rng)
    sentences.append(_one_of("conclusion", rng).format(answer=_said(sample, answer)))
    rested_on = [*earlier.values(), *evidence.values()]
    kept = tuple(dict.fromkeys(sentence for one in rested_on for sentence in one.sentences))
    return Mined(" ".join(sentences), kept, answer)


def conclude(sample: Sample, evidence: dict[str, Evidence], earlier: dict[str, Evidence]) -> str:
    """The answer that the evidence leads to, or empty where it leads to none or to several."""
    found = [finding for finding in FINDINGS if finding in evidence and evidence[finding].status == "present"]
    if sample.task == "anomaly":
        return labels.write(found or [NO_FINDING])
    if sample.task == "temporal":
        (finding,) = evidence
        right = [change_between(earlier[finding], evidence[finding])]
    elif sample.task == "binary":
        right = ["yes" if found else "no"]
    elif found:
        right = [option for option in sample.options if set(option.split(", ")) <= set(found)]
    else:
        right = [NO_FINDING]
    fitting = [option for option in sample.options if option.casefold() in right]
    return choice.write(fitting[0], sample.options) if len(fitting) == 1 else ""


def in_question(options: Sequence[str]) -> str:
    """The options as questions, which say nothing yet: whoever goes on has had all of them in view.

    The letter comes after its option, as in the conclusion: whoever writes "edema, fracture" there once
    more has only to go on as before. To find the letter in front of a set is hard for small models.

    >>> in_question(("Edema", "Fracture"))
    'edema (A)? fracture (B)?'
    """
    return " ".join(f"{with_letter(option, options)}?" for option in options)


def with_letter(option: str, options: Sequence[str]) -> str:
    """An option in words and its letter.

    >>> with_letter("Yes", ("No", "Yes"))
    'yes (B)'
    """
    return f"{option.casefold()} ({letters(options)[options.index(option)]})"


def what_fits(evidence: Sequence[Evidence]) -> str:
    """What is seen of those findings that are there; where none is, that none fits.

    Who says the first name has weighed all of them, where going through them one by one with a threshold
    for each would say yes to none or to several.

    >>> what_fits([Evidence("edema", "absent"), Evidence("fracture", "present")])
    'Here fracture is present.'
    >>> what_fits([Evidence("edema", "absent")])
    'None fits. Here edema is absent.'
    """
    there = [one for one in evidence if one.status == "present"]
    return " ".join([*([] if there else [wording()["none"]]), *map(state, there or evidence)])


def change_between(earlier: Evidence, now: Evidence) -> str:
    """ "worsening", "stable" or "improving": as the newer report says, else by the two severities.

    Empty where neither tells: two unsized findings may have changed without anybody writing so.
    """
    said = {one.change for one in now.seen if one.change in CHANGES}
    if said:
        return said.pop() if len(said) == 1 else ""
    return course_of(earlier, now)


def course_of(earlier: Evidence, now: Evidence) -> str:
    """The course by what is seen of a finding on two images, status and severity, whatever is said of it.

    >>> course_of(Evidence("edema", "absent"), Evidence("edema", "present"))
    'worsening'
    """
    if earlier.status != now.status:
        return "worsening" if now.status == "present" else "improving"
    before, after = _grade(earlier), _grade(now)
    if now.status == "absent" or before is None or after is None:
        return ""
    return "stable" if before == after else "worsening" if after > before else "improving"


def _grade(evidence: Evidence) -> int | None:
    known = [SEVERITIES.index(one.severity) for one in evidence.seen if one.severity]
    return max(known, default=None)


def state(evidence: Evidence) -> str:
    """What is seen of one finding, its name first: the word that decides comes right after the name.

    A model of a few million parameters learns to look at the image for the name that it has just written,
    and hardly for one that it is about to write ("I see no ...").

    >>> state(Evidence("edema", "absent"))
    'Here edema is absent.'
    """
    return f"Here {_stated(evidence) or _called(evidence.finding, evidence.status)}."


def _stated(evidence: Evidence) -> str:
    """A present finding as a clause, with severity, side and zone where they are known; else nothing."""
    if evidence.status != "present":
        return ""
    said = [_called(evidence.finding, "present")]
    if evidence.seen:
        form = wording()["findings"][evidence.finding]
        seen = max(evidence.seen, key=lambda one: SEVERITIES.index(one.severity) if one.severity else -1)
        said.append(wording()["scales"][form["scale"]].get(seen.severity, "") if "scale" in form else "")
        side = ("bilateral" if seen.side == "both" else seen.side) if form.get("side") else ""
        zone = _zone(seen) if form.get("zone") else ""
        said.append(_in_lung(side, zone) if zone else side)
    return ", ".join(part for part in said if part)


def _in_lung(side: str, zone: str) -> str:
    if side == "bilateral":
        return f"in both {zone} lungs"
    return f"in the {side} {zone} lung" if side else f"in the {zone} lung"


def _called(finding: str, status: str) -> str:
    plural = wording()["findings"].get(finding, {}).get("plural")
    return f"{name_of(finding)} {'are' if plural else 'is'} {status}"


def name_of(finding: str) -> str:
    """How a statement that begins with its name calls a finding.

    >>> name_of("pleural other")
    'pleural thickening'
    """
    return wording()["findings"].get(finding, {}).get("called", finding)


def _one_image(sample: Sample, steps: list[Step], evidence: dict[str, Evidence], rng: Random) -> list[str]:
    """Problem, plan, the options, and what is seen that decides among them.

    An open question is answered by what is there, and where nothing is, the leading findings of heart, lungs
    and pleura are denied.
    """
    names = [step.finding for step in steps]
    slots = {"name": names[0], "place": steps[0].place}
    said = [_one_of(f"{sample.task}.{part}", rng).format(**slots) for part in ("problem", "plan")]
    if sample.task == "anomaly":
        found = [name for name in names if evidence[name].status == "present"]
        return said + [state(evidence[name]) for name in found or [one for one in LEADING if one in names]]
    if sample.task == "binary":
        verdict = "yes" if evidence[names[0]].status == "present" else "no"
        said += [in_question(sample.options), state(evidence[names[0]])]
        return [*said, _one_of(f"binary.{verdict}", rng)]
    in_order = [evidence[name] for name in FINDINGS if name in evidence]
    return [*said, in_question(sample.options), what_fits(in_order)]


def _temporal(sample: Sample, step: Step, earlier: Evidence, now: Evidence, rng: Random) -> list[str]:
    noun = _noun(step.finding)
    slots = {"name": step.finding, "noun": noun, "place": step.place, "change": change_between(earlier, now)}
    # What was not sized again is as it was: an unchanged effusion keeps the size it had.
    if now.status == "present" and slots["change"] == "stable":
        now = replace(now, seen=tuple(_kept(one, earlier.seen) for one in now.seen))
    return [
        _one_of("temporal.problem", rng).format(**slots),
        _one_of("temporal.plan", rng).format(**slots),
        in_question(sample.options),
        *compare(earlier, now),
        _one_of(f"temporal.change_{now.status}", rng).format(**slots),
    ]


def state_when(evidence: Evidence, when: str) -> str:
    """What is seen of one finding on one of two images; the time comes right after the name.

    >>> state_when(Evidence("edema", "present"), "now")
    'Here edema now is present.'
    >>> state_when(Evidence("edema", "absent"), "before")
    'Here edema before? None.'
    """
    # Not "edema is absent": held against both reports, that would be contradicted by the one that has it.
    name = name_of(evidence.finding)
    return f"Here {name} {when}{_stated(evidence).removeprefix(name) or '? None'}."


def compare(earlier: Evidence, now: Evidence) -> list[str]:
    """What is seen of one finding on the first image and on the second.

    >>> compare(Evidence("edema", "absent"), Evidence("edema", "present"))
    ['Here edema before? None.', 'Here edema now is present.']
    """
    return [state_when(one, when) for when, one in zip(TIMES, (earlier, now), strict=True)]


def _kept(now: Observation, earlier: Sequence[Observation]) -> Observation:
    same = [one for one in earlier if not now.side or one.side in (now.side, "")]
    severity = same[0].severity if len(same) == 1 and not now.severity else now.severity
    side = same[0].side if len(same) == 1 and not now.side else now.side
    return now._replace(severity=severity, side=side)


def _distinct(seen: Sequence[Observation]) -> list[Observation]:
    """One observation per side and zone, the one that says most; vaguer ones beside it add nothing."""
    kept: list[Observation] = []
    for one in sorted(seen, key=lambda one: -sum(map(bool, (one.side, one.location, one.severity)))):
        same = [other for other in kept if _covers(other, one)]
        if same:
            # "A left effusion. It is moderate." says one thing in two sentences.
            position = kept.index(same[0])
            kept[position] = same[0]._replace(
                severity=same[0].severity or one.severity,
                change=same[0].change or one.change,
                location=same[0].location or one.location,
            )
        else:
            kept.append(one)
    return sorted(kept, key=lambda one: one.start)


def _covers(full: Observation, vague: Observation) -> bool:
    side = not vague.side or vague.side == full.side or full.side == "both"
    place = not vague.location or not full.location or _zone(vague) in ("", _zone(full))
    return side and place


def _zone(seen: Observation) -> str:
    return next((zone for zone in ZONES if zone in seen.location.split()), "")


def _said(sample: Sample, answer: str) -> str:
    """The answer in words, and its letter where there are options, which follows from them: "edema (B)"."""
    if not sample.options:
        return answer
    return with_letter(sample.options[letters(sample.options).index(answer)], sample.options)


def _named(text: str) -> list[str]:
    """The findings whose very names stand in a text, in its order."""
    pattern = "|".join(re.escape(finding) for finding in FINDINGS)
    return re.findall(rf"\b(?:{pattern})\b", text.casefold())


def _noun(finding: str) -> str:
    return wording()["findings"][finding].get("noun", finding)


def _one_of(slot: str, rng: Random) -> str:
    value: Any = wording()
    for key in slot.split("."):
        value = value[key]
    return rng.choice(value)


@cache
def wording() -> dict[str, Any]:
    """How chains are worded, from `wording.yaml` beside this file."""
    return yaml.safe_load((Path(__file__).parent / "wording.yaml").read_text(encoding="utf-8"))


@lru_cache(maxsize=1024)
def _read(report: str) -> tuple[Observation, ...]:
    return tuple(observe(report))
