"""Questions about MIMIC-CXR: MIMIC-CXR-VQA, MIMIC-Diff-VQA and the explanations of MIMIC-NLE."""

import json

import pytest
from mimic_tree import NAMES, image, write_csv, write_json

from cxreason.datasets import DatasetError, mimic_cxr_vqa, mimic_diff_vqa, mimic_nle


def asked(answer, content="presence", semantic="verify", place="p10/p10000032/s50000001/d1-a.jpg", **more):
    return {
        "split": "train",
        "idx": 7,
        "subject_id": "10000032",
        "image_path": place,
        "question": "Is there an  effusion?",
        "content_type": content,
        "semantic_type": semantic,
        "template_arguments": {"object": {"0": "left lung"}, "attribute": {"0": "effusion"}, "gender": {}},
        "answer": answer,
        **more,
    }


def vqa(folder, *records, name="train"):
    write_json(folder / f"MIMIC-Ext-MIMIC-CXR-VQA/dataset/{name}.json", list(records))
    return folder


def the_question(mimic, folder):
    (study,) = mimic_cxr_vqa.read(folder, mimic)
    return study.questions[0]


def test_an_image_path_without_files_in_front_is_found(mimic, beside):
    (study,) = mimic_cxr_vqa.read(vqa(beside, asked(["yes"])), mimic)
    assert study.images == (image("10000032", "50000001", "d1-a"),)
    assert study.views == ("PA",)
    assert study.findings == "There is a small left pleural effusion."


@pytest.mark.parametrize(
    ("record", "answers", "closed", "why"),
    [
        (asked(["yes"]), ("yes",), True, "yes and no are a choice"),
        (asked(["No"]), ("no",), True, "in small letters"),
        (asked([], semantic="query"), (), False, "an empty list is the answer none"),
        (asked(["edema", "nodule"], semantic="query"), ("edema", "nodule"), False, "all of a list"),
        (asked(["m"], content="gender", semantic="query"), ("Male",), False, "m is a sex where one is asked"),
        (asked(["f"], content="attribute", semantic="query"), ("f",), False, "and nowhere else"),
        (asked("edema", semantic="query"), ("edema",), False, "a text, as the README has it"),
    ],
)
def test_answers_are_lists_and_what_they_say(mimic, beside, record, answers, closed, why):
    question = the_question(mimic, vqa(beside, record))
    assert (question.answers, question.closed) == (answers, closed), why
    assert question.options == (("yes", "no") if closed else ())


def test_a_question_keeps_what_it_is_about(mimic, beside):
    question = the_question(mimic, vqa(beside, asked(["yes"])))
    assert question.text == "Is there an effusion?"
    assert question.type == "presence/verify"
    assert question.subject == "left lung, effusion"
    assert question.id == "7"


def test_test_questions_on_images_of_mimic_cxrs_train_say_so(mimic, beside):
    vqa(beside, asked(["yes"]), name="test")
    vqa(beside, asked(["yes"], place="p10/p10000898/s50000004/d4-a.jpg"), name="valid")
    found = [(one.split, one.own_split) for one in mimic_cxr_vqa.read(beside, mimic)]
    assert found == [("test", "validation"), ("train", "test")]


def test_files_without_answers_are_not_taken(mimic, beside):
    record = asked(["yes"])
    del record["answer"]
    write_json(beside / "dataset/_test.json", [record])
    write_json(beside / "dataset/train.json", [record])
    assert mimic_cxr_vqa.find(beside) is None
    with pytest.raises(DatasetError, match=r"expected dataset/train\.json of MIMIC-CXR-VQA"):
        list(mimic_cxr_vqa.read(beside, mimic))


PAIRS = ["study_id", "subject_id", "ref_id", "question_type", "question", "answer", "split"]
STUDIES = ["subject_id", "study_id", *NAMES, "dicom_id", "view", "split", "study_date", "study_order"]


def differences(folder, *rows):
    write_csv(folder / "mimic_pair_questions.csv", PAIRS, rows)
    labels = ["1.0" if name == "Edema" else "" for name in NAMES]
    known = [
        (10000032, 50000001, *labels, "d1-a", "postero-anterior", "train", "21800101", 1),
        (10000032, 50000002, *labels, "d2-a", "antero-posterior", "train", "21800102", 2),
        (10000898, 50000004, *labels, "d4-a", "postero-anterior", "train", "21800102", 11),
    ]
    write_csv(folder / "mimic_all.csv", STUDIES, known)
    return folder


