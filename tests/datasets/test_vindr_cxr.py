"""VinDr-CXR as phantoms write it, its Kaggle variant, and each of their traps."""

import csv
import os
import shutil
from collections import Counter

import pytest

from cxreason.datasets import DatasetError, vindr_cxr
from cxreason.imaging.boxes import merged
from cxreason.imaging.read import ImageError, read_image
from dataset_files import write_csv, write_dicom

pytest.importorskip("pydicom")

KAGGLE = "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max"


@pytest.fixture(scope="module")
def tree(phantom_tree):
    return phantom_tree("vindr-cxr")


@pytest.fixture(scope="module")
def known(tree):
    return list(vindr_cxr.read(tree))


@pytest.fixture
def copy(tree, tmp_path):
    return shutil.copytree(tree, tmp_path / "tree")


@pytest.fixture
def kaggle(tmp_path):
    """A function: rows -> a Kaggle tree of one image of 200 x 100 pixels, named a."""

    def write(*rows):
        write_csv(tmp_path / "train.csv", KAGGLE, *rows)
        write_dicom(tmp_path / "train" / "a.dicom", 200, 100)
        return tmp_path

    return write


def table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_image_is_a_study_of_its_split_and_on_disk(tree, known):
    assert vindr_cxr.find(tree) == tree
    for split in ("train", "test"):
        names = {row["image_id"] for row in table(tree / f"annotations/image_labels_{split}.csv")}
        assert {study.patient_id for study in known if study.split == split} == names
    assert len({study.id for study in known}) == len(known)
    assert {read_image(tree / study.images[0]).shape for study in known} == {(128, 128)}


def test_boxes_of_every_reader_stay_apart_as_fractions_of_the_image(tree, known):
    rows = [
        row for split in ("train", "test") for row in table(tree / f"annotations/annotations_{split}.csv")
    ]
    drawn = Counter((row["image_id"], row.get("rad_id", "")) for row in rows if row["x_min"])
    assert drawn == Counter((study.patient_id, box.reader) for study in known for box in study.boxes)
    first = next(row for row in rows if row["x_min"])
    box = next(study for study in known if study.patient_id == first["image_id"]).boxes[0]
    assert (box.x1, box.y2) == pytest.approx((float(first["x_min"]) / 128, float(first["y_max"]) / 128))
    assert {study.widths for study in known if study.boxes} == {(128,)}


def test_the_test_tables_have_no_readers_and_say_other_disease(tree, known):
    assert "Other disease" in table(tree / "annotations/image_labels_test.csv")[0]
    tested = [study for study in known if study.split == "test"]
    assert tested
    assert all(len(study.labels) == 28 and "other diseases" in study.labels for study in known)
    assert {box.reader for study in tested for box in study.boxes} == {""}
    assert not any(study.other_labels for study in tested)


def test_a_finding_is_present_where_most_readers_saw_it_and_uncertain_where_one_did(tree, known):
    rows = table(tree / "annotations/image_labels_train.csv")
    values = Counter()
    for study in known:
        votes = [int(row["Cardiomegaly"]) for row in rows if row["image_id"] == study.patient_id]
        if votes:
            assert study.labels["cardiomegaly"] == (1 if sum(votes) >= 2 else -1 if sum(votes) else 0)
            assert len(study.other_labels) == 3 * 28
            values[study.labels["cardiomegaly"]] += 1
    assert {0, 1} <= set(values)


def test_short_names_are_written_out(known):
    assert {"interstitial lung disease", "enlarged pulmonary artery", "nodule or mass"} <= set(
        known[0].labels
    )
    assert not {"ild", "enlarged pa", "copd"} & set(known[0].labels)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda root: (root / "annotations/annotations_test.csv").unlink(), "annotations_test.csv"),
        (
            lambda root: [shutil.rmtree(root / split) for split in ("train", "test")],
            r"expected train/<image_id>\.dicom .*to learn their size; found none of them, and .*annotations/",
        ),
        (
            lambda root: rename(root / "annotations/annotations_train.csv", "x_min", "left"),
            "expected a column x_min; found image_id, rad_id, class_name, left, y_min",
        ),
        (
            lambda root: rename(root / "annotations/image_labels_train.csv", "Edema", "Oedema"),
            "expected a column Edema; found image_id, rad_id, Aortic enlargement",
        ),
        (
            lambda root: rename(root / "annotations/image_labels_test.csv", "Other disease", "Others"),
            r"expected a column Other diseases \(or Other disease\)",
        ),
    ],
)
def test_what_is_missing_is_named(copy, spoil, says):
    spoil(copy)
    with pytest.raises(DatasetError, match=says):
        list(vindr_cxr.read(copy))


def rename(path, old, new):
    header, rest = path.read_text().split("\n", 1)
    path.write_text(header.replace(f"{old},", f"{new},") + "\n" + rest)


