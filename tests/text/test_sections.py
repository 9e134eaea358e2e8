"""Reports into sections, texts into sentences. All reports are invented."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxreason.text.passages import passages
from cxreason.text.sections import headed_sentences, one_line, sections, sentences

# Each line of MIMIC-CXR begins with a space, blank lines too.
MIMIC = """FINAL REPORT
EXAMINATION:  CHEST (PA AND LAT)

INDICATION:  ___ year old woman with cough  // pneumonia?

TECHNIQUE:  Two views.

COMPARISON:  ___.

FINDINGS:

The lungs are clear.  The heart is
normal in size.

IMPRESSION:

No pneumonia.
""".replace("\n", "\n ")

STYLES = [
    (
        "MIMIC-CXR",
        MIMIC,
        {
            "examination": "CHEST (PA AND LAT)",
            "indication": "___ year old woman with cough  // pneumonia?",
            "technique": "Two views.",
            "comparison": "___.",
            "findings": "The lungs are clear.  The heart is\n normal in size.",
            "impression": "No pneumonia.",
        },
    ),
    (
        "MIMIC-CXR with an examination for a header",
        " FINAL REPORT\n PORTABLE CHEST:  Small effusion.\n \n CONCLUSION:  Small effusion.\n",
        {"findings": "Small effusion.", "impression": "Small effusion."},
    ),
    (
        "MIMIC-CXR with neither findings nor impression",
        " FINAL REPORT\n INDICATION:  Fever.\n \n COMPARISON:  ___.\n \n No consolidation is seen.\n",
        {"indication": "Fever.", "comparison": "___.", "last_paragraph": "No consolidation is seen."},
    ),
    (
        "MIMIC-CXR with an addendum on top",
        " ADDENDUM  A nodule is seen.\n______________________________\n FINAL REPORT\n FINDINGS:  Clear.\n",
        {"addendum": "A nodule is seen.", "findings": "Clear."},
    ),
    (
        "Open-i",
        "Comparison: None. Indication: Chest pain. Findings: Normal heart. Impression: No acute disease.",
        {
            "comparison": "None.",
            "indication": "Chest pain.",
            "findings": "Normal heart.",
            "impression": "No acute disease.",
        },
    ),
    (
        "ReXGradient",
        "Indication: Dyspnea\nComparison: None\nFindings: Lungs are clear.\nImpression: Normal.",
        {
            "indication": "Dyspnea",
            "comparison": "None",
            "findings": "Lungs are clear.",
            "impression": "Normal.",
        },
    ),
    (
        "CheXpert Plus",
        "NARRATIVE:\nRADIOGRAPHIC EXAMINATION OF THE CHEST: 1-1-2001\n\nCLINICAL HISTORY: Age 50, fall.\n\n"
        "COMPARISON: None.\n\nPROCEDURE COMMENTS: One view.\n\nFINDINGS: Low lung volumes.\n\n"
        "IMPRESSION:\n1. LOW LUNG VOLUMES.\n2. NO FRACTURE.\n\nEND OF IMPRESSION:\nSUMMARY: 1-NOTHING NEW\n"
        "ACCESSION NUMBER: 000",
        {
            "findings": "1-1-2001\nLow lung volumes.",
            "history": "Age 50, fall.",
            "comparison": "None.",
            "technique": "One view.",
            "impression": "1. LOW LUNG VOLUMES.\n2. NO FRACTURE.",
            "summary": "1-NOTHING NEW",
        },
    ),
    (
        "organ by organ",
        "FINDINGS:\nLUNGS: Clear.\nHEART: Normal size.\nLINES AND TUBES: None.\nIMPRESSION: Normal.",
        {
            "findings": "LUNGS: Clear.\nHEART: Normal size.\nLINES AND TUBES: None.",
            "impression": "Normal.",
        },
    ),
    ("no header", "The lungs are clear.", {"findings": "The lungs are clear."}),
    ("nothing", "  \n ", {}),
    (
        "text, then a header",
        "Clear lungs.\nIMPRESSION: One.\nCONCLUSION: Two.",
        {"findings": "Clear lungs.", "impression": "One.\nTwo."},
    ),
    (
        "a header that nobody knows",
        "IMPRESSION: Edema.\nCRITICAL RESULT: Told by telephone.",
        {"impression": "Edema.", "critical result": "Told by telephone."},
    ),
    (
        "a header alone on its line",
        "Findings\nHeart normal.\nImpression\nNormal chest.",
        {"findings": "Heart normal.", "impression": "Normal chest."},
    ),
    (
        "headers inside a line",
        "CLINICAL HISTORY: Fall. FINDINGS: Clear. IMPRESSION: Normal.",
        {"history": "Fall.", "findings": "Clear.", "impression": "Normal."},
    ),
]


@pytest.mark.parametrize(("style", "report", "expected"), STYLES, ids=[row[0] for row in STYLES])
def test_each_style_of_report_is_cut_at_its_headers(style, report, expected):
    assert sections(report) == expected, style


def test_words_of_a_sentence_are_no_headers():
    assert sections("FINDINGS: These findings: none. History of falls.") == {
        "findings": "These findings: none. History of falls."
    }


def test_an_addendum_with_a_colon_is_a_section_of_its_own():
    report = " ADDENDUM:  A nodule is seen.\n __________________\n FINAL REPORT\n FINDINGS:  Clear.\n"
    assert sections(report) == {"addendum": "A nodule is seen.", "findings": "Clear."}


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


@pytest.mark.parametrize("short", ["e.g.", "i.e.", "vs.", "dr.", "approx.", "cf.", "resp."])
def test_an_abbreviation_ends_no_sentence_in_any_letters(short):
    for written in (short, short.upper(), short.capitalize()):
        assert len(list(sentences(f"A nodule ({written} left). Seen {written} before. Next"))) == 3
    assert [said for _, said in sentences(f"Left {short}")] == [f"Left {short}"]


@given(st.text(alphabet="ab \n\t\x1c\u00a0\u2028\u00e9", max_size=20))
def test_on_one_line_there_is_no_white_space_but_single_blanks(text):
    assert one_line(text) == " ".join(text.split())


@given(st.text(alphabet="ab.?! \n-1", max_size=60))
def test_sentences_lie_where_they_say_and_leave_nothing_out(text):
    found = list(sentences(text))
    assert all(text[offset : offset + len(sentence)] == sentence for offset, sentence in found)
    assert "".join("".join(sentence for _, sentence in found).split()) == "".join(text.split())


pieces = st.sampled_from(
    ["FINDINGS:", "Impression:", "\n", " ", "LUNGS:", "Clear. ", "_____\n", "XYZ: ", "\n \n"]
)


@given(st.lists(pieces, max_size=12).map("".join))
def test_sections_are_pieces_of_the_report_and_never_empty(report):
    for text in sections(report).values():
        assert text == text.strip() != ""
        assert all(line.strip() in report for line in text.splitlines())


@pytest.mark.parametrize("between", ["\n", " "])
def test_headings_divide_a_section_on_several_lines_and_on_one(between):
    text = between.join(
        ("Lungs: Clear. No edema.", "PLEURA: Thick at the left apex.", "Seen at 10: 30 again.")
    )
    assert headed_sentences(text)[:2] == (
        ("Lungs", ("Clear.", "No edema.")),
        ("PLEURA", ("Thick at the left apex.", "Seen at 10: 30 again.")),
    )
    assert passages(text) == {
        "lungs": "Clear. No edema.",
        "pleura": "Thick at the left apex. Seen at 10: 30 again.",
    }


def test_a_text_without_headings_is_one_part():
    text = "Clear lungs. Tube 3 cm above the carina; e.g. fine.\nNo effusion."
    assert [heading for heading, _ in headed_sentences(text)] == [""]
