"""CheXpert as phantoms write it, with each of its traps, and its real table where that is at hand."""

import csv
import shutil
from collections import Counter

import pytest

from cxreason.datasets import DatasetError, chexpert
from cxreason.datasets.encodings import CHEXPERT
from cxreason.phantom.visit import DEEP
from cxreason.text.labels import decided
from dataset_files import rename_column, write_csv
from phantoms_once import phantom

HEADER = ",".join(chexpert.COLUMNS)
ROOT = "CheXpert-v1.0-small"


def row(path, *, view="AP", side="Frontal", sex="Female", age=68, **labels):
    return (
        f"{ROOT}/{path}",
        sex,
        age,
        side,
        view,
        *(labels.get(name.replace(" ", "_"), "") for name in CHEXPERT),
    )


def studies(tmp_path, *rows, name="train.csv"):
    write_csv(tmp_path / ROOT / name, HEADER, *rows)
    return {study.id: study for study in chexpert.read(tmp_path)}


@pytest.fixture(scope="module")
def known(phantom_tree):
    return {study.id: study for study in chexpert.read(phantom_tree("chexpert"))}


def test_every_image_of_the_tables_is_in_one_study_and_on_disk(phantom_tree, known):
    tree = phantom_tree("chexpert")
    images = [image for study in known.values() for image in study.images]
    written = []
    for part in ("train", "valid"):
        with (tree / ROOT / f"{part}.csv").open(newline="") as file:
            written += [line["Path"] for line in csv.DictReader(file)]
    assert Counter(images) == Counter(written)
    assert all((tree / image).is_file() for image in images)
    assert {study.split for study in known.values()} == {"train", "validation"}


@pytest.mark.parametrize("tables", ["CheXpert-v1.0 batch 1 (validate & csv)", "."])
def test_images_are_found_in_the_batches_of_the_whole_release(phantom_tree, known, tmp_path, tables):
    shutil.copytree(phantom_tree("chexpert") / ROOT, tmp_path / "batches" / "whole")
    whole = tmp_path / "batches" / "whole"
    homes = [tmp_path / "batches" / f"CheXpert-v1.0 batch {name}" for name in ("2 (train 1)", "3 (train 2)")]
    for home in homes:
        home.mkdir()
    validation = tmp_path / "batches" / "CheXpert-v1.0 batch 1 (validate & csv)"
    for number, patient in enumerate(sorted((whole / "train").iterdir())):
        patient.rename(homes[number % 2] / patient.name)
    (validation / "valid").mkdir(parents=True)
    for patient in (whole / "valid").iterdir():
        patient.rename(validation / "valid" / patient.name)
    for name in ("train.csv", "valid.csv"):
        (whole / name).rename(tmp_path / "batches" / tables / name)
    shutil.rmtree(whole)
    found = {study.id: study for study in chexpert.read(tmp_path / "batches")}
    assert found.keys() == known.keys()
    assert all((tmp_path / "batches" / image).is_file() for study in found.values() for image in study.images)
    assert {id: study.labels for id, study in found.items()} == {id: one.labels for id, one in known.items()}


def test_views_sexes_and_ages_are_those_that_were_drawn(known):
    drawn = [phantom(3, index, DEEP) for index in range(32)]
    assert Counter(study.views for study in known.values()) == Counter(one.study.views for one in drawn)
    ages = sorted(study.age for study in known.values() if study.age is not None)
    assert ages == sorted(one.visit.age for one in drawn)


def test_all_four_answers_of_a_labeller_are_kept(tmp_path):
    first = row("train/patient00001/study1/view1_frontal.jpg", Edema="1.0", Fracture="0.0", Pneumonia="-1.0")
    (study,) = studies(tmp_path, first).values()
    assert study.labels == {"edema": 1, "fracture": 0, "pneumonia": -1}


def test_study_numbers_with_two_digits_are_studies_of_their_own(tmp_path):
    found = studies(
        tmp_path,
        *(row(f"train/patient00001/study{number}/view1_frontal.jpg") for number in (1, 10, 91, 11)),
    )
    assert list(found) == [f"chexpert/patient00001/study{number}" for number in (1, 10, 91, 11)]


def test_images_are_shown_frontal_first_and_a_blank_view_is_lateral(tmp_path):
    place = "train/patient00001/study1"
    (study,) = studies(
        tmp_path,
        row(f"{place}/view1_frontal.jpg", view="RL"),
        row(f"{place}/view2_lateral.jpg", view="", side="Lateral"),
        row(f"{place}/view3_frontal.jpg", view="LL"),
        row(f"{place}/view4_frontal.jpg", view="AP"),
        row(f"{place}/view5_frontal.jpg", view="PA"),
    ).values()
    assert study.views == ("PA", "AP", "LATERAL", "LL", "RL")
    assert study.images[0] == f"{ROOT}/{place}/view5_frontal.jpg"
    assert study.images[2] == f"{ROOT}/{place}/view2_lateral.jpg"


