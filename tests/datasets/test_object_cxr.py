"""Object-CXR in its official layout, with each of its traps."""

import pytest

from cxreason.datasets import DatasetError, object_cxr
from cxreason.imaging.read import ImageError
from dataset_files import write_csv, write_picture

HEADER = "image_name,annotation"


def write_tree(root):
    write_csv(
        root / "train.csv",
        HEADER,
        ("00001.jpg", "0 10 20 30 40;1 -5 0 50 60;2 20 10 40 30 30 120"),
        ("00002.jpg", ""),
    )
    write_csv(root / "dev.csv", HEADER, ("00003.jpg", "0 0 0 100 200;"))
    for name in ("train/00001", "train/00002", "dev/00003", "test/00004"):
        write_picture(root / f"{name}.jpg", 100, 200)
    return root


@pytest.fixture
def tree(tmp_path):
    return write_tree(tmp_path)


def test_every_shape_is_a_box_cut_at_the_edges(tree):
    assert object_cxr.find(tree) == tree
    first, second, third = object_cxr.read(tree)
    places = [(box.x1, box.y1, box.x2, box.y2) for box in first.boxes]
    assert places == [(0.1, 0.1, 0.3, 0.2), (0, 0, 0.5, 0.3), (0.2, 0.05, 0.4, 0.6)]
    assert {box.label for box in first.boxes} == {"foreign object"}
    assert (second.boxes, second.labels, second.widths) == ((), {"foreign object": 0}, ())
    assert len(third.boxes) == 1
    assert first.labels == third.labels == {"foreign object": 1}


def test_dev_is_validation_and_test_is_read_where_it_has_a_table(tree):
    assert [(study.split, study.images) for study in object_cxr.read(tree)] == [
        ("train", ("train/00001.jpg",)),
        ("train", ("train/00002.jpg",)),
        ("validation", ("dev/00003.jpg",)),
    ]
    write_csv(tree / "test.csv", HEADER.replace("image_name", "image_path"), ("test/00004.jpg", "0 1 1 2 2"))
    (last,) = [study for study in object_cxr.read(tree) if study.split == "test"]
    assert (last.id, last.images) == ("object-cxr/00004", ("test/00004.jpg",))


def test_images_without_shapes_are_not_opened_and_damaged_ones_are_named(tree):
    (tree / "train/00002.jpg").write_bytes(b"")
    assert len(list(object_cxr.read(tree))) == 3
    (tree / "train/00001.jpg").write_bytes(b"")
    with pytest.raises(ImageError, match=r"00001\.jpg: is empty"):
        list(object_cxr.read(tree))


@pytest.mark.parametrize("shape", ["3 1 2 3 4", "0 1 2 3", "2 1 2 3 4 5", "0 a b c d", "0", "circle"])
def test_a_shape_of_another_kind_is_named(tree, shape):
    write_csv(tree / "dev.csv", HEADER, ("00003.jpg", shape))
    with pytest.raises(DatasetError, match=r"dev\.csv: 00003\.jpg: "):
        list(object_cxr.read(tree))


def test_what_is_missing_is_named(tree):
    (tree / "dev.csv").unlink()
    with pytest.raises(DatasetError, match=r"expected dev\.csv"):
        list(object_cxr.read(tree))
    write_csv(tree / "train.csv", "name,annotation", ("00001.jpg", ""))
    assert object_cxr.find(tree) is None
    with pytest.raises(DatasetError, match=r"expected a column image_name \(or image_path\); found name"):
        list(object_cxr.read(tree))
