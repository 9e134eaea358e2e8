"""Open-i as phantoms write it, with each of its traps, and its real reports where they are at hand."""

import csv
import json
import shutil
from collections import Counter
from xml.etree import ElementTree

import pytest

from cxreason.datasets import DatasetError, open_i
from cxreason.imaging.read import read_image
from cxreason.phantom.visit import DEEP
from dataset_files import write_csv, write_picture, write_text
from phantoms_once import phantom


@pytest.fixture(scope="module")
def known(phantom_tree):
    return list(open_i.read(phantom_tree("open-i")))


def write(folder, number, images=("a",), mesh=("normal",), **sections):
    root = ElementTree.Element("eCitation")
    ElementTree.SubElement(root, "uId", id=f"CXR{number}")
    for name in open_i.SECTIONS:
        ElementTree.SubElement(root, "AbstractText", Label=name).text = sections.get(name.lower())
    for term in mesh:
        ElementTree.SubElement(root, "major").text = term
    for image in images:
        parent = ElementTree.SubElement(root, "parentImage", id=f"CXR{number}_{image}")
        ElementTree.SubElement(parent, "url").text = f"/hadoop/CXR{number}_{image}.jpg"
    text = ElementTree.tostring(root, encoding="unicode", xml_declaration=True)
    write_text(folder / "ecgen-radiology" / f"{number}.xml", text)


def test_every_image_of_a_report_is_there_as_png_of_three_colours(phantom_tree, known):
    tree = phantom_tree("open-i")
    images = [image for study in known for image in study.images]
    assert len(images) == sum(len(phantom(3, index, DEEP).study.images) for index in range(32))
    assert all((tree / image).is_file() for image in images)
    assert read_image(tree / images[0]).ndim == 2


def test_sections_are_those_that_were_written(known):
    drawn = [phantom(3, index, DEEP).study for index in range(32)]
    assert [study.id for study in known] == [f"open-i/CXR{number}" for number in range(1, 33)]
    for name in ("indication", "comparison", "findings", "impression"):
        assert [getattr(study, name) for study in known] == [
            " ".join(getattr(one, name).split()) for one in drawn
        ]


def test_all_studies_are_for_testing(known):
    assert {study.split for study in known} == {"test"}
    assert open_i.EVALUATION_ONLY


def test_terms_name_the_findings_that_were_drawn(known):
    drawn = [phantom(3, index, DEEP).study for index in range(32)]
    for name in ("atelectasis", "pleural effusion", "cardiomegaly", "no finding"):
        coded = [name in study.labels for study in known]
        assert any(coded)
        true = [one.labels.get(name) in (1, -1) for one in drawn]
        assert sum(a == b for a, b in zip(coded, true, strict=True)) >= 30, name


@pytest.mark.parametrize(
    ("terms", "labels"),
    [
        (["normal"], ["no finding"]),
        (["Hernia, Hiatal/large", "Pulmonary Emphysema"], ["hiatal hernia", "emphysema"]),
        (["Opacity/lung/base/left", "Opacity/lung/apex/right"], ["lung opacity"]),
        (["Lung/hyperdistention", "Technical Quality of Image Unsatisfactory ", "No Indexing", ""], []),
        (["Cardiomegaly/borderline", "Surgical Instruments/hilum"], ["cardiomegaly"]),
    ],
)
def test_the_first_part_of_a_term_is_the_finding(terms, labels):
    assert open_i.findings(terms) == labels


def test_reports_without_images_or_texts_are_kept_and_numbers_count(tmp_path):
    write(tmp_path, 10, images=())
    write(tmp_path, 9, findings="Heart is XXXX.", impression="  ")
    nine, ten = open_i.read(tmp_path)
    assert (nine.id, ten.id) == ("open-i/CXR9", "open-i/CXR10")
    assert (nine.findings, nine.impression, ten.images, ten.report) == ("Heart is XXXX.", "", (), "")


def test_views_come_from_the_tables_beside_the_better_one_first(tmp_path):
    write(tmp_path, 1, images=("a", "b", "c"))
    assert next(open_i.read(tmp_path)).views == ("", "", "")
    rows = (("CXR1_a", "LARGE LATERAL"), ("CXR1_b", "LL"), ("CXR1_c", ""))
    write_csv(tmp_path / "nlmcxr_dicom_metadata.csv.gz", "imageid,View Position", *rows)
    write_csv(tmp_path / "nlmcxr_tsne_pa.csv", "imageid,tsne-view", ("CXR1_b", "PA"))
    study = next(open_i.read(tmp_path))
    assert study.views == ("PA", "LATERAL", "")
    assert study.images[0] == "images/CXR1_b.png"


def test_the_split_of_r2gen_is_told_beside(tmp_path):
    write(tmp_path, 1)
    write(tmp_path, 2)
    entries = {"train": [], "val": [], "test": [{"id": "CXR2_IM-0652", "split": "test"}]}
    write_text(tmp_path / "annotation.json", json.dumps(entries))
    assert [(study.split, study.own_split) for study in open_i.read(tmp_path)] == [
        ("test", ""),
        ("test", "test"),
    ]


@pytest.mark.parametrize("place", ["NLMCXR_png", "", "png"])
def test_images_lie_where_their_archive_was_unpacked(tmp_path, place):
    write(tmp_path, 7, images=("IM-0001-1001",))
    write_picture(tmp_path / place / "CXR7_IM-0001-1001.png")
    (study,) = open_i.read(tmp_path)
    assert (tmp_path / study.images[0]).is_file()


