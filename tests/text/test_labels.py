"""Reports into the label sets of public datasets. All reports are invented."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxreason.text import label, observe
from cxreason.text.labels import decided, schemes
from cxreason.text.ontology import implies

NIH = [
    "Atelectasis",
    "Cardiomegaly",
    "Effusion",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pneumonia",
    "Pneumothorax",
    "Consolidation",
    "Edema",
    "Emphysema",
    "Fibrosis",
    "Pleural_Thickening",
    "Hernia",
]
CHEXPERT = [
    "No Finding",
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Lung Opacity",
    "Lung Lesion",
    "Edema",
    "Consolidation",
    "Pneumonia",
    "Atelectasis",
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Fracture",
    "Support Devices",
]

# Report, label, value in nih14, why. What the report does not speak of is None.
CASES = [
    ("Small effusion.", "Effusion", 1, "asserted"),
    ("No effusion.", "Effusion", 0, "denied"),
    ("Possible effusion.", "Effusion", -1, "in doubt"),
    ("The heart is large.", "Effusion", None, "not mentioned"),
    ("No effusion. Small left effusion.", "Effusion", 1, "asserted wins over denied"),
    ("Possible effusion. No large effusion.", "Effusion", -1, "doubt wins over denied"),
    ("INDICATION: Effusion.\nFINDINGS: Clear lungs.", "Effusion", None, "the indication asserts nothing"),
    ("FINDINGS: Clear.\nIMPRESSION: Hiatal hernia.", "Hernia", 1, "the impression counts"),
    ("The lungs are clear.", "Nodule", 0, "clear lungs hold no nodule"),
    ("The left lung is clear.", "Nodule", None, "one lung says nothing of the other"),
    ("Calcified granuloma.", "Nodule", None, "a granuloma is coded as such"),
    ("Pulmonary nodule.", "Nodule", 1, "a nodule"),
    ("Airspace disease.", "Consolidation", None, "airspace disease is coded as such"),
    ("Lung base infiltrate.", "Infiltration", 1, "an infiltrate"),
    ("Costophrenic angle blunting.", "Effusion", None, "blunting is not yet fluid"),
    ("Pericardial effusion.", "Effusion", None, "another effusion"),
    ("Subcutaneous emphysema.", "Emphysema", None, "another emphysema"),
    ("Scarring or atelectasis at the base.", "Atelectasis", 1, "a choice without a doubt"),
    ("Atelectasis versus infiltrate.", "Infiltration", 1, "both sides of a versus are coded"),
    ("Opacity, which may be atelectasis.", "Atelectasis", -1, "may be"),
    ("Hyperinflation suggests emphysema.", "Emphysema", -1, "what is suggested is not coded"),
    ("Hyperinflation consistent with emphysema.", "Emphysema", 1, "what it is consistent with is coded"),
    ("Apical pleural thickening.", "Pleural_Thickening", 1, "thickening"),
]


@pytest.mark.parametrize(("report", "name", "value", "why"), CASES, ids=[row[0] for row in CASES])
def test_a_report_gets_the_labels_that_a_coder_gives_it(report, name, value, why):
    assert label(report)[name] == value, why


def test_the_labels_are_spelled_as_their_dataset_spells_them():
    assert list(label("", "nih14")) == NIH
    assert list(label("", "chexpert14")) == CHEXPERT
    assert set(label("").values()) == {None}


def test_chexpert_takes_a_suggestion_for_an_assertion_and_a_versus_for_a_doubt():
    said = label("Findings suggest edema. Atelectasis versus pneumonia.", "chexpert14")
    assert (said["Edema"], said["Atelectasis"], said["Pneumonia"]) == (1, -1, -1)
    assert said["Lung Opacity"] == 1


def test_a_denied_finding_leaves_the_wider_one_open_and_closes_the_narrower():
    said = label("No consolidation. No nodule.", "chexpert14")
    assert (said["Consolidation"], said["Lung Lesion"], said["Lung Opacity"]) == (0, 0, None)
    said = label("No lung opacity.", "chexpert14")
    assert (said["Consolidation"], said["Lung Lesion"], said["Lung Opacity"]) == (0, 0, 0)
    assert label("No rib fracture.", "chexpert14")["Fracture"] == 0


@pytest.mark.parametrize(
    ("report", "value"),
    [
        ("No acute disease. Normal heart size.", 1),
        ("Clear lungs. Right PICC.", 1),
        ("Clear lungs. Small effusion.", None),
        ("Clear lungs. Possible effusion.", None),
        ("Frontal view.", None),
    ],
)
def test_no_finding_needs_a_word_of_normality_and_allows_devices(report, value):
    assert label(report, "chexpert14")["No Finding"] == value


def test_an_unknown_scheme_is_named():
    with pytest.raises(ValueError, match="write nih14 or chexpert14"):
        label("Clear.", "padchest")  # type: ignore[arg-type]


sentences = st.lists(st.sampled_from([row[0] for row in CASES if "\n" not in row[0]]), max_size=5)


@given(sentences)
def test_a_label_says_what_the_observations_say(chosen):
    report = " ".join(chosen)
    seen = observe(report)
    for name, value in label(report, "chexpert14").items():
        if name == "No Finding":
            continue
        wanted, but = schemes()["chexpert14"][name]
        about = [
            one
            for one in seen
            if any(implies(one.finding, concept) for concept in wanted)
            and not any(implies(one.finding, concept) for concept in but)
        ]
        statuses = {one.status for one in about}
        if value == 1:
            assert "present" in statuses
        else:
            assert "present" not in statuses
        assert (value == -1) == ("uncertain" in statuses and "present" not in statuses)


@given(sentences.flatmap(lambda chosen: st.tuples(st.just(chosen), st.permutations(chosen))))
def test_the_order_of_sentences_changes_no_label(orders):
    one, other = (" ".join(order) for order in orders)
    assert label(one) == label(other)


def test_labels_of_real_reports_agree_with_the_people_who_coded_them(shared_data):
    right = missed = invented = 0
    with (shared_data / "openi" / "reports_dev.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            said = label(f"FINDINGS: {row['findings']}\nIMPRESSION: {row['impression']}")
            for name in NIH[:-1]:  # hernias are not coded in these columns
                coded, read = row[name] == "1", said[name] == 1
                right += coded and read
                missed += coded and not read
                invented += read and not coded
    assert 2 * right / (2 * right + missed + invented) > 0.94


@pytest.mark.parametrize(
    ("labels", "taken"),
    [
        (
            {"atelectasis": -1, "edema": -1, "pleural effusion": -1},
            {"atelectasis": 1, "edema": 1, "pleural effusion": 1},
        ),
        ({"cardiomegaly": -1, "consolidation": -1}, {"cardiomegaly": 0, "consolidation": 0}),
        ({"pneumonia": -1, "fracture": -1}, {}),
        ({"edema": 0, "cardiomegaly": 1, "pneumonia": 1}, {"edema": 0, "cardiomegaly": 1, "pneumonia": 1}),
    ],
)
def test_of_uncertain_labels_three_count_as_present_two_as_absent_and_the_rest_not_at_all(labels, taken):
    assert decided(labels) == taken
