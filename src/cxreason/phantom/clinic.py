"""The patients of the deep world: where they are seen, what ails them, what that brings, and its course.

All numbers are data, in `clinic.yaml`. Illnesses come first and bring findings, so that findings come
together as they do: a failing heart is large, with edema and effusions; who lies in intensive care has tubes.

    >>> person = draw_person(np.random.default_rng(1), seen_twice=True)
    >>> len({finding.name for finding in person.now}) == len(person.now)
    True
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import yaml

from cxreason.phantom.anatomy import Anatomy
from cxreason.phantom.visit import Exam, Finding, Visit

EITHER = ("right", "left")
ZONES = ("upper", "mid", "lower")
COURSE = ("new", "gone", "stable", "larger", "smaller")
DROPPED_BESIDE = {
    "tortuous aorta": ("enlarged cardiomediastinum",),
    "pneumoperitoneum": ("elevated diaphragm",),
}
"""Findings that cannot be told apart from another, which then stands alone."""
FOCAL = ("mass", "consolidation", "pneumonia", "fibrosis", "atelectasis", "nodule", "calcified granuloma")
"""Findings that need a zone of a lung for themselves, the largest first."""


@dataclass(frozen=True)
class Person:
    """A patient of the deep world, with what there was to see at the visit before and is now."""

    age: int
    sex: str
    setting: str
    then: tuple[Finding, ...]
    now: tuple[Finding, ...]


@cache
def clinic() -> dict[str, Any]:
    """The numbers of `clinic.yaml`."""
    return yaml.safe_load(resources.files("cxreason.phantom").joinpath("clinic.yaml").read_text("utf-8"))


@cache
def names() -> tuple[str, ...]:
    """Every finding of the deep world, in the order of the data file.

    >>> len(names()) >= 20
    True
    """
    return tuple(clinic()["findings"])


@cache
def _chances() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Chance of each illness by setting, of each finding without reason by setting, and by illness."""
    known = clinic()
    column = {name: number for number, name in enumerate(names())}
    ill = np.array([entry["share"] for entry in known["illnesses"].values()]).T
    plain = np.array([known["background"][name] for name in names()]).T
    brought = np.zeros((len(known["illnesses"]), len(column)))
    for row, entry in enumerate(known["illnesses"].values()):
        for name, chance in entry["brings"].items():
            brought[row, column[name]] = chance
    return ill, plain, brought


def draw_person(rng: np.random.Generator, seen_twice: bool) -> Person:
    """A patient of any setting, with findings that have their reasons."""
    known = clinic()
    settings = list(known["settings"])
    number = int(rng.choice(len(settings), p=[known["settings"][name]["share"] for name in settings]))
    ill, plain, brought = _chances()
    sick = rng.random(len(ill[number])) < ill[number]
    missing = (1 - plain[number]) * np.prod(1 - brought[sick], axis=0)
    having = rng.random(len(names())) >= missing
    present = [name for name, has in zip(names(), having, strict=True) if has]
    present = [name for name in present if not set(DROPPED_BESIDE.get(name, ())) & set(present)]
    levels = {name: _draw_levels(rng, name, seen_twice) for name in present}
    places = _draw_places(rng, levels)
    then = [_at(places[name], levels[name][0], 0, levels[name]) for name in present if name in places]
    now = [_at(places[name], levels[name][1], 1, levels[name]) for name in present if name in places]
    old = bool(sick[list(known["illnesses"]).index("old age")])
    age = int(rng.integers(66, 95)) if old else int(rng.integers(18, 76))
    return Person(
        age,
        str(rng.choice(("female", "male"))),
        settings[number],
        tuple(one for one in then if one.level),
        tuple(one for one in now if one.level),
    )


def _draw_levels(rng: np.random.Generator, name: str, seen_twice: bool) -> tuple[int, int]:
    """Level at the visit before and now; 0 where it is not there."""
    entry = clinic()["findings"][name]
    shares = entry.get("levels", (1.0,))
    level = 1 + int(rng.choice(len(shares), p=shares))
    if not seen_twice:
        return 0, level
    course = COURSE[int(rng.choice(len(COURSE), p=clinic()["courses"][entry["course"]]))]
    if course in ("larger", "smaller") and len(shares) == 3:
        small, large = sorted(rng.choice((1, 2, 3), size=2, replace=False).tolist())
        return (small, large) if course == "larger" else (large, small)
    return {"new": (0, level), "gone": (level, 0)}.get(course, (level, level))


def _at(place: Finding, level: int, visit: int, levels: tuple[int, int]) -> Finding:
    """The finding on one day. Only what is small, and was not seen better at the visit before, is doubted."""
    doubted = level == 1 and max(levels[: visit + 1]) == 1
    return replace(place, level=level, doubt=place.doubt if doubted else "")


