"""Makes phantoms: the records of the studies, with their labels, reports and boxes, and their images.

>>> phantom(seed=0, index=4).render(64).shape
(64, 64)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from cxreason.imaging.boxes import mask_box
from cxreason.phantom.places import altered, places
from cxreason.phantom.radiograph import Radiograph, radiographs
from cxreason.phantom.report import write_report
from cxreason.phantom.visit import DRAWN, TINY, Visit, World
from cxreason.phantom.world import draw_visit
from cxreason.records import Box, Study
from cxreason.text.ontology import FINDINGS, NO_FINDING, implies

DATASET = "phantom"
GRID = 128
"""Boxes of the deep world are those of the masks on an image of this size."""

# A device that was put in or taken out has neither worsened nor improved, so it has no change then.
CHANGES = {"new": "worsening", "resolved": "improving"}


@dataclass(frozen=True)
class PhantomStudy:
    """A phantom's record, with everything that is needed to draw its images."""

    study: Study
    visit: Visit
    drawn: tuple[Radiograph, ...] = ()
    """Its images of `GRID` pixels, where the boxes needed them."""

    def render(self, image_size: int = 256, image: int = 0) -> np.ndarray:
        """One image, by default the frontal one, 8-bit grey."""
        return self.radiographs(image_size)[image].pixels

    def radiographs(self, image_size: int) -> tuple[Radiograph, ...]:
        """Every image with the masks of what is to be seen on it."""
        if self.drawn and image_size == GRID:
            return self.drawn
        return tuple(radiographs(self.visit, image_size))


def studies(seed: int, num_studies: int, world: World = TINY) -> Iterator[PhantomStudy]:
    """The first `num_studies` phantoms of this seed; a study does not depend on how many are asked for.

    >>> [phantom.study.id for phantom in studies(seed=0, num_studies=2)]
    ['phantom/0/000000', 'phantom/0/000001']
    """
    for index in range(num_studies):
        yield phantom(seed, index, world)


def phantom(seed: int, index: int, world: World = TINY) -> PhantomStudy:
    """One phantom by its number, without drawing any other."""
    visit = draw_visit(seed, index, world)
    if not world.deep:
        return PhantomStudy(replace(record(visit), boxes=tuple(_plain_boxes(visit))), visit)
    drawn = tuple(radiographs(visit, GRID))
    return PhantomStudy(replace(record(visit), boxes=tuple(_boxes_of(drawn))), visit, drawn)


def record(visit: Visit) -> Study:
    """The record of a visit, but for the boxes, which have to be found on its images."""
    report, world = write_report(visit), visit.world
    name = f"images/{visit.seed}-{visit.index:06d}"
    return Study(
        id=study_id(world, visit.seed, visit.index),
        dataset=DATASET,
        patient_id=f"{world.place}/{visit.seed}/p{visit.patient:06d}",
        images=(f"{name}.png", f"{name}-lateral.png") if visit.exam.lateral else (f"{name}.png",),
        views=(visit.exam.view, "LATERAL") if visit.exam.lateral else (visit.exam.view,),
        split=visit.split,
        indication=report.indication,
        comparison=report.comparison,
        findings=report.findings,
        impression=report.impression,
        labels=labels(visit),
        prior_id=study_id(world, visit.seed, visit.prior.index) if visit.prior else "",
        changes=_changes(visit),
    )


def study_id(world: World, seed: int, index: int) -> str:
    """The id of the study with this number."""
    return f"{world.place}/{seed}/{index:06d}"


def labels(visit: Visit) -> dict[str, int]:
    """What is known of a visit: 1 there, 0 not there, -1 hedged.

    What was doubted and not mentioned is left out. The keys are findings of CheXpert: a granuloma is a
    "lung lesion", and so a "lung opacity".
    """
    names = {finding.name for finding in visit.findings}
    if not visit.world.deep:
        return {**{name: int(name in names) for name in DRAWN}, NO_FINDING: int(not names)}
    worth = {"": 1, "hedged": -1, "unsaid": None}
    found: dict[str, int | None] = dict.fromkeys(FINDINGS, 0)
    for doubt in ("unsaid", "hedged", ""):  # what is certain of one outweighs the doubt about another
        for finding in visit.findings:
            if finding.doubt == doubt:
                found |= dict.fromkeys(_wider(finding.name), worth[doubt])
    return {name: value for name, value in found.items() if value is not None} | {NO_FINDING: int(not names)}


def _wider(name: str) -> tuple[str, ...]:
    """All of the 13 findings that a concept is a kind of."""
    return tuple(wide for wide in FINDINGS if implies(name, wide))


def _changes(visit: Visit) -> dict[str, str]:
    """Finding -> what became of it. Where kinds of one finding went different ways, it has no change."""
    if not visit.world.deep:
        known = {name: {change} for name, change in visit.changes.items()}
    else:
        known = {}
        prior = visit.prior.findings if visit.prior else ()
        for name in {finding.name: 0 for finding in (*prior, *visit.findings)} if visit.prior else ():
            for wide in _wider(name) or (
                name,
            ):  # a doubted one has no change and leaves the wider one without
                known.setdefault(wide, set()).add(visit.changes.get(name, ""))
    course = {name: {CHANGES.get(one, one) for one in ways} for name, ways in known.items()}
    return {
        name: next(iter(ways))
        for name, ways in course.items()
        if len(ways) == 1 and "" not in ways and (name != "support devices" or known[name] == {"stable"})
    }


def _plain_boxes(visit: Visit) -> Iterator[Box]:
    # Those of the tiny world are worked out and not measured: tests hold them by their hashes.
    anatomy = altered(visit.anatomy, visit.findings)
    for finding in visit.findings:
        for place in places(anatomy, finding):
            yield Box(finding.name, *place)


def _boxes_of(drawn: tuple[Radiograph, ...]) -> Iterator[Box]:
    for number, film in enumerate(drawn):
        for mark in film.marks:
            place = mask_box(mark.mask)
            if place is not None:  # what lies off the film has no box
                yield Box(mark.finding.name, *(round(value, 4) for value in place), image=number)
