"""The one way in: forms and meanings together, and what must hold for any text at all."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxreason.answers import DIALECTS, KINDS, score, understand
from cxreason.records import Box
from cxreason.text.ontology import FINDINGS, NO_FINDING

VIEWS = ("AP", "PA", "LATERAL")
MODES = ("reasoning", "direct")
MARKS = ["<think>", "</think>", "<answer>", "</answer>", "\\boxed{", "{", "}"]
BOXES = ["<|box|>(1,2),(3,4)<|/box|>", "<|box|>(", "<|ref|>", "No edema detected."]
WORDS = ["A", "(B)", "A) PA", "PA", "AP", "not ", " or ", ",", ".", "\n", "edema", "no finding", "Answer:"]
TURNS = ["assistant\n", "ASSISTANT:", "<|im_end|>"]
ECHOES = [dialect.prompt("?", (), "reasoning") for dialect in DIALECTS.values()]
PIECES = st.sampled_from([*MARKS, *BOXES, *WORDS, *TURNS, *ECHOES])
ANY_TEXT = st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=12).map("".join))
OPTIONS = st.lists(
    st.text(min_size=1, max_size=12).filter(str.strip),
    min_size=1,
    max_size=26,
    unique_by=lambda option: " ".join(option.casefold().split()),
).map(tuple)
TRACES = st.text(string.ascii_letters + " ,.()-\n", min_size=1, max_size=60).filter(
    lambda trace: trace.strip() and "assistant" not in trace.casefold()
)
CORNERS = st.tuples(*[st.floats(0, 1)] * 4)


@st.composite
def written(draw):
    """A kind, its options, and an answer as that kind writes it."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    if kind == "choice":
        options = draw(OPTIONS)
        return kind, options, KINDS[kind].write(draw(st.sampled_from(options)), options)
    if kind == "labels":
        names = draw(st.one_of(st.sets(st.sampled_from(FINDINGS), min_size=1), st.just({NO_FINDING})))
        return kind, (), KINDS[kind].write(names)
    if kind == "boxes":
        places = draw(st.lists(CORNERS, max_size=4))
        ordered = [Box("edge", *place) for place in places if place[0] <= place[2] and place[1] <= place[3]]
        return kind, (), KINDS[kind].write(ordered)
    words = draw(st.text(string.ascii_letters + " .,<>()-%é", min_size=1, max_size=60).filter(str.strip))
    return kind, (), KINDS[kind].write(words)


@given(written(), st.sampled_from(sorted(DIALECTS)), st.sampled_from(MODES), TRACES)
@settings(max_examples=300, deadline=None)
def test_what_is_written_is_understood_and_worth_everything(item, dialect, mode, trace):
    kind, options, answer = item
    said = DIALECTS[dialect].target(answer, mode, trace)
    understood = understand(said, dialect=dialect, mode=mode, kind=kind, options=options)
    assert (understood.answer, understood.problem, understood.well_formed) == (answer, "", True)
    assert understood.reasoning == (trace.strip() if mode == "reasoning" else "")
    if kind != "boxes" or "<|box|>" not in answer:  # a box may have no area on the 0-100 grid
        assert score(understood.answer, answer, kind=kind, options=options) == 1.0


@given(ANY_TEXT, st.sampled_from(sorted(DIALECTS)), st.sampled_from(MODES))
@settings(max_examples=400, deadline=None)
def test_any_text_is_understood_or_has_a_problem(said, dialect, mode):
    gold = {
        "choice": "B",
        "labels": "edema",
        "boxes": "<|box|>(1,2),(3,4)<|/box|>",
        "report": "Edema.",
        "text": "PA",
    }
    for kind, true in gold.items():
        options = VIEWS if kind == "choice" else ()
        understood = understand(said, dialect=dialect, mode=mode, kind=kind, options=options)
        assert bool(understood.answer) != bool(understood.problem)
        value = score(understood.answer, true, kind=kind, options=options)
        assert 0.0 <= value <= 1.0
        assert understood.answer or value == 0.0
        assert (
            KINDS[kind].parse(understood.answer, options).value == understood.answer
        )  # canonical is a fixed point


@given(ANY_TEXT, st.sampled_from(sorted(DIALECTS)))
@settings(max_examples=300, deadline=None)
def test_nothing_in_the_trace_changes_the_answer(noise, dialect):
    target = DIALECTS[dialect].target("B", "reasoning", "The heart is small.")
    said = target.replace("heart", noise)
    understood = understand(said, dialect=dialect, mode="reasoning", kind="choice", options=VIEWS)
    assert understood.answer == "B"


@given(
    st.lists(st.sampled_from(range(4)), min_size=2, max_size=4, unique=True),
    st.sampled_from([", ", " or ", " and ", "; ", " / ", "\n", " "]),
    st.sampled_from(["{letter}", "({letter})", "{letter})", "{letter}.", "{letter}) {text}", "{text}"]),
    st.sampled_from(sorted(DIALECTS)),
)
def test_listing_several_options_never_scores(chosen, joined_by, style, dialect):
    options = ("pleural effusion", "effusion", "left lung", "no finding")
    answer = joined_by.join(style.format(letter="ABCD"[place], text=options[place]) for place in chosen)
    said = DIALECTS[dialect].target(answer, "reasoning", "Hm.")
    understood = understand(said, dialect=dialect, mode="reasoning", kind="choice", options=options)
    assert understood.answer == "", answer
    assert understood.problem


@pytest.mark.parametrize(
    ("dialect", "said", "answer"),
    [
        ("think", "<think>A</think><answer>A or B or C</answer>", ""),
        ("think", "<think>A</think><answer>This is a PA view</answer>", "B"),
        ("boxed", "It is \\boxed{\\text{(B) PA}}.", "B"),
        ("boxed", "\\boxed{} so \\boxed{B}", "B"),
        ("boxed", "It is \\boxed{A, B}", ""),
        ("boxed-released", "It is \\boxed{{B}}", "B"),
    ],
)
def test_form_and_meaning_together(dialect, said, answer):
    understood = understand(said, dialect=dialect, mode="reasoning", kind="choice", options=VIEWS)
    assert understood.answer == answer


def test_an_echoed_question_in_a_direct_boxed_reply_is_no_answer():
    echo = DIALECTS["boxed"].prompt("Which view is this?", VIEWS, "direct")
    assert understand(echo, dialect="boxed", mode="direct", kind="choice", options=VIEWS).answer == ""


def test_unknown_names_are_faults_of_the_caller_and_not_zero():
    with pytest.raises(ValueError, match="unknown dialect 'xml': one of think, think-answer-first, boxed"):
        understand("A", dialect="xml", mode="direct", kind="choice", options=VIEWS)
    with pytest.raises(ValueError, match="unknown kind of answer 'number'"):
        score("A", "A", kind="number")


def test_boxes_in_boxes_by_the_thousand_are_read_quickly():
    text = "Large. " + "\\boxed{" * 20_000 + "B" + "}" * 20_000
    told = understand(text, dialect="boxed", mode="reasoning", kind="choice", options=VIEWS)
    assert (told.answer, told.well_formed) == ("B", False)


@pytest.mark.parametrize(
    "flood", ["\\boxed{", "{", "}", "<answer>", "<think>", "</answer>", "<|box|>(1", "A or "]
)
@pytest.mark.parametrize("dialect", ["think", "boxed"])
def test_a_flood_of_marks_is_read_quickly(flood, dialect):
    for kind in KINDS:
        understand(
            flood * 5_000,
            dialect=dialect,
            mode="direct",
            kind=kind,
            options=VIEWS if kind == "choice" else (),
        )