def test_rows_of_a_study_that_stand_apart_come_together(tmp_path):
    found = studies(
        tmp_path,
        row("train/patient00001/study1/view1_frontal.jpg"),
        row("train/patient00002/study1/view1_frontal.jpg"),
        row("train/patient00001/study1/view2_lateral.jpg", side="Lateral", view=""),
    )
    assert [len(study.images) for study in found.values()] == [1, 2]


def test_another_prefix_a_packed_table_and_the_folder_itself_are_read_alike(tmp_path):
    write_csv(
        tmp_path / "CheXpert-v1.0" / "train.csv.gz",
        HEADER,
        row("train/patient00001/study1/view1_frontal.jpg", sex="Unknown", age=0),
    )
    (study,) = chexpert.read(tmp_path)
    assert study.images == ("CheXpert-v1.0/train/patient00001/study1/view1_frontal.jpg",)
    (same,) = chexpert.read(tmp_path / "CheXpert-v1.0")
    assert same.images == ("train/patient00001/study1/view1_frontal.jpg",)
    assert same.sex == ""


@pytest.mark.parametrize("key", ["Path", "Study"])
def test_the_test_set_is_read_with_a_row_for_each_image_or_each_study(phantom_tree, tmp_path, key):
    tree = shutil.copytree(phantom_tree("chexpert"), tmp_path / "tree")
    place = "test/patient64741/study1"
    for name in ("view1_frontal.jpg", "view2_lateral.jpg"):
        (tree / "CheXpert" / place).mkdir(parents=True, exist_ok=True)
        shutil.copy(next((tree / ROOT / "train").rglob("*.jpg")), tree / "CheXpert" / place / name)
    values = ["1" if name == "Edema" else "0" for name in CHEXPERT]
    names = (
        [f"{place}/view2_lateral.jpg", f"{place}/view1_frontal.jpg"]
        if key == "Path"
        else [f"CheXpert-v1.0/{place}"]
    )
    write_csv(
        tree / "CheXpert" / "test_labels.csv",
        ",".join((key, *CHEXPERT)),
        *((name, *values) for name in names),
    )
    (study,) = (study for study in chexpert.read(tree) if study.split == "test")
    assert study.id == "chexpert/patient64741/study1"
    assert study.views == ("", "LATERAL")
    assert all((tree / image).is_file() for image in study.images)
    assert study.labels["edema"] == 1
    assert len(study.labels) == 14


def test_a_train_table_of_another_dataset_is_not_taken_for_it(tmp_path):
    write_csv(tmp_path / "train.csv", "image_name,annotation", ("1.jpg", ""))
    assert chexpert.find(tmp_path) is None
    with pytest.raises(
        DatasetError, match=r"expected train.csv with the columns Path and Frontal/Lateral.*found train.csv"
    ):
        list(chexpert.read(tmp_path))


def test_images_of_valid_without_their_table_are_an_error(tmp_path):
    write_csv(tmp_path / ROOT / "train.csv", HEADER, row("train/patient00001/study1/view1_frontal.jpg"))
    (tmp_path / ROOT / "valid").mkdir()
    with pytest.raises(DatasetError, match=r"expected valid.csv beside valid/; found train.csv, valid/"):
        list(chexpert.read(tmp_path))


def test_a_renamed_column_and_a_strange_path_are_named(tmp_path):
    path = write_csv(tmp_path / ROOT / "train.csv", HEADER, row("train/patient00001/view1_frontal.jpg"))
    with pytest.raises(
        DatasetError, match=r"expected paths as in train/patient00001/study1/view1_frontal.jpg; found"
    ):
        list(chexpert.read(tmp_path))
    rename_column(path, "Lung Lesion", "Lesion of the lung")
    with pytest.raises(
        DatasetError, match=r"expected a column Lung Lesion; found Path, .*Lesion of the lung"
    ):
        list(chexpert.read(tmp_path))


def test_a_value_that_is_no_label_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"expected 1, 0, -1 or nothing under Edema; found '2.0'"):
        studies(tmp_path, row("train/patient00001/study1/view1_frontal.jpg", Edema="2.0"))


def test_the_real_table_gives_the_published_numbers(shared_data, tmp_path):
    """View classification 223,397 and disease classification 182,802, by the rules behind them."""
    table = shared_data / "chexpert" / "chexpert_train.csv.gz"
    if not table.is_file():
        pytest.skip(f"no {table}")
    (tmp_path / ROOT).mkdir()
    (tmp_path / ROOT / "train.csv.gz").symlink_to(table)
    views, labels, positive, patients, count = Counter(), Counter(), 0, set(), 0
    for study in chexpert.read(tmp_path):
        count += 1
        views.update(study.views)
        labels.update(study.labels.items())
        patients.add(study.patient_id)
        positive += 1 in decided(study.labels).values()
    assert (count, len(patients), views.total()) == (187_641, 64_540, 223_414)
    assert views == {"AP": 161_590, "PA": 29_420, "LATERAL": 32_387, "LL": 16, "RL": 1}
    assert views["AP"] + views["PA"] + views["LATERAL"] == 223_397
    assert positive == 182_802
    assert ("no finding", 0) not in labels
