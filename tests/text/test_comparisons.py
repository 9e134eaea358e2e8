import pytest

from cxreason.phantom.report import write_report
from cxreason.phantom.visit import DEEP
from cxreason.phantom.world import draw_visit
from cxreason.text.comparisons import COMPARES, compares, without_comparison
from cxreason.text.observations import observe


@pytest.mark.parametrize(
    ("text", "left", "why"),
    [
        ("Small effusion, new since the prior study.", "Small effusion.", "behind, with its reference"),
        ("A left effusion is unchanged.", "A left effusion is present.", "what did not change is there"),
        ("A mass is again seen, unchanged.", "A mass is seen.", "seen again"),
        ("There is a new opacity.", "There is an opacity.", "before its noun, and the article follows"),
        ("Stable cardiomegaly.", "Cardiomegaly.", "one word is a statement"),
        ("Edema, which has worsened since the last radiograph.", "Edema.", "in a clause of its own"),
        ("Compared with the prior study, there is a nodule.", "There is a nodule.", "in front"),
        ("The lungs remain clear.", "The lungs are clear.", "what stays so is so"),
        ("Grossly unchanged calcified granuloma.", "Calcified granuloma.", "with its adverb"),
        ("There is again a nodule.", "There is a nodule.", "not seen twice"),
        ("Evidence of prior granulomatous disease.", "Evidence of prior granulomatous disease.", "a history"),
        ("Asymmetric compared to the left.", "Asymmetric compared to the left.", "within one image"),
        ("Stable cardiomediastinal silhouette.", "", "a structure, and not how it looks"),
        ("These are unchanged.", "", "what these are is not said"),
        ("The heart is mildly enlarged.", "The heart is mildly enlarged.", "nothing to cut"),
        (
            "Increased interstitial markings.",
            "Increased interstitial markings.",
            "compared with nothing",
        ),
        ("The effusion has resolved.", "", "about the past alone"),
        ("The nodule is no longer seen.", "", "about the past alone"),
        ("Interval removal of a chest tube.", "", "about the past alone"),
        ("Heart size is unchanged.", "", "whether it is normal is not said"),
        ("No new consolidation.", "", "whether there is an old one is not said"),
        ("Unchanged.", "", "nothing but comparison"),
    ],
)
def test_comparison_is_cut_where_a_statement_remains_and_else_the_sentence_is_left_out(text, left, why):
    assert without_comparison(text) == left, why


def test_lines_with_headings_stay_lines_and_a_line_without_rest_goes():
    text = "Lungs: Clear.\nPleura: The effusion has resolved.\nHeart: Normal. No change."
    assert without_comparison(text) == "Lungs: Clear.\nHeart: Normal."
    assert without_comparison(text.replace("\n", " ")) == "Lungs: Clear. Heart: Normal."


def present(text: str) -> set[tuple[str, str, str]]:
    return {(one.finding, one.side, one.location) for one in observe(text) if one.status == "present"}


def test_what_remains_of_a_phantom_report_compares_nothing_and_says_only_what_the_report_said():
    num_cut = num_findings_lost = num_findings = 0
    for index in range(120):
        visit = draw_visit(3, index, DEEP)
        text = write_report(visit).findings
        left = without_comparison(text)
        assert not compares(left), left
        said, kept = present(text), present(left)
        assert kept <= said, (text, left)
        num_cut += left != text
        num_findings += len(said)
        num_findings_lost += len(said - kept)
    assert num_cut > 20
    assert num_findings_lost <= 0.01 * num_findings, (
        "what is there is not left out because it was there before"
    )


def test_a_report_compares_where_one_of_its_sentences_does():
    found = set()
    for index in range(120):
        report = write_report(draw_visit(5, index, DEEP))
        for text in (report.findings, report.impression):
            assert compares(text) == bool(COMPARES.search(text)), text
            found.add(compares(text))
    assert found == {True, False}
