"""Whatever has happened to a file of a dataset, it is read, or one line names what is wrong with it."""

import json
import shutil
from pathlib import Path

import pytest

from cxreason.datasets import DATASETS, DatasetError
from cxreason.datasets.encodings import CHEXPERT
from dataset_files import write_csv, write_picture, write_text

LABELS = ",".join(CHEXPERT)
NOTHING = ("",) * len(CHEXPERT)


def rsna(folder):
    write_csv(folder / "stage_2_train_labels.csv", "patientId,x,y,width,height,Target", ("p1", 1, 2, 3, 4, 1))
    write_csv(folder / "stage_2_detailed_class_info.csv", "patientId,class", ("p1", "Lung Opacity"))


def covidx(folder):
    write_text(folder / "train.txt", "p1 1.png positive cohen\n")
    write_text(folder / "test.txt", "p2 2.png negative rsna\n")


def brax(folder):
    header = f"DicomPath,PngPath,PatientID,PatientSex,PatientAge,AccessionNumber,StudyDate,{LABELS},"
    header += "ViewPosition,Rows,Columns"
    place = "id_1/Study_1/Series_1/image-1"
    row = (f"{place}.dcm", f"{place}.png", "id_1", "F", 60, 7, 20200101, *NOTHING, "PA", 9, 9)
    write_csv(folder / "master_spreadsheet_update.csv", header, row)


def padchest(folder):
    header = (
        "ImageID,ImageDir,StudyDate_DICOM,StudyID,PatientID,PatientBirth,PatientSex_DICOM,ViewPosition_DICOM,"
    )
    row = ("1.png", 0, 20140915, 7, 8, 1930, "F", "nan", "PA", "sin hallazg .", "['normal']")
    write_csv(
        folder / "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv.gz",
        f"{header}Projection,Report,Labels",
        row,
    )


def nlm_tb(folder):
    write_picture(folder / "MontgomerySet" / "CXR_png" / "MCUCXR_0001_0.png")
    write_text(
        folder / "MontgomerySet" / "ClinicalReadings" / "MCUCXR_0001_0.txt", "Patient's Sex: F\nnormal"
    )


def roco(folder):
    for part in ("train", "validation", "test"):
        write_text(folder / "data" / part / "radiology" / "captions.txt", "ROCO_00001\t Chest X-ray.\n")
        write_picture(folder / "data" / part / "radiology" / "images" / "ROCO_00001.jpg")


def bimcv_covid19(folder):
    row = ("sub-S1", "ses-E1", "torax normal .", "['normal']")
    path = folder / "derivatives" / "labels" / "labels_covid_posi.tsv"
    write_csv(path, "PatientID,ReportID,Report,Labels", row, delimiter="\t")
    write_picture(folder / "sub-S1" / "ses-E1" / "mod-rx" / "sub-S1_ses-E1_run-1_bp-chest_vp-ap_dx.png")


def rexgradient(folder):
    for part in ("train", "valid", "test"):
        record = {
            "PatientID": part,
            "Findings": "Clear.",
            "Impression": "Normal.",
            "ImagePath": ["../deid_png/1.png"],
        }
        write_text(folder / "metadata" / f"{part}_metadata_view_position.json", json.dumps({part: record}))


TREES = {
    "rsna": rsna,
    "covidx": covidx,
    "brax": brax,
    "padchest": padchest,
    "nlm-tb": nlm_tb,
    "roco": roco,
    "bimcv-covid19": bimcv_covid19,
    "rexgradient": rexgradient,
}
PHANTOMS = {"chexpert": "chexpert", "chexpert-plus": "chexpert", "chestx-ray14": "nih", "open-i": "open-i"}


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def halved(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def garbled(path: Path) -> None:
    path.write_bytes(bytes(range(255, 0, -1)) * 3)


def in_other_letters(path: Path) -> None:
    path.rename(path.with_name(path.name.swapcase()))


def gone(path: Path) -> None:
    path.unlink()


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.fixture(scope="module")
def tree_of(phantom_tree, tmp_path_factory):
    """Dataset -> a folder that holds it, with few of its images."""
    made = {}

    def tree(name):
        if name not in made:
            made[name] = tmp_path_factory.mktemp("whole") / name
            if name in TREES:
                TREES[name](made[name])
            else:
                left_out = shutil.ignore_patterns("*.png", "*.jpg", "1?.xml", "2?.xml", "3?.xml")
                shutil.copytree(phantom_tree(PHANTOMS[name]), made[name], ignore=left_out)
            assert list(DATASETS[name].read(made[name]))
        return made[name]

    return tree


@pytest.mark.parametrize("damage", [emptied, halved, garbled, in_other_letters, gone, a_folder])
@pytest.mark.parametrize("name", [*TREES, *PHANTOMS])
def test_a_damaged_file_is_read_or_named_in_one_line(tree_of, tmp_path, name, damage):
    whole = tree_of(name)
    files = [
        path.relative_to(whole)
        for path in whole.rglob("*")
        if path.suffix not in (".png", ".jpg") and path.is_file()
    ]
    assert files
    for number, file in enumerate(files):
        copy = shutil.copytree(whole, tmp_path / str(number))
        damage(copy / file)
        error = answer(name, copy)
        if error is not None:
            assert "\n" not in str(error)
            assert str(copy) in str(error)
            assert any(word in str(error) for word in ("expected", "cannot be", "is not"))


def answer(name: str, folder: Path) -> DatasetError | None:
    """What reading a folder ends with; anything but a DatasetError fails the test."""
    try:
        list(DATASETS[name].read(folder))
    except DatasetError as error:
        return error
    return None
