"""CheXpert Plus as phantoms write it, and with each of its traps."""

import csv
import json
import shutil

import pytest

from cxreason.datasets import DatasetError, chexpert, chexpert_plus
from cxreason.datasets.encodings import CHEXPERT
from cxreason.phantom.layouts.chexpert import PLUS, TABLES
from cxreason.phantom.visit import DEEP
from dataset_files import rename_column, write_csv, write_text
from phantoms_once import phantom

TABLE = f"{PLUS}/df_chexpert_plus_240401.csv"
HEADER = TABLES[TABLE]


@pytest.fixture(scope="module")
def known(phantom_tree):
    return {study.id: study for study in chexpert_plus.read(phantom_tree("chexpert"))}


def row(place, order, **values):
    patient = place.split("/")[1]
    side = "Lateral" if "lateral" in place else "Frontal"
    own = {
        "path_to_image": place,
        "frontal_lateral": side,
        "ap_pa": "" if side == "Lateral" else "AP",
        "deid_patient_id": patient,
        "patient_report_date_order": order,
        "section_impression": f"Report {order}.",
        "split": "train",
    }
    return tuple((own | values).get(name, "") for name in HEADER.split(","))


def read(tmp_path, *rows):
    write_csv(tmp_path / TABLE, HEADER, *rows)
    return {study.id: study for study in chexpert_plus.read(tmp_path)}


def test_every_image_is_there_under_its_png_name(phantom_tree, known):
    tree = phantom_tree("chexpert")
    with (tree / TABLE).open(newline="") as file:
        assert sum(len(study.images) for study in known.values()) == len(list(csv.DictReader(file)))
    images = [image for study in known.values() for image in study.images]
    assert all(image.endswith(".png") and (tree / image).is_file() for image in images)


def test_reports_are_those_that_were_written_on_one_line_for_each_section(known):
    drawn = [phantom(3, index, DEEP).study for index in range(32)]
    for name in ("findings", "impression", "indication"):
        written = sorted(" ".join(getattr(one, name).split()) for one in drawn)
        assert sorted(getattr(study, name) for study in known.values()) == written


def test_priors_are_the_phantoms_priors(known):
    drawn = [phantom(3, index, DEEP).study for index in range(32)]
    prior = [study for study in known.values() if study.prior_id]
    assert len(prior) == sum(bool(one.prior_id) for one in drawn) > 0
    assert all(known[study.prior_id].patient_id == study.patient_id for study in prior)
    assert all(known[study.prior_id].order < study.order for study in prior)


def test_labels_of_chexbert_are_those_of_the_table_of_chexpert(phantom_tree, known):
    mined = {study.id: study for study in chexpert.read(phantom_tree("chexpert")) if study.split == "train"}
    for name, study in mined.items():
        assert known[name.replace("chexpert/", "chexpert-plus/")].labels == study.labels
    assert {study.groups for study in known.values()} == {
        (f"chexpert/{study.patient_id}",) for study in known.values()
    }


def test_studies_follow_each_other_by_date_order_and_not_by_number(tmp_path):
    found = read(
        tmp_path,
        row("train/patient00001/study2/view1_frontal.jpg", "1.0"),
        row("train/patient00001/study10/view1_frontal.jpg", "2.0"),
        row("train/patient00001/study1/view1_frontal.jpg", "10.0"),
    )
    name = "chexpert-plus/patient00001/study"
    assert [found[f"{name}{number}"].prior_id for number in (2, 10, 1)] == ["", f"{name}2", f"{name}10"]


def test_line_ends_in_sections_become_blanks_and_none_is_no_text(tmp_path):
    (study,) = read(
        tmp_path,
        row(
            "valid/patient00001/study1/view1_frontal.jpg",
            "1",
            section_findings="Small\n effusion.\r\n\r\nNo more.",
            section_clinical_history="None",
            section_history="Fall.",
            split="valid",
        ),
    ).values()
    assert study.findings == "Small effusion. No more."
    assert study.indication == study.history == "Fall."
    assert study.split == "validation"


@pytest.mark.parametrize(
    ("there", "read_as"),
    [
        ("train/patient00001/study1/view1_frontal.png", "train/patient00001/study1/view1_frontal.png"),
        (
            "DICOM/train/patient00001/study1/view1_frontal.dcm",
            "DICOM/train/patient00001/study1/view1_frontal.dcm",
        ),
        ("train/patient00001/study1/view1_frontal.jpg", "train/patient00001/study1/view1_frontal.jpg"),
        ("", "PNG/train/patient00001/study1/view1_frontal.png"),
    ],
)
def test_images_are_taken_in_the_form_in_which_they_are_there(tmp_path, there, read_as):
    if there:
        write_text(tmp_path / PLUS / there, "an image")
    place = "train/patient00001/study1/view1_frontal.jpg"
    (study,) = read(tmp_path, row(place, "1", path_to_dcm=place.replace(".jpg", ".dcm"))).values()
    assert study.images == (f"{PLUS}/{read_as}",)


def test_without_labels_of_chexbert_the_reports_are_read_without(tmp_path):
    (study,) = read(tmp_path, row("train/patient00001/study1/view1_frontal.jpg", "1")).values()
    assert study.labels == {}


def test_labels_are_taken_from_the_whole_report_with_null_as_not_mentioned(tmp_path):
    place = "train/patient00001/study1/view1_frontal.jpg"
    labels = dict.fromkeys(CHEXPERT) | {
        "Cardiomegaly": float("nan"),
        "Edema": -1.0,
        "Fracture": 0.0,
        "Pneumonia": 1,
    }
    for part, values in (("report", labels), ("findings", dict.fromkeys(CHEXPERT, 1.0))):
        line = json.dumps({"path_to_image": place, **values})
        write_text(tmp_path / PLUS / "chexbert_labels" / f"{part}_fixed.json", f"{line}\n")
    (study,) = read(tmp_path, row(place, "1")).values()
    assert study.labels == {"edema": -1, "fracture": 0, "pneumonia": 1}


def test_what_is_not_as_published_is_named(phantom_tree, tmp_path):
    tree = shutil.copytree(phantom_tree("chexpert") / PLUS, tmp_path / "tree")
    labels = tree / "chexbert_labels" / "report_fixed.json"
    whole = labels.read_text()
    labels.write_text(whole.replace('"Edema"', '"Oedema"'))
    with pytest.raises(DatasetError, match=r"report_fixed.json: expected a key 'Edema'; found"):
        list(chexpert_plus.read(tree))
    labels.write_text(whole[:-20])
    with pytest.raises(DatasetError, match=r"report_fixed.json: line \d+ is not JSON"):
        list(chexpert_plus.read(tree))
    labels.write_text(whole)
    rename_column(tree / "df_chexpert_plus_240401.csv", "section_findings", "findings")
    with pytest.raises(DatasetError, match="expected a column section_findings; found path_to_image"):
        list(chexpert_plus.read(tree))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"split": "test"}, "expected a split train or valid; found 'test'"),
        ({}, "expected a number as patient_report"),
    ],
)
def test_a_strange_split_or_order_is_named(tmp_path, values, message):
    with pytest.raises(DatasetError, match=message):
        read(
            tmp_path, row("train/patient00001/study1/view1_frontal.jpg", "1" if values else "first", **values)
        )
