"""SLAKE in its official layout, with each of its traps."""

import pytest

from cxreason.datasets import DatasetError, slake
from dataset_files import write_json, write_picture


def record(qid, image=0, **more):
    one = {
        "img_id": image, "img_name": f"xmlab{image}/source.jpg", "question": "Is the lung healthy?",
        "answer": "No", "q_lang": "en",
        "location": "Lung", "modality": "X-Ray", "answer_type": "CLOSED", "base_type": "vqa",
        "content_type": "Abnormality", "triple": ["vhead", "_", "_"], "qid": qid,
    }  # fmt: skip
    return one | more


def write_tree(folder):
    root = folder / "Slake1.0"
    train = [
        record(1),
        record(2, question="Which organ is this?", answer="Lung"),
        dict(
            reversed(record(3, question="What is abnormal?", answer="Pneumonia", answer_type="OPEN").items())
        ),
        record(4, q_lang="zh", question="肺部健康吗?", answer="否"),
        record(5, image=1, modality="CT"),
        record(6, image=2, location="Abdomen"),
    ]
    write_json(root / "train.json", train)
    write_json(root / "validate.json", [record(7, image=3)])
    write_json(root / "test.json", [record(8, image=4, answer="Yes")])
    for image in (0, 3, 4):
        write_picture(root / "imgs" / f"xmlab{image}" / "source.jpg")
    return folder


@pytest.fixture
def tree(tmp_path):
    return write_tree(tmp_path)


def test_english_questions_about_chest_x_rays_are_read_in_their_splits(tree):
    assert slake.find(tree) == tree / "Slake1.0"
    studies = list(slake.read(tree))
    assert [(study.id, study.split, study.images) for study in studies] == [
        ("slake/xmlab0", "train", ("Slake1.0/imgs/xmlab0/source.jpg",)),
        ("slake/xmlab3", "validation", ("Slake1.0/imgs/xmlab3/source.jpg",)),
        ("slake/xmlab4", "test", ("Slake1.0/imgs/xmlab4/source.jpg",)),
    ]
    assert [one.id for one in studies[0].questions] == ["1", "2", "3"]


def test_closed_answers_are_not_always_yes_or_no(tree):
    asked = next(slake.read(tree)).questions
    assert [(one.closed, one.kind, one.answer) for one in asked] == [
        (True, "choice", "no"),
        (True, "text", "Lung"),
        (False, "text", "Pneumonia"),
    ]
    assert asked[0].type == "Abnormality"


def test_an_image_in_two_splits_is_in_the_later_and_its_questions_keep_their_own(tree):
    write_json(tree / "Slake1.0" / "test.json", [record(8, image=0)])
    first = next(slake.read(tree))
    assert first.split == "test"
    assert [one.split for one in first.questions] == ["train", "train", "train", "test"]


def test_what_is_missing_is_named(tree):
    root = tree / "Slake1.0"
    (root / "test.json").unlink()
    with pytest.raises(DatasetError, match=r"expected test\.json"):
        list(slake.read(tree))
    write_json(root / "test.json", [{"img_name": "xmlab4/source.jpg", "query": "?"}])
    with pytest.raises(DatasetError, match="expected a key 'question'; found img_name, query"):
        list(slake.read(tree))


def test_the_validate_json_of_another_dataset_is_not_taken_for_it(tmp_path):
    write_json(tmp_path / "validate.json", [{"context": "Clear."}])
    assert slake.find(tmp_path) is None
