"""CANDID-PTX in its official layout, with each of its traps."""

import pytest

from cxreason.datasets import DatasetError, candid_ptx
from dataset_files import write_csv, write_text

HEADER = "SOPInstanceUID,StudyInstanceUID,EncodedPixels,filename,Report"
OTHER = "anon_SOPUID,annotation_ref,mask_rle"
PIXEL = f"{1024 * 512} 1"


def write_tree(root):
    write_csv(
        root / "Pneumothorax_reports.csv",
        HEADER,
        ("1.1", "9.1", PIXEL, "P00001_20110101_1", "Small apical\n pneumothorax. "),
        ("1.1", "9.1", "0 1", "P00001_20110101_1", "Small apical\n pneumothorax. "),
        ("1.2", "9.2", "-1", "P00002_20120101_1", "Clear lungs."),
        ("1.3", "9.3", "-1", "P00003_20120101_1", "Clear."),
        ("1.3", "9.3", "-1", "P00004_20120101_1", "Clear."),
        ("1.4", "9.4", " -1", "P00004_20130101_1", "nan"),
        encoding="utf-8-sig",
    )
    write_csv(root / "chest_tube.csv", OTHER, ("1.1", "a", PIXEL), ("1.2", "b", "-1"))
    write_csv(root / "acute_rib_fracture.csv", OTHER, ("1.4", "a", PIXEL), ("1.4", "b", PIXEL))
    for image in ("1.1", "1.2", "1.3", "1.4"):
        write_text(root / "dataset" / image, "")
    return root


@pytest.fixture
def tree(tmp_path):
    return write_tree(tmp_path)


def test_masks_of_three_tables_are_boxes_of_one_study(tree):
    assert candid_ptx.find(tree) == tree
    studies = {study.id: study for study in candid_ptx.read(tree)}
    assert {name: [box.label for box in study.boxes] for name, study in studies.items()} == {
        "candid-ptx/1.1": ["pneumothorax", "pneumothorax", "chest tube"],
        "candid-ptx/1.2": [],
        "candid-ptx/1.3": [],
        "candid-ptx/1.4": ["rib fracture", "rib fracture"],
    }
    first = studies["candid-ptx/1.1"]
    assert first.labels == {"pneumothorax": 1, "rib fracture": 0, "chest tube": 1}
    assert (first.boxes[0].x1, first.boxes[0].y1) == (0.5, 0)
    assert studies["candid-ptx/1.4"].labels == {"pneumothorax": 0, "rib fracture": 1, "chest tube": 0}


def test_images_have_no_extension(tree):
    assert next(candid_ptx.read(tree)).images == ("dataset/1.1",)


def test_a_report_is_one_text_on_one_line(tree):
    reports = [study.report for study in candid_ptx.read(tree)]
    assert reports == ["Small apical pneumothorax.", "Clear lungs.", "Clear.", ""]


def test_patients_who_share_an_image_are_one_patient(tree):
    assert [study.patient_id for study in candid_ptx.read(tree)] == ["P00001", "P00002", "P00003", "P00003"]
    chain = [["P1", "P2"], ["P3"], ["P4", "P5"], ["P5", "P2"]]
    assert candid_ptx.one_patient(chain) == {"P1": "P1", "P2": "P1", "P3": "P3", "P4": "P1", "P5": "P1"}


def test_the_tables_and_the_column_of_reports_have_other_names_too(tree):
    (tree / "acute_rib_fracture.csv").rename(tree / "Rib_fracture_mask_rle.csv")
    path = tree / "Pneumothorax_reports.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("Report", "Report text", 1), encoding="utf-8")
    assert len(list(candid_ptx.read(tree))) == 4


def test_what_is_missing_is_named(tree):
    path = tree / "Pneumothorax_reports.csv"
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole.replace("Report", "Findings text", 1), encoding="utf-8")
    with pytest.raises(DatasetError, match=r"expected a column Report; found .*Findings text"):
        list(candid_ptx.read(tree))
    path.write_text(whole, encoding="utf-8")
    (tree / "acute_rib_fracture.csv").unlink()
    with pytest.raises(DatasetError, match=r"expected acute_rib_fracture\.csv or Rib_fracture_mask_rle\.csv"):
        list(candid_ptx.read(tree))


@pytest.mark.parametrize("name", ["report", "Radiology report", "report_text"])
def test_the_reports_may_have_a_column_of_another_name(tree, name):
    known = list(candid_ptx.read(tree))
    path = tree / "Pneumothorax_reports.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("Report", name, 1), encoding="utf-8")
    assert list(candid_ptx.read(tree)) == known


def test_a_table_without_rows_is_named(tree):
    write_csv(tree / "Pneumothorax_reports.csv", HEADER)
    with pytest.raises(DatasetError, match="expected a row for each image; found none"):
        list(candid_ptx.read(tree))
