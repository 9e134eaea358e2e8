"""Datasets of reports alone: RadGraph, RadQA, and the notes of MIMIC-III."""

import pytest
from mimic_tree import write_csv, write_json

from cxreason.datasets import DatasetError, mimic_iii, radgraph, radqa
from cxreason.records import Entity

ENTITIES = {
    "1": {
        "tokens": "effusion",
        "label": "OBS-DP",
        "start_ix": 1,
        "end_ix": 1,
        "relations": [["located_at", "2"]],
    },
    "2": {"tokens": "left base", "label": "ANAT-DP", "start_ix": 3, "end_ix": 4, "relations": []},
}
TEXT = "Small effusion at left base ."


def graphs(folder, name, **reports):
    write_json(
        folder / f"{name}.json", {key.replace("_", "/") + ".txt": value for key, value in reports.items()}
    )
    return folder


def report(**more):
    return {"text": TEXT, "data_source": "MIMIC-CXR", "data_split": "train", "entities": ENTITIES, **more}


def test_entities_keep_tokens_labels_and_relations(mimic, beside):
    (study,) = radgraph.read(graphs(beside, "train", p10_p10000032_s50000001=report()), mimic)
    assert study.narrative == TEXT
    assert study.entities == (
        Entity("1", "effusion", "OBS-DP", 1, 1, ("located_at 2",)),
        Entity("2", "left base", "ANAT-DP", 3, 4),
    )
    words = study.narrative.split()
    assert all(" ".join(words[one.start : one.end + 1]) == one.text for one in study.entities)


def test_a_report_follows_mimic_cxrs_split_whatever_file_it_is_in(mimic, beside):
    graphs(beside, "train", p10_p10000898_s50000004=report())
    graphs(beside, "dev", p10_p10000032_s50000001=report())
    found = [(one.split, one.own_split) for one in radgraph.read(beside, mimic)]
    assert found == [("test", "train"), ("train", "validation")]


def test_reports_of_the_test_file_were_marked_twice_and_those_of_chexpert_are_always_test(mimic, beside):
    twice = {"text": TEXT, "labeler_1": {"entities": ENTITIES}, "labeler_2": {"entities": {}}}
    graphs(beside, "test", p10_p10000032_s50000001=twice, train_p23_s1=twice)
    ours, chexpert = radgraph.read(beside, mimic)
    assert len(ours.entities) == 2
    assert (ours.split, ours.own_split) == ("train", "test")
    assert (chexpert.split, chexpert.patient_id) == ("test", "chexpert-report/train/p23/s1")
    assert not any(key.startswith("mimic-cxr") for key in chexpert.keys)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "odd",
            report(data_source=""),
            "expected reports named as p18/p18004941/s588828.txt; found 'odd.txt'",
        ),
        ("p10_p10000032_s50000001", report(entities=[]), "expected entities by number"),
        (
            "p10_p10000032_s50000001",
            report(entities={"1": {**ENTITIES["1"], "label": "OBS"}}),
            "expected a label ANAT-DP, .*found 'OBS'",
        ),
    ],
)
def test_graphs_that_are_not_as_published_are_refused(mimic, beside, name, value, said):
    with pytest.raises(DatasetError, match=said):
        list(radgraph.read(graphs(beside, "train", **{name: value}), mimic))


def squad(folder, *questions, name="train", context="The heart is\n enlarged. No effusion.", **more):
    paragraph = {"context": context, "qas": list(questions), **more}
    write_json(
        folder / f"{name}.json", {"version": "1.0", "data": [{"title": "7", "paragraphs": [paragraph]}]}
    )
    return folder


def question(*answers, impossible=False, name="q1"):
    said = [{"text": text, "answer_start": start} for text, start in answers]
    return {"id": name, "question": "Is the heart large?", "is_impossible": impossible, "answers": said}


def test_spans_that_differ_are_other_wordings_and_impossible_ones_have_no_answer(tmp_path):
    first = question(("enlarged", 14), ("heart is\n enlarged", 4), ("enlarged", 14))
    squad(tmp_path, first, question(impossible=True, name="q2"), document_id="note-9")
    (study,) = radqa.read(tmp_path)
    known, unknown = study.questions
    assert (known.answers, known.also) == (("enlarged",), ("heart is enlarged",))
    assert (unknown.answers, unknown.type) == ((), "unanswerable")
    assert known.context == study.narrative == "The heart is enlarged. No effusion."
    assert study.patient_id == "note-9"
    assert study.images == ()


def test_a_report_without_a_number_is_known_by_its_title(tmp_path):
    (study,) = radqa.read(squad(tmp_path, question() | {"is_impossible": True}))
    assert study.patient_id == "7"


