"""The reader, sentence by sentence. All sentences are invented."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxreason.text import Observation, observations, observe
from cxreason.text.ontology import FINDINGS, NORMAL_OF, parents

LUNGS = {"lung opacity", "lung lesion", "edema", "consolidation", "pneumonia", "atelectasis"}
ACUTE = {"edema", "consolidation", "pneumonia", "pneumothorax", "pleural effusion"}

# "+" present, "-" absent, "?" uncertain; then whatever is said of side, location, severity, change.
SENTENCES = [
    ("There is a small left pleural effusion.", ["+pleural effusion left mild"], "side and size"),
    ("Large effusion on the right.", ["+pleural effusion right severe"], "a side behind its finding"),
    ("Bilateral pleural effusions.", ["+pleural effusion both"], "plural and both sides"),
    ("On the left, there is an effusion.", ["+pleural effusion left"], "a side ahead of the clause"),
    (
        "The left costophrenic angle is blunted.",
        ["+blunted costophrenic angle left"],
        "a structure with a quality",
    ),
    (
        "Blunting of the right costophrenic angle.",
        ["+blunted costophrenic angle right"],
        "a quality of a structure",
    ),
    ("No blunting of the costophrenic angles.", ["-pleural effusion"], "a denied quality"),
    ("The costophrenic angles are sharp.", ["-pleural effusion"], "a normal statement"),
    (
        "No effusion, pneumothorax or edema.",
        ["-pleural effusion", "-pneumothorax", "-edema"],
        "a denied list",
    ),
    ("Neither consolidation nor edema is seen.", ["-consolidation", "-edema"], "neither, nor"),
    ("Effusion and pneumothorax are not seen.", ["-pleural effusion", "-pneumothorax"], "denied behind"),
    (
        "A small effusion is present and pneumothorax is not seen.",
        ["+pleural effusion mild", "-pneumothorax"],
        "a denial behind reaches to the verb only",
    ),
    (
        "No pneumothorax and a small effusion.",
        ["-pneumothorax", "+pleural effusion mild"],
        "an article ends it",
    ),
    ("No pneumothorax but moderate edema.", ["-pneumothorax", "+edema moderate"], "but ends it"),
    (
        "No effusion, and the heart is enlarged.",
        ["-pleural effusion", "+cardiomegaly"],
        "a new subject ends it",
    ),
    ("No effusion, heart enlarged.", ["-pleural effusion", "+cardiomegaly"], "a terse new subject ends it"),
    ("No effusion, lungs clear.", ["-pleural effusion", *(f"-{name}" for name in LUNGS)], "a normal list"),
    (
        "The lungs are clear without consolidation.",
        [*(f"-{name}" for name in LUNGS), "-consolidation"],
        "without reaches forward only",
    ),
    ("The right effusion has resolved.", ["-pleural effusion right resolved"], "resolved is absent"),
    ("Interval removal of the endotracheal tube.", ["-endotracheal tube resolved"], "removed is absent"),
    ("The edema is no longer visible.", ["-edema resolved"], "gone is absent"),
    (
        "There is no change in the left effusion.",
        ["+pleural effusion left stable"],
        "no change denies nothing",
    ),
    ("Not only effusion.", ["+pleural effusion"], "not only denies nothing"),
    (
        "Effusion and atelectasis are unchanged.",
        ["+pleural effusion stable", "+atelectasis stable"],
        "a change of a list",
    ),
    ("New right upper lobe consolidation.", ["+consolidation right right upper lung new"], "new"),
    ("The pneumothorax is larger.", ["+pneumothorax worsening"], "larger"),
    ("Mild edema, improved.", ["+edema mild improving"], "improved"),
    ("Possible pneumonia.", ["?pneumonia"], "doubt ahead"),
    ("Pneumothorax cannot be excluded.", ["?pneumothorax"], "doubt behind"),
    ("An effusion may be present.", ["?pleural effusion"], "may be present"),
    (
        "Left lower lung opacity may represent atelectasis or pneumonia.",
        ["+lung opacity left left lower lung", "?atelectasis", "?pneumonia"],
        "what it may be is in doubt",
    ),
    (
        "Suspicious for a nodule, small effusion.",
        ["?nodule", "+pleural effusion mild"],
        "doubt ends at the comma",
    ),
    ("? pneumonia", ["?pneumonia"], "a question mark in front"),
    ("Pneumonia is unlikely.", ["-pneumonia"], "unlikely leans to no"),
    ("The lungs are clear.", [f"-{name}" for name in LUNGS], "clear lungs"),
    ("The left lung is clear.", [f"-{name} left" for name in LUNGS], "one clear lung"),
    ("The lungs are not clear.", [], "a denied normal says nothing in particular"),
    ("The lungs are otherwise clear.", [], "otherwise spares what it does not name"),
    (
        "The heart and mediastinum are normal.",
        ["-cardiomegaly", "-enlarged cardiomediastinum"],
        "two structures",
    ),
    (
        "Heart size is normal and the mediastinum is widened.",
        ["-cardiomegaly", "+enlarged cardiomediastinum"],
        "two structures, two qualities",
    ),
    ("The heart is mildly enlarged.", ["+cardiomegaly mild"], "severity of an appearance"),
    ("The cardiac silhouette is not enlarged.", ["-cardiomegaly"], "not enlarged"),
    ("Heart: normal.", ["-cardiomegaly"], "a colon for a verb"),
    ("No acute cardiopulmonary process.", [f"-{name}" for name in ACUTE], "a whole normal statement"),
    ("Normal chest.", [f"-{name}" for name in FINDINGS if name != "support devices"], "a normal chest"),
    (
        "Cardiomediastinal and hilar contours are unremarkable.",
        ["-cardiomegaly", "-enlarged cardiomediastinum"],
        "contours named together",
    ),
    ("The bones are intact.", ["-fracture"], "intact bones"),
    ("Displaced fracture of a left lower rib.", ["+fracture left left lower ribs"], "a place of ribs"),
    (
        "Small nodule in the right mid lung.",
        ["+nodule right right mid lung mild"],
        "the most specific name",
    ),
    ("A left-sided pacemaker is in place.", ["+pacemaker left"], "a device"),
    (
        "Right internal jugular line ends in the right atrium.",
        ["+central venous catheter right"],
        "line as device",
    ),
    ("The trachea is in line with the spine.", [], "line as a word"),
    (
        "Patchy infiltrate at the left base.",
        ["+infiltrate left left lower lung"],
        "a place behind",
    ),
    ("Airspace opacity in both lungs.", ["+airspace opacity both"], "both lungs"),
    ("Mild pulmonary vascular congestion.", ["+vascular congestion mild"], "congestion"),
    (
        "Plate-like opacity at the right base.",
        ["+linear opacity right right lower lung"],
        "bands",
    ),
    ("Bibasilar atelectasis.", ["+atelectasis both both lower lung"], "both bases in one word"),
    ("Pleural thickening on the left.", ["+pleural thickening left"], "pleural thickening"),
    ("Pericardial effusion without mass effect.", ["+pericardial effusion"], "no pleural effusion, no mass"),
    (
        "Consolidation in the left lower lung, effusion on the right.",
        ["+consolidation left left lower lung", "+pleural effusion right"],
        "each has its own place",
    ),
    (
        "There is a large left nodule, which has grown since the prior study.",
        ["+nodule left severe worsening"],
        "a relative clause",
    ),
    ("Look for an effusion.", [], "a plan"),
    ("To decide about edema, look at the vessels.", [], "a plan with a purpose"),
    ("Check whether there is atelectasis: look at the pleural line.", [], "a plan in two parts"),
    (
        "Look at the angles: the left costophrenic angle is blunted.",
        ["+blunted costophrenic angle left"],
        "plan, then fact",
    ),
    ("Signs of pneumothorax would be a pleural line.", [], "knowledge is no observation"),
    ("The question is whether the heart is enlarged.", [], "the question repeated"),
    (
        "It may represent edema, pneumonia or atelectasis.",
        ["?edema", "?pneumonia", "?atelectasis"],
        "doubt about a whole list of alternatives",
    ),
    (
        "Small effusion, pneumothorax not seen.",
        ["+pleural effusion mild", "-pneumothorax"],
        "a comma alone joins no list for what is denied behind it",
    ),
    ("The question asks which it is: edema or pneumonia.", [], "the choices repeated"),
    ("Options: A) edema B) pneumonia", [], "the options repeated"),
    ("Is there a nodule?", [], "a question"),
    ("If the angle is blunted, there is effusion.", [], "a condition"),
    ("No, there is an effusion.", ["+pleural effusion"], "no as a word of its own"),
    ("So the answer is B, edema.", ["+edema"], "a conclusion"),
    (
        "No opacity to suggest pneumonia.",
        ["-lung opacity", "-pneumonia"],
        "a denial goes on",
    ),
    ("No typical findings of edema.", ["-edema"], "findings of something are not all findings"),
    ("No acute, displaced rib fracture.", ["-rib fracture"], "a comma between describing words"),
    ("No edema or visible effusion.", ["-edema", "-pleural effusion"], "visible describes what follows"),
    ("Lungs are clear of edema, effusion or mass.", ["-edema", "-pleural effusion", "-mass"], "clear of"),
    ("No increase in the small effusion.", ["+pleural effusion mild stable"], "no increase denies nothing"),
    ("Pneumonia is not excluded.", ["?pneumonia"], "not excluded"),
    ("Question small effusion.", ["?pleural effusion mild"], "a question in a statement"),
    ("An effusion is suspected.", ["?pleural effusion"], "suspected behind"),
    ("Effusion, if any, is small.", ["?pleural effusion mild"], "if any"),
    ("Edema versus pneumonia.", ["?edema alternative", "?pneumonia alternative"], "versus"),
    ("Either edema or pneumonia.", ["?edema alternative", "?pneumonia alternative"], "one of two"),
    ("No evidence of either edema or pneumonia.", ["-edema", "-pneumonia"], "neither of two"),
    ("There is edema in either lung.", ["+edema"], "both"),
    ("Findings suggest edema.", ["+edema suggested"], "suggested"),
    ("Opacity consistent with pneumonia.", ["+lung opacity", "+pneumonia"], "consistent with asserts"),
    ("There is likely a small effusion.", ["+pleural effusion mild"], "likely asserts"),
    ("Differential includes edema, aspiration.", ["?edema", "?aspiration"], "a list of doubts"),
    ("The effusion is no longer identified.", ["-pleural effusion resolved"], "no longer identified"),
    (
        "Status post lobectomy, with a small effusion.",
        ["+pleural effusion mild"],
        "until the comma",
    ),
    ("History of pneumonia.", [], "history"),
    ("r/o pneumonia", [], "a question in short"),
    ("Recommend CT to exclude a mass.", [], "a recommendation"),
    ("Correlate clinically for pneumonia.", [], "advice"),
    ("Opacity, follow up if it is a nodule.", ["+lung opacity"], "what stands before the if is said"),
    ("XXXX effusion at the left ___.", ["+pleural effusion left"], "marks of de-identification"),
    ("No XXXX effusion.", ["-pleural effusion"], "a masked word under a denial"),
    ("Blunted costophrenic XXXX on the left.", ["+blunted costophrenic angle left"], "a masked angle"),
    ("The aorta is tortuous and calcified.", ["+tortuous aorta", "+aortic calcification"], "two qualities"),
    (
        "Heart size is normal or mildly enlarged.",
        ["-cardiomegaly", "+cardiomegaly mild"],
        "two qualities of one heart",
    ),
    ("Calcified and unfolded aortic arch.", ["+aortic calcification", "+tortuous aorta"], "two in front"),
    ("Normal heart size, lungs hazy.", ["-cardiomegaly", "+lung opacity"], "each structure has its own"),
    ("Enlarged cardiac silhouette.", ["+enlarged cardiac silhouette"], "a kind of cardiomegaly"),
    ("Right apical scarring.", ["+scarring right right upper lung"], "a place inside a synonym"),
    ("Lung volumes are low.", ["+low lung volumes"], "volumes"),
    ("Calcified right hilar lymph nodes.", ["+calcified lymph node right"], "a place between"),
    ("Effusion is less likely, but not excluded.", ["?pleural effusion"], "a but that goes on"),
    ("Opacity most suggestive of edema.", ["+lung opacity", "+edema"], "most suggestive of asserts"),
    ("Lungs are aerated and clear of effusion.", ["-pleural effusion"], "aerated and clear of"),
    ("Heart size normal.No effusion.", ["-cardiomegaly", "-pleural effusion"], "a forgotten space"),
    (
        "No pneumothorax, bibasilar atelectasis.",
        ["-pneumothorax", "+atelectasis both both lower lung"],
        "a place",
    ),
    ("Effusion, right greater than left.", ["+pleural effusion both"], "greater than is no change"),
    ("Likely atelectasis, less likely edema.", ["+atelectasis", "?edema"], "less likely in front"),
    ("Near complete resolution of the edema.", ["+edema improving"], "nearly gone is still there"),
    ("The edema has slightly decreased.", ["+edema improving"], "slightly sizes the change"),
    ("The heart is enlarged but stable.", ["+cardiomegaly stable"], "a but inside a description"),
    ("Soft tissue emphysema.", ["+subcutaneous emphysema"], "not the emphysema of the lung"),
]


def said(seen: Observation) -> str:
    sign = {"present": "+", "absent": "-", "uncertain": "?"}[seen.status]
    parts = (sign + seen.finding, seen.side, seen.location, seen.severity, seen.change, seen.hedge)
    return " ".join(part for part in parts if part)


@pytest.mark.parametrize(("sentence", "expected", "why"), SENTENCES, ids=[row[0] for row in SENTENCES])
def test_a_sentence_is_read_as_a_radiologist_would(sentence, expected, why):
    assert sorted(map(said, observe(sentence))) == sorted(expected), why


@pytest.mark.parametrize("sentence", [row[0] for row in SENTENCES])
def test_case_and_line_breaks_change_nothing(sentence):
    plain = sorted(map(said, observe(sentence)))
    for variant in (sentence.upper(), sentence.lower(), sentence.lower().replace(" ", "\n  ")):
        assert sorted(map(said, observe(variant))) == plain


def test_offsets_point_at_the_wording_and_each_observation_carries_its_sentence():
    text = "FINDINGS:\nThe heart is enlarged.  No LEFT effusion.\n\nDevice: pacemaker"
    seen = observe(text)
    assert [text[one.start : one.end] for one in seen] == [
        "heart is enlarged",
        "effusion",
        "pacemaker",
    ]
    assert seen[1].sentence == "No LEFT effusion."


def test_the_normal_wording_of_a_finding_denies_it_and_nothing_else():
    assert list(NORMAL_OF) == list(FINDINGS)
    for finding, wording in NORMAL_OF.items():
        assert [(one.finding, one.status) for one in observe(f"{wording}.")] == [(finding, "absent")]


words = st.sampled_from(
    [
        "the",
        "no",
        "not",
        "left",
        "right",
        "a",
        "and",
        "or",
        "but",
        ",",
        ";",
        ":",
        "may",
        "be",
        "is",
        "seen",
        "new",
        "large",
        "clear",
        "normal",
        "if",
        "with",
        "effusion",
        "nodule",
        "heart",
        "enlarged",
        "lungs",
        "costophrenic",
        "angles",
        "?",
        ".",
        "e.g.",
        "resolved",
        "unchanged",
        "otherwise",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=200), st.lists(words, max_size=40).map(" ".join)))
def test_any_text_is_read_without_error_and_with_true_offsets(text):
    for seen in observe(text):
        assert 0 <= seen.start < seen.end <= len(text)
        assert text[seen.start : seen.end] in seen.sentence
        assert seen.sentence in text
        assert seen.finding in parents()


# A letter that grows when it is lowered would move every offset behind it.
def test_letters_that_change_length_in_lower_case_move_no_offset():
    text = "\u0130\u0130\u0130 small effusion"
    (seen,) = observe(text)
    assert text[seen.start : seen.end] == "effusion"


sentence = st.sampled_from([row[0] for row in SENTENCES if row[0][-1] in ".?"])


@settings(max_examples=100, deadline=None)
@given(st.lists(sentence, max_size=4), st.lists(sentence, min_size=1, max_size=4))
def test_sentences_mean_the_same_wherever_they_stand(first, second):
    before, after = " ".join(first), " ".join(second)
    joined = [said(seen) for seen in observe(f"{before} {after}")]
    assert joined == [said(seen) for seen in [*observe(before), *observe(after)]]


@pytest.mark.timing
@pytest.mark.parametrize(
    "piece",
    [
        "effusion ",
        "no effusion, ",
        "the heart, the ",
        "e.g. ",
        "but ",
        "? ",
        "and edema ",
        "\n",
        "heart normal or ",
        "calcified, aorta, ",
        "heart, large, ",
    ],
)
def test_endless_repetition_is_read_in_a_blink(piece):
    import time

    started = time.process_time()  # this process's own time, so that a busy machine does not fail the test
    observe(piece * 3000)
    assert time.process_time() - started < 2


@settings(max_examples=100, deadline=None)
@given(st.lists(sentence, max_size=5).flatmap(lambda one: st.tuples(st.just(one), st.permutations(one))))
def test_the_order_of_sentences_changes_no_observation(orders):
    one, other = (sorted(said(seen) for seen in observe(" ".join(order))) for order in orders)
    assert one == other


def test_a_sentence_that_repeats_is_read_once():
    observations._read.cache_clear()
    observe("Small effusion. Small effusion. No edema. Small effusion.")
    assert observations._read.cache_info().misses == 2
