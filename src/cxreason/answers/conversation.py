"""A sample as the chat that a model sees: one system line, one user turn with the images before the text."""

from __future__ import annotations

from cxreason.answers.dialects import DIALECTS
from cxreason.records import Mode, Sample

SYSTEM_PROMPT = "You are a helpful AI assistant."


def conversation(sample: Sample, *, dialect: str, mode: Mode) -> list[dict[str, str]]:
    """The messages that ask `sample` in a dialect and a mode; images travel beside them.

    >>> from cxreason.records import Sample
    >>> options = ("Yes", "No")
    >>> sample = Sample("1", "demo", "binary", "choice", "p", "s", "test", ("x.png",), "Clear?", "A", options)
    >>> conversation(sample, dialect="think", mode="direct")[1]["content"].splitlines()[:3]
    ['Clear?', 'Options:', 'A) Yes']
    """
    text = DIALECTS[dialect].prompt(sample.question, sample.options, mode)
    return [{"role": "system", "content": SYSTEM_PROMPT}, {"role": "user", "content": text}]
