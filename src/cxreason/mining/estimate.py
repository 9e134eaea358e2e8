"""What a run with a language model would ask and cost, without asking anything.

Prompts are written out for a sample of the samples and counted at four characters a token; what the model
will write is assumed, and the assumption is told. Once a run has begun, its own replies say how long they
are, and the estimate uses those.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxreason.mining import asked, three_step
from cxreason.mining.asked import NAMES, prompt, question_of, report_of
from cxreason.records import Sample

if TYPE_CHECKING:
    from cxreason.recipes import MineRecipe

CHARACTERS_PER_TOKEN = 4.0
WORDS_ASSUMED = {"plan": 120, "think": 250, "chain": 160}
"""Words that a reply has: a plan or evidence as JSON, thoughts, a chain as the paper has."""
TOKENS_PER_WORD = 1.4
MOST_WRITTEN_OUT = 500
SHARED = ("plan_think", "plan")
"""Prompts that hold nothing of a study, so that studies share their replies."""


def estimate(recipe: MineRecipe, samples: Iterable[Sample]) -> dict[str, Any]:
    """Number of calls, tokens and cost, with the prompts of the first sample."""
    assert recipe.llm is not None
    names = NAMES[recipe.way, recipe.answer_aware]
    num_samples = num_counted = characters = 0
    plans: set[str] = set()
    example: dict[str, str] = {}
    for sample in samples:
        if not sample.report:
            continue
        num_samples += 1
        if recipe.way == "three_step" and not recipe.answer_aware:
            plans.add(question_of(sample))
        if num_counted < MOST_WRITTEN_OUT:
            num_counted += 1
            written = _written(sample, recipe)
            characters += sum(
                len(text) for name, text in written.items() if name not in ("plan_think", "plan")
            )
            example = example or written
    shared = [name for name in names if plans and name in SHARED]
    own = [name for name in names if name not in shared]
    num_calls = num_samples * len(own) + len(plans) * len(shared)
    tokens_in = num_samples * characters / max(num_counted, 1) / CHARACTERS_PER_TOKEN
    tokens_in += sum(len(prompt(name).text) for name in shared) * len(plans) / CHARACTERS_PER_TOKEN
    tokens_out = sum(_tokens_out(name) * num_samples for name in own)
    tokens_out += sum(_tokens_out(name) * len(plans) for name in shared)
    basis = f"assumed: replies of {WORDS_ASSUMED} words, thinking that a server hides not counted"
    seen = _seen(Path(recipe.out) / "replies.jsonl")
    if seen:
        tokens_in, tokens_out = (num_calls * mean for mean in seen)
        basis = "the run's own replies so far"
    result: dict[str, Any] = {"samples": num_samples, "calls": num_calls}
    if shared:
        result["shared plans"] = len(plans)
    result |= {"tokens_in": round(tokens_in), "tokens_out": round(tokens_out), "basis": basis}
    costs = [(tokens_in * one.price_in + tokens_out * one.price_out) / 1e6 for one in recipe.llm.servers]
    if costs:
        result |= {"cost_at_least": round(min(costs), 4), "cost_at_most": round(max(costs), 4)}
    if recipe.llm.budget is not None:
        result["budget"] = recipe.llm.budget
    return {**result, "prompts": asked.versions(recipe.way, recipe.answer_aware), "example": example}


def _written(sample: Sample, recipe: MineRecipe) -> dict[str, str]:
    """The prompts of one sample; where a slot waits for a reply, words of the assumed length stand in."""
    later = {
        "items": "(the items of the plan)",
        "thoughts": "(the thoughts of the call before)",
        "seen": "(what the evidence says)",
    }
    known = {"question": question_of(sample), "report": report_of(sample), "answer": asked.answer_of(sample)}
    known["sentences"] = "\n".join(line for line, _ in three_step.numbered_sentences(sample))
    written = {}
    for name in NAMES[recipe.way, recipe.answer_aware]:
        wanted = prompt(name).variables
        written[name] = prompt(name).fill(**{slot: {**later, **known}[slot] for slot in wanted})
    return written


def _tokens_out(name: str) -> float:
    kind = "think" if "think" in name else "plan" if name in ("plan", "evidence") else "chain"
    return WORDS_ASSUMED[kind] * TOKENS_PER_WORD


def _seen(file: Path) -> tuple[float, float] | None:
    """Mean tokens read and written of a call so far, or None before the first."""
    if not file.exists():
        return None
    number = tokens_in = tokens_out = 0
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            try:
                reply = json.loads(line)["reply"]
            except (ValueError, KeyError):
                continue  # what was being written when a run was killed
            if reply and reply["tokens_in"] is not None and reply["tokens_out"] is not None:
                number += 1
                tokens_in += reply["tokens_in"]
                tokens_out += reply["tokens_out"]
    return (tokens_in / number, tokens_out / number) if number else None