ROWS = [
    (50000002, 10000032, "50000001.0", "difference", "what has changed?", "nothing has changed.", "val"),
    (50000004, 10000898, "", "presence", "is there edema?", "Yes", "train"),
    (50000002, 10000032, "50000001.0", "location", "where is the edema?", "left lung", "val"),
]


def test_questions_about_one_pair_are_one_study_with_its_reference_before_it(mimic, beside):
    reference, study, alone = mimic_diff_vqa.read(differences(beside, *ROWS), mimic)
    assert study.prior_id == reference.id
    assert reference.images == (image("10000032", "50000001", "d1-a"),)
    assert [question.type for question in study.questions] == ["difference", "location"]
    assert reference.questions == ()
    assert reference.order < study.order < alone.order  # 2 is before 11
    assert alone.prior_id == ""


def test_written_out_views_labels_and_splits_are_understood(mimic, beside):
    reference, study, alone = mimic_diff_vqa.read(differences(beside, *ROWS), mimic)
    assert (reference.views, study.views) == (("PA",), ("AP",))
    assert study.labels == {"edema": 1}
    assert (study.split, study.own_split) == ("train", "validation")
    assert (alone.split, alone.own_split) == ("test", "train")
    assert alone.questions[0].options == ("yes", "no")
    assert alone.questions[0].answer == "yes"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            (50000009, 10000032, "", "view", "?", "!", "val"),
            "asks about study 50000009; expected it in mimic_all",
        ),
        ((50000002, 10000032, "", "mood", "?", "!", "val"), "expected a question_type abnormality, .*'mood'"),
        ((50000002, 10000032, "", "view", "?", "!", "dev2"), "expected a split train, .*found 'dev2'"),
    ],
)
def test_a_row_that_is_not_as_published_is_refused(mimic, beside, row, said):
    with pytest.raises(DatasetError, match=said):
        list(mimic_diff_vqa.read(differences(beside, row), mimic))


def explained(folder, name="train", **changed):
    marks = [0] * 10
    record = {
        "sentence_ID": "s50000001#2",
        "nle": "opacity that may be\n pneumonia",
        "patient_ID": "p10000032",
        "report_ID": "s50000001",
        "diagnosis_label": [*marks[:8], 1, 0],
        "evidence_label": [*marks[:5], 1, *marks[:4]],
        "img_labels": [[1, 0, 0]] * 5 + [[0, 0, 1], [1, 0, 0], [1, 0, 0], [0, 1, 0], [1, 0, 0]],
        **changed,
    }
    record = {key: value for key, value in record.items() if value is not None}
    path = folder / f"mimic-nle/mimic-nle-{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record) + "\n")
    return folder


def test_an_explanation_has_diagnosis_evidence_and_the_images_of_its_study(mimic, beside):
    (study,) = mimic_nle.read(explained(beside), mimic)
    assert study.images == tuple(image("10000032", "50000001", dicom) for dicom in ("d1-a", "d1-b"))
    assert study.views == ("PA", "LATERAL")
    (question,) = study.questions
    assert question.answer == "opacity that may be pneumonia"
    assert (question.subject, question.context) == ("pneumonia", "lung opacity")


def test_negative_or_unknown_is_no_label(mimic, beside):
    (study,) = mimic_nle.read(explained(beside), mimic)
    assert study.labels == {"lung opacity": 1, "pneumonia": -1}


def test_dev_is_validation_and_the_split_is_that_of_mimic_cxr(mimic, beside):
    (study,) = mimic_nle.read(explained(beside, "dev"), mimic)
    assert (study.split, study.own_split) == ("train", "validation")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"nle": None}, "expected the key 'nle'.* run the extraction script"),
        ({"diagnosis_label": [1]}, "expected a list of 10 numbers"),
        ({"img_labels": [[1, 1, 0]] * 10}, "expected one 1 and two 0 under img_labels"),
    ],
)
def test_query_files_and_other_vectors_are_refused(mimic, beside, changed, said):
    with pytest.raises(DatasetError, match=said):
        list(mimic_nle.read(explained(beside, **changed), mimic))
