"""MS-CXR and MS-CXR-T: boxes with phrases, pairs with courses, and MIMIC-CXR's splits for both."""

import csv

import pytest
from mimic_tree import image, write_csv

from cxreason.datasets import DatasetError, ms_cxr, ms_cxr_t, read

BOXES = [
    "dicom_id",
    "category_name",
    "label_text",
    "path",
    "x",
    "y",
    "w",
    "h",
    "image_width",
    "image_height",
    "split",
]
PATH1 = "files/p10/p10000032/s50000001/d1-a.jpg"
ROWS = [
    ("d1-a", "Pleural Effusion", "small left  pleural effusion", PATH1, 40, 30, 80, 60, 400, 300, "test"),
    ("d4-a", "Edema", "mild edema", "files/p10/p10000898/s50000004/d4-a.jpg", 0, 0, 4, 3, 400, 300, "train"),
    ("d1-a", "Pleural Effusion", "small left  pleural effusion", PATH1, 360, 270, 80, 60, 400, 300, "test"),
]


def boxes(folder, rows=ROWS, header=BOXES, version="1.1.0"):
    write_csv(folder / f"MS_CXR_Local_Alignment_v{version}.csv", header, rows)
    return folder


def test_rows_of_one_image_are_one_study_and_boxes_of_one_phrase_stay_together(mimic, beside):
    first, second = ms_cxr.read(boxes(beside), mimic)
    assert first.images == (image("10000032", "50000001", "d1-a"),)
    assert first.views == ("PA",)
    assert [box.phrase for box in first.boxes] == ["small left pleural effusion"] * 2
    assert [box.label for box in second.boxes] == ["edema"]


def test_width_and_height_become_corners_and_fractions_cut_at_the_edge(mimic, beside):
    first, _ = ms_cxr.read(boxes(beside), mimic)
    found = [(box.x1, box.y1, box.x2, box.y2) for box in first.boxes]
    assert found == [pytest.approx((0.1, 0.1, 0.3, 0.3)), pytest.approx((0.9, 0.9, 1.0, 1.0))]


def test_the_split_is_that_of_mimic_cxr_and_its_own_is_kept_beside(mimic, beside):
    first, second = ms_cxr.read(boxes(beside), mimic)
    assert (first.split, first.own_split) == ("train", "test")
    assert (second.split, second.own_split) == ("test", "train")
    assert "mimic-cxr/p10000032" in first.keys


def test_version_1_0_0_has_no_split_of_its_own(mimic, beside):
    rows = [row[:-1] for row in ROWS]
    assert {one.own_split for one in ms_cxr.read(boxes(beside, rows, BOXES[:-1], "1.0.0"), mimic)} == {""}


def test_the_report_comes_along_so_that_a_phrase_can_be_found_in_it(mimic, beside):
    first, _ = ms_cxr.read(boxes(beside), mimic)
    assert first.boxes[0].phrase in first.findings


def test_phantoms_in_its_layout_give_their_boxes_back(phantom_tree):
    tree = phantom_tree("ms-cxr")
    with next(tree.glob("ms-cxr/*.csv")).open(newline="") as file:
        rows = list(csv.DictReader(file))
    studies = list(read("ms-cxr", [tree]))
    assert len(studies) == len({row["dicom_id"] for row in rows})
    assert sum(len(study.boxes) for study in studies) == len(rows) > 5
    assert all((tree / study.images[0]).is_file() for study in studies)
    assert all(box.phrase and 0 <= box.x1 <= box.x2 <= 1 for study in studies for box in study.boxes)


def test_a_box_that_is_none_is_refused(mimic, beside):
    rows = [(*ROWS[0][:4], "left", *ROWS[0][5:])]
    with pytest.raises(DatasetError, match="expected numbers for the box on d1-a"):
        list(ms_cxr.read(boxes(beside, rows), mimic))


def test_a_patient_whom_mimic_cxr_does_not_know_is_refused(mimic, beside):
    rows = [("d9", "Edema", "edema", "files/p19/p19999999/s5/d9.jpg", 0, 0, 4, 3, 400, 300, "train")]
    with pytest.raises(DatasetError, match="expected the patient 19999999 in mimic-cxr"):
        list(ms_cxr.read(boxes(beside, rows), mimic))


def test_it_cannot_be_read_without_mimic_cxr(mimic, beside):
    boxes(beside)
    assert len(list(read("ms-cxr", [beside, mimic]))) == 2
    with pytest.raises(DatasetError, match="does not hold mimic-cxr, which ms-cxr stands on"):
        read("ms-cxr", [beside])


COURSES = ["subject_id", "study_id", "dicom_id", "previous_study_id", "previous_dicom_id"] + [
    f"{finding}_{column}" for finding in ms_cxr_t.FINDINGS for column in ("progression", "label_quality")
]


def pairs(folder):
    later, earlier = "p10/p10000032/s50000002/d2-a", "p10/p10000032/s50000001/d1-a"
    blank = [""] * 6
    row = (10000032, 50000002, later, 50000001, earlier, "worsening", "one_expert", "stable", "disagreement")
    write_csv(
        folder / "MS_CXR_T_temporal_image_classification_v1.0.0.csv",
        COURSES,
        [(*row, "not sure", "multiple_experts", *blank[:4])],
    )
    return folder


def test_a_pair_is_the_earlier_study_and_the_later_one_with_its_courses(mimic, beside):
    before, now = ms_cxr_t.read(pairs(beside), mimic)
    assert now.prior_id == before.id
    assert before.images == (image("10000032", "50000001", "d1-a"),)
    assert now.images == (image("10000032", "50000002", "d2-a"),)
    assert before.order < now.order
    assert now.changes == {"consolidation": "worsening", "edema": "stable"}  # and no other word
    assert before.changes == {}
    assert now.other_labels == {"experts/consolidation": 1, "experts/edema": 0}


def test_pairs_were_published_as_a_test_set_whatever_the_split_of_mimic_cxr(mimic, beside):
    assert {(one.split, one.own_split) for one in ms_cxr_t.read(pairs(beside), mimic)} == {("train", "test")}
