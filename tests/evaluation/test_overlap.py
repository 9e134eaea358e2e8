"""Word overlap against the plain way of counting, on any words."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxreason.evaluation.overlap import (
    bleu2_rexrank,
    bleu4_parts,
    longest_common,
    rouge_l,
)
from cxreason.evaluation.stemming import stem

WORDS = st.lists(st.sampled_from("abcde"), max_size=14)


def plain_longest_common(first, second):
    """The textbook's table."""
    row = [0] * (len(second) + 1)
    for one in first:
        before = row[:]
        for place, other in enumerate(second, start=1):
            row[place] = before[place - 1] + 1 if one == other else max(before[place], row[place - 1])
    return row[-1]


@settings(max_examples=80, deadline=None)
@given(WORDS, WORDS)
def test_the_longest_common_subsequence_is_that_of_the_table(first, second):
    assert longest_common(first, second) == plain_longest_common(first, second)


@settings(max_examples=50, deadline=None)
@given(WORDS, WORDS)
def test_matches_are_those_of_counters(said, true):
    def matches(size):
        runs = [
            Counter(zip(*(words[start:] for start in range(size)), strict=False)) for words in (said, true)
        ]
        return (runs[0] & runs[1]).total()

    found = bleu4_parts(" ".join(said), " ".join(true))
    assert found[:4] == tuple(matches(size) for size in (1, 2, 3, 4))
    assert found[4:] == (*(max(0, len(said) - size) for size in range(4)), len(said), len(true))


@settings(max_examples=30, deadline=None)
@given(st.text(alphabet="abc .,\n", max_size=30), st.text(alphabet="abc .,\n", max_size=30))
def test_overlap_is_a_share_and_whole_for_equal_texts(said, true):
    for metric in (bleu2_rexrank, rouge_l):
        assert 0 <= metric(said, true) <= 1 + 1e-12
    if len(said.split()) > 1 and "." not in said:
        assert bleu2_rexrank(said, said) == pytest.approx(1.0) or "\n" in said
    if any(letter.isalpha() for letter in said):
        assert rouge_l(said, said) == 1.0


# Stems of nltk 3.10.4, one word for each rule and each exception.
STEMS = """
    effusions effus | opacities opac | ties tie | skies sky | dies die | passes pass | gas ga | glass glass
    died die | spied spi | agreed agre | feed feed | freed freed | unchanged unchang | siting site
    hopping hop | falling fall | hissing hiss | fizzed fizz | filing file | failing fail | sing sing
    troubled troubl | conflated conflat | sized size | happy happi | enjoy enjoy | spy spi | by by
    radically radic | relational relat | conditional condit | rational ration | digitizer digit
    conformably conform | formerly formerli | differently differ | vilely vile | analogously analog
    generalization gener | predication predic | operator oper | feudalism feudal | decisiveness decis
    hopefulness hope | callousness callous | formality formal | sensitivity sensit | sensibility sensibl
    hopefully hope | radiology radiolog | geology geolog | triplicate triplic | formative form
    formalize formal | electricity electr | electrical electr | goodness good | revival reviv
    allowance allow | inference infer | airliner airlin | gyroscopic gyroscop | adjustable adjust
    irritant irrit | replacement replac | adjustment adjust | dependent depend | adoption adopt
    erosion eros | union union | homologous homolog | communism commun | activate activ | effective effect
    probate probat | rate rate | cease ceas | controlling control | roll roll | dying die | news news
    innings inning | exceed exceed | pneumothoraces pneumothorac | sy sy | yyy yyy | t2n t2n | 22ed 22ed
"""


def test_stems_are_those_of_the_stemmer_that_rouge_was_published_with():
    pairs = [pair.split() for pair in STEMS.replace("\n", "|").split("|") if pair.strip()]
    assert [(word, stem(word)) for word, _ in _in_twos(pairs)] == _in_twos(pairs)


def _in_twos(pairs):
    flat = [word for pair in pairs for word in pair]
    return list(zip(flat[::2], flat[1::2], strict=True))
