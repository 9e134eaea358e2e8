"""MIMIC-CXR as phantoms write it, and with each of its traps."""

import csv
import gzip
import shutil
import zipfile
from itertools import pairwise

import pytest

from cxreason.datasets import DatasetError, held, mimic_cxr, read
from cxreason.phantom.visit import DEEP
from phantoms_once import phantom

JPG, TEXT = "mimic-cxr-jpg/2.1.0", "mimic-cxr/2.1.0"
METADATA, SPLIT = f"{JPG}/mimic-cxr-2.0.0-metadata.csv.gz", f"{JPG}/mimic-cxr-2.0.0-split.csv.gz"


@pytest.fixture(scope="module")
def tree(phantom_tree):
    return phantom_tree("mimic-cxr")


@pytest.fixture(scope="module")
def known(tree):
    return {study.id: study for study in mimic_cxr.read(tree)}


@pytest.fixture
def copy(tree, tmp_path):
    return shutil.copytree(tree, tmp_path / "tree")


def rows(path):
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def rewrite(path, table):
    with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, table[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)


def test_every_image_is_in_one_study_and_on_disk(tree, known):
    images = [image for study in known.values() for image in study.images]
    assert len(images) == len(set(images)) == len(rows(tree / METADATA))
    assert all((tree / image).is_file() for image in images)


def test_frontal_images_come_first_with_views_and_sizes(known):
    pairs = [study for study in known.values() if len(study.images) == 2]
    assert pairs
    assert {study.views for study in pairs} == {("PA", "LATERAL")}
    assert {study.widths + study.heights for study in pairs} == {(128, 128, 128, 128)}


def test_reports_are_read_in_sections_on_one_line_each(tree, known):
    for study in known.values():
        assert "\n" not in study.findings + study.impression + study.indication
        assert study.impression
        assert study.technique
    written = [phantom(3, index, DEEP).study for index in range(32)]
    assert sorted(" ".join(one.findings.split()) for one in written) == sorted(
        study.findings for study in known.values()
    )
    assert sorted(one.indication for one in written) == sorted(study.indication for study in known.values())


def test_history_stands_in_for_a_missing_indication():
    parts = mimic_cxr.sections_of(" HISTORY:  Cough.\n \n COMPARISON:  None.\n \n FINDINGS: \n \n Clear.\n")
    assert parts["indication"] == parts["history"] == "Cough."
    assert parts["comparison"] == "None."
    assert parts["findings"] == "Clear."


def test_a_report_without_findings_and_impression_keeps_its_last_paragraph():
    parts = mimic_cxr.sections_of(" COMPARISON:  ___.\n \n The lungs\n are clear.\n")
    assert parts["narrative"] == "The lungs are clear."
    assert parts["comparison"] == "___."


def test_the_earlier_study_of_a_patient_is_found_by_date_and_padded_time(copy):
    table = rows(copy / METADATA)
    studies = list({row["study_id"]: row for row in table}.values())[:3]
    when = {
        studies[0]["study_id"]: ("21500101", "101500.0"),
        studies[1]["study_id"]: ("21500101", "91500.5"),  # a quarter past nine, not nine hours later
        studies[2]["study_id"]: ("21491231", "235900.0"),
    }
    for row in table:
        if row["study_id"] in when:
            row["StudyDate"], row["StudyTime"] = when[row["study_id"]]
            old, row["subject_id"] = row["subject_id"], "10000000"
            if old != "10000000":
                source = copy / TEXT / "mimic-cxr-reports" / mimic_cxr.study_folder(old, row["study_id"])
                target = (
                    copy / TEXT / "mimic-cxr-reports" / mimic_cxr.study_folder("10000000", row["study_id"])
                )
                if source.with_suffix(".txt").exists():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    source.with_suffix(".txt").rename(target.with_suffix(".txt"))
    rewrite(copy / METADATA, table[::-1])
    mine = [study for study in mimic_cxr.read(copy) if study.patient_id == "p10000000"]
    expected = [studies[2], studies[1], studies[0]]
    assert [study.id for study in mine] == [mimic_cxr.study_id(row["study_id"]) for row in expected]
    assert [study.prior_id for study in mine] == ["", mine[0].id, mine[1].id]
    assert all(first.order < second.order for first, second in pairwise(mine))


def test_the_first_study_of_a_patient_has_no_prior_and_priors_are_of_the_same_patient(known):
    priors = [study for study in known.values() if study.prior_id]
    assert priors
    assert all(known[study.prior_id].patient_id == study.patient_id for study in priors)


def test_the_split_called_validate_is_validation(tree, known):
    named = {row["subject_id"]: row["split"] for row in rows(tree / SPLIT)}
    assert "validate" in named.values()
    for study in known.values():
        assert study.split == named[study.patient_id[1:]].replace("validate", "validation")


def test_mined_labels_keep_absent_and_uncertain_and_unmentioned_apart(copy):
    path = copy / JPG / "mimic-cxr-2.0.0-chexpert.csv.gz"
    table = rows(path)
    study = next(one for one in mimic_cxr.read(copy) if one.split == "train")
    for row in table:
        if mimic_cxr.study_id(row["study_id"]) == study.id:
            row.update(dict.fromkeys(list(row)[2:], ""), Edema="-1.0", Fracture="0.0", Pneumonia="1.0")
    rewrite(path, table)
    again = next(one for one in mimic_cxr.read(copy) if one.id == study.id)
    assert again.labels == {"edema": -1, "fracture": 0, "pneumonia": 1}
    assert {f"negbio/{name}": value for name, value in study.labels.items()} == again.other_labels


