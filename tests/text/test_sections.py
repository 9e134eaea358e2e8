"""Reports into sections, texts into sentences."""

from hypothesis import given
from hypothesis import strategies as st

from cxreason.text.sections import sentences, split


def test_headers_on_their_own_line_and_inline_open_sections():
    report = (
        "INDICATION: Cough.\nComparison: None.\n\nFINDINGS:\nHeart normal.\nNo effusion.\n\n"
        "Impression\nNormal chest."
    )
    assert split(report) == {
        "indication": "Cough.",
        "comparison": "None.",
        "findings": "Heart normal.\nNo effusion.",
        "impression": "Normal chest.",
    }
    assert split("CLINICAL HISTORY: Fall. FINDINGS: Clear. IMPRESSION: Normal.") == {
        "indication": "Fall.",
        "findings": "Clear.",
        "impression": "Normal.",
    }


def test_words_of_a_sentence_are_no_headers():
    assert split("FINDINGS: These findings: none. History of falls.") == {
        "findings": "These findings: none. History of falls."
    }


def test_text_without_headers_is_findings_and_a_section_that_stands_twice_is_joined():
    assert split("Clear.\nIMPRESSION: One.\nCONCLUSION: Two.") == {
        "findings": "Clear.",
        "impression": "One.\nTwo.",
    }
    assert split("  ") == {}


def test_numbers_and_abbreviations_end_no_sentence_but_list_marks_begin_one():
    assert [text for _, text in sentences("A 1.5 cm nodule, e.g. here. Next")] == [
        "A 1.5 cm nodule, e.g. here.",
        "Next",
    ]
    assert [text for _, text in sentences("- one\n- two\nwraps on\nThree")] == [
        "- one",
        "- two\nwraps on",
        "Three",
    ]


@given(st.text(alphabet="ab.?! \n-1", max_size=60))
def test_sentences_lie_where_they_say_and_leave_nothing_out(text):
    found = list(sentences(text))
    assert all(text[offset : offset + len(sentence)] == sentence for offset, sentence in found)
    assert "".join("".join(sentence for _, sentence in found).split()) == "".join(text.split())
