"""VQA-RAD in both of its layouts, with each of its traps, and the real questions where somebody has them."""

from collections import Counter

import pytest

from cxreason.datasets import DatasetError, vqa_rad
from dataset_files import write_json, write_picture

CASE = "https://medpix.nlm.nih.gov/case?id="


def record(qid, image="synpic1.jpg", question="Is the heart enlarged?", answer="No", kind="CLOSED", **more):
    return {
        "qid": qid, "phrase_type": "freeform", "qid_linked_id": "a", "image_case_url": f"{CASE}c1",
        "image_name": image, "image_organ": "CHEST", "evaluation": "evaluated", "question": question,
        "question_rephrase": "NULL", "question_relation": "NULL", "question_frame": "NULL",
        "question_type": "PRES, ABN", "answer": answer, "answer_type": kind, **more,
    }  # fmt: skip


PUBLIC = [
    record("0"),
    record(1, answer="Yes ", kind="CLOSED "),
    record(2, question="How many ribs?", answer=12, kind="OPEN", question_type="COUNT"),
    record(3, question="What is seen?", answer="None", kind="OPEN", phrase_type="test_freeform"),
    record(4, image="synpic2.jpg", question="Left or right?", answer="Left", image_case_url=f"{CASE}c2"),
    {k: v for k, v in record(5, image="synpic2.jpg").items() if k != "question_rephrase"},
    record(6, image="synpic3.jpg", image_organ="HEAD"),
    record(7, image="synpic4.jpg", question="What modality is this?", answer="CT", question_type="MODALITY"),
    record(8, image="synpic4.jpg"),
    record(9, image="synpic5.jpg", question="Is this a CT?", question_type="MODALITY"),
]


def write_tree(root):
    write_json(root / "VQA_RAD Dataset Public.json", PUBLIC)
    for number in range(1, 6):
        write_picture(root / "VQA_RAD Image Folder" / f"synpic{number}.jpg")
    return root


@pytest.fixture
def tree(tmp_path):
    return write_tree(tmp_path)


def test_chest_images_are_studies_with_their_questions(tree):
    assert vqa_rad.find(tree) == tree
    studies = {study.patient_id: study for study in vqa_rad.read(tree)}
    assert {name: [one.id for one in study.questions] for name, study in studies.items()} == {
        "synpic1": ["0", "1", "2", "3"],
        "synpic2": ["4", "5"],
        "synpic5": ["9"],
    }
    assert studies["synpic1"].images == ("VQA_RAD Image Folder/synpic1.jpg",)
    assert studies["synpic1"].groups == ("medpix/synpic1", "medpix/case/c1")


def test_answers_are_texts_and_closed_ones_have_no_blank_behind(tree):
    first = next(vqa_rad.read(tree))
    assert [one.answers for one in first.questions] == [("no",), ("yes",), ("12",), ("None",)]
    assert [one.closed for one in first.questions] == [True, True, False, False]
    assert [one.kind for one in first.questions] == ["choice", "choice", "text", "text"]
    assert first.questions[0].type == "PRES, ABN"


def test_a_closed_answer_that_is_not_yes_or_no_has_no_options(tree):
    second = list(vqa_rad.read(tree))[1].questions[0]
    assert (second.closed, second.kind, second.answer, second.options) == (True, "text", "Left", ())


def test_an_image_with_a_test_question_is_a_test_study_and_questions_keep_their_split(tree):
    studies = list(vqa_rad.read(tree))
    assert [study.split for study in studies] == ["test", "train", "train"]
    assert [one.split for one in studies[0].questions] == ["train", "train", "train", "test"]


def test_the_files_of_mevf_are_read_by_their_names(tmp_path):
    kept = ("qid", "image_name", "image_organ", "answer", "answer_type", "question_type", "question")
    old = [{key: one[key] for key in kept} | {"phrase_type": "freeform"} for one in PUBLIC[:5]]
    write_json(tmp_path / "data_RAD" / "trainset.json", [*old, old[2] | {"phrase_type": "frame"}])
    write_json(tmp_path / "data_RAD" / "testset.json", [old[0]])
    write_picture(tmp_path / "data_RAD" / "images" / "synpic1.jpg")
    assert vqa_rad.find(tmp_path) == tmp_path / "data_RAD"
    studies = list(vqa_rad.read(tmp_path))
    assert [(study.split, len(study.questions)) for study in studies] == [("test", 6), ("train", 1)]
    assert studies[0].images == ("data_RAD/images/synpic1.jpg",)
    assert studies[0].groups == ("medpix/synpic1",)


@pytest.mark.parametrize(
    ("question", "answer", "other"),
    [
        ("What modality is this?", "CT with contrast", True),
        ("What kind of scan is this?", "MRI", True),
        ("Is this an MRI?", "yes", True),
        ("Is this an MRI?", "no", False),
        ("What type of imaging does this not represent?", "ultrasound", False),
        ("What modality is this?", "chest x-ray", False),
    ],
)
def test_images_that_are_no_radiographs_are_known_by_their_own_questions(question, answer, other):
    asked = [{"question": question, "answer": answer, "question_type": "MODALITY"}]
    assert vqa_rad.says_another_kind(asked) is other


def test_an_answer_that_recommends_a_ct_says_nothing_of_the_image():
    asked = [{"question": "What might reveal the diagnosis?", "answer": "Head CT", "question_type": "OTHER"}]
    assert not vqa_rad.says_another_kind(asked)


def test_what_is_missing_is_named(tree):
    write_json(tree / "VQA_RAD Dataset Public.json", [{k: v for k, v in PUBLIC[0].items() if k != "answer"}])
    with pytest.raises(DatasetError, match="expected a key 'answer'; found qid, phrase_type"):
        list(vqa_rad.read(tree))


def test_a_file_that_was_cut_short_is_named(tree):
    path = tree / "VQA_RAD Dataset Public.json"
    path.write_text(path.read_text()[:-30])
    with pytest.raises(DatasetError, match=r"Public\.json: "):
        list(vqa_rad.read(tree))


def test_the_real_questions_give_the_published_counts(shared_data, tmp_path):
    real = shared_data / "vqa_rad" / "vqa_rad_dataset_public.json"
    if not real.exists():
        pytest.skip(f"no {real}")
    everything = list(vqa_rad.records(real.parent))
    assert len(everything) == 2_248
    assert Counter(split for split, _ in everything) == {"train": 1_797, "test": 451}
    images = {
        split: {one["image_name"] for which, one in everything if which == split}
        for split in ("train", "test")
    }
    assert len(images["train"] | images["test"]) == 314
    assert (len(images["test"]), len(images["test"] & images["train"])) == (203, 202)
    asked = [vqa_rad.question(one, split) for split, one in everything]
    assert sum(one.closed for one in asked) == 1_297 + 2
    assert sum(type(one["answer"]) is int for _, one in everything) == 5
    assert sum("question_rephrase" not in one for _, one in everything) == 2
    assert all(one.answer for one in asked)
    assert len({one.id for one in asked}) == 2_248

    (tmp_path / "vqa_rad_dataset_public.json").symlink_to(real)
    (tmp_path / "images").mkdir()
    for name in images["train"] | images["test"]:
        (tmp_path / "images" / name).touch()
    studies = list(vqa_rad.read(tmp_path))
    chest = [one for study in studies for one in study.questions]
    assert (len(studies), len(chest)) == (107, 794)
    assert sum(one.closed and one.kind == "choice" for one in chest) == 477
    assert sum(one.split == "test" for one in chest) == 174
    assert all(
        study.split == "test" for study in studies if any(one.split == "test" for one in study.questions)
    )
