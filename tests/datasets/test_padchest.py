"""PadChest on a small tree in its layout, with each of its traps; its real table where that is at hand."""

from collections import Counter

import pytest

from cxreason.datasets import DatasetError, padchest
from cxreason.imaging.read import read_image
from dataset_files import rename_column, write_csv, write_picture

TABLE = "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv"
HEADER = (
    ",ImageID,ImageDir,StudyDate_DICOM,StudyID,PatientID,PatientBirth,PatientSex_DICOM,ViewPosition_DICOM,Projection,"
    "MethodProjection,Pediatric,Modality_DICOM,ReportID,Report,MethodLabel,Labels,Localizations,"
    "LabelsLocalizationsBySentence,labelCUIS,LocalizationsCUIS"
)
PATIENT = "839860488694292331637988235681460987001"


def row(image="1.png", study="7", patient=PATIENT, folder=0, **values):
    own = {
        "ImageID": image,
        "ImageDir": folder,
        "StudyDate_DICOM": 20140915,
        "StudyID": study,
        "PatientID": patient,
        "PatientBirth": "1930.0",
        "PatientSex_DICOM": "F",
        "ViewPosition_DICOM": "POSTEROANTERIOR",
        "Projection": "PA",
        "Report": " sin hallazg patolog .",
        "Labels": "['normal']",
        # As numpy prints lists: no literal of Python, and not read.
        "labelCUIS": "['C0034069' 'C0742362']",
    }
    return tuple((own | values).get(name, "") for name in HEADER.split(","))


def read(folder, *rows, name=TABLE):
    write_csv(folder / name, HEADER, *rows)
    return list(padchest.read(folder))


def test_rows_of_a_study_come_together_with_the_frontal_image_first(tmp_path):
    first, second = read(
        tmp_path,
        row("a.png", Projection="L", folder=3),
        row("b.png", study="8", Projection="COSTAL"),
        row("c.png", folder=54),
    )
    assert (first.id, first.views) == (f"padchest/{PATIENT}/8", ("COSTAL",))
    assert (second.id, second.views) == (f"padchest/{PATIENT}/7", ("PA", "LATERAL"))
    assert second.images == ("images/54/c.png", "images/3/a.png")
    assert (second.sex, second.age, second.order) == ("F", 84.0, "20140915")


def test_ids_are_texts_and_one_study_number_of_two_patients_is_two_studies(tmp_path):
    studies = read(tmp_path, row("a.png"), row("b.png", patient=PATIENT[:-1] + "2"))
    assert [study.patient_id for study in studies] == [PATIENT, PATIENT[:-1] + "2"]


@pytest.mark.parametrize(
    ("written", "labels"),
    [
        ("['cardiomegaly', ' pneumonia']", {"cardiomegaly": 1, "pneumonia": 1}),
        ("['pulmonary edema', '', ' infiltrates', 'edema']", {"edema": 1, "infiltrate": 1}),
        ("['normal', 'unchanged']", {"no finding": 1}),
        ("['exclude', ' suboptimal study']", {}),
        ("[]", {}),
        ("nan", {}),
        ("", {}),
    ],
)
def test_labels_are_lists_as_python_writes_them(tmp_path, written, labels):
    (study,) = read(tmp_path, row(Labels=written))
    assert study.labels == labels


def test_the_report_is_spanish_text_without_sections(tmp_path):
    (study,) = read(tmp_path, row())
    assert (study.narrative, study.language) == ("sin hallazg patolog .", "es")
    assert study.findings == study.impression == ""
    (empty,) = read(tmp_path, row(Report="nan", PatientBirth="nan", PatientSex_DICOM="O"))
    assert (empty.narrative, empty.age, empty.sex) == ("", None, "")


@pytest.mark.parametrize(
    ("projection", "dicom", "view"),
    [
        ("AP_horizontal", "nan", "AP"),
        ("L", "LL", "LATERAL"),
        ("EXCLUDE", "ANTEROPOSTERIOR", "AP"),
        ("UNK", "nan", ""),
        ("", "OBLICUA", "OBLIQUE"),
    ],
)
def test_the_projection_that_was_checked_wins_over_the_header(tmp_path, projection, dicom, view):
    (study,) = read(tmp_path, row(Projection=projection, ViewPosition_DICOM=dicom))
    assert study.views == (view,)


def test_images_that_are_broken_in_the_release_are_left_out(tmp_path):
    broken = min(padchest.BROKEN)
    (study,) = read(tmp_path, row(broken, study="8"), row(broken), row("a.png"))
    assert study.images == ("images/0/a.png",)
    assert len(padchest.BROKEN) == 21


@pytest.mark.parametrize("place", ["images/17", "images", "17", ""])
def test_images_are_found_in_folders_or_in_one_and_have_16_bits(tmp_path, place):
    write_picture(tmp_path / "padchest" / place / "a.png", mode="I;16")
    read(tmp_path / "padchest", row("a.png", folder=17))
    (study,) = padchest.read(tmp_path)
    assert read_image(tmp_path / study.images[0]).shape == (6, 8)


def test_a_packed_table_is_the_same(tmp_path):
    plain = read(tmp_path / "plain", row("a.png"), row("b.png"))
    assert read(tmp_path / "packed", row("a.png"), row("b.png"), name=f"{TABLE}.gz") == plain


def test_what_is_not_as_published_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"expected a list of texts .*found 'normal'"):
        read(tmp_path, row(Labels="normal"))
    rename_column(tmp_path / TABLE, "Projection", "View")
    with pytest.raises(DatasetError, match=r"expected a column Projection; found .*View"):
        list(padchest.read(tmp_path))
    write_csv(
        tmp_path / f"{TABLE}.gz", HEADER, *(row(f"{number}.png", study=str(number)) for number in range(400))
    )
    (tmp_path / TABLE).unlink()
    packed = tmp_path / f"{TABLE}.gz"
    packed.write_bytes(packed.read_bytes()[:-200])
    with pytest.raises(DatasetError, match="cannot be read as a table"):
        list(padchest.read(tmp_path))


def test_the_real_table_gives_its_counts(shared_data):
    if padchest.find(shared_data) is None:
        pytest.skip(f"no PadChest in {shared_data}")
    views, count, images, patients, labelled, names = Counter(), 0, 0, set(), 0, set()
    for study in padchest.read(shared_data):
        count += 1
        images += len(study.images)
        patients.add(study.patient_id)
        labelled += bool(study.labels)
        names |= set(study.labels)
        views.update(study.views)
    assert images == 160_861 - 21
    assert (count, len(patients)) == (109_920, 67_619)
    assert views["PA"] == 91_713
    assert len(names) == 193 - 3
