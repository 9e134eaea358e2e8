"""The phantom world as public datasets lie on disk: folders, columns, encodings and quirks."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections import Counter, defaultdict
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from cxreason.imaging.read import read_image
from cxreason.phantom.layouts import LAYOUTS, Tables, module
from cxreason.phantom.layouts.vindr_cxr import GLOBAL, LOCAL
from cxreason.phantom.run import make_phantoms
from cxreason.phantom.visit import DEEP
from cxreason.recipes import PhantomRecipe, RecipeError, validate
from cxreason.text.sections import sections
from phantoms_once import make, phantom

COUNT, SEED = 90, 3


@pytest.fixture(scope="module")
def drawn():
    return [phantom(SEED, index, DEEP) for index in range(COUNT)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A function: layout -> the folder in which it was written, once."""
    made: dict[str, Path] = {}

    def write(layout: str) -> Path:
        if layout not in made:
            if layout == "vindr-cxr":
                pytest.importorskip("pydicom")
            out = tmp_path_factory.mktemp(layout)
            given = {"out": out, "size": "small", "num_studies": COUNT, "seed": SEED, "layout": layout}
            make(validate(PhantomRecipe, given))
            made[layout] = out
        return made[layout]

    return write


def table(path: Path) -> list[dict[str, str]]:
    packed = path.read_bytes()
    text = (gzip.decompress(packed) if path.suffix == ".gz" else packed).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_nothing_half_written_is_left(folder, layout):
    assert not [file for file in folder(layout).rglob("*") if "partial" in file.name]


def test_a_layout_that_stops_leaves_no_table_that_looks_whole(tmp_path):
    with Tables(tmp_path, "nih") as tables:
        tables.add([("test_list.txt", ("00000001_000.png",))])
    assert not list(tmp_path.glob("*.txt"))
    assert not list(tmp_path.glob("*.csv"))


def test_an_unknown_layout_is_told_in_one_line(tmp_path):
    with pytest.raises(RecipeError, match="'layout' is 'padchest'"):
        validate(PhantomRecipe, {"out": tmp_path, "layout": "padchest"})
    with pytest.raises(ValueError, match="mimic-cxr, chexpert"):
        module("padchest")


def test_mimic_cxr_has_its_folders_tables_and_reports(folder, drawn):
    root = folder("mimic-cxr")
    jpg, text = root / "mimic-cxr-jpg/2.1.0", root / "mimic-cxr/2.1.0"
    metadata = table(jpg / "mimic-cxr-2.0.0-metadata.csv.gz")
    assert list(metadata[0])[:5] == [
        "dicom_id", "subject_id", "study_id", "PerformedProcedureStepDescription", "ViewPosition",
    ]  # fmt: skip
    assert Counter(row["ViewPosition"] for row in metadata) == Counter(
        view for one in drawn for view in one.study.views
    )
    for row in metadata:
        subject, study, dicom = row["subject_id"], row["study_id"], row["dicom_id"]
        assert re.fullmatch(r"1\d{7}", subject)
        assert re.fullmatch(r"5\d{7}", study)
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{8}){4}", dicom)
        image = jpg / f"files/p{subject[:2]}/p{subject}/s{study}/{dicom}.jpg"
        with Image.open(image) as opened:
            assert (opened.format, opened.mode) == ("JPEG", "L")
            assert opened.size == (int(row["Columns"]), int(row["Rows"]))
        assert (text / f"mimic-cxr-reports/files/p{subject[:2]}/p{subject}/s{study}.txt").exists()
        assert re.fullmatch(r"2[12]\d{6}", row["StudyDate"])
        assert 0 < float(row["StudyTime"]) < 240_000
    assert {row["split"] for row in table(jpg / "mimic-cxr-2.0.0-split.csv.gz")} == {
        "train",
        "validate",
        "test",
    }
    mined = table(jpg / "mimic-cxr-2.0.0-chexpert.csv.gz")
    assert list(mined[0])[2:] == sorted(list(mined[0])[2:])
    assert {value for row in mined for value in list(row.values())[2:]} == {"1.0", "0.0", "-1.0", ""}
    assert len({row["study_id"] for row in mined}) == COUNT
    judged = table(jpg / "mimic-cxr-2.1.0-test-set-labeled.csv")
    assert "subject_id" not in judged[0]
    assert "Airspace Opacity" in judged[0]
    assert "Lung Opacity" not in judged[0]
    listed = table(text / "cxr-record-list.csv.gz")
    assert {row["dicom_id"] for row in listed} == {row["dicom_id"] for row in metadata}


