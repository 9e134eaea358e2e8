"""COVIDx on a small tree in its layout, with each of its traps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxreason.datasets import DatasetError, covidx
from cxreason.imaging.read import read_image
from dataset_files import write_picture, write_text

TRAIN = """\
379 1e64990d1b40c1758a2aaa9c7f7a85_jumbo.jpeg negative cohen
c77ae40d-de8b-40ff-90cb-06be4ebbd5ee c77ae40d.png negative rsna
d01 d01.PNG negative rnsa
COVID 1 COVID(1).png positive sirm
sub-S03047 sub-S03047_ses-E07985_run-1_bp-chest_vp-ap_dx.png positive bimcv
"""


@pytest.fixture
def tree(tmp_path):
    write_text(tmp_path / "covidx" / "train.txt", TRAIN)
    write_text(tmp_path / "covidx" / "test.txt", "419639-000082 MIDRC-RICORD-1C-419639.JPG positive ricord\n")
    return tmp_path / "covidx"


def test_lines_are_split_from_the_right_and_kept_as_they_are_written(tree):
    studies = list(covidx.read(tree))
    assert [study.patient_id for study in studies] == [
        "379",
        "c77ae40d-de8b-40ff-90cb-06be4ebbd5ee",
        "d01",
        "COVID 1",
        "sub-S03047",
        "419639-000082",
    ]
    assert studies[3].images == ("train/COVID(1).png",)
    assert studies[5].images == ("test/MIDRC-RICORD-1C-419639.JPG",)
    assert [study.split for study in studies] == ["train"] * 5 + ["test"]
    assert [study.labels["covid-19"] for study in studies] == [0, 0, 0, 1, 1, 1]


def test_a_line_that_is_there_twice_is_one_image(tree):
    known = list(covidx.read(tree))
    write_text(tree / "train.txt", TRAIN + TRAIN)
    assert list(covidx.read(tree)) == known


def test_images_of_rsna_and_bimcv_are_tied_to_their_patients_there(tree):
    groups = [study.groups for study in covidx.read(tree)]
    assert groups == [
        (),
        ("rsna/c77ae40d-de8b-40ff-90cb-06be4ebbd5ee",),
        ("rsna/d01",),
        (),
        ("bimcv-covid19/S03047",),
        (),
    ]


def test_jpeg_and_png_in_any_letters_are_read(tree):
    names = [study.images[0] for study in covidx.read(tree)]
    for name, mode in zip(names, ("RGB", "L", "RGBA", "L", "I;16", "RGB"), strict=True):
        write_picture(tree / name, mode=mode)
        assert read_image(tree / name).shape == (6, 8)


def test_three_classes_of_the_lists_a_and_lines_without_a_source(tree):
    write_text(tree / "train.txt", "1 1.png normal\n2 2.png pneumonia\n3 3.png COVID-19 fig1\n")
    first, second, third, _ = covidx.read(tree)
    assert first.labels == {"covid-19": 0, "pneumonia": 0, "no finding": 1}
    assert second.labels == {"covid-19": 0, "pneumonia": 1}
    assert third.labels == {"covid-19": 1}


def test_lists_under_the_names_of_covid_net_and_a_later_validation_part(tree):
    (tree / "train.txt").rename(tree / "train_COVIDx9B.txt")
    write_text(tree / "val.txt", "7 7.png positive actmed\n")
    studies = list(covidx.read(tree.parent))
    assert [study.split for study in studies] == ["train"] * 5 + ["validation", "test"]
    assert studies[5].images == ("covidx/val/7.png",)


@given(
    patient=st.lists(st.text("abcXYZ09-().", min_size=1), min_size=1, max_size=3).map(" ".join),
    file=st.text("abc09-_()", min_size=1).map("{}.png".format),
    kind=st.sampled_from(sorted(covidx.CLASSES)),
    source=st.sampled_from(["", "cohen", "sirm", "rnsa"]),
)
def test_a_line_says_again_what_was_written(patient, file, kind, source):
    parsed = covidx.parse(" ".join(filter(None, (patient, file, kind, source))), "train.txt")
    assert parsed == (patient, file, kind, covidx.SOURCES.get(source, source))


def test_what_is_not_as_published_is_named(tree):
    (tree / "test.txt").unlink()
    with pytest.raises(DatasetError, match=r"expected test.txt; found train.txt"):
        list(covidx.read(tree))
    write_text(tree / "test.txt", "p1 1.png maybe cohen\n")
    with pytest.raises(
        DatasetError, match=r"test.txt: expected lines 'patient file class source' .*found 'p1 1.png maybe"
    ):
        list(covidx.read(tree))


def test_a_train_list_of_another_dataset_is_not_taken_for_it(tmp_path):
    write_text(tmp_path / "train.txt", "images/1.png 0\n")
    assert covidx.find(tmp_path) is None
