"""PMC-VQA in both of its versions, with each of their traps."""

import pytest

from cxreason.datasets import DatasetError, object_cxr, pmc_vqa
from dataset_files import write_csv, write_picture

V1 = "Figure_path,Question,Answer,Choice A,Choice B,Choice C,Choice D,Answer_label"
V2 = "index,Figure_path,Caption,Question,Choice A,Choice B,Choice C,Choice D,Answer,split"
CHOICES = (" A:Pneumonia", " B:Edema ", " C: Pneumothorax", "D:Cardiomegaly")
CHEST = "PA chest radiograph on admission."


def row(number, caption=CHEST, question="What is seen?", answer="B", choices=CHOICES, figure="PMC10_F1.jpg"):
    return (number, figure, caption, question, *choices, answer, "train")


def write_tree(root):
    """v2, with v1 beside it."""
    train = (
        row(1),
        row(
            2,
            question="What is the uptake pattern in the breast?",
            caption="Mammogram.",
            figure="PMC11_F1.jpg",
        ),
        row(3, question="What did the CT show?"),
        row(4, caption="Chest X-ray and HRCT of the lungs.", figure="PMC12_F1.jpg"),
        row(5, answer="C"),
        row(6, answer="E"),
        row(7, answer="Edema", figure="PMC12_F2.jpg", caption="CXR."),
    )
    write_csv(root / "train_2.csv", V2, *train)
    write_csv(root / "test_2.csv", V2, row(8, figure="PMC13_F1.jpg", caption="X-ray of the chest"))
    write_csv(root / "train.csv", V1)
    for figure in ("PMC10_F1", "PMC12_F2", "PMC13_F1"):
        write_picture(root / "figures" / f"{figure}.jpg")
    return root


@pytest.fixture
def tree(tmp_path):
    return write_tree(tmp_path)


@pytest.fixture
def old(tmp_path):
    """v1 alone, as an old dump spells it."""
    write_csv(
        tmp_path / "train.csv",
        V1.replace("Answer", "Anwser"),
        ("PMC10_F1.jpg", "What does the chest x-ray show?", "Edema", *CHOICES, "B"),
        ("PMC11_F1.jpg", "What does the scan show?", "Edema", *CHOICES, "B"),
    )
    write_csv(tmp_path / "test.csv", V1)
    write_csv(
        tmp_path / "test_clean.csv", V1, ("PMC13_F1.jpg", "What does the CXR show?", "Edema", *CHOICES, "B")
    )
    for figure in ("PMC10_F1", "PMC13_F1"):
        write_picture(tmp_path / "images" / f"{figure}.jpg")
    return tmp_path


def test_figures_of_chest_x_rays_are_studies_and_articles_patients(tree):
    assert pmc_vqa.find(tree) == tree
    studies = list(pmc_vqa.read(tree))
    assert [(study.id, study.split, [one.id for one in study.questions]) for study in studies] == [
        ("pmc-vqa/PMC10_F1", "train", ["1", "5"]),
        ("pmc-vqa/PMC12_F2", "train", ["7"]),
        ("pmc-vqa/PMC13_F1", "test", ["8"]),
    ]
    assert studies[0].images == ("figures/PMC10_F1.jpg",)
    assert (studies[0].patient_id, studies[0].groups) == ("PMC10", ("pmc/PMC10",))


def test_the_answer_of_version_2_is_a_letter(tree):
    asked = next(pmc_vqa.read(tree)).questions
    assert [one.answers for one in asked] == [("Edema",), ("Pneumothorax",)]
    assert asked[0].options == ("Pneumonia", "Edema", "Pneumothorax", "Cardiomegaly")
    assert (asked[0].kind, asked[0].closed) == ("choice", True)


def test_version_1_has_the_text_and_the_letter_in_either_spelling(old):
    first, last = pmc_vqa.read(old)
    assert first.questions[0].answers == last.questions[0].answers == ("Edema",)
    assert first.images == ("images/PMC10_F1.jpg",)
    assert last.split == "test"


@pytest.mark.parametrize(
    ("caption", "question", "kept"),
    [
        ("Chest X-ray shows opacity.", "What is seen?", True),
        ("Chest Xray.", "What is seen?", True),
        ("Frontal chest radiography.", "What is seen?", True),
        ("Radiograph of the chest.", "What is seen?", True),
        ("Radiograph of the knee.", "What is seen?", False),
        ("Chest CT.", "What is seen?", False),
        ("Chest X-ray.", "Which CT finding fits?", False),
        ("Chest X-ray before magnetic resonance imaging.", "What is seen?", False),
        ("Chest X-ray with an acute infarction.", "What is the direct sign?", True),
    ],
)
def test_chest_x_rays_are_known_by_the_caption_and_ct_is_kept_out(caption, question, kept):
    assert pmc_vqa.is_chest_x_ray({"Caption": caption, "Question": question}) is kept


def test_choices_that_are_empty_or_the_same_leave_no_choice(tree):
    assert pmc_vqa.question({**dict(zip(V2.split(","), row(1), strict=True)), "Choice B": ""}) is None
    same = {f"Choice {letter}": f"{letter}:Edema" for letter in "ABCD"}
    assert pmc_vqa.question({**dict(zip(V2.split(","), row(1), strict=True)), **same}) is None


def test_what_is_missing_is_named(tree):
    (tree / "test_2.csv").unlink()
    with pytest.raises(DatasetError, match=r"expected test_2\.csv or test2\.csv"):
        list(pmc_vqa.read(tree))
    write_csv(tree / "test2.csv", V2.replace("Choice C", "Option C"), row(8))
    with pytest.raises(DatasetError, match="expected a column Choice C; found index, Figure_path"):
        list(pmc_vqa.read(tree))


def test_the_train_csv_of_another_dataset_is_not_taken_for_it(tmp_path):
    write_csv(tmp_path / "train.csv", "image_name,annotation", ("1.jpg", ""))
    assert pmc_vqa.find(tmp_path) is None
    assert object_cxr.find(tmp_path) == tmp_path
