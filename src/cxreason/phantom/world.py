"""Draws the phantom patients: who they are, what they have, and what they had at the visit before.

A study is found from its number alone. Studies come in blocks of fourteen: ten patients of whom four were
seen twice, so any study can be drawn without drawing the ones before it.

    >>> visit = draw_visit(seed=0, index=5)
    >>> visit == draw_visit(seed=0, index=5)
    True
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from cxreason.phantom import clinic
from cxreason.phantom.anatomy import draw_anatomy, repositioned
from cxreason.phantom.visit import DRAWN, TINY, Finding, Visit, World, generator

PATIENTS_PER_BLOCK, SEEN_TWICE_PER_BLOCK = 10, 4
STUDIES_PER_BLOCK = PATIENTS_PER_BLOCK + SEEN_TWICE_PER_BLOCK
SPLITS = ("train",) * 7 + ("validation",) + ("test",) * 2
SHARE_NORMAL = 0.305

# How often a finding opens the list of a patient, and which ones tend to come together.
WEIGHTS = dict(zip(DRAWN, (1.0, 0.9, 1.2, 0.85, 1.1, 0.95, 1.1, 0.85, 1.1, 1.1), strict=True))
COMPANIONS = {
    "cardiomegaly": {"edema": 3.0, "pleural effusion": 2.0, "support devices": 1.6},
    "edema": {"cardiomegaly": 3.0, "pleural effusion": 3.0, "support devices": 1.5},
    "pleural effusion": {"atelectasis": 2.5, "edema": 2.0, "cardiomegaly": 1.8, "consolidation": 1.5},
    "pneumothorax": {"fracture": 3.0, "support devices": 1.8},
    "fracture": {"pneumothorax": 2.5, "pleural effusion": 1.3},
    "support devices": {"atelectasis": 1.5, "enlarged cardiomediastinum": 1.3},
}
DEVICES = ("pacemaker", "central venous catheter", "endotracheal tube")


def draw_visit(seed: int, index: int, world: World = TINY) -> Visit:
    """The study with this number."""
    block, position = divmod(index, STUDIES_PER_BLOCK)
    slot, has_prior, is_prior, split = _block(seed, block)[position]
    patient = block * PATIENTS_PER_BLOCK + slot
    own = draw_anatomy(generator(seed, 1, patient))
    twice = has_prior or is_prior
    if world.deep:
        person = clinic.draw_person(generator(seed, 7, patient), seen_twice=twice)
        own = clinic.grown(own, person, generator(seed, 8, patient))
        then, now = person.then, person.now
    else:
        person = None
        then, now = _draw_course(generator(seed, 2, patient), seen_twice=twice)

    def visit(number: int, findings: tuple[Finding, ...], prior: Visit | None = None) -> Visit:
        anatomy = repositioned(own, generator(seed, 3, number))
        first = Visit(seed, number, patient, split, anatomy, findings, prior, world)
        return clinic.examined(first, person, generator(seed, 9, number)) if person else first

    if is_prior:
        return visit(index, then)
    return visit(index, now, visit(index - 1, then) if has_prior else None)


@lru_cache(maxsize=64)
def _block(seed: int, block: int) -> list[tuple[int, bool, bool, str]]:
    """For each of a block's studies: patient within the block, whether it has a prior or is one, split."""
    rng = generator(seed, 0, block)
    splits = rng.permutation(np.array(SPLITS))
    twice = set(rng.permutation(PATIENTS_PER_BLOCK)[:SEEN_TWICE_PER_BLOCK].tolist())
    rows = []
    for patient in range(PATIENTS_PER_BLOCK):
        split = str(splits[patient])
        rows += [(patient, False, True, split), (patient, True, False, split)] if patient in twice else []
        rows += [] if patient in twice else [(patient, False, False, split)]
    return rows


