"""A lab may have half of the images, other copies of them, or the tables alone."""

import importlib
import shutil

import pytest

from cxreason.datasets import DATASETS, DatasetError, vindr_cxr
from cxreason.datasets.images import Shelf, images_folder, there, whichever
from cxreason.records import Box, Question, Study
from dataset_files import write_csv, write_dicom, write_picture

NAMED = ("candid_ptx", "pmc_vqa", "rad_restruct", "siim_acr", "slake", "vqa_med_2019", "vqa_rad")
MEASURED = ("object_cxr", "vindr_pcxr")
"""Datasets whose boxes are in pixels of images, and whose tables do not say how large those are."""
TABLES = {".csv", ".json", ".txt", ".tsv"}


@pytest.fixture(params=(*NAMED, *MEASURED))
def dataset(request, tmp_path):
    """The module of a dataset and a small tree of it, as its own tests write it."""
    tests = importlib.import_module(f"test_{request.param}")
    module = next(one for one in DATASETS.values() if one.__name__.endswith(f".{request.param}"))
    return module, tests.write_tree(tmp_path / "tree")


def images_of(tree):
    return sorted(path for path in tree.rglob("*") if path.is_file() and path.suffix not in TABLES)


def test_a_tree_with_a_part_of_its_images_names_all_of_them(dataset):
    module, tree = dataset
    whole = list(module.read(tree))
    named = {(tree / image).resolve() for study in whole for image in study.images}
    images = [image for image in images_of(tree) if image.resolve() in named]
    measured = module.__name__.rpartition(".")[2] in MEASURED
    gone = images[-1:] if measured else images[: len(images) // 2]
    for image in gone:
        image.unlink()
    found = list(module.read(tree))
    assert [study.id for study in found] == [study.id for study in whole]
    assert [len(study.images) for study in found] == [len(study.images) for study in whole]
    shelf = Shelf()
    kept = [image for study in found if (seen := there(study, tree, shelf)) for image in seen.images]
    assert gone
    assert {(tree / image).resolve() for image in kept} == {*images} - {*gone}


def test_tables_without_images_are_read_or_say_that_sizes_are_needed(dataset):
    module, tree = dataset
    whole = list(module.read(tree))
    for image in images_of(tree):
        image.unlink()
    if module.__name__.rpartition(".")[2] in MEASURED:
        with pytest.raises(DatasetError, match=r"images with .*to learn their size; found none of them"):
            list(module.read(tree))
        return
    found = list(module.read(tree))
    assert [study.id for study in found] == [study.id for study in whole]
    assert not any(image.startswith("/") for study in found for image in study.images)


def test_an_image_is_found_under_the_ending_that_it_was_converted_to(tmp_path):
    write_picture(tmp_path / "a" / "1.2.840.png")
    (tmp_path / "a" / "2.jpg.txt").touch()
    shelf = Shelf()
    assert shelf.named(f"{tmp_path}/a/1.2.840.dcm") == f"{tmp_path}/a/1.2.840.png"
    assert shelf.named(f"{tmp_path}/a/1.2.840") == f"{tmp_path}/a/1.2.840.png"
    assert shelf.named(f"{tmp_path}/a/1.2") == ""
    assert shelf.named(f"{tmp_path}/a/2.jpg") == ""
    assert shelf.named(f"{tmp_path}/gone/b/1.png") == ""
    assert shelf.named(f"{tmp_path}/gone/c/1.png") == ""
    assert shelf.named(f"{tmp_path}/a/1.2.840.png") == f"{tmp_path}/a/1.2.840.png"


def test_a_folder_that_begins_like_one_that_is_gone_is_looked_for(tmp_path):
    write_picture(tmp_path / "p12" / "1.png")
    shelf = Shelf()
    assert shelf.named(f"{tmp_path}/p1/1.png") == ""
    assert shelf.named(f"{tmp_path}/p12/1.png")


def test_paths_from_the_working_folder_are_looked_for_as_well(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_picture(tmp_path / "1.png")
    assert Shelf().named("1.png") == "1.png"
    assert Shelf().named("gone/deep/1.png") == ""


def test_what_belongs_to_an_image_goes_with_it(tmp_path):
    for name in ("b", "c"):
        write_picture(tmp_path / f"{name}.png")
    study = Study(
        "d/1", "d", "p", ("a.png", "b.dcm", "c.png"), views=("PA", "AP", "LATERAL"), widths=(1, 2, 3),
        boxes=(Box("edema", 0, 0, 1, 1, image=0), Box("mass", 0, 0, 1, 1, image=2)),
        questions=(Question("Of a?", images=(0,)), Question("Of c?", images=(2,)), Question("Of all?")),
    )  # fmt: skip
    found = there(study, tmp_path, Shelf())
    assert found is not None
    assert (found.images, found.views, found.widths, found.heights) == (
        ("b.png", "c.png"), ("AP", "LATERAL"), (2, 3), (),
    )  # fmt: skip
    assert found.boxes == (Box("mass", 0, 0, 1, 1, image=1),)
    assert found.questions == (Question("Of c?", images=(1,)), Question("Of all?"))
    (tmp_path / "b.png").unlink()
    (tmp_path / "c.png").unlink()
    assert there(study, tmp_path, Shelf()) is None
    text = Study("d/2", "d", "p", ())
    assert there(text, tmp_path, Shelf()) is text


def test_the_folder_of_images_is_that_which_has_any_of_them(tmp_path):
    (tmp_path / "images").mkdir()
    write_picture(tmp_path / "release" / "imgs" / "x[1]" / "b.png")
    names = ["x[1]/a.png", "x[1]/b.jpg"]
    assert images_folder(tmp_path, names, "images", "imgs") == tmp_path / "release" / "imgs"
    assert images_folder(tmp_path, ["c.png"], "images", "imgs") == tmp_path / "images"
    assert images_folder(tmp_path, ["c.png"], "figures") == tmp_path / "figures"


def test_whichever_way_has_a_copy_of_an_image_is_taken(tmp_path):
    write_picture(tmp_path / "png" / "1.png")
    path_of = whichever(tmp_path, lambda row: f"dcm/{row['id']}.dcm", lambda row: f"png/{row['id']}.dcm")
    assert [path_of({"id": one}) for one in ("0", "1", "2")] == ["dcm/0.dcm", "png/1.dcm", "png/2.dcm"]


def test_smaller_copies_of_vindr_need_the_sizes_that_they_had(tmp_path):
    header = "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max"
    write_csv(tmp_path / "train.csv", header, ("a", "Cardiomegaly", 3, "R9", 100, 200, 300, 400))
    write_dicom(tmp_path / "train" / "a.dicom", 1000, 2000)
    (whole,) = vindr_cxr.read(tmp_path)
    assert (whole.boxes[0].x1, whole.boxes[0].y1) == (0.1, 0.1)
    shutil.rmtree(tmp_path / "train")
    write_picture(tmp_path / "train" / "a.png")
    with pytest.raises(DatasetError, match=r"a\.png: expected a\.dicom, whose pixels .*train_meta\.csv"):
        list(vindr_cxr.read(tmp_path))
    write_csv(tmp_path / "train_meta.csv", "image_id,dim0,dim1", ("a", 2000, 1000))
    (copied,) = vindr_cxr.read(tmp_path)
    assert copied == whole
    shown = there(copied, tmp_path, Shelf())
    assert shown is not None
    assert shown.images == ("train/a.png",)
