"""ReXVQA in its official layout, with each of its traps."""

import json
import shutil

import pytest

from cxreason.datasets import DatasetError, rexvqa
from dataset_files import write_json, write_picture

IMAGE = "deid_png/P1/A1/studies/1.2/series/1.3/instances/1.4.png"


def record(study="S1", patient="P1", image=IMAGE, answer="B", **more):
    return {
        "study_id": study, "question": "Which finding is present?", "correct_answer": answer,
        "options": ["A. Edema", "B. Fracture", "C. Mass", "D. None of these"],
        "correct_answer_explanation": "A rib is broken.", "task_name": "presence", "category": "c",
        "subcategory": "bones", "ImagePath": [f"../{image}"], "ImageViewPosition": ["POSTERO_ANTERIOR"],
        "PatientID": patient, "PatientSex": "F",
        "PatientAge": "061Y", "Indication": "Fall.",
        "Comparison": "None", "Findings": "A rib\n is broken.", "Impression": "Fracture.",
        "StudyDate": "20200102", **more,
    }  # fmt: skip


def write_tree(root):
    metadata = root / "rexvqa" / "metadata"
    train = {"q1": record(), "q2": record(answer="D"), "q3": record("S2", "P2"), "q4": record(answer="A")}
    write_json(metadata / "train_vqa_data.json", train)
    write_json(metadata / "valid_vqa_data.json", {"q5": record("S3", "P3")})
    write_json(metadata / "test_vqa_data.json", {"q6": record("S4", "P4")})
    write_picture(root / "rexgradient" / IMAGE)
    return root


@pytest.fixture
def tree(tmp_path):
    return write_tree(tmp_path)


def read(tree):
    return list(rexvqa.read(tree / "rexvqa", tree / "rexgradient"))


def test_questions_that_stand_together_are_one_study(tree):
    assert rexvqa.find(tree) == tree / "rexvqa"
    assert [(study.id, study.split, [one.id for one in study.questions]) for study in read(tree)] == [
        ("rexvqa/S1", "train", ["q1", "q2"]),
        ("rexvqa/S2", "train", ["q3"]),
        ("rexvqa/S1-2", "train", ["q4"]),
        ("rexvqa/S3", "validation", ["q5"]),
        ("rexvqa/S4", "test", ["q6"]),
    ]


def test_images_lie_in_the_folder_of_rexgradient_or_here(tree):
    assert read(tree)[0].images == (f"../rexgradient/{IMAGE}",)
    shutil.move(tree / "rexgradient" / "deid_png", tree / "rexvqa" / "deid_png")
    assert read(tree)[0].images == (IMAGE,)


def test_options_have_no_letter_and_the_answer_is_one_of_them(tree):
    first, second = read(tree)[0].questions
    assert first.options == ("Edema", "Fracture", "Mass", "None of these")
    assert (first.answers, second.answers) == (("Fracture",), ("None of these",))
    assert (first.kind, first.closed, first.type, first.explanation) == (
        "choice", True, "presence", "A rib is broken.",
    )  # fmt: skip


def test_the_report_is_beside_the_question_and_not_in_it(tree):
    study = read(tree)[0]
    assert (study.findings, study.impression, study.comparison) == ("A rib is broken.", "Fracture.", "")
    for one in study.questions:
        assert study.findings not in one.text + one.context
        assert study.impression not in one.text + one.context
    assert (study.views, study.sex, study.age) == (("PA",), "F", 61)


def test_the_patient_is_that_of_rexgradient(tree):
    assert read(tree)[0].groups == ("rexgradient/P1",)


@pytest.mark.parametrize(
    ("spoiled", "says"),
    [
        ({"correct_answer": "E"}, "letter of one of 4 options as correct_answer; found 'E'"),
        ({"correct_answer": ""}, "letter of one of 4 options"),
        ({"ImagePath": "a.png"}, "expected a list of images as ImagePath; found 'a.png'"),
        ({"ImagePath": ["../png/a.png"]}, "expected an ImagePath with deid_png/ in it"),
    ],
)
def test_a_record_of_another_form_is_named(tree, spoiled, says):
    write_json(tree / "rexvqa/metadata/valid_vqa_data.json", {"q5": {**record("S3"), **spoiled}})
    with pytest.raises(DatasetError, match=says):
        read(tree)


def test_what_is_missing_is_named(tree):
    without = {key: value for key, value in record().items() if key != "options"}
    write_json(tree / "rexvqa/metadata/test_vqa_data.json", {"q6": without})
    with pytest.raises(DatasetError, match="expected a key 'options'; found study_id, question"):
        read(tree)


def test_the_test_part_may_lie_there_alone(tree):
    known = [study for study in read(tree) if study.split == "test"]
    for part in ("train", "valid"):
        (tree / f"rexvqa/metadata/{part}_vqa_data.json").unlink()
    assert rexvqa.find(tree / "rexvqa") == tree / "rexvqa"
    assert read(tree) == known != []


def test_options_may_come_by_letter_and_the_patient_by_the_folder_of_the_image(tree):
    known = read(tree)
    for part in ("train", "valid", "test"):
        file = tree / f"rexvqa/metadata/{part}_vqa_data.json"
        records = json.loads(file.read_text())
        for one in records.values():
            one["options"] = {option[0]: option for option in one["options"]}
            del one["PatientID"]
        write_json(file, records)
    changed = read(tree)
    assert [study.questions for study in changed] == [study.questions for study in known]
    assert {study.patient_id for study in changed} == {"P1"}  # all records show one image
