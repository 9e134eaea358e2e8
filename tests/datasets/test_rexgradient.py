"""ReXGradient on a small tree in its layout, with each of its traps."""

import json

import pytest

from cxreason.datasets import DatasetError, rexgradient
from cxreason.imaging.read import read_image
from dataset_files import rename_column, write_csv, write_picture, write_text

IMAGE = "../deid_png/{0}/A{0}/studies/1.2/series/1.3/instances/{1}.png"
PARTS = ("train", "valid", "test")


def record(patient="P1", names=("a",), **values):
    own = {
        "StudyInstanceUid": "1.2",
        "AccessionNumber": f"A{patient}",
        "PatientID": patient,
        "PatientSex": "F",
        "PatientAge": "007Y",
        "StudyDate": "20200102",
        "Indication": "Cough.",
        "Comparison": "None",
        "Findings": "The lungs\nare clear.",
        "Impression": "Normal.",
        "ImagePath": [IMAGE.format(patient, name) for name in names],
        "ImageViewPosition": ["PA"] * len(names),
    }
    return own | values


def write(folder, form="{}_metadata_view_position.json", **parts):
    for number, part in enumerate(PARTS):
        value = parts.get(part, {f"{part}_study": record(f"P{number}")})
        write_text(folder / "metadata" / form.format(part), json.dumps(value))
    return list(rexgradient.read(folder))


def test_splits_sections_and_people_are_those_of_the_records(tmp_path):
    train, valid, test = write(tmp_path)
    assert [study.split for study in (train, valid, test)] == ["train", "validation", "test"]
    assert train.id == "rexgradient/train_study"
    assert (train.findings, train.impression, train.indication) == (
        "The lungs are clear.",
        "Normal.",
        "Cough.",
    )
    assert train.comparison == ""
    assert (train.sex, train.age, train.patient_id, train.order) == ("F", 7.0, "P0", "20200102")


def test_images_lie_beside_the_metadata_and_may_have_16_bits(tmp_path):
    place = (
        tmp_path
        / "rex"
        / "deid_png"
        / "P0"
        / "AP0"
        / "studies"
        / "1.2"
        / "series"
        / "1.3"
        / "instances"
        / "a.png"
    )
    write_picture(place, mode="I;16")
    write(tmp_path / "rex")
    first = next(rexgradient.read(tmp_path))
    assert tmp_path / first.images[0] == place
    assert read_image(tmp_path / first.images[0]).shape == (6, 8)


def test_long_short_and_missing_views_are_understood_and_frontal_images_come_first(tmp_path):
    views = [None, "LATERAL", "POSTERO_ANTERIOR", "UNKNOWN", "ANTERO_POSTERIOR", "N/A", "LL"]
    one = record("P9", names="abcdefg", ImageViewPosition=views)
    study = write(tmp_path, train={"s": one})[0]
    assert study.views == ("PA", "AP", "LATERAL", "LL", "", "", "")
    assert [image[-5] for image in study.images] == list("cebgadf")


@pytest.mark.parametrize("views", [None, ["PA"], "PA"])
def test_views_that_do_not_fit_the_images_are_not_known(tmp_path, views):
    study = write(tmp_path, train={"s": record("P9", names="ab", ImageViewPosition=views)})[0]
    assert study.views == ("", "")


@pytest.mark.parametrize(("age", "years"), [("002D", 0.0055), ("090Y", 90.0), ("", None), (None, None)])
def test_ages_are_in_years_whatever_they_were_given_in(tmp_path, age, years):
    assert write(tmp_path, train={"s": record(PatientAge=age, PatientSex="O")})[0].age == years


def test_the_records_with_views_are_preferred_to_those_without(tmp_path):
    write(tmp_path, form="{}_metadata.json", train={"old": record(ImageViewPosition=None)})
    assert write(tmp_path)[0].id == "rexgradient/train_study"


def test_records_in_a_list_are_named_by_their_study(tmp_path):
    parts = {part: [record(StudyInstanceUid=f"1.2.{part}")] for part in PARTS}
    studies = write(tmp_path, form="{}_metadata.json", **parts)
    assert [study.id for study in studies] == [f"rexgradient/1.2.{part}" for part in PARTS]


def test_the_tables_are_read_where_there_are_no_records(tmp_path):
    names = "id,PatientID,PatientSex,PatientAge,StudyDate,Indication,Comparison,Findings,Impression,ImagePath"
    names += ",ImageViewPosition"
    for part in PARTS:
        one = record(f"P{part}", names="ab", ImageViewPosition=["LATERAL", "PA"]) | {"id": f"s_{part}"}
        row = tuple(str(one[name]) for name in names.split(","))
        write_csv(tmp_path / "metadata" / f"{part}_metadata.csv", names, row)
    studies = list(rexgradient.read(tmp_path))
    assert [study.id for study in studies] == [
        "rexgradient/s_train",
        "rexgradient/s_valid",
        "rexgradient/s_test",
    ]
    assert studies[0].views == ("PA", "LATERAL")
    assert studies[0].images[0].endswith("/b.png")
    assert studies[0].images[0].startswith("deid_png/")
    rename_column(tmp_path / "metadata" / "test_metadata.csv", "Findings", "Finding")
    with pytest.raises(DatasetError, match="expected a column Findings; found id, PatientID"):
        list(rexgradient.read(tmp_path))


def test_a_split_that_is_missing_and_a_record_that_is_not_whole_are_named(tmp_path):
    write(tmp_path)
    (tmp_path / "metadata" / "valid_metadata_view_position.json").unlink()
    with pytest.raises(
        DatasetError, match=r"expected metadata/valid_metadata_view_position.json or .*; found test_"
    ):
        list(rexgradient.read(tmp_path))
    with pytest.raises(DatasetError, match="expected a key 'Findings'; found PatientID"):
        write(tmp_path, train={"s": {"PatientID": "P1"}})
    with pytest.raises(DatasetError, match=r"expected a list as ImagePath of s; found 'a.png'"):
        write(tmp_path, train={"s": record(ImagePath="a.png")})


def test_records_that_were_cut_short_are_an_error_after_the_whole_ones(tmp_path):
    write(tmp_path, train={"s1": record(), "s2": record()})
    path = tmp_path / "metadata" / "train_metadata_view_position.json"
    path.write_text(path.read_text()[:-60])
    studies = rexgradient.read(tmp_path)
    assert next(studies).id == "rexgradient/s1"
    with pytest.raises(DatasetError, match="is not JSON"):
        next(studies)
