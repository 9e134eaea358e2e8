"""The embedded engine in full sentences: a question and a report become prose, by rules and without a model.

The steps are those of `rules.py` (plan, evidence, chain), and so is the conclusion, which follows from the
evidence alone; the gold answer is never looked at. Here the chain names what is there as exactly as the
report does, tells what to look for and why, and joins its sentences. What the report denies is denied; what
it leaves unsaid counts as normal but is never asserted, so that each statement of a chain can be pointed at
in the report. How it is worded is data: `prose.yaml`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from cxreason.answers.dialects import letters
from cxreason.mining import prose_words as words
from cxreason.mining.digest import digest, in_text, lung_findings
from cxreason.mining.prose_words import Voice
from cxreason.mining.rules import (
    Evidence,
    Mined,
    Step,
    _kept,
    _named,
    change_between,
    conclude,
    plan,
)
from cxreason.records import Sample, content_id
from cxreason.text.observations import Observation
from cxreason.text.ontology import NO_FINDING, implies

ORDER = ("heart", "lungs", "pleura", "bones", "devices", "abdomen")
MOST_AROUND = 2
"""Sentences about the region of a yes-or-no question besides those about its finding."""
MOST_IN_REGION = 4
WITHOUT_KINDS = ("cardiomegaly", "pleural other", "support devices")
"""Findings of which nobody says that something narrower counts as one."""
MOST_MERGED_WORDS = 20


def mine_prose(sample: Sample) -> Mined:
    """The chain for one sample in full sentences; the same sample always gets the same one.

    >>> question, options = "Does this chest X-ray show edema?", ("No", "Yes")
    >>> fields = ("1", "d", "binary", "choice", "p", "s", "test", (), question, "A", options)
    >>> mine_prose(Sample(*fields, report="Clear lungs.")).answer
    'A'
    """
    steps = _plan(sample.question, sample.options, tuple(sample.labels))
    evidence = digest(sample.report).evidence(steps)
    earlier = digest(sample.prior_report).evidence(steps) if sample.task == "temporal" else {}
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
    sentences = tuple(dict.fromkeys(seen.sentence for seen in sorted(chain.rests_on, key=in_text)))
    return Mined(" ".join(chain.sentences), sentences, answer)


@lru_cache(maxsize=4096)
def _plan(question: str, options: tuple[str, ...], judged: tuple[str, ...]) -> list[Step]:
    """The plan of a sample: many studies are asked the same."""
    labels = dict.fromkeys(judged, 0)
    return plan(Sample("", "", "", "", "", "", "", (), question, "", options, labels=labels))


@lru_cache(maxsize=4096)
def _named_in(option: str) -> tuple[str, ...]:
    return tuple(_named(option))


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
        self.voice = Voice(content_id("prose", sample.id))
        self.sentences: list[str] = []
        self.rests_on: list[Observation] = []
        self._last = ""
        """Whether the sentence before said "present" or "absent" of this region, for what joins the next."""
        self._may_merge = False

    def write(self) -> None:
        {"binary": self._binary, "anomaly": self._anomaly, "temporal": self._temporal}.get(
            self.sample.task, self._options
        )()

    def say(self, slot: str, **slots: str) -> None:
        """A sentence of the question's own kind."""
        self.sentences.append(self._one_of(slot).format(**slots))
        self._last = ""

    def _one_of(self, slot: str) -> str:
        return self.voice.pick(_phrasings(slot))

    def _tell(
        self, sentence: str, kind: str, rests_on: Sequence[Observation], *, alone: bool = False
    ) -> None:
        """A sentence of evidence, joined to the one before where both speak of the same region."""
        self.rests_on += rests_on
        before, self._last = self._last, kind
        short = before and len(self.sentences[-1].split()) + len(sentence.split()) <= MOST_MERGED_WORDS
        if short and self._may_merge and not alone and self.voice.random() < 0.4:
            link = self._one_of(f"merged.{before} {kind}")
            self.sentences[-1] = words.joined(self.sentences[-1][:-1] + link, sentence)
            self._may_merge = False
            return
        join = self._one_of(f"join.{'and' if kind == before else 'but'}") if before else ""
        self.sentences.append(words.joined(join, sentence))
        self._may_merge = not join and not alone

    def _tell_present(self, things: Sequence[Observation]) -> None:
        for seen in things:
            # A doubt, or a place in front, would reach into the other half of a sentence.
            sentence = words.say_present(seen, self.voice)
            alone = seen.status == "uncertain" or sentence.startswith(("In ", "At ", "On "))
            self._tell(sentence, "present", [seen], alone=alone)

    def _tell_absent(self, findings: Sequence[str], asked: Sequence[str] = ()) -> None:
        """Denials: the lungs at once where all of them are clear, with what was asked; the rest in lists."""
        lungs = [name for name in findings if name in lung_findings()]
        if lungs and self.digest.clear_lungs():
            named = [words.finding_noun(name) for name in lungs if name in asked][:3]
            clear = self._one_of("absent.lungs_with" if named else "absent.lungs")
            about = [self.digest.denied[name] for name in lungs]
            list_ = words.listed(named, "or") if named else ""
            self._tell(clear.format(list=list_), "absent", about, alone=bool(named))
            findings = [name for name in findings if name not in lungs]
        for sentence in words.say_absent(findings, self.voice):
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
        around = list(self._around(finding))
        if self.evidence[finding].status == "present":
            things = self.things(finding)
            self._tell_present(around[:1])
            self._tell_present(things[:3])
            self._counts(things[0], finding)
            self._accompanying(finding, [*around, *things])
            self.say("binary.yes", answer=self._said())
            return
        others = self._denied_beside(finding)
        if finding in self.digest.denied:
            self._tell_present(around[:MOST_AROUND])
            self._tell_absent([finding, *others][: 1 + 2 * (self.voice.random() < 0.5)], [finding])
        elif not self._tell_one_sided(finding):
            region = words.wording()["region_names"][words.nouns()[finding].region]
            self.say("silent", one=one, region=region)
            self._tell_present(around[:MOST_AROUND])
            self._tell_absent(others[:2], others[:2])
            self._accompanying(finding, around)
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
            known = (*self.digest.present, *self.digest.doubtful)
            seen = [one for one in known if implies(one.finding, other) and one not in told]
            if seen:
                sentence, rests_on = words.say_present(seen[0], self.voice), seen[:1]
            elif other in self.digest.denied:
                sentence, rests_on = words.say_absent([other], self.voice)[0], [self.digest.denied[other]]
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
        named = words.phrase(Observation(seen.finding, "present"), self.voice).whole
        bare = words.finding_noun(finding)
        self.say("binary.counts", narrow=named, Narrow=words.capital(named), one=wide, bare=bare)
        self.rests_on.append(seen)

    def _around(self, finding: str) -> Iterator[Observation]:
        """Other things in the finding's region, those that are no kind of it and say something themselves."""
        region = words.nouns()[finding].region
        for seen in (*self.digest.of_region(region), *self.digest.doubtful_of(region)):
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
            self._last = ""
            names = [name for name in self.names if words.nouns()[name].region == region]
            told: list[Observation] = []
            for name in names:
                told += [seen for seen in self.things(name) if seen not in told]
            self._tell_present(told[:MOST_IN_REGION])
            denied = [name for name in names if name in self.digest.denied]
            self._tell_absent(denied, denied)
            gone = [name for name in names if self.evidence[name].status == "absent" and name not in denied]
            silent += [name for name in gone if not self._tell_one_sided(name)]
        if self.answer_text() == NO_FINDING and not self.digest.present:
            covered = lung_findings() if lung_findings() & set(self.names) else frozenset()
            self._last = ""
            self._tell_absent(
                [name for name in self.digest.denied if name not in {*self.names, *covered}][:4]
            )
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
        """Which sets fall for which finding: each set that is wrong, once."""
        wrong = [letter for letter in letters(self.sample.options) if letter != self.answer]
        named = dict(zip(letters(self.sample.options), map(_named_in, self.sample.options), strict=True))
        gone = [name for name in self.names if self.evidence[name].status != "present"]
        # What is denied outright decides first, and then what most of the sets name.
        gone.sort(
            key=lambda name: (name not in self.digest.denied, -sum(name in named[one] for one in wrong))
        )
        for name in gone:
            fall = [letter for letter in wrong if name in named[letter]]
            if not fall:
                continue
            wrong = [letter for letter in wrong if letter not in fall]
            many = len(fall) > 1
            self.say(
                f"multiple.fails.{'denied' if name in self.digest.denied else 'silent'}",
                one=words.one(name),
                noun=words.finding_noun(name),
                options=f"{'options' if many else 'option'} {words.listed(fall, 'and')}",
                fall="fall" if many else "falls",
                are="are" if many else "is",
            )

    def _anomaly(self) -> None:
        self.say("anomaly.problem")
        self.say("anomaly.plan")
        for region in ORDER:
            self._last = ""
            seen = self.digest.of_region(region)
            asked = [name for name in self.names if words.nouns()[name].region == region]
            must = [one for name in asked for one in self.things(name)]
            told = [*must, *(one for one in seen if one not in must)]
            told = list(dict.fromkeys(told))[: max(MOST_IN_REGION, len(set(must)))]
            self._tell_present(sorted(told, key=in_text))
            self._tell_present(self.digest.doubtful_of(region)[:1])
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
                phrases = [words.phrase(one, self.voice) for one in evidence.seen[:2]]
                named = words.listed([one.whole for one in phrases], "and")
                self.say(f"temporal.{which}", phrase=named, **{"is": "are" if phrases[0].many else "is"})
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


@lru_cache(maxsize=256)
def _phrasings(slot: str) -> list[str]:
    """The phrasings of a dotted key of `prose.yaml`."""
    value: Any = words.wording()
    for key in slot.split("."):
        value = value[key]
    return value
