"""The radiographs of a visit: what every view shows, and where on it each finding lies.

>>> from cxreason.phantom.visit import DEEP
>>> from cxreason.phantom.world import draw_visit
>>> [film.view for film in radiographs(draw_visit(0, 1, DEEP), 64)]
['PA', 'LATERAL']
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cxreason.phantom import film, pathology
from cxreason.phantom.body import draw_body
from cxreason.phantom.lateral import draw_lateral
from cxreason.phantom.picture import NORMAL_SIZE, Picture
from cxreason.phantom.places import altered
from cxreason.phantom.render import develop as develop_plainly
from cxreason.phantom.render import draw_body as draw_plain_body
from cxreason.phantom.visit import Finding, Visit, generator


@dataclass(frozen=True)
class Mark:
    """Where a finding lies on an image, for each of its sides apart."""

    finding: Finding
    side: str
    mask: np.ndarray


@dataclass(frozen=True)
class Radiograph:
    """One image of a visit: 8-bit grey pixels, and the marks of what can be seen on it."""

    view: str
    pixels: np.ndarray
    marks: tuple[Mark, ...]


def render(visit: Visit, size: int = NORMAL_SIZE) -> np.ndarray:
    """The frontal image of a visit as 8-bit grey."""
    return _frontal(visit, size).pixels


def radiographs(visit: Visit, size: int) -> list[Radiograph]:
    """Every view of the visit, `size` pixels wide and high, the frontal one first."""
    views = [_frontal(visit, size)]
    if visit.exam.lateral:
        views.append(_lateral(visit, size))
    return views


def _frontal(visit: Visit, size: int) -> Radiograph:
    deep = visit.world.deep
    own = generator(visit.seed, 4, visit.patient)  # what stays with the patient: vessels, density
    anatomy = altered(visit.anatomy, visit.findings)
    picture = (draw_body if deep else draw_plain_body)(anatomy, size, own)
    marks = []
    for finding in visit.findings:
        picture.mask = np.zeros((size, size), bool)
        pathology.draw(picture, finding)
        marks += _by_side(picture, finding)
    if not deep:
        return Radiograph(visit.exam.view, develop_plainly(picture, visit, own), tuple(marks))
    film.draw_confusers(picture, visit)
    frame = film.draw_frame(visit)
    moved = tuple(Mark(mark.finding, mark.side, frame.moved_mask(mark.mask)) for mark in marks)
    return Radiograph(visit.exam.view, film.develop(picture, visit, frame), moved)


def _by_side(picture: Picture, finding: Finding) -> list[Mark]:
    if picture.mask is None:
        return []
    if finding.side != "both":
        return [Mark(finding, finding.side, picture.mask)]
    marks = []
    for side in finding.sides:
        half = np.zeros_like(picture.mask)
        columns = picture.half(side)
        half[:, columns] = picture.mask[:, columns]
        marks.append(Mark(finding, side, half))
    return marks


def _lateral(visit: Visit, size: int) -> Radiograph:
    own = generator(visit.seed, 13, visit.patient)
    picture, drawn = draw_lateral(altered(visit.anatomy, visit.findings), visit.findings, size, own)
    frame = film.draw_frame(visit, image=1)
    marks = tuple(Mark(finding, finding.side, frame.moved_mask(mask)) for finding, mask in drawn)
    return Radiograph("LATERAL", film.develop(picture, visit, frame, image=1), marks)
