"""SIIM-ACR in its official layout, with each of its traps, and the real table where somebody has it."""

import csv
import gzip

import pytest

from cxreason.datasets import DatasetError, siim_acr
from cxreason.imaging.boxes import decode_relative_rle, mask_box
from dataset_files import write_csv, write_text

HEADER = "ImageId, EncodedPixels"  # the blank is part of the second name


def column(x, top, bottom):
    """The runs of one column of pixels, from its top to its bottom, both drawn."""
    return f"{1024 * x + top} {bottom - top + 1}"


def write_tree(root):
    write_csv(
        root / "train-rle.csv",
        HEADER,
        ("1.2.10", "-1"),
        ("1.2.11", f"{column(512, 256, 511)} 768 256"),  # the same rows of the next column
        ("1.2.12", column(0, 0, 0)),
        ("1.2.10", " -1"),
        ("1.2.12", column(1023, 1023, 1023)),
    )
    for image in ("1.2.10", "1.2.11", "1.2.12"):
        write_text(root / "dicom-images-train" / f"9.{image}" / f"8.{image}" / f"{image}.dcm", "")
    return root


@pytest.fixture
def tree(tmp_path):
    return write_tree(tmp_path)


def test_an_image_is_one_study_however_many_rows_it_has(tree):
    assert siim_acr.find(tree) == tree
    studies = list(siim_acr.read(tree))
    assert [(study.patient_id, len(study.boxes), study.labels["pneumothorax"]) for study in studies] == [
        ("1.2.10", 0, 0),
        ("1.2.11", 1, 1),
        ("1.2.12", 2, 1),
    ]
    assert studies[1].images == ("dicom-images-train/9.1.2.11/8.1.2.11/1.2.11.dcm",)
    assert {(study.widths, study.heights) for study in studies} == {((1024,), (1024,))}


def test_runs_are_relative_and_go_down_the_columns(tree):
    _, two_columns, corners = siim_acr.read(tree)
    (box,) = two_columns.boxes
    assert (box.x1, box.y1, box.x2, box.y2) == (0.5, 0.25, 514 / 1024, 0.5)
    assert [(box.x1, box.y1) for box in corners.boxes] == [(0, 0), (1023 / 1024, 1023 / 1024)]
    assert corners.boxes[1].x2 == corners.boxes[1].y2 == 1


def test_every_patient_is_in_one_split(tree):
    """There is no official split: who builds samples splits by patient, and an image is a patient."""
    studies = list(siim_acr.read(tree))
    assert siim_acr.OFFICIAL_SPLITS == ()
    assert {study.split for study in studies} == {"train"}
    assert len({study.patient_id for study in studies}) == len(studies)


@pytest.mark.parametrize("name", ["train-rle.csv", "stage_2_train.csv", "siim-pneumothorax-train-rle.csv.gz"])
def test_the_table_has_several_names(tree, name):
    text = (tree / "train-rle.csv").read_text()
    (tree / "train-rle.csv").unlink()
    write_text(tree / "siim" / name, text.replace(", E", ",E"))
    (tree / "dicom-images-train").rename(tree / "siim" / "dicom-images-train")
    assert siim_acr.find(tree) == tree / "siim"
    assert next(siim_acr.read(tree)).images[0].startswith("siim/dicom-images-train/")


def test_copies_as_png_are_taken_where_there_is_no_dicom(tree):
    place = tree / "dicom-images-train"
    write_text(place / "1.2.10.png", "")
    (place / "9.1.2.11/8.1.2.11/1.2.11.dcm").rename(place / "1.2.11.png")
    first, second, _ = siim_acr.read(tree)
    assert first.images == ("dicom-images-train/9.1.2.10/8.1.2.10/1.2.10.dcm",)
    assert second.images == ("dicom-images-train/1.2.11.png",)


def test_an_image_without_a_file_has_the_path_that_it_should_have(tree):
    path = tree / "train-rle.csv"
    path.write_text(path.read_text() + "1.2.13,-1\n")
    (study,) = (one for one in siim_acr.read(tree) if one.patient_id == "1.2.13")
    assert study.images == ("dicom-images-train/1.2.13.dcm",)


@pytest.mark.parametrize("runs", ["1 2 3", "1048570 10", "x", "", "5 -1"])
def test_runs_that_are_none_are_named(tree, runs):
    path = tree / "train-rle.csv"
    path.write_text(path.read_text() + f"1.2.12,{runs}\n")
    with pytest.raises(DatasetError, match=r"train-rle\.csv: "):
        list(siim_acr.read(tree))


def test_a_renamed_column_is_named(tree):
    path = tree / "train-rle.csv"
    path.write_text(path.read_text().replace(" EncodedPixels", " Pixels"))
    assert siim_acr.find(tree) is None
    with pytest.raises(DatasetError, match="expected a column EncodedPixels; found ImageId, Pixels"):
        list(siim_acr.read(tree))


@pytest.fixture(scope="module")
def real(shared_data):
    path = shared_data / "siim" / "siim-pneumothorax-train-rle.csv.gz"
    if not path.exists():
        pytest.skip(f"no {path}")
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return path, list(csv.reader(file))[1:]


def test_the_real_table_gives_the_published_counts(real, tmp_path):
    path, rows = real
    (tmp_path / "train-rle.csv.gz").symlink_to(path)
    images = tmp_path / "dicom-images-train"
    images.mkdir()
    for image in {image for image, _ in rows}:
        (images / f"{image}.dcm").touch()
    studies = list(siim_acr.read(tmp_path))
    assert (len(rows), len(studies)) == (12_954, 12_047)
    assert sum(runs == "-1" for _, runs in rows) == 9_378
    assert sum(study.labels["pneumothorax"] for study in studies) == 2_669
    numbers = [len(study.boxes) for study in studies]
    assert (sum(numbers), sum(number > 1 for number in numbers), max(numbers)) == (3_576, 624, 10)


def test_the_real_masks_have_the_published_areas(real):
    _, rows = real
    areas = []
    for image, runs in rows:
        if runs != "-1":
            mask = decode_relative_rle(runs, 1024, 1024)
            areas.append(int(mask.sum()))
            if len(areas) == 1:
                assert image.endswith("1517875247.117800")
                x1, y1, x2, y2 = mask_box(mask)
                assert (x1 * 1024, x2 * 1024 - 1) == (544, 795)
                assert (y1 * 1024, y2 * 1024 - 1) == (125, 390)
    assert (areas[0], min(areas), max(areas), sum(areas)) == (30_859, 55, 161_421, 39_729_957)


def test_the_real_dicom_is_the_first_row_and_has_the_size_of_its_mask(real, shared_data):
    pytest.importorskip("pydicom")
    from cxreason.imaging.read import image_size

    image, runs = real[1][0]
    assert runs == "-1"
    assert image_size(shared_data / "images" / f"{image}.dcm") == (siim_acr.SIZE, siim_acr.SIZE)
