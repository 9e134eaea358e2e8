"""BIMCV-COVID19 on a small tree in its layout, with each of its traps."""

import pytest

from cxreason.datasets import DatasetError, bimcv_covid19
from cxreason.imaging.read import read_image
from dataset_files import rename_column, write_csv, write_picture

HEADER = (
    "PatientID,ReportID,Report,Labels,Localizations,LabelsLocalizationsBySentence,labelCUIS,LocalizationsCUIS"
)
POSITIVE, LATER = "derivatives/labels/labels_covid_posi.tsv", "derivatives/labels/Labels_covid_123.tsv"
NEGATIVE = "derivatives/labels/Labels_covid_NEG_JAN21.tsv"


def row(patient="S03047", session="E07985", report="torax sin hallazgos .", labels="['normal']"):
    return (f"sub-{patient}", f"ses-{session}", report, labels, "[]", "[]", "[]", "[]")


def xray(folder, patient="S03047", session="E07985", name="run-1_bp-chest_vp-ap_dx.png", kind="mod-rx"):
    place = folder / f"sub-{patient}" / f"ses-{session}" / kind
    return write_picture(place / f"sub-{patient}_ses-{session}_{name}", mode="I;16")


def table(path, *rows):
    return write_csv(path, HEADER, *rows, delimiter="\t")


@pytest.fixture
def tree(tmp_path):
    positive, negative = tmp_path / "covid19_posi", tmp_path / "covid19_neg"
    table(positive / POSITIVE, row(), row(session="E00002", labels="['pneumonia', ' COVID 19', 'unchanged']"))
    table(negative / NEGATIVE, row("S10000", "E20000"))
    xray(positive)
    xray(positive, name="run-1_bp-chest_vp-pa_CR.PNG")
    xray(positive, session="E00002", name="run-2_bp-chest_vp-lateral_cr.png")
    xray(positive, session="E00002", name="run-3_bp-chest_ct.png", kind="mod-ct")
    xray(negative, "S10000", "E20000")
    return tmp_path


def test_a_session_is_a_study_with_its_radiographs_by_view(tree):
    first, second, third = bimcv_covid19.read(tree)
    assert [study.id for study in (first, second, third)] == [
        "bimcv-covid19/S03047/E07985",
        "bimcv-covid19/S03047/E00002",
        "bimcv-covid19/S10000/E20000",
    ]
    assert first.views == ("PA", "AP")
    assert second.views == ("LATERAL",)
    assert all((tree / image).is_file() for study in (first, second, third) for image in study.images)
    assert read_image(tree / first.images[0]).shape == (6, 8)


def test_reports_are_spanish_and_labels_are_those_of_padchest(tree):
    first, second, _ = bimcv_covid19.read(tree)
    assert (first.narrative, first.language, first.labels) == (
        "torax sin hallazgos .",
        "es",
        {"no finding": 1},
    )
    assert second.labels == {"pneumonia": 1, "covid 19": 1}


def test_sessions_without_a_radiograph_are_left_out(tree):
    table(tree / "covid19_posi" / POSITIVE, row(session="E5"), row())
    xray(tree / "covid19_posi", session="E5", name="run-3_bp-chest_ct.png", kind="mod-ct")
    xray(tree / "covid19_posi", session="E5", name="run-4_bp-chest_ct.png")
    assert [study.id for study in bimcv_covid19.read(tree)] == [
        "bimcv-covid19/S03047/E07985",
        "bimcv-covid19/S10000/E20000",
    ]


def test_a_session_in_two_tables_is_read_once_as_the_later_one_has_it(tree):
    table(tree / "covid19_posi" / LATER, row(report="torax con neumonia ."))
    studies = list(bimcv_covid19.read(tree))
    assert [study.narrative for study in studies if study.id.endswith("E07985")] == ["torax con neumonia ."]
    assert len(studies) == 3


def test_the_table_may_say_covid19(tree):
    path = tree / "covid19_posi" / POSITIVE
    path.rename(path.with_name("labels_covid19_posi.tsv"))
    assert [study.id.split("/")[1] for study in bimcv_covid19.read(tree)] == ["S03047", "S03047", "S10000"]


def test_one_of_the_two_parts_alone_and_ids_without_marks(tree):
    path = tree / "covid19_neg" / NEGATIVE
    path.write_text(path.read_text().replace("sub-", "").replace("ses-", ""))
    (study,) = bimcv_covid19.read(tree / "covid19_neg")
    assert study.id == "bimcv-covid19/S10000/E20000"
    assert study.images[0].startswith("sub-S10000/ses-E20000/mod-rx/")


def test_what_is_not_as_published_is_named(tree, tmp_path):
    path = tree / "covid19_posi" / POSITIVE
    rename_column(path, "ReportID", "SessionID")
    with pytest.raises(DatasetError, match="expected a column ReportID; found PatientID, SessionID, Report"):
        list(bimcv_covid19.read(tree))
    table(tmp_path / "bare" / POSITIVE, row())
    with pytest.raises(
        DatasetError, match=r"sub-S03047/ses-E07985/mod-rx: expected X-rays ending .*; found no such folder"
    ):
        list(bimcv_covid19.read(tmp_path / "bare"))
