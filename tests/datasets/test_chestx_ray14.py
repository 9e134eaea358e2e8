"""ChestX-ray14 as phantoms write it, with each of its traps, and its real tables where they are at hand."""

import shutil
from collections import Counter

import pytest

from cxreason.datasets import DatasetError, chestx_ray14
from cxreason.imaging.read import read_image
from cxreason.phantom.layouts.nih import TABLES
from dataset_files import rename_column, write_csv, write_picture, write_text

TABLE, BOXES = "Data_Entry_2017_v2020.csv", "BBox_List_2017.csv"
PERSON = ("PA", 2682, 2749, 0.143, 0.143)


@pytest.fixture(scope="module")
def known(phantom_tree):
    return {study.id: study for study in chestx_ray14.read(phantom_tree("nih"))}


def write(folder, *rows, boxes=(), tested=(), table=TABLE, header=TABLES[TABLE]):
    write_csv(folder / table, header, *rows)
    write_csv(folder / BOXES, TABLES[BOXES], *boxes)
    names = [row[0] for row in rows]
    write_text(folder / "train_val_list.txt", "\n".join(name for name in names if name not in tested) + "\n")
    write_text(folder / "test_list.txt", "\n".join(tested))
    return list(chestx_ray14.read(folder))


def test_every_image_is_found_in_the_folder_it_was_unpacked_to(phantom_tree, known):
    tree = phantom_tree("nih")
    assert len(known) == 32
    assert all((tree / study.images[0]).is_file() for study in known.values())
    assert {study.split for study in known.values()} == {"train", "test"}
    tested = (tree / "test_list.txt").read_text().split()
    assert {study.images[0].rpartition("/")[2] for study in known.values() if study.split == "test"} == set(
        tested
    )


def test_boxes_are_of_findings_that_are_judged_and_inside_the_image(known):
    boxed = [(study, box) for study in known.values() for box in study.boxes]
    assert any(study.labels[box.label] == 1 for study, box in boxed)
    for study, box in boxed:
        assert box.label in study.labels
        assert 0 <= box.x1 < box.x2 <= 1
        assert 0 <= box.y1 < box.y2 <= 1


def test_all_14_findings_are_judged(tmp_path):
    many, none = write(
        tmp_path,
        ("00000001_000.png", "Effusion|Infiltration|Pleural_Thickening", 0, 1, 57, "M", *PERSON),
        ("00000001_001.png", "No Finding", 1, 1, 58, "M", *PERSON),
    )
    assert len(many.labels) == len(none.labels) == 15
    assert [name for name, value in many.labels.items() if value] == [
        "pleural effusion", "infiltrate", "pleural thickening",
    ]  # fmt: skip
    assert [name for name, value in none.labels.items() if value] == ["no finding"]
    assert (many.patient_id, many.order, none.order) == ("1", "0000", "0001")
    assert (many.sex, many.age, many.views) == ("M", 57.0, ("PA",))


def test_boxes_are_x_y_width_height_of_1024_and_an_infiltrate_is_an_infiltration(tmp_path):
    name = "00000001_000.png"
    (study,) = write(
        tmp_path,
        (name, "Infiltration|Mass", 0, 1, 57, "M", *PERSON),
        boxes=[(name, "Infiltrate", 256, 128.0, 512, 256), (name, "Mass", 1000, 0, 100, 512, "", "", "")],
        tested=(name,),
    )
    first, second = study.boxes
    assert (first.label, first.x1, first.y1, first.x2, first.y2) == ("infiltrate", 0.25, 0.125, 0.75, 0.375)
    assert (second.label, second.x2) == ("mass", 1.0)
    assert study.split == "test"


def test_the_table_of_2017_has_an_empty_column_more_and_ages_of_its_own(tmp_path):
    rows = [
        ("00000001_000.png", "Mass", 0, 1, "058Y", "F", *PERSON, ""),
        ("00000001_001.png", "Mass", 1, 1, 411, "F", *PERSON, ""),
    ]
    for header in (TABLES[TABLE], f"{TABLES[TABLE]},"):
        old, wrong = write(tmp_path, *rows, table="Data_Entry_2017.csv", header=header)
        assert (old.age, wrong.age) == (58.0, None)


def test_a_flat_folder_and_packed_tables_are_read_as_well(tmp_path):
    row = ("00000001_000.png", "Mass", 0, 1, 57, "M", *PERSON)
    write_picture(tmp_path / "archive" / "images" / row[0], mode="RGBA")
    (plain,) = write(tmp_path / "archive", row)
    (tmp_path / "archive" / TABLE).unlink()
    write_csv(tmp_path / "archive" / f"{TABLE}.gz", TABLES[TABLE], row)
    (packed,) = chestx_ray14.read(tmp_path)
    assert packed.images == (f"archive/{plain.images[0]}",) == ("archive/images/00000001_000.png",)
    assert read_image(tmp_path / packed.images[0]).shape == (6, 8)