def test_kaggles_copy_is_read_as_well(tmp_path):
    home = tmp_path / "archive"
    write_csv(
        home / "indiana_reports.csv",
        "uid,MeSH,Problems,image,indication,comparison,findings,impression",
        (
            7,
            "Cardiomegaly/borderline;Spine/degenerative",
            "Cardiomegaly",
            "Chest PA",
            "Cough",
            "None.",
            "Large\nheart.",
            "XXXX.",
        ),
        (12, "normal", "normal", "Chest", "", "", "", "Normal."),
    )
    write_csv(
        home / "indiana_projections.csv",
        "uid,filename,projection",
        (7, "7_IM-0001-2001.dcm.png", "Lateral"),
        (7, "7_IM-0001-1001.dcm.png", "Frontal"),
    )
    write_picture(home / "images" / "images_normalized" / "7_IM-0001-1001.dcm.png")
    assert open_i.find(tmp_path) == home
    first, second = open_i.read(tmp_path)
    place = "archive/images/images_normalized"
    assert first.images == (f"{place}/7_IM-0001-1001.dcm.png", f"{place}/7_IM-0001-2001.dcm.png")
    assert first.views == ("", "LATERAL")
    assert (first.id, first.split, first.indication, first.findings, first.impression) == (
        "open-i/CXR7", "test", "Cough", "Large heart.", "XXXX.",
    )  # fmt: skip
    assert first.labels == {"cardiomegaly": 1}
    assert (second.images, second.labels, second.findings) == ((), {"no finding": 1}, "")
    (home / "indiana_projections.csv").unlink()
    with pytest.raises(DatasetError, match=r"expected indiana_projections\.csv"):
        list(open_i.read(tmp_path))


def test_what_is_not_as_published_is_named(phantom_tree, tmp_path):
    write_text(tmp_path / "packed" / "NLMCXR_reports.tgz", "")
    with pytest.raises(
        DatasetError, match=r"expected ecgen-radiology/<number>.xml .* Unpack NLMCXR_reports.tgz"
    ):
        list(open_i.read(tmp_path / "packed"))
    tree = shutil.copytree(phantom_tree("open-i") / "ecgen-radiology", tmp_path / "tree" / "ecgen-radiology")
    report = tree / "1.xml"
    whole = report.read_text()
    report.write_text(whole[: len(whole) // 2])
    with pytest.raises(DatasetError, match=r"1.xml: is not whole XML .*Unpack it again"):
        list(open_i.read(tmp_path / "tree"))
    report.write_text(whole.replace('Label="FINDINGS"', 'Label="FINDING"'))
    with pytest.raises(
        DatasetError, match="expected a section FINDINGS; found COMPARISON, INDICATION, FINDING, IMP"
    ):
        list(open_i.read(tmp_path / "tree"))
    report.write_text(whole.replace("uId", "uid"))
    with pytest.raises(DatasetError, match=r"expected <uId id=...>; found uid"):
        list(open_i.read(tmp_path / "tree"))


def test_real_reports_go_through_unchanged_and_their_terms_agree_with_the_people_who_coded_them(
    shared_data, tmp_path
):
    table = shared_data / "openi" / "reports_dev.csv"
    if not table.is_file():
        pytest.skip(f"no {table}")
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        texts = {name.lower(): row[name.lower()] for name in open_i.SECTIONS}
        write(tmp_path, row["id"].removeprefix("CXR"), mesh=row["mesh"].split(";"), **texts)
    studies = list(open_i.read(tmp_path))
    counts = Counter(
        name
        for study in studies
        for name in ("findings", "impression", "indication", "comparison")
        if getattr(study, name)
    )
    assert len(studies) == 3_080
    nothing = sum(row["comparison"].casefold() in ("none", "n/a") for row in rows)  # "None." is a sentence
    assert counts == {
        "findings": 2_687,
        "impression": 3_055,
        "indication": 3_009,
        "comparison": 2_600 - nothing,
    }
    assert sum(bool(study.findings and study.impression) for study in studies) == 2_683
    gold = {row["id"]: row for row in rows}
    assert sum("no finding" in study.labels for study in studies) == 1_097
    for label, name in (
        ("Cardiomegaly", "cardiomegaly"),
        ("Effusion", "pleural effusion"),
        ("Emphysema", "emphysema"),
    ):
        true = {key for key, row in gold.items() if row[label] == "1"}
        coded = {study.patient_id for study in studies if name in study.labels}
        assert len(true & coded) / len(true | coded) > 0.8, label


def test_the_whole_collection_gives_the_published_numbers(shared_data):
    if open_i.find(shared_data) is None:
        pytest.skip(f"no reports of Open-i in {shared_data}")
    studies = list(open_i.read(shared_data))
    assert (len(studies), sum(len(study.images) for study in studies)) == (3_955, 7_470)
    assert sum(bool(study.findings and study.images) for study in studies) == 3_337
    assert sum(bool(study.impression and study.images) for study in studies) == 3_820
    assert sum(bool(study.findings and study.impression) for study in studies) == 3_419
    assert Counter(min(len(study.images), 3) for study in studies)[0] == 104