def test_mimic_cxr_orders_visits_by_date_and_not_by_number(folder, drawn):
    by_subject = defaultdict(dict)
    for row in table(folder("mimic-cxr") / "mimic-cxr-jpg/2.1.0/mimic-cxr-2.0.0-metadata.csv.gz"):
        by_subject[row["subject_id"]][row["study_id"]] = row["StudyDate"]
    pairs = [list(visits.values()) for visits in by_subject.values() if len(visits) == 2]
    assert pairs
    assert all(first < second for first, second in pairs)  # rows are in the order of the visits
    numbers = [[int(number) for number in visits] for visits in by_subject.values() if len(visits) == 2]
    assert any(first > second for first, second in numbers)


def test_mimic_cxr_reports_are_read_section_by_section(folder, drawn):
    reports = folder("mimic-cxr") / "mimic-cxr/2.1.0/mimic-cxr-reports"
    texts = [file.read_text() for file in sorted(reports.rglob("*.txt"))]
    assert len(texts) == COUNT
    read = Counter()
    for text in texts:
        assert max(map(len, text.splitlines())) <= 79
        parts = sections(text)
        read[" ".join(parts.get("findings", "").split()), " ".join(parts.get("impression", "").split())] += 1
    written = (
        (" ".join(one.study.findings.split()), " ".join(one.study.impression.split())) for one in drawn
    )
    assert read == Counter(written)


def test_chexpert_has_its_paths_columns_and_values(folder, drawn):
    root = folder("chexpert")
    rows = table(root / "CheXpert-v1.0-small/train.csv") + table(root / "CheXpert-v1.0-small/valid.csv")
    assert list(rows[0])[:6] == ["Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", "No Finding"]
    assert list(rows[0])[-1] == "Support Devices"
    for row in rows:
        match = re.fullmatch(
            r"CheXpert-v1\.0-small/(train|valid)/patient\d{5,}/study[12]/view\d_(frontal|lateral)\.jpg",
            row["Path"],
        )
        assert match
        assert (root / row["Path"]).exists()
        assert row["Frontal/Lateral"] == match[2].capitalize()
        assert (row["AP/PA"] == "") == (match[2] == "lateral")
        assert row["Sex"] in ("Male", "Female")
        allowed = ("1.0", "0.0") if match[1] == "valid" else ("1.0", "") if row["No Finding"] else ("",)
        assert row["No Finding"] in allowed
    valid = [row for row in rows if "/valid/" in row["Path"]]
    assert {value for row in valid for value in list(row.values())[5:]} == {"1.0", "0.0"}
    plus = table(root / "chexpert-plus/df_chexpert_plus_240401.csv")
    assert len(plus) == len(rows)
    for row in plus:
        assert row["path_to_image"].endswith(".jpg")
        assert (root / "chexpert-plus/PNG" / row["path_to_image"]).with_suffix(".png").exists()
    labelled = (root / "chexpert-plus/chexbert_labels/report_fixed.json").read_text().splitlines()
    assert json.loads(labelled[0]).keys() >= {"path_to_image", "Pleural Effusion"}


def test_vindr_cxr_has_dicom_images_three_readers_and_a_consensus(folder, drawn):
    root = folder("vindr-cxr")
    train = table(root / "annotations/annotations_train.csv")
    test = table(root / "annotations/annotations_test.csv")
    assert "rad_id" in train[0]
    assert "rad_id" not in test[0]
    labelled = table(root / "annotations/image_labels_train.csv")
    assert list(labelled[0])[2:] == [*LOCAL, *GLOBAL]
    assert len(LOCAL) == 22
    assert "Other disease" in table(root / "annotations/image_labels_test.csv")[0]
    assert set(Counter(row["image_id"] for row in labelled).values()) == {3}
    for row in train:
        empty = [row[key] == "" for key in ("x_min", "y_min", "x_max", "y_max")]
        assert all(empty) if row["class_name"] == "No finding" else not any(empty)
        assert row["class_name"] in (*LOCAL, "No finding")
    for row in test:
        if row["class_name"] != "No finding":
            x1, y1, x2, y2 = (float(row[key]) for key in ("x_min", "y_min", "x_max", "y_max"))
            assert 0 <= x1 < x2 <= 128
            assert 0 <= y1 < y2 <= 128
    names = {row["image_id"] for row in train}
    assert {file.stem for file in (root / "train").iterdir()} == names
    assert all(file.suffix == ".dicom" for file in (root / "train").iterdir())


