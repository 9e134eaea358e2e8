"""Traces that are edited: the finding that decides is turned around, and nothing else."""

import pytest

from cxreason.probing import edits
from cxreason.records import Sample
from cxreason.text import observe

YES_NO = ("Yes", "No")
SETS = ("edema, fracture", "edema, consolidation", "fracture, consolidation", "pneumothorax, edema")


def sample(task: str, options: tuple[str, ...] = (), question: str = "Does this show edema?") -> Sample:
    kind = "choice" if options else "labels"
    labels = {"edema": 1, "fracture": 0, "pneumothorax": 0}
    where = ("p", "s", "test", ())
    return Sample("1", "d", task, kind, *where, question, "A", options, labels=labels)


BINARY = sample("binary", YES_NO)
SINGLE = sample("single", ("edema", "fracture", "pneumothorax", "no finding"), "Which finding?")
MULTIPLE = sample("multiple", SETS, "Which findings?")
ANOMALY = sample("anomaly", question="Which findings?")
COURSE = sample("temporal", ("stable", "improving", "worsening"), "What is the progression of edema?")


@pytest.mark.parametrize(
    ("trace", "asked", "answer", "why"),
    [
        ("There is edema.", BINARY, "A", "it says so"),
        ("No edema. Fracture.", BINARY, "B", "other findings do not matter"),
        ("There is a fracture.", BINARY, "", "it says nothing of edema"),
        ("There may be edema.", BINARY, "", "a doubt decides nothing"),
        ("", BINARY, "", "silence decides nothing"),
        ("There is no edema. There is a fracture.", SINGLE, "B", "the one that is there"),
        ("Edema. Fracture.", SINGLE, "", "two of them"),
        ("The fracture and the edema are seen.", MULTIPLE, "A", "both of a set"),
        ("Edema and a fracture.", ANOMALY, "edema, fracture", "all that it names"),
        ("The edema has worsened.", COURSE, "C", "the course that it names"),
        ("There is edema.", COURSE, "", "no course is named"),
        ("There is edema.", sample("closed_vqa", ("no", "yes"), "Is there edema?"), "B", "yes or no"),
        ("There is edema.", sample("view", ("PA", "AP"), "Which view?"), "", "rules do not know it"),
    ],
)
def test_what_a_trace_leads_to_is_read_from_its_own_findings(trace, asked, answer, why):
    found, problem = edits.leads_to(trace, asked)
    assert found == answer, why
    assert bool(problem) is not bool(answer)


@pytest.mark.parametrize(
    ("trace", "asked", "answer", "edited", "leads_to"),
    [
        ("There is edema. So yes.", BINARY, "A", "There is no edema.", "B"),
        ("Look. There is no edema. So no.", BINARY, "B", "Look. There is edema.", "A"),
        (
            "No edema or pneumothorax. The rest is clear.",
            BINARY,
            "B",
            "There is edema. There is no pneumothorax.",
            "A",
        ),
        (
            "A, edema? There is no edema. No. B, fracture? There is a fracture. Yes. So B.",
            SINGLE,
            "B",
            "A, edema? There is no edema. No. B, fracture? There is no fracture.",
            "D",
        ),
        (
            "Edema and a fracture. Answer A.",
            MULTIPLE,
            "A",
            "There is no edema. There is fracture.",
            "",
        ),
        ("Edema. Fracture.", ANOMALY, "edema, fracture", "There is no edema.", "no finding"),
        ("The edema has worsened. Thus C.", COURSE, "C", "The edema has improved.", "B"),
    ],
)
def test_the_decisive_finding_is_turned_around_and_what_follows_is_gone(
    trace, asked, answer, edited, leads_to
):
    made = edits.flipped(trace, asked, answer)
    assert isinstance(made, edits.Flipped), made
    assert (made.edited, made.leads_to) == (edited, leads_to)
    assert trace.startswith(made.kept)
    assert len(made.kept) < len(trace) or made.kept == trace


@pytest.mark.parametrize(
    ("trace", "asked", "answer", "why"),
    [
        ("The heart is large.", BINARY, "A", "states no finding"),
        ("There is edema on the left. There is no edema.", BINARY, "A", "does not read as the opposite"),
        ("There is edema.", sample("view", ("PA", "AP"), "Which view?"), "A", "do not know"),
        ("No edema. No fracture.", SINGLE, "A", "states no finding"),
    ],
)
def test_an_edit_that_would_not_read_as_meant_is_given_up_with_the_reason(trace, asked, answer, why):
    made = edits.flipped(trace, asked, answer)
    assert isinstance(made, str)
    assert why in made


def test_what_stands_beside_the_finding_keeps_side_size_and_place():
    trace = "Moderate left pleural effusion and edema. So yes."
    made = edits.flipped(trace, BINARY, "A")
    assert isinstance(made, edits.Flipped)
    kept = [seen for seen in observe(made.edited) if seen.finding == "pleural effusion"]
    assert [(seen.side, seen.severity, seen.status) for seen in kept] == [("left", "moderate", "present")]


def test_a_trace_is_cut_at_sentences_and_never_whole():
    trace = "One. Two. Three."
    assert edits.beginnings(trace) == ["", "", "One.", "One. Two."]
    assert edits.beginnings("") == ["", "", "", ""]


def test_turned_options_find_their_way_back():
    options, meaning = edits.turned_options(SINGLE)
    assert options == SINGLE.options[::-1]
    assert [SINGLE.options["ABCD".index(meaning[letter])] for letter in "ABCD"] == list(options)
