"""RSNA Pneumonia on a small tree in its layout, with each of its traps, and its real table where that is."""

import zipfile

import pytest

from cxreason.datasets import DatasetError, rsna
from dataset_files import rename_column, write_csv, write_json

LABELS, CLASSES = "stage_2_train_labels.csv", "stage_2_detailed_class_info.csv"
HEADER = "patientId,x,y,width,height,Target"
ROWS = (
    ("p1", "", "", "", "", 0),
    ("p2", 264.0, 152.0, 213.0, 379.0, 1),
    ("p3", "", "", "", "", 0),
    ("p2", 562.0, 152.0, 512.0, 453.0, 1),
)
KINDS = (
    ("p1", "No Lung Opacity / Not Normal"),
    ("p2", "Lung Opacity"),
    ("p3", "Normal"),
    ("p2", "Lung Opacity"),
)


@pytest.fixture
def tree(tmp_path):
    write_csv(tmp_path / LABELS, HEADER, *ROWS)
    write_csv(tmp_path / CLASSES, "patientId,class", *KINDS)
    return tmp_path


def test_a_patient_is_one_study_with_all_its_boxes(tree):
    first, third, second = rsna.read(tree)
    assert [study.patient_id for study in (first, second, third)] == ["p1", "p2", "p3"]
    assert second.images == ("stage_2_train_images/p2.dcm",)
    assert [(box.label, box.x1 * 1024, box.y1 * 1024) for box in second.boxes] == [
        ("pneumonia", 264, 152),
        ("pneumonia", 562, 152),
    ]
    assert second.boxes[0].x2 == (264 + 213) / 1024
    assert second.boxes[1].x2 == 1.0  # 562 + 512 is beyond the border
    assert first.boxes == third.boxes == ()


def test_tables_may_have_a_word_before_their_names_and_be_zipped(tree):
    known = list(rsna.read(tree))
    for name in (LABELS, CLASSES):
        with zipfile.ZipFile(tree / f"kaggle_{name}.zip", "w") as archive:
            archive.write(tree / name, name)
        (tree / name).unlink()
    assert rsna.find(tree) == tree
    assert list(rsna.read(tree)) == known


def test_labels_say_pneumonia_and_whether_the_chest_is_normal(tree):
    first, third, second = rsna.read(tree)
    assert first.labels == {"pneumonia": 0, "no finding": 0}
    assert second.labels == {"pneumonia": 1, "no finding": 0}
    assert third.labels == {"pneumonia": 0, "no finding": 1}
    assert {study.split for study in (first, second, third)} == {"train"}


def test_the_list_of_rsna_ties_images_to_their_patients_in_chestx_ray14(tree):
    place = tree / "pneumonia-challenge-dataset-mappings_2018.json"
    entries = [{"subset_img_id": f"p{number}", "img_id": f"0000001{number}_000.png"} for number in (1, 2)]
    write_json(place, [{**entry, "orig_labels": ["Edema"], "bbox": None} for entry in entries])
    assert {study.patient_id: study.groups for study in rsna.read(tree)} == {
        "p1": ("chestx-ray14/11",),
        "p2": ("chestx-ray14/12",),
        "p3": (),
    }
    write_json(place, [{"subset_img_id": "p1"}])
    with pytest.raises(DatasetError, match=r"expected entries with an image as in 00000001_000\.png; found"):
        list(rsna.read(tree))


def test_without_the_classes_the_labels_are_read_alone(tree):
    (tree / CLASSES).unlink()
    assert [study.labels for study in rsna.read(tree)] == [
        {"pneumonia": 0},
        {"pneumonia": 0},
        {"pneumonia": 1},
    ]


def test_what_is_not_as_published_is_named(tree):
    write_csv(tree / LABELS, HEADER, ("p1", "", "", "", "", 1))
    with pytest.raises(DatasetError, match="expected a box where Target is 1; found"):
        list(rsna.read(tree))
    rename_column(tree / LABELS, "Target", "Label")
    with pytest.raises(
        DatasetError, match="expected a column Target; found patientId, x, y, width, height, Label"
    ):
        list(rsna.read(tree))
    (tree / LABELS).rename(tree / "train_labels.csv")
    with pytest.raises(DatasetError, match=f"expected {LABELS} .*; found {CLASSES}, train_labels.csv"):
        list(rsna.read(tree))


def test_the_real_table_gives_its_counts(shared_data):
    if rsna.find(shared_data) is None:
        pytest.skip(f"no RSNA in {shared_data}")
    studies = list(rsna.read(shared_data))
    assert len(studies) == 26_684
    assert sum(study.labels["pneumonia"] for study in studies) == 6_012
    assert sum(len(study.boxes) for study in studies) + sum(not study.boxes for study in studies) == 30_227
    assert max(len(study.boxes) for study in studies) == 4