def test_archives_beside_the_folders_and_small_copies_are_no_hindrance(tmp_path):
    row = ("00000001_000.png", "Mass", 0, 1, 57, "M", *PERSON)
    (tmp_path / "images_001.tar.gz").touch()
    (tmp_path / "images.zip").touch()
    write_picture(tmp_path / "images-224" / "images-224" / row[0])
    (study,) = write(tmp_path, row)
    assert study.images == ("images-224/images-224/00000001_000.png",)


@pytest.mark.parametrize("name", ["train_val_list.txt", "test_list.txt", BOXES, TABLE])
def test_a_missing_file_is_named(phantom_tree, tmp_path, name):
    tree = tmp_path / "tree"
    shutil.copytree(phantom_tree("nih"), tree, ignore=shutil.ignore_patterns("*.png"))
    (tree / name).unlink()
    with pytest.raises(DatasetError, match=rf"expected .*{name.partition('.')[0]}.*; found "):
        list(chestx_ray14.read(tree))


def test_an_image_in_no_list_an_unknown_label_and_a_renamed_column_are_named(tmp_path):
    row = ("00000001_000.png", "Mass|Lump", 0, 1, 57, "M", *PERSON)
    with pytest.raises(DatasetError, match=r"found 'Mass\|Lump'"):
        write(tmp_path, row)
    (tmp_path / "train_val_list.txt").write_text("00000002_000.png\n")
    with pytest.raises(DatasetError, match=r"found 00000001_000.png in neither"):
        list(chestx_ray14.read(tmp_path))
    rename_column(tmp_path / TABLE, "Finding Labels", "Labels")
    with pytest.raises(DatasetError, match="expected a column Finding Labels; found Image Index, Labels"):
        list(chestx_ray14.read(tmp_path))


def test_a_row_cut_short_is_named_with_its_line(tmp_path):
    write(tmp_path, ("00000001_000.png", "Mass", 0, 1, 57, "M", *PERSON))
    with (tmp_path / TABLE).open("a") as file:
        file.write("00000001_001.png,Ma")
    with pytest.raises(DatasetError, match="line 3 has 2 values; expected 11"):
        list(chestx_ray14.read(tmp_path))


def test_the_real_tables_give_the_counted_numbers(shared_data, tmp_path):
    """The counts of rows, patients, views, sexes, labels and boxes of the tables of 2020."""
    tables = [shared_data / "nih" / f"{name}.gz" for name in (TABLE, BOXES)]
    if not all(table.is_file() for table in tables):
        pytest.skip(f"no {tables[0]}")
    for table in tables:
        (tmp_path / table.name).symlink_to(table)
    import pyarrow.csv

    names = pyarrow.csv.read_csv(tables[0])["Image Index"].to_pylist()
    write_text(tmp_path / "train_val_list.txt", "\n".join(names[: len(names) // 2]))
    write_text(tmp_path / "test_list.txt", "\n".join(names[len(names) // 2 :]))
    labels, views, sexes, boxes, patients, ages = Counter(), Counter(), Counter(), Counter(), set(), set()
    boxed = 0
    for study in chestx_ray14.read(tmp_path):
        labels.update(name for name, value in study.labels.items() if value)
        views.update(study.views)
        sexes[study.sex] += 1
        patients.add(study.patient_id)
        ages.add(study.age)
        boxes.update(box.label for box in study.boxes)
        boxed += bool(study.boxes)
    assert views == {"PA": 67_310, "AP": 44_810}
    assert sexes == {"M": 63_340, "F": 48_780}
    assert len(patients) == 30_805
    assert (min(ages), max(ages)) == (0, 95)
    assert labels == {
        "no finding": 60_361, "infiltrate": 19_894, "pleural effusion": 13_317, "atelectasis": 11_559,
        "nodule": 6_331, "mass": 5_782, "pneumothorax": 5_302, "consolidation": 4_667,
        "pleural thickening": 3_385, "cardiomegaly": 2_776, "emphysema": 2_516,
        "edema": 2_303, "fibrosis": 1_686,
        "pneumonia": 1_431, "hernia": 227,
    }  # fmt: skip
    assert boxes == {
        "atelectasis": 180, "pleural effusion": 153, "cardiomegaly": 146, "infiltrate": 123, "pneumonia": 120,
        "pneumothorax": 98, "mass": 85, "nodule": 79,
    }  # fmt: skip
    assert boxed == 880


def test_a_real_image_is_read_beside_its_row(shared_data, tmp_path):
    image = shared_data / "images" / "00000001_000.png"
    if not image.is_file():
        pytest.skip(f"no {image}")
    (tmp_path / "images_001" / "images").mkdir(parents=True)
    (tmp_path / "images_001" / "images" / image.name).symlink_to(image)
    (study,) = write(tmp_path, (image.name, "Cardiomegaly", 0, 1, 57, "M", *PERSON))
    assert study.images == (f"images_001/images/{image.name}",)
    assert read_image(tmp_path / study.images[0]).shape == (512, 512)
