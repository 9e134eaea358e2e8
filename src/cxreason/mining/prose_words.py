"""One observation, or one denial, as a sentence that a radiologist would write and the reader reads back.

The words are data, `prose.yaml`. A concept that has no words there is told by the one of the 13 findings that
it is a kind of, or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from random import Random
from typing import Any

import yaml

from cxreason.mining.rules import ZONES
from cxreason.mining.rules import wording as terse_wording
from cxreason.text.observations import Observation
from cxreason.text.ontology import main_finding

GRADES = {"mild": "mild", "moderate": "moderate", "severe": "severe"}
SIZES = {"mild": "small", "moderate": "moderate", "severe": "large"}


@dataclass(frozen=True)
class Noun:
    """How a concept is used in a sentence: "one" takes an article, "some" none, "many" is a plural."""

    words: str
    use: str
    region: str


@dataclass(frozen=True)
class Phrase:
    """An observation as a noun phrase: `whole` with its place inside, `bare` and `place` apart."""

    whole: str
    bare: str
    place: str
    many: bool


class Voice:
    """Chooses between phrasings, always in the same way for one key, and does not repeat a frame.

    >>> voice = Voice("1")
    >>> sorted(voice.pick(["There is {np}.", "I see {np}."]) for _ in range(2))
    ['I see {np}.', 'There is {np}.']
    """

    def __init__(self, key: str):
        self.random = Random(key).random
        self._used: set[str] = set()

    def pick(self, phrasings: Sequence[str]) -> str:
        """One of the phrasings; one whose frame this chain has not used yet, as long as there is one."""
        used = self._used
        fresh = [one for one in phrasings if _frame(one) not in used] or phrasings
        chosen = fresh[int(self.random() * len(fresh))]
        if frame := _frame(chosen):
            used.add(frame)
        return chosen


@lru_cache(maxsize=2048)
def _frame(phrasing: str) -> str:
    """What remains of a phrasing without its slots."""
    return " ".join(re.sub(r"\{[^}]*\}", "", phrasing).casefold().split())


@cache
def wording() -> dict[str, Any]:
    """How prose is worded, from `prose.yaml` beside this file."""
    return yaml.safe_load((Path(__file__).parent / "prose.yaml").read_text(encoding="utf-8"))


@cache
def nouns() -> dict[str, Noun]:
    """Concept -> how it is used.

    >>> nouns()["sternotomy wire"]
    Noun(words='sternotomy wires', use='many', region='devices')
    """
    known = {}
    for region, uses in wording()["regions"].items():
        for use, concepts in uses.items():
            named = concepts if isinstance(concepts, dict) else {name: name for name in concepts}
            known |= {concept: Noun(words, use, region) for concept, words in named.items()}
    return known


def told_as(seen: Observation) -> Observation | None:
    """The observation under a name that there are words for, or None where there are none.

    >>> told_as(Observation("rib deformity", "present")).finding
    'rib deformity'
    """
    if seen.finding in nouns():
        return seen
    wider = main_finding(seen.finding)
    return seen._replace(finding=wider) if wider else None


def phrase(seen: Observation, voice: Voice) -> Phrase:
    """A noun phrase with size, side and zone.

    >>> phrase(Observation("pleural effusion", "present", side="left", severity="mild"), Voice("0")).whole
    'a small left pleural effusion'
    """
    noun = nouns()[seen.finding]
    midline = seen.finding in wording()["midline"]
    side = "" if midline else seen.side
    many = noun.use == "many" or (noun.use == "one" and side == "both")
    words = plural(noun.words) if many and noun.use == "one" else noun.words
    graded = noun.region != "devices" and (noun.region, noun.use) != ("bones", "one")
    graded = graded and seen.finding not in wording()["ungraded"]
    scale = (SIZES if seen.finding in wording()["sized"] else GRADES) if graded else {}
    degree = scale.get(seen.severity, "")
    zone = "" if midline else zone_of(seen)
    bare = _with_article(f"{degree} {words}".strip(), noun.use == "one" and not many)
    if zone:
        place = _zone_place(seen, side, zone, voice)
        return Phrase(f"{bare} {place}", bare, place, many)
    if not side:
        return Phrase(bare, bare, "", many)
    adjective = "bilateral" if side == "both" else side
    inside = _with_article(f"{degree} {adjective} {words}".strip(), noun.use == "one" and not many)
    return Phrase(inside, bare, "on both sides" if side == "both" else f"on the {side}", many)


def zone_of(seen: Observation) -> str:
    """ "upper", "mid", "lower" or empty."""
    return next((zone for zone in ZONES if zone in seen.location.split()), "")


def _zone_place(seen: Observation, side: str, zone: str, voice: Voice) -> str:
    if seen.location.endswith("ribs"):
        return f"in the {side} {zone} ribs" if side in ("left", "right") else f"in the {zone} ribs"
    if side == "both":
        places = (
            ["at both lung bases", "in both lower lungs"] if zone == "lower" else [f"in both {zone} lungs"]
        )
    elif side:
        places = [f"in the {side} {zone} lung", f"in the {side} {zone} lung zone"]
        places = [f"at the {side} lung base", places[0]] if zone == "lower" else places
    else:
        places = ["at the lung base"] if zone == "lower" else [f"in the {zone} lung"]
    return places[int(voice.random() * len(places))]


def say_present(seen: Observation, voice: Voice) -> str:
    """A sentence that says that something is there, or that it may be.

    >>> say_present(Observation("cardiomegaly", "present", severity="mild"), Voice("1"))
    'The heart is mildly enlarged.'
    """
    own = wording()["own"].get(seen.finding)
    plain = seen.status == "present" and not seen.hedge
    if own and plain and voice.random() < 0.6:
        degree = {"mild": "mildly ", "moderate": "moderately ", "severe": "severely "}
        return voice.pick(own).format(degree=degree.get(seen.severity, ""))
    told = phrase(seen, voice)
    template = voice.pick(_templates(seen, told, voice))
    forms = {"np": told.whole, "bare": told.bare, "place": told.place}
    capitals = {name.capitalize(): capital(words) for name, words in forms.items()}
    return template.format(**forms, **capitals, **{"is": "are" if told.many else "is"})


def _templates(seen: Observation, told: Phrase, voice: Voice) -> list[str]:
    templates = wording()["present"]
    if seen.status == "uncertain":
        return wording()["doubtful"]
    if seen.hedge:
        return templates["suggested"]
    if nouns()[seen.finding].region == "devices":
        return templates["devices_placed" if told.place else "devices"]
    # "Collapse in the right mid lung is present" limps: a zone always stands apart.
    apart = told.place and (zone_of(seen) or voice.random() < 0.5)
    return templates["placed" if apart else "whole"]


def say_absent(findings: Sequence[str], voice: Voice) -> list[str]:
    """Sentences that deny findings: those with a normal look of their own first, the rest in one list.

    >>> say_absent(["enlarged cardiomediastinum", "cardiomegaly"], Voice("2"))
    ['Heart size and mediastinal contour are normal.']
    """
    words = wording()["absent"]
    normal = [finding for finding in findings if finding in words["normal"]]
    if len(normal) > 1:
        said = [voice.pick(words["heart"])]
    else:
        said = [voice.pick(words["normal"][finding]) for finding in normal]
    rest = [finding for finding in findings if finding not in words["normal"]]
    if rest:
        regions = {nouns()[finding].region for finding in rest}
        templates = words["listed"]
        if len(rest) > 1 and len(regions) == 1:
            templates = [*templates, *words["of_region"].get(regions.pop(), ())]
        said.append(voice.pick(templates).format(list=listed([finding_noun(one) for one in rest], "or")))
    return said


def finding_noun(finding: str) -> str:
    """How a sentence calls one of the 13 findings."""
    return wording()["asked"].get(finding) or terse_wording()["findings"][finding].get("noun", finding)


def one(finding: str) -> str:
    """One of the 13 findings with its article: "a pleural effusion", "edema"."""
    return _with_article(finding_noun(finding), "article" in terse_wording()["findings"][finding])


def listed(words: Sequence[str], last: str) -> str:
    """ "a, b or c".

    >>> listed(["edema", "fracture"], "and")
    'edema and fracture'
    """
    *first, end = words
    return f"{', '.join(first)} {last} {end}" if first else end


def plural(words: str) -> str:
    """The plural of a noun: "opacities", "masses".

    >>> plural("nodular opacity"), plural("mass"), plural("rib fracture")
    ('nodular opacities', 'masses', 'rib fractures')
    """
    if words == "pneumothorax":
        return "pneumothoraces"
    if words.endswith("y"):
        return words[:-1] + "ies"
    return words + ("es" if words.endswith(("s", "x")) else "s")


def capital(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]


def joined(join: str, sentence: str) -> str:
    """A sentence behind a joining word: "Also, there is edema." "I" and names keep their capital."""
    if not join or sentence.startswith(("I ", "Kerley")):
        return f"{join}{sentence}"
    return join + sentence[:1].lower() + sentence[1:]


def _with_article(words: str, article: bool) -> str:
    if not article:
        return words
    return f"an {words}" if words[0] in "aeiou" else f"a {words}"