def test_vindr_cxr_images_are_what_was_drawn_inverted_or_not(folder, drawn):
    from pydicom import dcmread

    root, kinds = folder("vindr-cxr"), Counter()
    shown = {file.stem: (read_image(file), dcmread(file)) for file in sorted(root.glob("t*/*.dicom"))[:40]}
    pictures = [one.drawn[0].pixels.astype(int) for one in drawn]
    for pixels, file in shown.values():
        kinds[file.PhotometricInterpretation] += 1
        assert file.BitsStored == 12
        assert min(np.abs(pixels - picture).max() for picture in pictures) <= 1
    assert set(kinds) == {"MONOCHROME1", "MONOCHROME2"}


def test_ms_cxr_names_phrases_and_boxes_of_mimic_cxr_images(folder, drawn):
    root = folder("ms-cxr")
    rows = table(root / "ms-cxr/MS_CXR_Local_Alignment_v1.1.0.csv")
    assert list(rows[0]) == [
        "dicom_id", "category_name", "label_text", "path", "x", "y", "w", "h",
        "image_width", "image_height", "split",
    ]  # fmt: skip
    texts = [one.study.report for one in drawn]
    for row in rows:
        assert (root / "mimic-cxr-jpg/2.1.0" / row["path"]).exists()
        assert any(row["label_text"] in text for text in texts)
        assert int(row["x"]) + int(row["w"]) <= int(row["image_width"])
        assert int(row["y"]) + int(row["h"]) <= int(row["image_height"])
    whole = json.loads((root / "ms-cxr/MS_CXR_Local_Alignment_v1.1.0.json").read_text())
    assert len(whole["annotations"]) == len(rows)
    assert len(whole["categories"]) == 8


def test_nih_has_its_odd_headers_and_lists(folder, drawn):
    root = folder("nih")
    lines = (root / "Data_Entry_2017_v2020.csv").read_text().splitlines()
    assert lines[0].endswith("View Position,OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]")
    assert all(len(line.split(",")) == 11 for line in lines)
    assert len(lines) == COUNT + 1
    images = {file.name for file in root.glob("images_0*/images/*.png")}
    assert images == {line.split(",")[0] for line in lines[1:]}
    assert all(re.fullmatch(r"\d{8}_\d{3}\.png", name) for name in images)
    lists = [set((root / name).read_text().split()) for name in ("train_val_list.txt", "test_list.txt")]
    assert lists[0] | lists[1] == images
    assert not lists[0] & lists[1]
    boxes = (root / "BBox_List_2017.csv").read_text().splitlines()
    assert boxes[0] == "Image Index,Finding Label,Bbox [x,y,w,h],,,"
    for line in boxes[1:]:
        name, _, x, y, wide, high = line.split(",")
        assert name in lists[1]
        assert float(x) + float(wide) <= 1024
        assert float(y) + float(high) <= 1024


def test_open_i_reports_have_every_section_and_name_their_images(folder, drawn):
    root = folder("open-i")
    for number, one in enumerate(drawn, 1):
        tree = ElementTree.parse(root / "ecgen-radiology" / f"{number}.xml")
        texts = {part.get("Label"): part.text or "" for part in tree.iter("AbstractText")}
        assert list(texts) == ["COMPARISON", "INDICATION", "FINDINGS", "IMPRESSION"]
        assert (texts["FINDINGS"], texts["IMPRESSION"]) == (one.study.findings, one.study.impression)
        uid = tree.find("uId")
        assert uid is not None
        assert uid.get("id") == f"CXR{number}"
        parents = [image.get("id") for image in tree.iter("parentImage")]
        assert len(parents) == len(one.study.images)
        for name in parents:
            with Image.open(root / "images" / f"{name}.png") as image:
                assert image.mode == "RGB"
        terms = [term.text for term in tree.iter("major")]
        assert (terms == ["normal"]) == (not [x for x in one.visit.findings if x.doubt != "unsaid"])
        assert "LATERAL" not in ElementTree.tostring(tree.getroot(), encoding="unicode")


@pytest.mark.parametrize("layout", ["mimic-cxr", "nih"])
def test_a_layout_is_the_same_for_any_number_of_processes(tmp_path, layout):
    for workers in (1, 2):
        given = {"out": tmp_path / str(workers), "num_studies": 40, "image_size": 48, "layout": layout}
        make_phantoms(validate(PhantomRecipe, given), workers=workers)
    first, second = (
        {
            file.relative_to(tmp_path / name): file.read_bytes()
            for file in (tmp_path / name).rglob("*")
            if file.is_file() and file.name not in ("run.json", "recipe.yaml", ".lock")
        }
        for name in "12"
    )
    assert first == second
