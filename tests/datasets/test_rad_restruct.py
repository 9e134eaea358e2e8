"""Rad-ReStruct in its official layout, with each of its traps."""

import pytest

from cxreason.datasets import DatasetError, rad_restruct
from dataset_files import write_json, write_picture

MAPPING = "id_to_img_mapping_frontal_reports.json"


def about(kind="single_choice", options=("yes", "no"), path="lung_signs"):
    return {"answer_type": kind, "options": list(options), "path": path}


QUESTIONS = [
    ["Are there signs in the lung?", ["yes"], [], about()],
    [
        "Which part is affected?",
        ["left", "base"],
        [["Are there signs in the lung?", ["yes"]], ["Is there opacity?", ["yes"]]],
        about("multi_choice", ("left", "right", "base"), "lung_signs_opacity_body_region"),
    ],
    ["What degree?", ["mild"], [], about("fixed_choice", ("mild", "severe"))],
]


def write_tree(folder):
    root = folder / "data" / "radrestruct"
    names = {"10": ["CXR10_IM-0002-1001"], "9": ["CXR9_1_IM-2407-1001", "CXR9_1_IM-2407-2001"]}
    names |= {"11": ["CXR11_IM-0067-1001"], "12": ["CXR12_IM-0133-1001"]}
    write_json(root / MAPPING, names)
    for part, report in (("train", "10"), ("train", "9"), ("val", "11"), ("test", "12")):
        write_json(root / f"{part}_qa_pairs" / f"{report}.json", QUESTIONS)
    for name in (name for several in names.values() for name in several):
        write_picture(root / "images" / f"{name}.png")
    return folder


@pytest.fixture
def tree(tmp_path):
    return write_tree(tmp_path)


def test_a_report_is_a_study_with_its_frontal_images(tree):
    assert rad_restruct.find(tree) == tree / "data" / "radrestruct"
    studies = list(rad_restruct.read(tree))
    assert [(study.id, study.split, len(study.images)) for study in studies] == [
        ("rad-restruct/9", "train", 2),
        ("rad-restruct/10", "train", 1),
        ("rad-restruct/11", "validation", 1),
        ("rad-restruct/12", "test", 1),
    ]
    assert studies[0].images[0] == "data/radrestruct/images/CXR9_1_IM-2407-1001.png"
    assert all((tree / image).is_file() for study in studies for image in study.images)


def test_a_study_shares_its_key_with_that_of_open_i(tree):
    first = next(rad_restruct.read(tree))
    assert (first.patient_id, first.groups) == ("CXR9", ("open-i/CXR9",))


def test_every_question_is_closed_and_knows_what_was_asked_before(tree):
    asked = next(rad_restruct.read(tree)).questions
    assert [one.kind for one in asked] == ["choice", "labels", "choice"]
    assert all(one.closed for one in asked)
    assert asked[1].answers == ("left", "base")
    assert asked[1].options == ("left", "right", "base")
    assert asked[1].context == "Are there signs in the lung? yes\nIs there opacity? yes"
    assert (asked[0].context, asked[1].type) == ("", "lung_signs_opacity_body_region")


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (["Opacity?", ["yes"]], r"expected \[question, \[answers\], history"),
        (["Opacity?", ["yes"], [], {"options": []}], "expected a key 'answer_type'; found options"),
        ({"question": "Opacity?"}, r"expected \[question"),
    ],
)
def test_an_entry_of_another_form_is_named(tree, entry, says):
    write_json(tree / "data/radrestruct/val_qa_pairs/11.json", [entry])
    with pytest.raises(DatasetError, match=rf"11\.json: {says}"):
        list(rad_restruct.read(tree))


def test_what_is_missing_is_named(tree):
    root = tree / "data" / "radrestruct"
    write_json(root / "test_qa_pairs" / "13.json", QUESTIONS)
    with pytest.raises(DatasetError, match="expected the images of report '13'; found none"):
        list(rad_restruct.read(tree))
    (root / "val_qa_pairs").rename(root / "valid_qa_pairs")
    with pytest.raises(
        DatasetError, match=r"val_qa_pairs: expected <report>\.json files; found no such folder"
    ):
        list(rad_restruct.read(tree))
