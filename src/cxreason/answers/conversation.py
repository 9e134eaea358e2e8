"""A sample as the chat that a model sees: one system line, one user turn with the images before the text."""

from __future__ import annotations

from cxreason.answers.dialects import DIALECTS, letters, mark
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
    text = DIALECTS[dialect].prompt(sample.question, sample.options, mode, sample.option_style)
    return [{"role": "system", "content": SYSTEM_PROMPT}, {"role": "user", "content": text}]


def reply(sample: Sample) -> str:
    """The gold answer in the marks of the sample's options: the letter, or of plain options the text.

    >>> from cxreason.records import Sample
    >>> fields = ("1", "demo", "disease", "choice", "p", "s", "test", (), "Clear?", "B", ("Yes", "No"))
    >>> [reply(Sample(*fields, option_style=style)) for style in ("", "(a)", "plain")]
    ['B', '(b)', 'No']
    """
    if sample.kind != "choice" or not sample.option_style:
        return sample.answer
    if sample.option_style == "plain":
        return sample.options[letters(sample.options).index(sample.answer)]
    return mark(sample.answer, sample.option_style)
