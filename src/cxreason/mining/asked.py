"""What both ways of asking a model share: the question in words, the reports, and its reply understood."""

from __future__ import annotations

from pathlib import Path

from cxreason.answers import understand
from cxreason.answers.dialects import letters
from cxreason.endpoint import prompts, wire
from cxreason.endpoint.wire import Said
from cxreason.mining.filters import Candidate
from cxreason.records import Sample, content_id

PROMPTS = Path(__file__).parent / "prompts"
NAMES = {
    ("three_step", False): ("plan_think", "plan", "evidence_think", "evidence", "refine"),
    ("three_step", True): ("plan_think_aware", "plan", "evidence_think", "evidence", "refine_aware"),
    ("one_prompt", False): ("one_prompt",),
    ("one_prompt", True): ("one_prompt_aware",),
}
"""(way, answer-aware) -> its prompts in the order of the calls."""


class Rejected(Exception):
    """What a model said leads to no chain, whoever asks again; the reason as a filter gives it."""


def prompt(name: str) -> prompts.Prompt:
    """One of the mining prompts.

    >>> "$question" in prompt("plan").text
    True
    """
    return prompts.load(PROMPTS / f"{name}.md")


def versions(way: str, answer_aware: bool) -> dict[str, str]:
    """Prompt -> hash of its words, to be written beside what it made.

    >>> list(versions("one_prompt", False))
    ['one_prompt']
    """
    return {name: prompt(name).version for name in NAMES[way, answer_aware]}


def question_of(sample: Sample) -> str:
    """The question with its options, one a line.

    >>> fields = ("1", "d", "binary", "choice", "p", "s", "test", (), "Edema?", "A", ("Yes", "No"))
    >>> question_of(Sample(*fields))
    'Edema?\\nA) Yes\\nB) No'
    """
    lines = [
        f"{letter}) {option}" for letter, option in zip(letters(sample.options), sample.options, strict=True)
    ]
    return "\n".join([sample.question, *lines])


def answer_of(sample: Sample) -> str:
    """The gold answer in words."""
    if sample.kind != "choice":
        return sample.answer
    return f"{sample.answer}) {sample.options[letters(sample.options).index(sample.answer)]}"


def variety_of(sample: Sample) -> int:
    """A number of the sample's own, so that chains differ where studies are alike and words are drawn."""
    return int(content_id("variety", sample.id)[:6], 16)


def report_of(sample: Sample) -> str:
    """The report; both of them with a heading each where two images are compared."""
    if not sample.prior_report:
        return sample.report
    return f"First image:\n{sample.prior_report}\n\nSecond image:\n{sample.report}"


def read_chain(sample: Sample, said: Said, evidence: tuple[str, ...]) -> Candidate:
    """The chain and the answer that a closing reply holds; Rejected where it was cut or says nothing."""
    if said.cut:
        raise Rejected("length: cut at the token limit")
    text = wire.without_thoughts(said.text)
    understood = understand(text, dialect="boxed", mode="reasoning", kind=sample.kind, options=sample.options)
    reasoning = " ".join(understood.reasoning.split())
    if not reasoning:
        raise Rejected("empty: the reply holds no reasoning")
    return Candidate(reasoning, understood.answer, evidence)
