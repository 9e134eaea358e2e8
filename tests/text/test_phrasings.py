"""How radiologists put things: `phrasings.txt` has one sentence a line, and behind the arrow what it says.

`+` present, `-` absent, `?` uncertain; then side, location, severity, change. Nothing behind the arrow: the
sentence asserts nothing. All are invented.
"""

from pathlib import Path

import pytest

from cxreason.text import observe

PHRASINGS = (Path(__file__).parent / "phrasings.txt").read_text(encoding="utf-8").splitlines()
SIGNS = {"present": "+", "absent": "-", "uncertain": "?"}


@pytest.mark.parametrize("line", PHRASINGS)
def test_a_phrasing_is_understood(line):
    sentence, _, expected = line.partition(" ->")
    found = []
    for seen in observe(sentence):
        parts = (seen.side, seen.location, seen.severity, seen.change, seen.hedge)
        found.append(" ".join([SIGNS[seen.status] + seen.finding, *filter(None, parts)]))
    assert sorted(found) == sorted(filter(None, expected.strip().split("; ")))
