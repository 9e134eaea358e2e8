"""The embedded engine in full sentences: a question and a report become prose, by rules and without a model.

The steps are those of `rules.py` (plan, evidence, chain), and so is the conclusion, which follows from the
evidence alone; the gold answer is never looked at. Here the chain names what is there as exactly as the
report does, tells what to look for and why, and joins its sentences. What the report denies is denied; what
it leaves unsaid counts as normal but is never asserted, so that each statement of a chain can be pointed at
in the report. How it is worded is data: `prose.yaml`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from random import Random
from typing import Any

from cxreason.answers.dialects import letters
from cxreason.mining import prose_words as words
from cxreason.mining.rules import (
    Evidence,
    Mined,
    Step,
    _kept,
    _named,
    _read,
    change_between,
    conclude,
    gather,
    plan,
)
from cxreason.records import Sample, content_id
from cxreason.text.observations import Observation
from cxreason.text.ontology import FINDINGS, NO_FINDING, ancestors, implies
from cxreason.text.vocabulary import groups

ORDER = ("heart", "lungs", "pleura", "bones", "devices", "abdomen")
MOST_AROUND = 2
"""Sentences about the region of a yes-or-no question besides those about its finding."""
MOST_IN_REGION = 4
WITHOUT_KINDS = ("cardiomegaly", "pleural other", "support devices")
"""Findings of which nobody says that something narrower counts as one."""


@dataclass(frozen=True)
class Digest:
    """What a report says, each thing once: what is there, and what it denies."""

    present: tuple[Observation, ...]
    denied: dict[str, Observation]
    """Of the 13: finding -> the first observation that denies it on both sides."""

    def of_region(self, region: str) -> list[Observation]:
        return [seen for seen in self.present if words.nouns()[seen.finding].region == region]

    def clear_lungs(self) -> bool:
        """Whether everything is denied that "the lungs are clear" denies."""
        return set(groups()["@lungs"]) <= set(self.denied) and not self.of_region("lungs")


def mine_prose(sample: Sample) -> Mined:
    """The chain for one sample in full sentences; the same sample always gets the same one.

    >>> question, options = "Does this chest X-ray show edema?", ("No", "Yes")
    >>> fields = ("1", "d", "binary", "choice", "p", "s", "test", (), question, "A", options)
    >>> mine_prose(Sample(*fields, report="Clear lungs.")).answer
    'A'
    """
    steps = _plan(sample.question, sample.options, tuple(sample.labels))
    evidence = gather(steps, sample.report)
    earlier = gather(steps, sample.prior_report) if sample.task == "temporal" else {}
    doubtful = [one.finding for one in (*evidence.values(), *earlier.values()) if one.status == "uncertain"]
    if doubtful:
        return Mined(problem=f"uncertain: {doubtful[0]}")
    answer = conclude(sample, evidence, earlier)
    if not answer:
        return Mined(problem="answer: the evidence decides for no single option")
    chain = _Chain(sample, steps, evidence, earlier, answer)
    chain.write()
    if not chain.rests_on:
        return Mined(answer=answer, problem="evidence: nothing is said of what the question turns on")
    sentences = tuple(dict.fromkeys(seen.sentence for seen in sorted(chain.rests_on, key=_in_text)))
    return Mined(" ".join(chain.sentences), sentences, answer)


@lru_cache(maxsize=4096)
def _plan(question: str, options: tuple[str, ...], judged: tuple[str, ...]) -> list[Step]:
    """The plan of a sample: many studies are asked the same."""
    labels = dict.fromkeys(judged, 0)
    return plan(Sample("", "", "", "", "", "", "", (), question, "", options, labels=labels))


@lru_cache(maxsize=4096)
def _named_in(option: str) -> tuple[str, ...]:
    return tuple(_named(option))


def _in_text(seen: Observation) -> int:
    return seen.start


@lru_cache(maxsize=1024)
def digest(report: str) -> Digest:
    """What a report says, each thing once.

    >>> [seen.finding for seen in digest("Nodule in the left lung. Nodular opacity. No edema.").present]
    ['nodular opacity']
    """
    observations = _read(report)
    present: list[Observation] = []
    there = [told for seen in observations if seen.status == "present" and (told := words.told_as(seen))]
    # The narrowest and fullest first: what is wider or vaguer adds nothing to it.
    for seen in sorted(there, key=lambda one: (-len(ancestors(one.finding)), -_fullness(one), one.start)):
        if not any(implies(other.finding, seen.finding) and _covers(other, seen) for other in present):
            present.append(seen)
    found = {wider for seen in observations if seen.status == "present" for wider in ancestors(seen.finding)}
    denied: dict[str, Observation] = {}
    for seen in observations:
        if seen.status == "absent" and seen.side in ("", "both") and not seen.location:
            for finding in FINDINGS:
                if implies(finding, seen.finding) and finding not in found:
                    denied.setdefault(finding, seen)
    return Digest(tuple(sorted(present, key=_in_text)), denied)


def _fullness(seen: Observation) -> int:
    return bool(seen.side) + bool(seen.location) + bool(seen.severity)


def _covers(full: Observation, vague: Observation) -> bool:
    side = vague.side in ("", full.side) or full.side == "both"
    zones = words.zone_of(full), words.zone_of(vague)
    return side and ("" in zones or zones[0] == zones[1])


class _Chain:
    """The sentences of one chain while they are written, and the observations that they rest on."""

    def __init__(
        self,
        sample: Sample,
        steps: Sequence[Step],
        evidence: dict[str, Evidence],
        earlier: dict[str, Evidence],
        answer: str,
    ):
        self.sample, self.evidence, self.earlier, self.answer = sample, evidence, earlier, answer
        self.names = [step.finding for step in steps]
        self.digest = digest(sample.report)
        self.rng = Random(content_id("prose", sample.id))
        self.sentences: list[str] = []
        self.rests_on: list[Observation] = []
        self._last = ""
        """Whether the sentence before said "present" or "absent", for the word that joins the next."""

    def write(self) -> None:
        {"binary": self._binary, "anomaly": self._anomaly, "temporal": self._temporal}.get(
            self.sample.task, self._options
        )()

    def say(self, slot: str, **slots: str) -> None:
        """A sentence of the question's own kind."""
        self.sentences.append(self._one_of(slot).format(**slots))

    def _one_of(self, slot: str) -> str:
        value: Any = words.wording()
        for key in slot.split("."):
            value = value[key]
        return self.rng.choice(value)

    def _tell(self, sentence: str, kind: str, rests_on: Sequence[Observation]) -> None:
        join = "first" if not self._last else "and" if kind == self._last else "but"
        self.sentences.append(words.joined(self._one_of(f"join.{join}"), sentence))
        self.rests_on += rests_on
        self._last = kind

    def _tell_present(self, things: Sequence[Observation]) -> None:
        for seen in things:
            self._tell(words.say_present(seen, self.rng), "present", [seen])

    def _tell_absent(self, findings: Sequence[str]) -> None:
        """Denials: the lungs at once where all of them are clear, the rest in lists."""
        lungs = [name for name in findings if name in groups()["@lungs"]]
        if lungs and self.digest.clear_lungs():
            asked = [name for name in lungs if name in self.names][:3]
            nouns = words.listed([words.finding_noun(name) for name in asked], "or") if asked else ""
            clear = self._one_of("absent.lungs_with" if asked else "absent.lungs").format(list=nouns)
            self._tell(clear, "absent", [self.digest.denied[name] for name in lungs])
            findings = [name for name in findings if name not in lungs]
        for sentence in words.say_absent(findings, self.rng):
            self._tell(sentence, "absent", [self.digest.denied[name] for name in findings])

    def things(self, finding: str) -> list[Observation]:
        """What is there that is a kind of a finding."""
        found = [seen for seen in self.digest.present if implies(seen.finding, finding)]
        if found or self.evidence[finding].status != "present":
            return found
        # Seen under a name that another region's words cover: told by the finding's own name.
        return list(self.evidence[finding].seen[:2])

    def _binary(self) -> None:
        (finding,) = self.names[:1]
        one = words.one(finding)
        self.say("binary.problem", one=one)
        self.say(f"signs.{finding}")
        present = self.evidence[finding].status == "present"
        around = list(self._around(finding))
        self._tell_present(around[: 1 if present else MOST_AROUND])
        if present:
            things = self.things(finding)
            self._tell_present(things[:3])
            self._counts(things[0], finding)
            self._accompanying(finding, [*around, *things])
            self.say("binary.yes", answer=self._said())
            return
        others = self._denied_beside(finding)
        if finding in self.digest.denied:
            self._tell_absent([finding, *others][: self.rng.choice((1, 3))])
        elif not self._tell_one_sided(finding):
            self._tell_absent(others[:2])
            region = words.wording()["region_names"][words.nouns()[finding].region]
            self.say("silent", one=one, region=region)
            self.say("binary.silent", answer=self._said())
            return
        self._accompanying(finding, around)
        self.say("binary.no", answer=self._said())

    def _accompanying(self, finding: str, told: Sequence[Observation]) -> None:
        """One thing that a reader checks beside the finding, where something is said of it."""
        region = words.nouns()[finding].region
        for other in words.wording()["accompanied_by"][finding]:
            if words.nouns()[other].region == region:
                continue
            seen = [one for one in self.digest.present if implies(one.finding, other) and one not in told]
            if seen:
                sentence, rests_on = words.say_present(seen[0], self.rng), seen[:1]
            elif other in self.digest.denied:
                sentence, rests_on = words.say_absent([other], self.rng)[0], [self.digest.denied[other]]
            else:
                continue
            self.sentences.append(words.joined(self._one_of("binary.accompanying"), sentence))
            self.rests_on += rests_on
            return

    def _counts(self, seen: Observation, finding: str) -> None:
        """That a narrower thing is one of what was asked for; nothing where both have one name."""
        narrow, wide = words.nouns()[seen.finding], words.one(finding)
        if seen.finding == finding or finding in WITHOUT_KINDS or narrow.use == "many":
            return
        if words.finding_noun(finding) in narrow.words:
            return
        named = words.phrase(Observation(seen.finding, "present"), self.rng).whole
        self.say("binary.counts", narrow=named, Narrow=words.capital(named), one=wide)
        self.rests_on.append(seen)

    def _around(self, finding: str) -> Iterator[Observation]:
        """Other things in the finding's region, those that are no kind of it and say something themselves."""
        region = words.nouns()[finding].region
        for seen in self.digest.of_region(region):
            if not implies(seen.finding, finding) and not implies(finding, seen.finding):
                yield seen

    def _denied_beside(self, finding: str) -> list[str]:
        region = words.nouns()[finding].region
        return [
            name
            for name in self.digest.denied
            if name != finding and words.nouns()[name].region == region and not implies(finding, name)
        ]

    def _tell_one_sided(self, finding: str) -> bool:
        """ "No left effusion" says nothing about the right, so the side is told."""
        for seen in self.evidence[finding].seen:
            if seen.side in ("left", "right") and not seen.location:
                sentence = self._one_of("absent.one_sided")
                self._tell(
                    sentence.format(noun=words.finding_noun(finding), side=seen.side), "absent", [seen]
                )
        return bool(self.evidence[finding].seen) and self._last == "absent"

    def _options(self) -> None:
        """Four findings, or four sets of them: what there is of each region, then the options."""
        task = "multiple" if self.sample.task == "multiple" else "single"
        options = [self._option_in_words(option) for option in self.sample.options]
        self.say(f"{task}.problem", options=words.listed(options, "or"))
        self.say(f"{task}.plan")
        silent: list[str] = []
        for region in ORDER:
            names = [name for name in self.names if words.nouns()[name].region == region]
            told: list[Observation] = []
            for name in names:
                told += [seen for seen in self.things(name) if seen not in told]
            self._tell_present(told[:MOST_IN_REGION])
            denied = [name for name in names if name in self.digest.denied]
            self._tell_absent(denied)
            gone = [name for name in names if self.evidence[name].status == "absent" and name not in denied]
            silent += [name for name in gone if not self._tell_one_sided(name)]
        if self.answer_text() == NO_FINDING and not self.digest.present:
            told = set(groups()["@lungs"]) if set(groups()["@lungs"]) & set(self.names) else set()
            rest = [name for name in self.digest.denied if name not in {*self.names, *told}]
            self._tell_absent(rest[:4])
        if silent:
            self.say("silent_options", list=words.listed([words.one(name) for name in silent], "or"))
        if task == "multiple":
            self._fails()
        self.say(f"{task}.conclusion", letter=self.answer, answer=self._said())

    def _option_in_words(self, option: str) -> str:
        names = _named_in(option)
        if not names:
            return words.wording()["no_finding"] if option.casefold() == NO_FINDING else option.casefold()
        return words.listed([words.one(name) for name in names], "with")

    def _fails(self) -> None:
        wrong = [letter for letter in letters(self.sample.options) if letter != self.answer]
        many = len(wrong) > 1
        self.say(
            "multiple.fails",
            Letters=f"{'Options' if many else 'Option'} {words.listed(wrong, 'and')}",
            each_name="each name" if many else "names",
            do="do" if many else "does",
        )

    def _anomaly(self) -> None:
        self.say("anomaly.problem")
        self.say("anomaly.plan")
        for region in ORDER:
            seen = self.digest.of_region(region)
            asked = [name for name in self.names if words.nouns()[name].region == region]
            must = [one for name in asked for one in self.things(name)]
            told = [*must, *(one for one in seen if one not in must)]
            told = list(dict.fromkeys(told))[: max(MOST_IN_REGION, len(set(must)))]
            self._tell_present(sorted(told, key=_in_text))
            self._tell_absent([name for name in asked if name in self.digest.denied])
        self.say("anomaly.conclusion", answer=self._said())

    def _temporal(self) -> None:
        (finding,) = self.names[:1]
        before, now = self.earlier[finding], self.evidence[finding]
        noun, change = words.finding_noun(finding), change_between(before, now)
        self.say("temporal.problem", noun=f"the {noun}")
        self.say(f"signs.{finding}")
        if change == "stable":
            # What was not sized again is as it was: an unchanged effusion keeps the size it had.
            now = replace(now, seen=tuple(_kept(one, before.seen) for one in now.seen))
        for which, evidence in (("first", before), ("second", now)):
            if evidence.status == "present":
                told = [words.phrase(one, self.rng) for one in evidence.seen[:2]]
                is_many = (told[0].many and "are") or "is"
                named = words.listed([one.whole for one in told], "and")
                self.say(f"temporal.{which}", phrase=named, **{"is": is_many})
            else:
                self.say(f"temporal.none_{which}", noun=words.one(finding))
            self.rests_on += evidence.seen
        if before.status == now.status:
            self.say(f"temporal.course.{change}", noun=noun)
        else:
            self.say("temporal.came" if now.status == "present" else "temporal.went")
        self.say("temporal.conclusion", answer=self._said())

    def answer_text(self) -> str:
        """The answer in words."""
        options = self.sample.options
        return options[letters(options).index(self.answer)].casefold() if options else self.answer

    def _said(self) -> str:
        return f"{self.answer}, {self.answer_text()}" if self.sample.options else self.answer
