"""VQA-Med 2019 in its official layout, with each of its traps."""

import pytest

from cxreason.datasets import DatasetError, vqa_med_2019
from dataset_files import write_picture, write_text

XR, LUNG = "xr - plain film", "lung, mediastinum, pleura"
TEST = "VQAMed2019Test/VQAMed2019_Test_Questions_w_Ref_Answers.txt"
ORGAN = "ImageClef-2019-VQA-Med-Training/QAPairsByCategory/C3_Organ_train.txt"


def category(root, part, name, *lines):
    folder = {"train": "Training", "val": "Validation"}[part]
    write_text(
        root / f"ImageClef-2019-VQA-Med-{folder}" / "QAPairsByCategory" / f"{name}_{part}.txt", "".join(lines)
    )


def write_tree(root):
    for part, chest, other in (("train", "synpic1", "synpic2"), ("val", "synpic3", "synpic4")):
        category(
            root, part, "C1_Modality",
            f"{chest}|what modality is shown?|{XR}\r\n",
            f"{other}|what modality is shown?|ct - noncontrast\n",
        )  # fmt: skip
        category(
            root, part, "C2_Plane", f"{chest}|which plane is shown?|pa\n", f"{other}|which plane?|axial\n"
        )
        category(root, part, "C3_Organ", f"{chest}|which organ?|{LUNG}\n", f"{other}|which organ?|{LUNG}\n")
        category(root, part, "C4_Abnormality", f"{chest}|is this image normal?|yes\n")
    for name in (
        "Training/Train_images/synpic1",
        "Training/Train_images/synpic2",
        "Validation/Val_images/synpic3",
    ):
        write_picture(root / f"ImageClef-2019-VQA-Med-{name}.jpg")
    write_text(
        root / TEST,
        "synpic5|abnormality|what is abnormal in the chest x-ray?|"
        "acute (bacterial) pneumonia#lung infection\n"
        f"synpic6|modality|what modality is shown?|{XR}\n",
    )
    write_picture(root / "VQAMed2019Test" / "VQAMed2019_Test_Images" / "synpic5.jpg")
    return root


@pytest.fixture
def tree(tmp_path):
    return write_tree(tmp_path)


def test_chest_x_rays_are_known_by_modality_and_organ(tree):
    assert vqa_med_2019.find(tree) == tree
    studies = list(vqa_med_2019.read(tree))
    assert [(study.patient_id, study.split) for study in studies] == [
        ("synpic1", "train"),
        ("synpic3", "validation"),
        ("synpic5", "test"),
    ]
    assert studies[0].images == ("ImageClef-2019-VQA-Med-Training/Train_images/synpic1.jpg",)
    assert [one.type for one in studies[0].questions] == ["modality", "plane", "organ", "abnormality"]
    assert [one.answer for one in studies[0].questions] == [XR, "pa", LUNG, "yes"]
    assert [one.closed for one in studies[0].questions] == [False, False, False, True]
    assert studies[0].questions[3].options == ("yes", "no")


def test_reference_answers_of_the_test_set_have_several_wordings(tree):
    (asked,) = list(vqa_med_2019.read(tree))[-1].questions
    assert asked.answers == ("acute bacterial pneumonia",)
    assert asked.also == ("acute pneumonia", "lung infection")
    assert (asked.type, asked.kind) == ("abnormality", "text")


def test_images_of_medpix_share_a_key_with_vqa_rad(tree):
    assert next(vqa_med_2019.read(tree)).groups == ("medpix/synpic1",)


def test_a_release_without_the_test_set_is_read(tree):
    (tree / TEST).unlink()
    assert [study.split for study in vqa_med_2019.read(tree)] == ["train", "validation"]


def test_a_line_with_another_number_of_fields_is_named(tree):
    write_text(tree / TEST, "synpic5|what is abnormal in the chest x-ray?|pneumonia\n")
    with pytest.raises(
        DatasetError, match=r"expected 4 fields parted by \|; found 'synpic5\|what is abnormal"
    ):
        list(vqa_med_2019.read(tree))
    write_text(tree / ORGAN, "synpic1|organ|which organ?|lung\n")
    with pytest.raises(DatasetError, match=r"C3_Organ_train\.txt: expected 3 fields"):
        list(vqa_med_2019.read(tree))


def test_what_is_missing_is_named(tree):
    (tree / ORGAN).unlink()
    with pytest.raises(DatasetError, match=r"expected QAPairsByCategory/C3_Organ_train\.txt"):
        list(vqa_med_2019.read(tree))
