"""The lexicon is data that many people edit: its mistakes must show at once."""

import re

import pytest

from cxreason.text import observe, ontology
from cxreason.text.ontology import FINDINGS, PARENTS, appearances, concepts, phrase_pattern, phrases


def test_every_synonym_alone_is_read_as_its_finding():
    for concept in concepts():
        for phrase in concept.synonyms:
            found = {seen.finding for seen in observe(f"There is {phrase}.")}
            assert concept.finding in found, phrase


def test_every_phrase_is_found_whole_by_the_one_pattern():
    for phrase in phrases():
        assert phrase_pattern().fullmatch(phrase), phrase


def test_hyphens_and_line_breaks_join_words_as_spaces_do():
    for text in ("port-a-cath", "Port-A-\ncath", "central\n   venous line"):
        assert [seen.finding for seen in observe(text)] == ["support devices"]


def test_every_structure_and_quality_of_an_appearance_has_words():
    known = {(meaning.kind, meaning.value) for meaning in phrases().values()}
    for structure, quality in appearances():
        assert ("structure", structure) in known, structure
        assert ("quality", quality) in known, quality


def test_parents_are_findings_and_have_none_themselves():
    assert set(PARENTS) | set(PARENTS.values()) <= set(FINDINGS)
    assert not set(PARENTS) & set(PARENTS.values())


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("edema\tedema\tedema", "stands twice"),
        ("edema\tedema\tWet Lung", "lower-case"),
        ("gout\tgout\tgout", "unknown"),
    ],
)
def test_a_mistake_in_the_lexicon_is_named(line, complaint, tmp_path, monkeypatch):
    for file in ontology.LEXICON.iterdir():
        (tmp_path / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    with (tmp_path / "findings.tsv").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    monkeypatch.setattr(ontology, "LEXICON", tmp_path)
    monkeypatch.setattr(ontology, "concepts", ontology.concepts.__wrapped__)  # without its memory
    with pytest.raises(ValueError, match=re.escape(complaint)):
        ontology.phrases.__wrapped__()


def test_the_text_room_needs_no_torch_and_no_numpy():
    import subprocess
    import sys

    code = "import sys, cxreason.text.matching; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