def _draw_course(
    rng: np.random.Generator, seen_twice: bool
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """What a patient had at the prior visit (nothing where there was none) and has now."""
    normal, more = rng.random() < SHARE_NORMAL, rng.choice(4, p=(0.30, 0.38, 0.22, 0.10))
    names = [] if normal else _draw_names(rng, 1 + int(more))
    levels = {name: (0, int(rng.integers(1, 4))) for name in names}
    if seen_twice:
        levels = {name: _draw_levels(rng, name) for name in names}
        gone = int(rng.random() < 0.4) if names else int(rng.choice(3, p=(0.6, 0.2, 0.2)))
        for name in _draw_names(rng, gone, names):
            if name != "fracture":  # a fracture does not vanish
                levels[name] = (int(rng.integers(1, 4)), 0)
    places = _draw_places(rng, levels)
    then = tuple(replace(places[name], level=levels[name][0]) for name in DRAWN if name in places)
    now = tuple(replace(places[name], level=levels[name][1]) for name in DRAWN if name in places)
    return tuple(f for f in then if f.level), tuple(f for f in now if f.level)


def _draw_names(rng: np.random.Generator, count: int, taken: list[str] | None = None) -> list[str]:
    """Findings that plausibly come together, beside those already taken."""
    names: list[str] = []
    taken = taken or []
    for _ in range(count):
        weights = np.array([0.0 if name in names or name in taken else WEIGHTS[name] for name in DRAWN])
        for present in names + taken:
            weights *= [COMPANIONS.get(present, {}).get(name, 1.0) for name in DRAWN]
        names.append(DRAWN[int(rng.choice(len(DRAWN), p=weights / weights.sum()))])
    return names


def _draw_levels(rng: np.random.Generator, name: str) -> tuple[int, int]:
    """The level before and now of a finding that is present now."""
    low, high = sorted(rng.choice((1, 2, 3), size=2, replace=False).tolist())
    fixed = name in ("fracture", "support devices")  # these are there or not, they do not grow
    change = rng.choice(4, p=(0.25, 0.75, 0.0, 0.0) if fixed else (0.2, 0.25, 0.3, 0.25))
    return ((0, low), (high, high), (low, high), (high, low))[int(change)]


def _draw_places(rng: np.random.Generator, levels: dict[str, tuple[int, int]]) -> dict[str, Finding]:
    """Where each finding lies. Findings that would hide each other get places apart or are left out."""
    free = [(side, zone) for side in ("left", "right") for zone in ("upper", "mid", "lower")]
    places: dict[str, Finding] = {}

    def take(side: str, zone: str) -> None:
        for single in ("left", "right") if side == "both" else (side,):
            if (single, zone) in free:
                free.remove((single, zone))

    def put(name: str, side: str = "", zone: str = "", device: str = "") -> None:
        places[name] = Finding(name, 0, side, zone, device, int(rng.integers(2**31)))

    either = ("left", "right")
    if "enlarged cardiomediastinum" in levels:
        put("enlarged cardiomediastinum")
    if "cardiomegaly" in levels:
        put("cardiomegaly")
        take("left", "lower")  # the heart hides what lies there
    if "pleural effusion" in levels:
        side = str(rng.choice(("left", "right", "both"), p=(0.36, 0.36, 0.28)))
        put("pleural effusion", side)
        take(side, "lower")
        if max(levels["pleural effusion"]) == 3:
            take(side, "mid")
    if "edema" in levels:
        put("edema", "both")
        take("both", "mid")
    if "pneumothorax" in levels:
        wet = places["pleural effusion"].side if "pleural effusion" in places else ""
        side = {"left": "right", "right": "left"}.get(wet) or str(rng.choice(either))
        put("pneumothorax", side)
        take(side, "upper")
    if "support devices" in levels:
        device = str(rng.choice(DEVICES))
        open_sides = [side for side in either if (side, "upper") in free] or list(either)
        side = "" if device == "endotracheal tube" else str(rng.choice(open_sides))
        put("support devices", side, device=device)
        if device == "pacemaker":
            take(side, "upper")
    if "atelectasis" in levels:
        dry = [side for side in either if (side, "lower") in free]
        side = "both" if len(dry) == 2 and rng.random() < 0.3 else str(rng.choice(dry)) if dry else ""
        if side:
            put("atelectasis", side, "lower")
            take(side, "lower")
        elif any((s, "mid") in free for s in either):  # a plate above the fluid
            side = str(rng.choice([s for s in either if (s, "mid") in free]))
            put("atelectasis", side, "mid")
            take(side, "mid")
    for name in ("fracture", "consolidation", "lung lesion"):
        if name in levels and free:
            side, zone = free[int(rng.integers(len(free)))]
            put(name, side, zone)
            take(side, zone)
    return places
