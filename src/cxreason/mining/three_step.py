"""ChestX-Reasoner's way: plan, evidence, chain. With a language model, each step a thought and then a form.

1. plan      which findings decide the question, and where one looks: from question and options alone. (As in
             the paper, which shows report and answer here, with `answer_aware`.) Questions that are asked
             of many studies in the same words share one plan, which is paid for once.
2. evidence  what the report says of each item, with the sentences that it rests on; unmentioned = normal
3. chain     problem, what is seen, conclusion, as if read off the image; of the report it gets nothing but
             what step 2 found

The rules engine takes the same steps without a model: `rules.plan`, `rules.gather`, `prose.mine_prose`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, Field

from cxreason.endpoint.asking import Asker
from cxreason.mining.asked import (
    Rejected,
    answer_of,
    prompt,
    question_of,
    read_chain,
    report_of,
    variety_of,
)
from cxreason.mining.filters import Candidate
from cxreason.records import Sample
from cxreason.text.sections import sentences


class PlanItem(BaseModel):
    """A finding to look at, and where and for which signs."""

    finding: str = Field(min_length=1)
    look_for: str = Field(min_length=1)


class Plan(BaseModel):
    """What `plan.md` asks for."""

    items: list[PlanItem] = Field(min_length=1, max_length=12)


class Proof(BaseModel):
    """What the sentences say of one item of the plan, and which of them."""

    item: int
    status: Literal["present", "absent", "uncertain", "unmentioned"]
    seen: str
    sentences: list[int]


class Proofs(BaseModel):
    """What `evidence.md` asks for."""

    evidence: list[Proof]


async def mine(sample: Sample, asker: Asker, *, answer_aware: bool) -> Candidate:
    """The chain of one sample; Rejected where the evidence gives none.

    candidate = await mine(sample, Asker(pool, turn=1), answer_aware=False)
    """
    plan = await make_plan(sample, asker, answer_aware=answer_aware)
    told = numbered_sentences(sample)
    proofs = await find_evidence(plan, [line for line, _ in told], asker)
    numbers = sorted({number for proof in proofs for number in proof.sentences})
    slots = {
        "question": question_of(sample),
        "items": items_in_words(plan),
        "seen": seen_in_words(plan, proofs),
    }
    if answer_aware:
        asked = prompt("refine_aware").fill(**slots, answer=answer_of(sample))
    else:
        asked = prompt("refine").fill(**slots)
    spans = [told[number - 1][1] for number in numbers]
    said = await asker.text(asked, variety_of(sample))
    return read_chain(sample, said, tuple(sample.facts[start:end] for start, end in spans))


async def make_plan(sample: Sample, asker: Asker, *, answer_aware: bool) -> Plan:
    """Step 1."""
    question = question_of(sample)
    if answer_aware:
        asked = prompt("plan_think_aware").fill(
            question=question, report=report_of(sample), answer=answer_of(sample)
        )
    else:
        asked = prompt("plan_think").fill(question=question)
    thoughts = await asker.text(asked)
    return await asker.form(prompt("plan").fill(question=question, thoughts=thoughts.text), Plan)


async def find_evidence(plan: Plan, told: Sequence[str], asker: Asker) -> list[Proof]:
    """Step 2: a proof for each item of the plan, in order."""
    num_items, num_sentences = len(plan.items), len(told)

    def check(reply: Proofs) -> None:
        if [proof.item for proof in reply.evidence] != list(range(1, num_items + 1)):
            raise ValueError(f"it needs exactly one entry for each of the items 1 to {num_items}, in order.")
        for proof in reply.evidence:
            wrong = [number for number in proof.sentences if not 1 <= number <= num_sentences]
            if wrong:
                raise ValueError(f"item {proof.item}: the sentences go from 1 to {num_sentences}.")
            if (proof.status == "unmentioned") != (not proof.sentences):
                raise ValueError(
                    f"item {proof.item} is {proof.status}, with {len(proof.sentences)} sentences."
                )

    slots = {"items": items_in_words(plan), "sentences": "\n".join(told)}
    thoughts = await asker.text(prompt("evidence_think").fill(**slots))
    asked = prompt("evidence").fill(**slots, thoughts=thoughts.text)
    return (await asker.form(asked, Proofs, check)).evidence


def numbered_sentences(sample: Sample) -> list[tuple[str, tuple[int, int]]]:
    """Each sentence of the report as a numbered line, with its span in `sample.facts`.

    Where two images are compared, the earlier report comes first, and each line names its image.

    >>> fields = ("1", "d", "binary", "choice", "p", "s", "test", (), "Edema?", "A", ("Yes", "No"))
    >>> numbered_sentences(Sample(*fields, report="No edema. Clear."))
    [('1. No edema.', (0, 9)), ('2. Clear.', (10, 16))]
    """
    parts = [("first image: ", sample.prior_report), ("second image: ", sample.report)]
    lines: list[tuple[str, tuple[int, int]]] = []
    start = 0
    for heading, report in parts:
        if not report:
            continue
        for offset, sentence in sentences(report):
            words = " ".join(sentence.split())
            named = f"{len(lines) + 1}. {heading if sample.prior_report else ''}{words}"
            lines.append((named, (start + offset, start + offset + len(sentence))))
        start += len(report) + 1
    if not lines:
        raise Rejected("unread: there is no report")
    return lines


def items_in_words(plan: Plan) -> str:
    """The plan as numbered lines."""
    return "\n".join(
        f"{number}. {' '.join(item.finding.split())}: {' '.join(item.look_for.split())}"
        for number, item in enumerate(plan.items, start=1)
    )


def seen_in_words(plan: Plan, proofs: Sequence[Proof]) -> str:
    """What was found of each item, as numbered lines; what is unmentioned is told as not seen."""
    verdicts = {"present": "seen", "absent": "denied", "uncertain": "in doubt", "unmentioned": "not seen"}
    lines = []
    for number, (item, proof) in enumerate(zip(plan.items, proofs, strict=True), start=1):
        told = f": {' '.join(proof.seen.split())}" if proof.seen.strip() else ""
        lines.append(f"{number}. {' '.join(item.finding.split())} - {verdicts[proof.status]}{told}")
    return "\n".join(lines)
