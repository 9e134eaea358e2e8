"""The deep world: its patients, its images with their masks, its reports, and that all three agree."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxreason.phantom.clinic import clinic, names
from cxreason.phantom.dictation import dictate, manners
from cxreason.phantom.radiograph import radiographs
from cxreason.phantom.study import GRID, labels, phantom, studies
from cxreason.phantom.visit import DEEP, Finding, Visit
from cxreason.phantom.world import draw_visit
from cxreason.text import label, observe
from cxreason.text.ontology import FINDINGS, NO_FINDING, implies, parents

COMPARING = re.compile(
    r"prior|previous|unchanged|\bnew\b|newly|stable|increased|decreased|improved|worse|resol|interval|similar|again"
)
INDEX = st.integers(0, 20_000)
COUNT = 2000


@pytest.fixture(scope="module")
def visits():
    return [draw_visit(4, index, DEEP) for index in range(COUNT)]


@cache
def healthy() -> list[Visit]:
    """Visits with a PA view and without any finding."""
    visits = (draw_visit(5, index, DEEP) for index in range(200))
    return [visit for visit in visits if not visit.findings and visit.exam.view == "PA"]


@cache
def without(number: int, size: int) -> np.ndarray:
    """The frontal image of one of them."""
    return radiographs(healthy()[number], size)[0].pixels.astype(float)


def with_one(name: str, number: int = 0, level: int = 3) -> Visit:
    """The visit of a healthy patient with one finding put in."""
    entry = clinic()["findings"][name]
    side, zone = next(iter(entry.get("sides", {"": 1}))), next(iter(entry.get("zones", {"": 1})))
    finding = Finding(name, min(level, len(entry.get("levels", (1,)))), side, zone, shape=number + 1)
    return replace(healthy()[number], findings=(finding,))


def test_there_are_twenty_findings_and_more_that_the_reader_knows_by_name():
    assert len(names()) >= 20
    assert set(names()) <= set(parents())
    assert set(clinic()["background"]) == set(names())
    for entry in clinic()["illnesses"].values():
        assert set(entry["brings"]) <= set(names())
    spoken = [name for members in manners()["organs"].values() for name in members]
    assert set(names()) <= set(spoken)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**40), index=INDEX)
def test_a_deep_study_depends_on_seed_and_number_alone(seed, index):
    first = phantom(seed, index, DEEP)
    phantom(seed, index + 1, DEEP)
    again = phantom(seed, index, DEEP)
    assert again.study == first.study
    for one, other in zip(first.drawn, again.drawn, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)


def test_findings_are_about_as_common_as_in_hospitals(visits):
    seen = Counter(name for visit in visits for name in {finding.main for finding in visit.findings})
    healthy = sum(not visit.findings for visit in visits)
    assert 0.25 < healthy / COUNT < 0.45
    for name, low, high in (
        ("pleural effusion", 0.12, 0.25),
        ("support devices", 0.2, 0.35),
        ("cardiomegaly", 0.1, 0.2),
        ("atelectasis", 0.08, 0.2),
        ("pneumothorax", 0.02, 0.06),
        ("fracture", 0.02, 0.07),
    ):
        assert low < seen[name] / COUNT < high, name
    assert len({finding.name for visit in visits for finding in visit.findings}) == len(names())


def test_findings_come_together_as_they_do_in_patients(visits):
    def share(name, among):
        having = [visit for visit in visits if among(visit)]
        return np.mean([any(finding.name == name for finding in visit.findings) for visit in having])

    def has(name):
        return lambda visit: any(finding.name == name for finding in visit.findings)

    assert share("edema", has("cardiomegaly")) > 3 * share(
        "edema", lambda visit: not has("cardiomegaly")(visit)
    )
    assert share("pleural effusion", has("edema")) > 2 * share("pleural effusion", lambda visit: True)
    intensive = [visit for visit in visits if visit.exam.setting == "intensive care"]
    assert np.mean([visit.exam.view == "AP" for visit in intensive]) > 0.9
    tubed = [any(finding.main == "support devices" for finding in visit.findings) for visit in intensive]
    assert np.mean(tubed) > 0.7
    assert not any(visit.exam.lateral for visit in intensive)


@pytest.mark.parametrize("size", [112, GRID, 256])
@pytest.mark.parametrize("name", names())
def test_every_finding_changes_the_picture_where_its_mask_is(name, size):
    for number in range(2):
        film = radiographs(with_one(name, number), size)[0]
        inside = np.zeros((size, size), bool)
        for mark in film.marks:
            assert mark.mask.shape == (size, size)
            assert mark.mask.any(), f"{name}: nothing is marked"
            inside |= mark.mask
        difference = np.abs(film.pixels - without(number, size))
        assert difference[inside].mean() > 3, name
        assert difference[inside].mean() > 2 * difference[~inside].mean(), name


@pytest.mark.parametrize(
    "name", [name for name in names() if len(clinic()["findings"][name].get("levels", ())) == 3]
)
def test_a_large_finding_changes_more_of_the_picture_than_a_small_one(name):
    changed = {1: [], 3: []}
    for level in changed:
        for number in range(4):
            film = radiographs(with_one(name, number, level), GRID)[0]
            changed[level].append(np.abs(film.pixels - without(number, GRID)).sum())
    # A calcified granuloma knows two sizes, and the data give it no large one.
    assert np.mean(changed[1]) < np.mean(changed[3]) or clinic()["findings"][name]["levels"][2] == 0


@settings(max_examples=40, deadline=None)
@given(INDEX)
def test_boxes_enclose_masks_and_lie_on_the_right_side(index):
    one = phantom(7, index, DEEP)
    boxes = list(one.study.boxes)
    for number, film in enumerate(one.drawn):
        for mark in film.marks:
            if not mark.mask.any():
                continue
            box = boxes.pop(0)
            assert (box.label, box.image) == (mark.finding.name, number)
            rows, columns = np.nonzero(mark.mask)
            tolerance = 1e-3
            assert box.x1 <= columns.min() / GRID + tolerance
            assert box.x2 >= (columns.max() + 1) / GRID - tolerance
            assert box.y1 <= rows.min() / GRID + tolerance
            assert box.y2 >= (rows.max() + 1) / GRID - tolerance
            if number == 0 and mark.finding.main != "support devices" and mark.side:
                # The patient's left is the right of a frontal image.
                on_left = (columns + 0.5).mean() / GRID > one.visit.anatomy.midline
                assert on_left == (mark.side == "left"), mark.finding
    assert not boxes


@settings(max_examples=15, deadline=None)
@given(INDEX)
def test_masks_of_a_large_image_are_those_of_a_small_one(index):
    one = phantom(7, index, DEEP)
    for small, large in zip(one.drawn[0].marks, radiographs(one.visit, 2 * GRID)[0].marks, strict=True):
        if small.finding.main == "support devices" or small.finding.name == "aortic calcification":
            continue  # a line is never thinner than a pixel
        folded = large.mask.reshape(GRID, 2, GRID, 2).mean((1, 3)) >= 0.5
        assert abs(int(folded.sum()) - int(small.mask.sum())) <= 0.5 * max(small.mask.sum(), 40)


@settings(max_examples=300, deadline=None)
@given(INDEX)
def test_comparison_is_only_spoken_of_where_there_is_a_prior(index):
    visit = draw_visit(6, index, DEEP)
    report = dictate(visit)
    text = f"{report.findings} {report.impression}".lower()
    if visit.prior is None:
        assert not COMPARING.search(text)
        assert report.comparison in manners()["comparison"]["none"]
    else:
        assert report.comparison in manners()["comparison"]["prior"]
        if visit.changes:
            assert COMPARING.search(text)


def test_the_reader_finds_in_the_report_what_the_labels_say(visits):
    for visit in visits[:1200]:
        report, known = dictate(visit), labels(visit)
        text = f"{report.findings}\n{report.impression}"
        seen = observe(text)
        having = {
            status: {
                wide
                for one in seen
                if one.status == status
                for wide in FINDINGS
                if implies(one.finding, wide)
            }
            for status in ("present", "uncertain")
        }
        denied = {
            wide for one in seen if one.status == "absent" for wide in FINDINGS if implies(wide, one.finding)
        }
        there = {name for name in FINDINGS if known.get(name) == 1}
        doubted = {name for name in FINDINGS if known.get(name) == -1}
        assert having["present"] == there, text
        assert having["uncertain"] - there == doubted, text
        assert not denied & (there | doubted | (set(FINDINGS) - set(known))), text
        read = label(f"FINDINGS: {report.findings}\nIMPRESSION: {report.impression}", "chexpert14")
        allowed = {1: (1,), -1: (-1,), 0: (0, None), None: (None,)}
        for name in FINDINGS:
            assert read[name.title()] in allowed[known.get(name)], text


def test_a_label_of_one_has_its_picture_and_what_is_normal_has_none():
    for one in studies(8, 150, DEEP):
        drawn = {box.label for box in one.study.boxes if box.image == 0}
        for name, value in one.study.labels.items():
            if name != NO_FINDING:
                kinds = {label for label in drawn if implies(label, name)}
                assert bool(kinds) == (value != 0), name
        assert (one.study.labels[NO_FINDING] == 1) == (not drawn)


def test_changes_are_those_of_the_pictures(visits):
    seen = Counter()
    for visit in visits:
        one = phantom(4, visit.index, DEEP).study if visit.prior and visit.index < 400 else None
        if one is None or visit.prior is None:
            continue
        for name, change in one.changes.items():
            before = [x.level for x in visit.prior.findings if implies(x.name, name)]
            now = [x.level for x in visit.findings if implies(x.name, name)]
            if max(len(before), len(now)) == 1:
                sign = np.sign(sum(now) - sum(before))
                assert change == {0: "stable", 1: "worsening", -1: "improving"}[int(sign)]
            seen[change] += 1
            assert name != "support devices" or change == "stable"
    assert min(seen[change] for change in ("worsening", "stable", "improving")) > 3


def test_reports_have_several_manners_and_leave_normals_unsaid(visits):
    reports = [dictate(visit) for visit in visits[:400]]
    assert 0.08 < np.mean([not report.findings for report in reports]) < 0.25
    assert 0.15 < np.mean([report.findings.count(":") > 1 for report in reports]) < 0.4
    assert any(observe(report.impression + report.findings) for report in reports)
    hedged = [visit for visit in visits if any(finding.doubt == "hedged" for finding in visit.findings)]
    unsaid = [visit for visit in visits if any(finding.doubt == "unsaid" for finding in visit.findings)]
    assert hedged
    assert unsaid
    for report in reports:
        assert "{" not in report.findings + report.impression
        assert report.findings or report.impression


def test_views_differ_as_they_should(visits):
    pa = [visit.anatomy.heart_ratio for visit in visits if visit.exam.view == "PA"]
    ap = [visit.anatomy.heart_ratio for visit in visits if visit.exam.view == "AP"]
    assert np.mean(ap) > np.mean(pa) + 0.025  # the heart of a bedside film looks larger
    lateral = next(visit for visit in visits if visit.exam.lateral)
    films = radiographs(lateral, GRID)
    assert [film.view for film in films] == ["PA", "LATERAL"]
    assert films[0].pixels.std() > 35
    assert films[1].pixels.std() > 35


def test_an_effusion_fills_the_angle_behind_on_the_lateral_view():
    visit, bare = (
        replace(one, exam=replace(one.exam, lateral=True))
        for one in (with_one("pleural effusion"), healthy()[0])
    )
    film, empty = radiographs(visit, GRID)[1], radiographs(bare, GRID)[1]
    mask = film.marks[0].mask
    assert np.nonzero(mask)[1].mean() > 0.55 * GRID
    assert film.pixels[mask].mean() > empty.pixels[mask].mean() + 30
