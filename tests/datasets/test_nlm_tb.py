"""The tuberculosis sets of the NLM on a small tree in their layout, with each of their traps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxreason.datasets import DatasetError, nlm_tb
from dataset_files import write_picture, write_text

MONTGOMERY, SHENZHEN = "MontgomerySet", "ChinaSet_AllFiles"


@pytest.fixture
def tree(tmp_path):
    for place, name, reading in (
        (MONTGOMERY, "MCUCXR_0001_0", "Patient's Sex: F\nPatient's Age: 026Y\nnormal\n"),
        (
            MONTGOMERY,
            "MCUCXR_0100_1",
            "Patient's Sex: M\r\nPatient's Age: 052Y\r\ncavitary infiltrate\nin the left apex",
        ),
        (SHENZHEN, "CHNCXR_0001_0", "male 45yrs\nnormal"),
        (SHENZHEN, "CHNCXR_0327_1", "female  8 months\n\nbilateral PTB"),
    ):
        write_picture(tmp_path / place / "CXR_png" / f"{name}.png")
        write_text(tmp_path / place / "ClinicalReadings" / f"{name}.txt", reading)
        write_text(tmp_path / place / "CXR_png" / "Thumbs.db", "")
    return tmp_path


def test_both_sets_are_read_and_nothing_else_among_their_images(tree):
    studies = list(nlm_tb.read(tree))
    assert [study.id for study in studies] == [
        "nlm-tb/MCUCXR_0001",
        "nlm-tb/MCUCXR_0100",
        "nlm-tb/CHNCXR_0001",
        "nlm-tb/CHNCXR_0327",
    ]
    assert all((tree / study.images[0]).is_file() for study in studies)
    assert {study.views for study in studies} == {("PA",)}


def test_the_last_digit_is_the_label_and_a_normal_reading_is_no_finding(tree):
    labels = [study.labels for study in nlm_tb.read(tree)]
    healthy, ill = {"tuberculosis": 0, "no finding": 1}, {"tuberculosis": 1}
    assert labels == [healthy, ill, healthy, ill]


def test_readings_of_both_forms_say_who_and_what(tree):
    people = [(study.sex, study.age, study.narrative) for study in nlm_tb.read(tree)]
    assert people == [
        ("F", 26.0, "normal"),
        ("M", 52.0, "cavitary infiltrate in the left apex"),
        ("M", 45.0, "normal"),
        ("F", 0.6667, "bilateral PTB"),
    ]


@pytest.mark.parametrize(
    ("reading", "understood"),
    [
        ("Male , 33yrs\nRight upper PTB, 3 nodules", ("M", 33.0, "Right upper PTB, 3 nodules")),
        ("female 24yr\nsecondary PTB", ("F", 24.0, "secondary PTB")),
        ("male 13days\nnormal", ("M", 0.0356, "normal")),
        ("", ("", None, "")),
    ],
)
def test_readings_vary_in_how_they_are_written(reading, understood):
    assert nlm_tb.parse(reading) == understood


@given(st.text())
def test_no_reading_is_too_strange_to_be_read(reading):
    sex, age, _ = nlm_tb.parse(reading)
    assert sex in ("", "M", "F")
    assert age is None or 0 <= age <= 120


def test_the_name_of_the_new_site_one_set_alone_and_no_readings(tree):
    (tree / SHENZHEN).rename(tree / "Shenzhen-Hospital-CXR-Set")
    assert [study.sex for study in nlm_tb.read(tree)] == ["F", "M", "M", "F"]
    alone = list(nlm_tb.read(tree / "Shenzhen-Hospital-CXR-Set"))
    assert [study.images for study in alone] == [
        ("CXR_png/CHNCXR_0001_0.png",),
        ("CXR_png/CHNCXR_0327_1.png",),
    ]
    for path in (tree / MONTGOMERY / "ClinicalReadings").iterdir():
        path.unlink()
    assert [(study.sex, study.age) for study in nlm_tb.read(tree / MONTGOMERY)] == [("", None)] * 2


def test_a_folder_of_other_images_is_not_taken_for_it(tmp_path):
    write_picture(tmp_path / "CXR_png" / "1.png")
    assert nlm_tb.find(tmp_path) is None
    with pytest.raises(DatasetError, match=r"expected CXR_png/MCUCXR_\*.png .*; found CXR_png/"):
        list(nlm_tb.read(tmp_path))
