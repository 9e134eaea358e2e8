"""ROCO on a small tree in its layout, with each of its traps."""

import pytest

from cxreason.datasets import DatasetError, roco
from dataset_files import write_csv, write_picture, write_text

CAPTIONS = {
    "train": (
        "Chest X-ray (PA view) showing a left effusion.\u00a0",
        "CT of the chest.",
        "Portable CXR, nodule\tat the apex.",
    ),
    "validation": ("Posteroanterior chest radiograph.",),
    "test": ("Plain radiograph of the thorax.", "Knee radiograph."),
}


@pytest.fixture
def tree(tmp_path):
    number = 0
    for part, captions in CAPTIONS.items():
        home, lines = tmp_path / "data" / part / "radiology", []
        for caption in captions:
            number += 1
            lines.append(f"ROCO_{number:05d}\t {caption}\n")
            write_picture(home / "images" / f"ROCO_{number:05d}.jpg")
        write_text(home / "captions.txt", "".join(lines))
        write_text(home / "keywords.txt", f"ROCO_{number:05d}\t\tchest\tray\n")
        write_text(home.parent / "non-radiology" / "captions.txt", "ROCO_90000\t A chest X-ray of no kind.\n")
    return tmp_path


def test_chest_xrays_are_told_by_their_captions_and_keep_their_splits(tree):
    studies = list(roco.read(tree))
    assert [(study.id, study.split) for study in studies] == [
        ("roco/ROCO_00001", "train"),
        ("roco/ROCO_00003", "train"),
        ("roco/ROCO_00004", "validation"),
        ("roco/ROCO_00005", "test"),
    ]
    assert studies[0].narrative == "Chest X-ray (PA view) showing a left effusion."
    assert studies[1].narrative == "Portable CXR, nodule at the apex."
    assert all((tree / study.images[0]).is_file() for study in studies)


def test_figures_of_one_article_share_a_key(tree):
    home = tree / "data" / "train" / "radiology"
    write_csv(
        home / "licences.txt",
        "ROCO_ID,PMC_ID,CC",
        ("ROCO_00001", "PMC1", "CC BY"),
        ("ROCO_00002", "PMC1", ""),
    )
    assert [study.groups for study in roco.read(tree)] == [("pmc/PMC1",), (), (), ()]


def test_figures_whose_image_was_not_to_be_had_are_left_out(tree):
    (tree / "data" / "train" / "radiology" / "images" / "ROCO_00001.jpg").unlink()
    assert next(roco.read(tree / "data")).images == ("train/radiology/images/ROCO_00003.jpg",)


@pytest.mark.parametrize(
    ("caption", "told"),
    [
        ("Chest X-ray showing cardiomegaly.", True),
        ("Chest x ray PA view", True),
        ("Chest roentgenogram on admission", True),
        ("Anteroposterior X-ray of the chest", True),
        ("Frontal chest plain film", True),
        ("Thoracic radiography with bilateral infiltrates", True),
        ("CXR after drainage", True),
        ("Radiograph of the patient's right lung", True),
        ("X-ray of the left hand", False),
        ("Chest CT scan", False),
        ("Axial computed tomography of the chest", False),
        ("A: chest X-ray. B: chest CT", False),
        ("MRI of the thoracic spine; radiograph of the chest", False),
        ("Chest wall ultrasound", False),
        ("Barium swallow, chest radiograph", False),
        ("Panoramic radiograph before treatment of the teeth", False),
        ("", False),
    ],
)
def test_the_pattern_of_chest_xrays(caption, told):
    assert roco.chest_xray(caption) is told


def test_a_caption_of_several_lines_is_one(tree):
    captions = tree / "data" / "train" / "radiology" / "captions.txt"
    captions.write_text("ROCO_00003\t Chest X-ray\r\nof an\told\nman.\n")
    with captions.open("ab") as file:
        file.write(b"ROCO_00001\t CXR of his \x92aunt\x92.\n")
    first, second = list(roco.read(tree))[:2]
    assert first.narrative == "Chest X-ray of an old man."
    assert second.narrative == "CXR of his \u2019aunt\u2019."


def test_what_is_not_as_published_is_named(tree):
    captions = tree / "data" / "test" / "radiology" / "captions.txt"
    whole = captions.read_text()
    captions.write_text(whole.replace("\t", " "))
    with pytest.raises(
        DatasetError, match="expected a number, a tab and a caption; found 'ROCO_00005  Plain"
    ):
        list(roco.read(tree))
    captions.write_text("a caption without its figure\n")
    with pytest.raises(DatasetError, match="expected a number, a tab and a caption; found 'a caption"):
        list(roco.read(tree))
    captions.unlink()
    with pytest.raises(
        DatasetError, match=r"expected test/radiology/captions.txt; found images/, keywords.txt"
    ):
        list(roco.read(tree))
    captions.write_text(whole)
    images = tree / "data" / "train" / "radiology" / "images"
    images.rename(images.with_name("pictures"))
    with pytest.raises(
        DatasetError, match=r"expected images/; found captions.txt, keywords.txt, pictures/. Run its fetch"
    ):
        list(roco.read(tree))
