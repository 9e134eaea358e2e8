"""One of several options: what counts as naming one, and what does not."""

import pytest

from cxreason.answers import choice

VIEWS = ("AP", "PA", "LATERAL")
EFFUSIONS = ("effusion", "pleural effusion", "edema")
PLACES = ("Left lung, a mass", "Right lung", "Both lungs")
SETS = ("edema, pneumonia", "edema, fracture", "pneumonia, fracture")
YES_NO = ("Yes", "No")


@pytest.mark.parametrize(
    ("said", "options", "letter", "why"),
    [
        ("B", VIEWS, "B", "the letter"),
        ("b", VIEWS, "B", "in lower case"),
        ("B.", VIEWS, "B", "with a point"),
        ("B)", VIEWS, "B", "with a bracket"),
        ("(B)", VIEWS, "B", "in brackets"),
        ("{B}", VIEWS, "B", "in braces"),
        ("**B**", VIEWS, "B", "in bold"),
        ("$\\text{B}$", VIEWS, "B", "as LaTeX text"),
        ("\\boxed{B}", VIEWS, "B", "boxed inside the tags of another dialect"),
        ("Answer: B", VIEWS, "B", "announced"),
        ("The correct answer is (B).", VIEWS, "B", "announced at length"),
        ("Option B", VIEWS, "B", "as an option"),
        ("B) PA", VIEWS, "B", "with its text"),
        ("(B) pa", VIEWS, "B", "with its text in another case"),
        ("B: PA", VIEWS, "B", "with a colon"),
        ("B PA", VIEWS, "B", "with its text and no mark"),
        ("(A) AP", VIEWS, "A", "letter and text that look alike"),
        ("AP", VIEWS, "A", "the text alone, which holds the letter A and the letter P"),
        ("pa.", VIEWS, "B", "the text in another case"),
        ("This is a PA view", VIEWS, "B", "one option in a sentence; the article is not option A"),
        ("A PA view", VIEWS, "B", "an article in capitals"),
        ("A. Left lung, a mass", PLACES, "A", "a comma and an article inside the option"),
        ("left lung a mass", PLACES, "A", "punctuation does not matter"),
        ("pleural effusion", EFFUSIONS, "B", "a text that holds another option's text"),
        ("There is a pleural effusion.", EFFUSIONS, "B", "the same in a sentence"),
        ("effusion", EFFUSIONS, "A", "the shorter one alone"),
        ("fracture, edema", SETS, "B", "a set of labels in another order"),
        ("No, the heart is not enlarged.", YES_NO, "B", "the option first, then an explanation"),
        ("B) No, the heart is not enlarged.", YES_NO, "B", "letter, option, explanation"),
        ("<1 cm", ("<1 cm", ">1 cm"), "A", "a sign that carries the meaning"),
        ("0.5", ("05", "0.5"), "B", "a decimal point carries meaning"),
        ("A, A", VIEWS, "A", "the same letter twice"),
        ("B", ("B", "A"), "B", "a letter is the letter, even where it is another option's text"),
    ],
)
def test_one_option_is_understood_in_any_dress(said, options, letter, why):
    assert choice.parse(said, options).value == letter, why


@pytest.mark.parametrize(
    ("said", "options", "problem", "why"),
    [
        ("", VIEWS, "empty", "silence"),
        (" ** ", VIEWS, "empty", "only dress"),
        ("A or B or C", VIEWS, "several", "every option"),
        ("A, B", VIEWS, "several", "two where one is asked for"),
        ("A B", VIEWS, "several", "two without a comma"),
        ("(A) (B)", VIEWS, "several", "two in brackets"),
        ("A) AP B) PA", VIEWS, "several", "two with their texts"),
        ("AP, PA", VIEWS, "several", "two texts"),
        ("effusion and pleural effusion", EFFUSIONS, "several", "the short one stands beside the long one"),
        ("edema, pneumonia, fracture", SETS, "several", "overlapping sets"),
        ("not PA but AP", VIEWS, "several", "two options, one denied"),
        ("not PA", VIEWS, "denied", "a denied option"),
        ("It isn't PA", VIEWS, "denied", "a denied option, contracted"),
        ("PA or oblique", VIEWS, "denied", "weighed against something else"),
        ("no evidence of edema", ("edema", "fracture"), "denied", "the absence of an option"),
        ("A) PA", VIEWS, "another option", "letter and text contradict each other"),
        ("A) pleural effusion", EFFUSIONS, "another option", "the letter's text lies inside the other text"),
        ("A) not AP", VIEWS, "deny", "the letter's own text is denied"),
        ("A, because it is not B.", VIEWS, "no option", "a bare letter in a sentence"),
        ("a view from behind", VIEWS, "no option", "an article is no option"),
        ("D", VIEWS, "no option", "a letter that no option has"),
        ("D) PA or so", ("AP", "PA"), "denied", "no such letter, a weighed text"),
        ("lung", PLACES, "no option", "a part of an option"),
        ("paper", VIEWS, "no option", "an option inside a word"),
        ("see (A)", VIEWS, "no option", "a mark deep in a sentence"),
        ("a b", ("a, b", "a; b"), "several", "options that only punctuation tells apart"),
    ],
)
def test_no_option_or_several_are_not_understood(said, options, problem, why):
    parsed = choice.parse(said, options)
    assert (parsed.value, problem in parsed.problem) == ("", True), (why, parsed)


def test_only_the_gold_letter_scores():
    assert [choice.score(value, "B", VIEWS) for value in ("B", "A", "")] == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("gold", ["", "D", "b", "PA", "A, B"])
def test_gold_that_is_no_letter_of_the_options_raises(gold):
    with pytest.raises(ValueError, match="gold answer"):
        choice.score("", gold, VIEWS)


@pytest.mark.parametrize(
    "options", [(), ("Yes", "yes "), ("Yes", " "), tuple(f"option {n}" for n in range(27))]
)
def test_options_without_a_letter_or_a_difference_raise(options):
    with pytest.raises(ValueError, match="option"):
        choice.parse("A", options)


def test_writing_takes_the_text_before_the_letter():
    assert choice.write("pa", VIEWS) == "B"
    assert choice.write("c", VIEWS) == "C"
    assert choice.write("A", ("B", "A")) == "B"
    with pytest.raises(ValueError, match="not one of the options"):
        choice.write("oblique", VIEWS)


def test_a_flood_of_one_option_is_read_quickly():
    assert choice.parse("effusion " * 20_000 + "pleural effusion", EFFUSIONS).problem
    assert choice.parse("answer" + " " * 50_000 + "zzz", EFFUSIONS).problem
