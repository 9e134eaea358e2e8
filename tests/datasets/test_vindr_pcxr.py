"""VinDr-PCXR in its official layout, with each of its traps."""

import pytest

from cxreason.datasets import DatasetError, vindr_cxr, vindr_pcxr
from dataset_files import write_csv, write_dicom

pytest.importorskip("pydicom")

LABELS = (
    "image_id,rad_ID,No finding,Bronchitis,Brocho-pneumonia,Other disease,Bronchiolitis,Situs inversus,"
    "Pneumonia,Pleuro-pneumonia,Diagphramatic hernia,"
    "Tuberculosis,Congenital emphysema,CPAM,Hyaline membrane disease,"
    "Mediastinal tumor,Lung tumor"
)
BOXES = "image_id,rad_ID,class_name,x_min,y_min,x_max,y_max,class_id"


def values(*positive):
    return [int(name in positive) for name in LABELS.split(",")[2:]]


def write_tree(root):
    write_csv(
        root / "image_labels_train.csv",
        LABELS,
        ("a", "R1", *values("Brocho-pneumonia", "Diagphramatic hernia")),
        ("b", "R2", *values("No finding")),
    )
    write_csv(
        root / "annotations_train.csv",
        BOXES,
        ("a", "R1", "Bronchectasis", 10.5, 20, 50, 100, 3),
        ("a", "R1", "Paraveterbral mass", 0, 0, 100, 200, 7),
        ("b", "R2", "No finding", "", "", "", "", ""),
    )
    write_csv(root / "image_labels_test.csv", LABELS, ("c", "R1", *values("CPAM")))
    write_csv(
        root / "annotations_test.csv",
        BOXES.removesuffix(",class_id"),
        ("c", "R1", "Diffuse aveolar opacity", 1, 2, 3, 4),
    )
    for image, split in (("a", "train"), ("b", "train"), ("c", "test")):
        write_dicom(root / split / f"{image}.dicom", 100, 200)
    return root


@pytest.fixture
def tree(tmp_path):
    return write_tree(tmp_path)


def test_the_tables_at_the_root_give_one_study_for_each_image(tree):
    assert vindr_pcxr.find(tree) == tree
    studies = list(vindr_pcxr.read(tree))
    assert [(study.id, study.split, study.images) for study in studies] == [
        ("vindr-pcxr/a", "train", ("train/a.dicom",)),
        ("vindr-pcxr/b", "train", ("train/b.dicom",)),
        ("vindr-pcxr/c", "test", ("test/c.dicom",)),
    ]
    assert [len(study.labels) for study in studies] == [15, 15, 15]
    assert studies[1].boxes == ()
    assert studies[1].labels["no finding"] == 1


def test_misspelled_names_are_spelled_as_usual(tree):
    first, _, third = vindr_pcxr.read(tree)
    assert {name for name, value in first.labels.items() if value} == {
        "bronchopneumonia",
        "diaphragmatic hernia",
    }
    assert [box.label for box in first.boxes] == ["bronchiectasis", "paravertebral mass"]
    assert third.boxes[0].label == "diffuse alveolar opacity"
    assert third.labels["congenital pulmonary airway malformation"] == 1


def test_well_spelled_columns_are_read_as_well(tree):
    for path in tree.glob("image_labels_*.csv"):
        text = path.read_text().replace("Brocho-pneumonia", "Broncho-pneumonia")
        path.write_text(text.replace("Diagphramatic", "Diaphragmatic").replace("rad_ID", "rad_id"))
    assert next(vindr_pcxr.read(tree)).labels["bronchopneumonia"] == 1


def test_the_one_reader_is_known_under_either_spelling(tree):
    first = next(vindr_pcxr.read(tree))
    assert {box.reader for box in first.boxes} == {"R1"}
    assert first.other_labels["R1/bronchopneumonia"] == 1


def test_boxes_are_fractions_of_the_dicom(tree):
    box = next(vindr_pcxr.read(tree)).boxes[0]
    assert (box.x1, box.y1, box.x2, box.y2) == (0.105, 0.1, 0.5, 0.5)


def test_it_is_not_taken_for_vindr_cxr_nor_the_other_way_round(tree):
    assert vindr_cxr.find(tree) is None
    with pytest.raises(DatasetError, match="expected a column Aortic enlargement; found image_id, rad_ID"):
        list(vindr_cxr.read(tree))


def test_a_missing_column_or_table_is_named(tree):
    path = tree / "image_labels_test.csv"
    path.write_text(path.read_text().replace("Situs inversus", "Situs"))
    with pytest.raises(DatasetError, match=r"expected a column Situs inversus; found .*Situs,"):
        list(vindr_pcxr.read(tree))
    path.unlink()
    with pytest.raises(DatasetError, match=r"expected .*image_labels_test\.csv"):
        list(vindr_pcxr.read(tree))


def test_an_image_without_labels_is_named(tree):
    path = tree / "annotations_test.csv"
    path.write_text(path.read_text() + "d,R1,Pneumonia,1,2,3,4\n")
    with pytest.raises(DatasetError, match="expected image d in image_labels_test"):
        list(vindr_pcxr.read(tree))
