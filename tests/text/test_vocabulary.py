"""The lexicon is data that many people edit: its mistakes must show at once, with the line."""

import re
import shutil
import subprocess
import sys

import pytest

from cxreason.text import labels, lexicon_files, observe, ontology, vocabulary
from cxreason.text.lexicon_files import expand, rows
from cxreason.text.tokens import characters, cut, tokens
from cxreason.text.vocabulary import appearances, phrases


def test_every_synonym_alone_is_read_as_its_concept():
    for place, (concept, written) in rows("findings.tsv", 2):
        for phrase in expand(place, written):
            found = {seen.finding for seen in observe(f"There is {phrase}.")}
            assert concept in found, (place, phrase)


def test_every_phrase_is_found_whole():
    for phrase, meaning in phrases().items():
        parts = cut(phrase)
        found, firsts, lasts = tokens(parts)
        places = characters(parts, zip(firsts, lasts, strict=True))
        assert (meaning.kind == "ignore" and not found) or places == [(0, len(phrase))], phrase


def test_hyphens_and_line_breaks_join_words_as_spaces_do():
    for text in ("port-a-cath", "Port-A-\ncath", "port\n   a cath"):
        assert [seen.finding for seen in observe(text)] == ["port"]


def test_every_structure_and_quality_of_an_appearance_has_words():
    structures = {meaning.value for meaning in phrases().values() if meaning.kind == "structure"}
    qualities = {meaning.quality for meaning in phrases().values()}
    for structure, quality in appearances():
        assert structure in structures
        assert quality in qualities


def test_a_written_choice_stands_for_all_its_phrases():
    assert expand("here", "[a|b|] c [d|e]") == ["a c d", "a c e", "b c d", "b c e", "c d", "c e"]


@pytest.fixture
def lexicon(tmp_path, monkeypatch):
    """A copy of the lexicon to spoil; what was read of the real one is forgotten and read again after."""
    remembered = (ontology.parents, ontology._ancestors, ontology.main_finding, vocabulary.groups)
    remembered += (vocabulary.appearances, vocabulary.phrases, labels.schemes)
    shutil.copytree(lexicon_files.FOLDER, tmp_path / "lexicon")
    monkeypatch.setattr(lexicon_files, "FOLDER", tmp_path / "lexicon")
    for function in remembered:
        function.cache_clear()
    yield tmp_path / "lexicon"
    for function in remembered:
        function.cache_clear()


@pytest.mark.parametrize(
    ("file", "line", "complaint"),
    [
        ("findings.tsv", "edema\toedema", "phrase 'oedema' stands twice, first in findings.tsv, line"),
        ("findings.tsv", "edema\tWet Lung", "lower-case words"),
        ("findings.tsv", "gout\tgout", "unknown finding 'gout'"),
        ("findings.tsv", "edema", "1 columns where 2 should be"),
        ("concepts.tsv", "gout\tpodagra", "unknown parent 'podagra' of 'gout'"),
        ("concepts.tsv", "granuloma\tmass", "'granuloma' stands twice"),
        ("concepts.tsv", "gout\tgout", "'gout' is a kind of itself"),
        ("abnormalities.tsv", "any gout\t@joints", "unknown finding '@joints'"),
        ("cues.tsv", "perhaps\t\tgouty", "unknown kind 'perhaps'"),
        ("appearances.tsv", "heart\tnormal\tabsent\tedema", "heart normal stands twice"),
        ("appearances.tsv", "heart\tgouty\tmaybe\tedema", "status 'maybe'"),
        ("labels.tsv", "nih14\tGout\tgout\t-", "unknown finding 'gout'"),
    ],
)
def test_a_mistake_in_the_lexicon_is_named_with_its_line(lexicon, file, line, complaint):
    with (lexicon / file).open("a", encoding="utf-8") as appended:
        appended.write(line + "\n")
    number = len((lexicon / file).read_text(encoding="utf-8").splitlines())
    with pytest.raises(ValueError, match=re.escape(complaint)) as raised:
        _ = phrases(), appearances(), labels.schemes()
    assert f"{file}, line {number}" in str(raised.value)


def test_the_text_room_needs_no_torch_and_no_numpy():
    code = "import sys, cxreason.text.matching; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
