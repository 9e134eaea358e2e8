"""BRAX on a small tree in its layout, with each of its traps."""

import pytest

from cxreason.datasets import DatasetError, brax
from cxreason.datasets.encodings import CHEXPERT
from dataset_files import rename_column, write_csv, write_picture, write_text

HEADER = (
    ",".join(
        (
            "DicomPath",
            "PngPath",
            "PatientID",
            "PatientSex",
            "PatientAge",
            "AccessionNumber",
            "StudyDate",
            *CHEXPERT,
        )
    )
    + ",ViewPosition,Rows,Columns,Manufacturer"
)


def row(study="s1", image="i1", patient="id_1", **values):
    place = f"{patient}/Study_{study}/Series_1/image-{image}"
    own = {
        "DicomPath": f"Anonymized_DICOMs/{place}.dcm",
        "PngPath": f"images/{place}.png",
        "PatientID": patient,
        "PatientSex": "F",
        "PatientAge": "60",
        "AccessionNumber": "77",
        "StudyDate": "20100101",
        "ViewPosition": "PA",
        "Rows": "2000",
        "Columns": "1800",
    }
    return tuple((own | values).get(name, "") for name in HEADER.split(","))


def read(folder, *rows, header=HEADER, name="master_spreadsheet_update.csv"):
    write_csv(folder / name, header, *rows)
    return list(brax.read(folder))


def test_images_of_a_study_come_together_by_the_name_of_its_folder(tmp_path):
    first, second = read(tmp_path, row("s1", "i1", ViewPosition="L"), row("s2", "i2"), row("s1", "i3"))[::-1]
    assert first.id == "brax/id_1/s1"
    assert first.views == ("PA", "LATERAL")
    assert first.images[0] == "images/id_1/Study_s1/Series_1/image-i3.png"
    assert second.id == "brax/id_1/s2"
    assert {first.split, second.split} == {"train"}


def test_labels_are_told_by_their_names_wherever_they_stand(tmp_path):
    (study,) = read(tmp_path, row(Edema="1.0", Fracture="0", Pneumonia="-1.0"))
    moved = "Unnamed," + HEADER
    (same,) = read(tmp_path, ("0", *row(Edema="1.0", Fracture="0", Pneumonia="-1.0")), header=moved)
    assert study == same
    assert study.labels == {"edema": 1, "fracture": 0, "pneumonia": -1}


@pytest.mark.parametrize(
    ("written", "view"),
    [
        ("L", "LATERAL"),
        ("LL", "LL"),
        ("RL", "RL"),
        ("AP LLD", "AP LLD"),
        ("LLD", "LLD"),
        ("LT-DECUB", "LLD"),
        ("RLO", "RLO"),
        ("", ""),
    ],
)
def test_views_are_read_as_documented_and_as_they_came(tmp_path, written, view):
    assert read(tmp_path, row(ViewPosition=written))[0].views == (view,)


@pytest.mark.parametrize(("written", "years"), [("85 or more", 85.0), ("40", 40.0), ("", None)])
def test_ages_are_groups_of_five_years(tmp_path, written, years):
    assert read(tmp_path, row(PatientAge=written))[0].age == years


def test_strips_of_the_border_are_no_images_of_a_chest(tmp_path):
    (study,) = read(tmp_path, row("s1", "i1", Rows="100", Columns="2001"), row("s2", Rows="", Columns=""))
    assert study.id == "brax/id_1/s2"


def test_dicom_files_are_taken_where_there_are_no_png_images(tmp_path):
    write_text(tmp_path / "Anonymized_DICOMs/id_1/Study_s1/Series_1/image-i1.dcm", "a scan")
    (study,) = read(tmp_path, row(), name="master_spreadsheet.csv")
    assert study.images == ("Anonymized_DICOMs/id_1/Study_s1/Series_1/image-i1.dcm",)
    write_picture(tmp_path / "images/id_1/Study_s1/Series_1/image-i1.png")
    (study,) = brax.read(tmp_path)
    assert study.images == ("images/id_1/Study_s1/Series_1/image-i1.png",)


def test_the_updated_spreadsheet_is_preferred(tmp_path):
    read(tmp_path, row(patient="old"), name="master_spreadsheet.csv")
    assert read(tmp_path, row())[0].patient_id == "id_1"


def test_a_renamed_column_is_named(tmp_path):
    read(tmp_path, row())
    rename_column(tmp_path / "master_spreadsheet_update.csv", "Support Devices", "Devices")
    with pytest.raises(DatasetError, match="expected a column Support Devices; found DicomPath"):
        list(brax.read(tmp_path))