def _draw_places(rng: np.random.Generator, levels: dict[str, tuple[int, int]]) -> dict[str, Finding]:
    """Where each finding lies. What would hide another gets a place apart, or is left out."""
    known = clinic()["findings"]
    free = {(side, zone) for side in EITHER for zone in ZONES}
    places: dict[str, Finding] = {}

    def put(name: str, side: str, zone: str = "") -> None:
        shape, dice = int(rng.integers(2**31)), rng.random(2)
        doubt = ""
        if dice[0] < known[name].get("doubt", 0.0):
            doubt = "hedged" if dice[1] < 0.7 else "unsaid"
        places[name] = Finding(name, 0, side, zone, shape=shape, doubt=doubt)

    wet = _side(rng, "pleural effusion")
    if "pneumothorax" in levels and wet == "both":
        wet = str(rng.choice(EITHER))
    for name, (before, now) in levels.items():
        if name in FOCAL:
            continue
        side = wet if name == "pleural effusion" else _side(rng, name)
        size = max(before, now)
        if name in ("pneumothorax", "elevated diaphragm") and "pleural effusion" in levels:
            side = {"right": "left", "left": "right"}.get(wet, side)
            if name == "elevated diaphragm" and wet == "both":
                continue
        if name == "pneumoperitoneum" and "pleural effusion" in levels and wet != "left":
            continue
        if name == "chest tube":
            leak = places.get("pneumothorax")
            side = leak.side if leak else wet if wet != "both" and "pleural effusion" in levels else side
        put(name, side, _pick(rng, known[name].get("zones", {"": 1.0})))
        free -= _hidden(name, side, size)
    for name in FOCAL:
        if name not in levels:
            continue
        spot = _free_spot(rng, name, free)
        if spot:
            put(name, *spot)
            free -= {(side, spot[1]) for side in (EITHER if spot[0] == "both" else spot[:1])}
    return places


def _side(rng: np.random.Generator, name: str) -> str:
    return _pick(rng, clinic()["findings"][name].get("sides", {"": 1.0}))


def _pick(rng: np.random.Generator, shares: dict[str, float]) -> str:
    return str(rng.choice(list(shares), p=list(shares.values())))


def _hidden(name: str, side: str, level: int) -> set[tuple[str, str]]:
    """The zones in which nothing else could be seen."""
    sides = EITHER if side == "both" else (side,)
    if name == "cardiomegaly" and level > 1:
        return {("left", "lower")}
    if name == "pleural effusion":
        return {(one, zone) for one in sides for zone in ZONES[3 - min(level, 2) :]}
    if name == "edema":
        return {(one, zone) for one in sides for zone in (("mid",) if level < 3 else ("mid", "lower"))}
    if name in ("pneumothorax", "pacemaker", "port"):
        return {(one, "upper") for one in sides}
    if name == "elevated diaphragm":
        return {(one, "lower") for one in sides}
    return set()


def _free_spot(rng: np.random.Generator, name: str, free: set[tuple[str, str]]) -> tuple[str, str] | None:
    """A free side and zone, as likely as the data say; nothing where all of its places are taken."""
    entry = clinic()["findings"][name]
    spots, weights = [], []
    for side, share in entry["sides"].items():
        for zone, part in entry["zones"].items():
            if (side, zone) == ("both", "mid"):
                continue  # on both sides at once it lies at both bases or both tops
            if all((one, zone) in free for one in (EITHER if side == "both" else (side,))):
                spots.append((side, zone))
                weights.append(share * part)
    if not spots:
        return None
    return spots[int(rng.choice(len(spots), p=np.array(weights) / sum(weights)))]


def grown(anatomy: Anatomy, person: Person, rng: np.random.Generator) -> Anatomy:
    """The chest of a patient of the deep world: shoulders, breasts, a slanting heart, more variety."""
    uniform = rng.uniform
    young = person.age < 50
    return replace(
        anatomy,
        top=uniform(0.07, 0.13),
        dome=uniform(0.68, 0.77),
        half=uniform(0.35, 0.42),
        heart_ratio=uniform(0.40, 0.47),
        mediastinum=uniform(0.058, 0.078),
        rib_spacing=uniform(0.070, 0.088),
        rib_drop=uniform(0.07, 0.14),
        soft_tissue=uniform(0.02, 0.09),
        clavicle=uniform(0.05, 0.08),
        apex_width=uniform(0.50, 0.58),
        apex_slope=uniform(0.55, 0.75),
        heart_shares=(uniform(0.27, 0.33), uniform(0.66, 0.71)),
        heart_turns=((0.22, uniform(0.50, 0.58)), (uniform(0.02, 0.08), uniform(0.50, 0.60))),
        knob_size=uniform(0.012, 0.02) if young else uniform(0.018, 0.03),
        breast=uniform(0.10, 0.16) if person.sex == "female" else 0.0,
        blade=uniform(-0.02, 0.03),
    )


def examined(visit: Visit, person: Person, rng: np.random.Generator) -> Visit:
    """The visit with its views and with what the day's positioning does to the chest."""
    setting = clinic()["settings"][person.setting]
    dice = rng.random(4)
    view = "AP" if dice[0] < setting["ap"] else "PA"
    trapped = any(finding.name == "emphysema" for finding in visit.findings)
    low = bool(dice[2] < setting["low_volume"] and not trapped)
    turn = float(rng.uniform(0.015, 0.04) * rng.choice((-1, 1))) if dice[3] < setting["rotated"] else 0.0
    exam = Exam(person.setting, view, bool(dice[1] < setting["lateral"]) and view == "PA", low, turn)
    anatomy, wide = visit.anatomy, 0.0
    if view == "AP":  # the heart lies further from the plate, the shoulder blades stay where they are
        wide += 0.035
        anatomy = replace(
            anatomy,
            mediastinum=1.15 * anatomy.mediastinum,
            clavicle=anatomy.clavicle - 0.015,
            dome=anatomy.dome - rng.uniform(0.0, 0.03),
            blade=float(rng.uniform(0.05, 0.10)),
        )
    if low:
        wide += 0.02
        anatomy = replace(anatomy, dome=anatomy.dome - rng.uniform(0.06, 0.10))
    anatomy = replace(anatomy, heart_ratio=anatomy.heart_ratio + wide, widest_heart=wide, turn=turn)
    return replace(visit, exam=exam, age=person.age, sex=person.sex, anatomy=anatomy)
