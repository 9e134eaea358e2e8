"""Samples -> samples with reasoning, and the funnel that says what was dropped and why.

    cxreason mine recipes/phantom/mine.yaml

A chain is kept when its own conclusion is the gold answer, when every observation in it follows from the
report (R_f = 1), when it neither speaks of its source nor, for a single image, of change, and when it is
short enough. What is dropped goes to `failed.jsonl` with its reason.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxreason.build import relocate
from cxreason.mining.rules import mine_sample
from cxreason.records import Sample, to_row
from cxreason.text.matching import judge
from cxreason.text.observations import observe
from cxreason.text.statements import statements

if TYPE_CHECKING:
    from cxreason.recipes import MineRecipe

MAX_WORDS = 130
# A chain reasons from the image. Whoever names the text it was made from gives the trick away, and who
# speaks of change where there is one image speaks of something that cannot be seen.
LEAKS = re.compile(r"\b(reports?|reported|reporting|impressions?|radiologists?|mention\w*|dictat\w*)\b", re.I)
CHANGE = re.compile(
    r"\b(prior|previous(ly)?|interval|compar\w+|unchanged|worsen\w*|improv\w+|stable|new|increas\w+|decreas\w+)\b",
    re.I,
)


def mine(recipe: MineRecipe, *, limit: int | None = None, dry_run: bool = False) -> dict[str, Any]:
    """Write the samples whose chain was kept under `recipe.out`; return the funnel.

    `limit` is the largest number of samples that are read. A dry run writes nothing and returns the funnel
    and one mined sample. Run again to continue.
    """
    from cxreason.runs import Run, num_rows

    source, folder = Path(recipe.samples), Path(recipe.out)
    if dry_run:
        results = [(sample, *mine_one(sample)) for sample in _samples(recipe, limit)]
        example = next((mined for _, mined, problem in results if not problem), None)
        funnel = Counter(_key(sample, problem) for sample, _, problem in results)
        return {**_funnel(funnel), "example": None if example is None else to_row(example)}
    with Run.open(folder, verb="mine", recipe=recipe, record=Sample, limit=limit) as run:
        if run.finished:
            return run.counts
        root = source.parent if source.suffix else source
        funnel = Counter()
        total = min(num_rows(source, Sample), limit or num_rows(source, Sample))
        for sample in run.progress(_samples(recipe, limit), "mining", total):
            if sample.id in run.done:
                funnel[_key(sample, "")] += 1
                continue
            mined, problem = mine_one(sample)
            funnel[_key(sample, problem)] += 1
            if problem:
                run.fail(sample.id, problem)
            else:
                images = tuple(relocate(image, root, folder) for image in mined.images)
                run.append(replace(mined, images=images))
        return run.finish(**_funnel(funnel))


def mine_one(sample: Sample) -> tuple[Sample, str]:
    """The sample with reasoning and evidence, and why it must be dropped, or empty.

    The first word of the reason names the filter: unread, uncertain, answer, leak, length or factuality.
    """
    if not sample.report:
        return sample, "unread: there is no report"
    mined = mine_sample(sample)
    if mined.problem:
        return sample, mined.problem
    done = replace(sample, reasoning=mined.reasoning, evidence=mined.evidence)
    if mined.answer != sample.answer:
        return done, f"answer: the evidence says {mined.answer}, the gold answer is {sample.answer}"
    return done, (
        find_leak(mined.reasoning, sample.task) or find_excess(mined.reasoning) or find_unfounded(done) or ""
    )


def find_leak(reasoning: str, task: str) -> str:
    """Why a chain gives its source away, or empty.

    >>> find_leak("The report says edema.", "binary")
    "leak: says 'report'"
    """
    found = LEAKS.search(reasoning) or (CHANGE.search(reasoning) if task != "temporal" else None)
    return f"leak: says {found.group().lower()!r}" if found else ""


def find_excess(reasoning: str) -> str:
    """Why a chain is too long, or empty."""
    words = len(reasoning.split())
    return f"length: {words} words, at most {MAX_WORDS}" if words > MAX_WORDS else ""


def find_unfounded(sample: Sample) -> str:
    """The first observation in a chain that does not follow from the report, or empty where R_f is 1.

    An unmentioned finding counts as normal, as it does in the mining. A comparison may rest on both texts.
    """
    facts = observe(sample.facts)
    claims = statements(observe(sample.reasoning))
    if not claims:
        return "factuality: the chain observes nothing"
    for claim in claims:
        found = judge(claim, facts)
        if found not in ("supported", "unmentioned_normal"):
            return f"factuality: {found.replace('_', ' ')}: {claim[0].sentence}"
    return ""


def _samples(recipe: MineRecipe, limit: int | None) -> Iterator[Sample]:
    from cxreason.runs import read

    wanted = (sample for sample in read(Path(recipe.samples), Sample) if sample.split in recipe.splits)
    for number, sample in enumerate(wanted):
        if limit is not None and number >= limit:
            return
        yield sample


def _key(sample: Sample, problem: str) -> tuple[str, str]:
    return sample.task, problem.partition(":")[0] or "kept"


def _funnel(outcomes: Counter[tuple[str, str]]) -> dict[str, Any]:
    """Read, kept and dropped per reason; in all, and per task."""
    tasks: dict[str, dict[str, int]] = {}
    for (task, outcome), number in outcomes.items():
        tasks.setdefault(task, {"read": 0, "kept": 0})
        tasks[task]["read"] += number
        tasks[task][outcome] = tasks[task].get(outcome, 0) + number
    in_all: Counter[str] = Counter()
    for counts in tasks.values():
        in_all.update(counts)
    return {"funnel": dict(in_all), "tasks": tasks}