def test_the_three_files_are_the_three_splits(tmp_path):
    for name in ("train", "dev", "test"):
        squad(tmp_path, question(impossible=True), name=name)
    assert [one.split for one in radqa.read(tmp_path)] == ["train", "validation", "test"]


def test_a_question_without_answer_that_is_not_impossible_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="expected an answer to question 'q1', or is_impossible true"):
        list(radqa.read(squad(tmp_path, question())))


def test_train_json_of_another_dataset_is_not_radqa_and_not_radgraph(tmp_path):
    write_json(tmp_path / "train.json", [{"question": "?", "answer": "!"}])
    assert radqa.find(tmp_path) is None
    assert radgraph.find(tmp_path) is None


NOTES = [
    "ROW_ID",
    "SUBJECT_ID",
    "HADM_ID",
    "CHARTDATE",
    "CHARTTIME",
    "STORETIME",
    "CATEGORY",
    "DESCRIPTION",
    "CGID",
    "ISERROR",
    "TEXT",
]
NOTE = """[**2101-1-2**] 9:05 AM
 CT HEAD W/O CONTRAST                                            Clip # [**Clip Number (Radiology) 1**]
 Reason: bleed?
 ______________________________________________________________________________
 INDICATION:  Fall.

 FINDINGS:  No bleed, as told to Dr. [**Last Name (STitle) **] at
 once.

 IMPRESSION:  Normal head.
"""


def notes(folder, *changes):
    base = {"ROW_ID": 1, "SUBJECT_ID": 22, "CHARTDATE": "2101-01-02", "CATEGORY": "Radiology"}
    base |= {"DESCRIPTION": "CT HEAD W/O CONTRAST", "ISERROR": "", "TEXT": NOTE}
    rows = [
        [{**base, "ROW_ID": number, **change}.get(name, "") for name in NOTES]
        for number, change in enumerate(changes)
    ]
    write_csv(folder / "mimiciii/1.4/NOTEEVENTS.csv.gz", NOTES, rows)
    return folder


def test_a_note_is_read_in_sections_with_its_marks_as_in_mimic_cxr(tmp_path):
    (study,) = mimic_iii.read(notes(tmp_path, {}))
    assert study.findings == "No bleed, as told to Dr. ___ at once."
    assert study.impression == "Normal head."
    assert study.indication == "Fall."
    assert study.technique == "CT HEAD W/O CONTRAST"
    assert (study.patient_id, study.images) == ("22", ())


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"CATEGORY": "Nursing"}, "no radiology"),
        ({"ISERROR": "1"}, "marked as an error"),
        ({"DESCRIPTION": "CHEST (PORTABLE AP)"}, "a radiograph"),
        ({"DESCRIPTION": "CT CHEST; CT HEAD"}, "two regions"),
        ({"TEXT": NOTE + "\n IMPRESSION:  Old head.\n"}, "two impressions"),
        ({"TEXT": NOTE.replace("IMPRESSION", "NOTE")}, "no impression"),
    ],
)
def test_other_notes_are_left_out(tmp_path, change, why):
    assert [study.id for study in mimic_iii.read(notes(tmp_path, change, {}))] == ["mimic-iii/1"], why


@pytest.mark.parametrize(
    ("name", "examination"),
    [
        ("CT HEAD W/O CONTRAST", "CT_head"),
        ("MR HEAD W & W/O CONTRAST", "MR_head"),
        ("CTA CHEST W&W/O C&RECONS, NON-CORONARY", "CT_chest"),
        ("CT ABDOMEN W/CONTRAST", "CT_abdomen-pelvis"),
        ("CT PELVIS W/O CONTRAST", "CT_abdomen-pelvis"),
        ("CT C-SPINE W/O CONTRAST", "CT_spine"),
        ("MR L SPINE W/O CONTRAST", "MR_spine"),
        ("CT SINUS/MANDIBLE/MAXILLOFACIAL W/O CONTRAST", "CT_sinus"),
        ("MRA NECK W/O CONTRAST", "MR_neck"),
        ("CHEST (PA & LAT)", ""),
        ("RENAL U.S.", ""),
    ],
)
def test_the_name_of_an_examination_says_modality_and_region(name, examination):
    assert mimic_iii.examination_of(name) == examination


def test_one_report_in_radqa_and_in_mimic_iii_has_one_key_and_short_ones_have_none(tmp_path):
    long = "The lungs show a nodule of the right upper lobe. " * 6
    (note,) = mimic_iii.read(notes(tmp_path / "a", {"TEXT": NOTE.replace("Normal head.", long)}))
    (asked,) = radqa.read(squad(tmp_path / "b", question(impossible=True), context=long))
    assert set(note.keys) & set(asked.keys)
    (short,) = mimic_iii.read(notes(tmp_path / "c", {}))
    assert short.groups == ()