def test_an_image_that_is_missing_or_damaged_is_named(copy):
    boxed = next(study for study in vindr_cxr.read(copy) if study.boxes)
    (copy / boxed.images[0]).write_bytes(b"nothing of the kind")
    with pytest.raises(ImageError, match="is not a DICOM file"):
        list(vindr_cxr.read(copy))


def test_a_box_of_no_numbers_is_named(copy):
    path = copy / "annotations/annotations_test.csv"
    path.write_text(path.read_text().rstrip().rsplit(",", 1)[0] + ",wide\n")
    with pytest.raises(DatasetError, match=r"four numbers as a box; found .*wide"):
        list(vindr_cxr.read(copy))


def test_the_kaggle_variant_is_read_from_its_one_table(kaggle):
    root = kaggle(
        ("a", "Cardiomegaly", 3, "R9", 20.0, 10.0, 120.0, 60.0),
        ("a", "ILD", 5, "R9", -4.0, 10.0, 240.0, 60.0),
        ("a", "Cardiomegaly", 3, "R2", 40.0, 10.0, 120.0, 50.0),
        ("a", "No finding", 14, "R3", "", "", "", ""),
    )
    assert vindr_cxr.find(root) == root
    (study,) = vindr_cxr.read(root)
    assert (study.images, study.split, study.widths) == (("train/a.dicom",), "train", (200,))
    first, clipped, second = study.boxes
    assert (first.label, first.reader, first.x1, first.y2) == ("cardiomegaly", "R9", 0.1, 0.6)
    assert (clipped.label, clipped.x1, clipped.x2) == ("interstitial lung disease", 0.0, 1.0)
    assert second.reader == "R2"
    assert len(study.labels) == 15
    assert study.labels["cardiomegaly"] == 1
    assert study.labels["interstitial lung disease"] == study.labels["no finding"] == -1
    assert study.labels["edema" if "edema" in study.labels else "atelectasis"] == 0
    assert study.other_labels["R3/no finding"] == 1
    assert study.other_labels["R3/cardiomegaly"] == 0


def test_images_without_a_box_are_not_opened(kaggle):
    root = kaggle(*(("a", "No finding", 14, f"R{reader}", "", "", "", "") for reader in (1, 2, 3)))
    (root / "train/a.dicom").write_bytes(b"")
    (study,) = vindr_cxr.read(root)
    assert study.labels["no finding"] == 1
    assert study.boxes == study.widths == ()


@pytest.mark.parametrize(("name", "number"), [("Cardiomegaly", 4), ("Cardiomegalie", 3)])
def test_a_class_of_the_kaggle_variant_has_its_number(kaggle, name, number):
    with pytest.raises(DatasetError, match=f"found '{name}' with '{number}'"):
        list(vindr_cxr.read(kaggle(("a", name, number, "R1", 1, 1, 2, 2))))


def test_the_train_csv_of_another_dataset_is_not_taken_for_it(tmp_path):
    write_csv(tmp_path / "train.csv", "image_name,annotation", ("a.jpg", ""))
    assert vindr_cxr.find(tmp_path) is None
    with pytest.raises(DatasetError, match="expected a column image_id; found image_name, annotation"):
        list(vindr_cxr.read(tmp_path))


def test_the_real_kaggle_table_gives_the_published_counts(shared_data, tmp_path):
    """15,000 names of one DICOM that is larger than every box; boxes are counted in pixels as published."""
    real = shared_data / "vindr" / "vinbigdata-train.csv.gz"
    if not real.exists():
        pytest.skip(f"no {real}")
    (tmp_path / "train.csv.gz").symlink_to(real)
    one = write_dicom(tmp_path / "one.dicom", 4096, 4096)
    (tmp_path / "train").mkdir()
    for image in vindr_cxr.kaggle_readings(real):
        os.link(one, tmp_path / "train" / f"{image}.dicom")
    images, readers, boxed, boxes, nothing = 0, set(), 0, 0, 0
    groups, hulls = Counter(), Counter()
    for study in vindr_cxr.read(tmp_path):
        images += 1
        seen_by = {name.partition("/")[0] for name in study.other_labels}
        assert len(seen_by) == 3
        readers |= seen_by
        boxed += bool(study.boxes)
        boxes += len(study.boxes)
        nothing += study.labels["no finding"] == 1
        for number in Counter(box.label for box in merged(study.boxes)).values():
            for most in (2, 1000):
                groups[most] += number <= most
                hulls[most] += number if number <= most else 0
        assert all(box.x1 < box.x2 < 1 and box.y1 < box.y2 < 1 for box in study.boxes)
    assert (images, len(readers), boxed, boxes, nothing) == (15_000, 17, 4_394, 36_096, 10_606)
    assert (groups[1000], hulls[1000]) == (15_365, 20_734)
    assert (groups[2], hulls[2]) == (14_442, 17_043)