def test_a_study_that_the_labeller_left_out_has_no_labels(copy):
    path = copy / JPG / "mimic-cxr-2.0.0-chexpert.csv.gz"
    table = rows(path)
    out = next(one.id for one in mimic_cxr.read(copy) if one.split == "train")
    rewrite(path, [row for row in table if mimic_cxr.study_id(row["study_id"]) != out])
    assert next(one for one in mimic_cxr.read(copy) if one.id == out).labels == {}


def test_labels_of_radiologists_win_and_airspace_opacity_is_lung_opacity(copy):
    path = copy / JPG / "mimic-cxr-2.1.0-test-set-labeled.csv"
    lines = path.read_text().splitlines()
    assert "Airspace Opacity" in lines[0]
    assert "subject_id" not in lines[0]
    names = lines[0].split(",")
    number = lines[1].split(",")[0]
    values = {"study_id": number, "Airspace Opacity": "1.0", "Edema": "0.0"}
    lines[1] = ",".join(values.get(name, "") for name in names)
    path.write_text("\n".join(lines) + "\n")
    before = {one.id: one for one in mimic_cxr.read(copy)}[mimic_cxr.study_id(number)]
    assert before.labels == {"lung opacity": 1, "edema": 0}
    assert any(name.startswith("chexpert/") for name in before.other_labels)


def test_release_2_0_0_without_labels_of_radiologists_is_read(copy, known):
    (copy / JPG / "mimic-cxr-2.1.0-test-set-labeled.csv").unlink()
    (copy / JPG).rename(copy / JPG.replace("2.1.0", "2.0.0"))
    assert {one.id for one in mimic_cxr.read(copy)} == set(known)


def test_labels_of_the_second_labeller_may_be_missing(copy, known):
    (copy / JPG / "mimic-cxr-2.0.0-negbio.csv.gz").unlink()
    again = {one.id: one for one in mimic_cxr.read(copy)}
    assert {id: one.labels for id, one in again.items()} == {id: one.labels for id, one in known.items()}
    assert not [name for one in again.values() for name in one.other_labels if name.startswith("negbio/")]


def test_reports_are_read_from_the_archive_as_it_comes(copy, known):
    reports = copy / TEXT / "mimic-cxr-reports"
    with zipfile.ZipFile(copy / TEXT / "mimic-cxr-reports.zip", "w") as archive:
        for file in sorted(reports.rglob("*.txt")):
            archive.write(file, file.relative_to(reports))
    shutil.rmtree(reports)
    assert {one.id: one.findings for one in mimic_cxr.read(copy)} == {
        one.id: one.findings for one in known.values()
    }


def test_without_jpeg_images_the_dicom_files_are_taken(copy):
    for image in sorted((copy / JPG).rglob("*.jpg")):
        target = copy / TEXT / image.relative_to(copy / JPG).with_suffix(".dcm")
        target.parent.mkdir(parents=True, exist_ok=True)
        image.rename(target)
    images = [image for study in mimic_cxr.read(copy) for image in study.images]
    assert all(image.endswith(".dcm") and (copy / image).is_file() for image in images)


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        (METADATA, "expected mimic-cxr-2.0.0-metadata.csv there or up to two folders below; found"),
        (SPLIT, "expected mimic-cxr-2.0.0-split.csv"),
        (f"{TEXT}/mimic-cxr-reports", "expected the reports of MIMIC-CXR, mimic-cxr-reports.zip or"),
    ],
)
def test_what_is_missing_is_named(copy, missing, expected):
    gone = copy / missing
    gone.rename(copy.parent / "elsewhere")
    with pytest.raises(DatasetError, match=expected):
        list(mimic_cxr.read(copy))


def test_a_column_that_is_missing_is_named_with_those_that_are_there(copy):
    table = [{name: value for name, value in row.items() if name != "split"} for row in rows(copy / SPLIT)]
    rewrite(copy / SPLIT, table)
    with pytest.raises(DatasetError, match="expected a column split; found dicom_id, study_id, subject_id"):
        list(mimic_cxr.read(copy))


def test_image_paths_start_at_the_folder_that_was_read(copy):
    (copy / TEXT / "mimic-cxr-reports").rename(copy / JPG / "mimic-cxr-reports")
    images = [image for study in mimic_cxr.read(copy / JPG) for image in study.images]
    assert all(image.startswith("files/p10/") and (copy / JPG / image).is_file() for image in images)


def test_it_is_found_in_the_folder_or_up_to_two_below_and_nowhere_else(tree, tmp_path):
    assert held(tree)["mimic-cxr"] == tree / JPG
    assert mimic_cxr.find(tree / JPG) == tree / JPG
    assert mimic_cxr.find(tmp_path) is None
    with pytest.raises(DatasetError, match="does not hold mimic-cxr"):
        read("mimic-cxr", [tmp_path])
    assert next(read("mimic-cxr", [tmp_path, tree])).dataset == "mimic-cxr"
