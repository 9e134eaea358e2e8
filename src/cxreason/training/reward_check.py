"""`cxreason rewards check`: does the right answer earn most, before any hour of a GPU is spent on learning
it?

Completions are made for samples of every task and mode of a recipe: the gold one, spoilt ones that have to
earn less (a wrong answer, none, no form, every option), and tricks that may not earn more (padding, listing,
hedging, another patient's reasoning). All are paid by the recipe's own rewards. Where gold does not win,
nothing good can be learned, and `train grpo` refuses to start.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import heappush, heappushpop
from pathlib import Path
from typing import Any

from cxreason.answers import DIALECTS, boxes, choice, labels, score
from cxreason.answers.conversation import reply
from cxreason.errors import UserError
from cxreason.evaluation.guarded import guarded_worth
from cxreason.evaluation.radrscore import factuality
from cxreason.recipes import GrpoRecipe
from cxreason.records import Mode, Sample, content_id
from cxreason.rows import write_json
from cxreason.runs import read
from cxreason.text.ontology import FINDINGS, NO_FINDING, NORMAL_OF
from cxreason.training.data import reward_row, sources

GOLD = "gold"
LOSE, NOT_WIN = "less", "not more"
"""What a completion may earn beside the gold one."""
SAMPLES_OF_A_CELL = 12
"""Of each task and mode; cells differ by far more than samples of one do."""
ALIKE = 1e-9
EVERY_FINDING = " ".join(f"There is {finding}." for finding in FINDINGS)
BOTH_WAYS = f"{EVERY_FINDING} {EVERY_FINDING.replace('There is', 'There is no')}"
NOTHING = "Let me look at this image."


@dataclass(frozen=True)
class Case:
    """One completion for one sample: what it is called and what it may earn."""

    name: str
    may_earn: str
    text: str


def cases(sample: Sample, other: Sample | None, *, dialect: str, mode: Mode) -> Iterator[Case]:
    """The completions of one sample, gold first; `other` is another patient's sample of the same task."""
    trace = sample.reasoning or sample.facts or NOTHING
    gold = reply(sample)

    def said(answer: str, thought: str = trace) -> str:
        return _written(dialect, mode, answer, thought)

    yield Case(GOLD, "", DIALECTS[dialect].target(gold, mode, trace))
    wrong = _wrong(sample, other)
    if wrong is not None:
        yield Case("wrong answer", LOSE, said(wrong))
    yield Case("silence", LOSE, "")
    yield Case("form without content", LOSE, said(" ", " "))
    if mode == "reasoning" or dialect.startswith("think"):
        yield Case("no form", LOSE, f"{trace} {gold}" if mode == "reasoning" else gold)
    if mode == "reasoning":
        yield Case("no answer", LOSE, said("", trace))
    everything = _everything(sample)
    if everything is not None:
        yield Case("every option at once", LOSE, said(everything))
    if sample.kind == "report":
        yield Case("a report that states and denies", LOSE, said(BOTH_WAYS))
    if mode == "direct":
        return
    if other is not None and other.facts and other.reasoning:
        yield Case("another patient's reasoning", NOT_WIN, said(gold, other.reasoning))
    yield Case("reasoning said ten times", NOT_WIN, said(gold, " ".join([trace] * 10)))
    yield Case("reasoning copied from the question", NOT_WIN, said(gold, sample.question))
    yield Case("every finding listed", NOT_WIN, said(gold, EVERY_FINDING))
    yield Case(
        "every finding weighed", NOT_WIN, said(gold, EVERY_FINDING.replace("There is", "There may be"))
    )
    yield Case("every finding stated and denied", NOT_WIN, said(gold, BOTH_WAYS))
    if sample.facts:
        yield Case("padded with unmentioned normals", NOT_WIN, said(gold, f"{trace} {_normals(sample)}"))


def _written(dialect: str, mode: Mode, answer: str, thought: str) -> str:
    """A reply in a dialect's form, whether it could be read back or not."""
    here, before = "\ue000", "\ue001"  # characters for private use, which no text holds
    return DIALECTS[dialect].target(here, mode, before).replace(before, thought).replace(here, answer)


def _wrong(sample: Sample, other: Sample | None) -> str | None:
    """An answer that is not right, in the form of a right one."""
    if sample.kind == "choice":
        letters = [choice.write(option, sample.options) for option in sample.options]
        at = letters.index(sample.answer)
        return reply(replace(sample, answer=letters[(at + 1) % len(letters)]))
    if sample.kind == "labels":
        known = sample.options or (*FINDINGS, NO_FINDING)
        right = set(labels.write(sample.answer, sample.options).split(", "))
        return next((name for name in known if labels.write(name, sample.options) not in right), None)
    if sample.kind == "boxes":
        nowhere = "<|ref|>target<|/ref|><|box|>(0,0),(1,1)<|/box|>"
        return nowhere if boxes.score(nowhere, sample.answer) < 1 else None
    theirs = [other.answer] if other is not None and other.answer.strip() else []
    return next((one for one in (*theirs, NOTHING) if score(one, sample.answer, kind=sample.kind) < 1), None)


def _everything(sample: Sample) -> str | None:
    """An answer that bets on everything."""
    if sample.kind == "choice":
        return ", ".join(choice.write(option, sample.options) for option in sample.options)
    if sample.kind == "labels":
        return ", ".join(name for name in sample.options or FINDINGS)
    if sample.kind == "boxes":
        grid = [(x, y, x + 25, y + 25) for x in range(0, 100, 25) for y in range(0, 100, 25)]
        return "".join(f"<|ref|>it<|/ref|><|box|>({a},{b}),({c},{d})<|/box|>" for a, b, c, d in grid)
    return EVERY_FINDING if sample.kind == "report" else None


def _normals(sample: Sample) -> str:
    """Normal statements that the report does not mention, not even in part."""
    said = [f"{clause.capitalize()}." for clause in NORMAL_OF.values()]
    return " ".join(
        one
        for one in said
        if factuality(one, sample.facts) == 1.0
        and factuality(one, sample.facts, "strict") == 0.0
        and not guarded_worth(one, sample.facts)
    )


def chosen_samples(recipe: GrpoRecipe) -> dict[tuple[str, Mode], list[tuple[Path, Sample]]]:
    """Task and mode -> some samples of it, by lot; one pass over each source."""
    kept: dict[tuple[str, Mode], list[tuple[int, str, Path, Sample]]] = defaultdict(list)
    for mode, folder in sources(recipe):
        for sample in read(folder, Sample):
            if sample.split != "train":
                continue
            # The smallest numbers stay: a heap of their negatives keeps the largest at its head.
            lot = int(content_id(recipe.seed, "reward check", sample.id)[:12], 16)
            cell, entry = kept[sample.task, mode], (-lot, sample.id, folder, sample)
            if len(cell) < SAMPLES_OF_A_CELL:
                heappush(cell, entry)
            else:
                heappushpop(cell, entry)
    return {
        key: [(folder, sample) for _, _, folder, sample in sorted(cell, reverse=True)]
        for key, cell in sorted(kept.items())
    }


def check(recipe: GrpoRecipe, rewards: Mapping[str, Any]) -> dict[str, Any]:
    """What each kind of completion earns, and where gold does not win, under the recipe's rewards."""
    cells = chosen_samples(recipe)
    if not cells:
        raise UserError(f"{recipe.samples}: no samples of the train split to check rewards on.")
    asked: list[tuple[tuple[str, Mode], Case, dict[str, Any]]] = []
    for cell, items in cells.items():
        mode = cell[1]
        for number, (folder, sample) in enumerate(items):
            others = (one for _, one in items[number + 1 :] + items[:number])
            other = next((one for one in others if one.patient_id != sample.patient_id), None)
            row = reward_row(sample, folder, dialect=recipe.dialect, mode=mode)
            asked += [(cell, case, row) for case in cases(sample, other, dialect=recipe.dialect, mode=mode)]
    paid = _pay(asked, rewards)
    return {
        "num_samples": sum(len(items) for items in cells.values()),
        "table": _table(asked, paid, recipe.rewards),
        "failures": _failures(asked, paid, recipe.rewards),
    }


def _pay(
    asked: Sequence[tuple[Any, Case, dict[str, Any]]], rewards: Mapping[str, Any]
) -> dict[str, list[float | None]]:
    """Reward -> what it pays for each completion, all in one call, as TRL makes it."""
    rows = [row for _, _, row in asked]
    completions = [[{"role": "assistant", "content": case.text}] for _, case, _ in asked]
    columns = {key: [row[key] for row in rows] for key in rows[0] if key not in ("prompt", "images")}
    prompts = [row["prompt"] for row in rows]
    return {name: reward(completions, prompts=prompts, **columns) for name, reward in rewards.items()}


def _total(paid: Mapping[str, Sequence[float | None]], weights: Mapping[Any, float], number: int) -> float:
    return sum(weight * (paid[name][number] or 0.0) for name, weight in weights.items())


def _table(asked: Sequence, paid: Mapping, weights: Mapping[Any, float]) -> list[dict[str, Any]]:
    """A row for each kind of completion: the mean of each reward that applies, and of the weighted sum."""
    numbers: dict[str, list[int]] = defaultdict(list)
    may_earn = {}
    for number, (_, case, _) in enumerate(asked):
        numbers[case.name].append(number)
        may_earn[case.name] = case.may_earn
    rows = []
    for name, those in numbers.items():
        means = {}
        for reward, values in paid.items():
            worth = [values[number] for number in those if values[number] is not None]
            means[reward] = sum(worth) / len(worth) if worth else None
        total = sum(_total(paid, weights, number) for number in those) / len(those)
        rows.append(
            {"completion": name, "may_earn": may_earn[name], **means, "total": total, "n": len(those)}
        )
    return rows


def _failures(asked: Sequence, paid: Mapping, weights: Mapping[Any, float]) -> list[dict[str, Any]]:
    """Where gold does not win: task, mode, completion, and what both earn on the same samples."""
    gold: dict[Any, list[float]] = defaultdict(list)
    earned: dict[Any, list[tuple[float, float]]] = defaultdict(list)
    for number, (cell, case, _) in enumerate(asked):
        total = _total(paid, weights, number)
        if case.name == GOLD:
            gold[cell].append(total)
        else:  # gold comes first for every sample, so the latest one is this sample's
            earned[cell, case.name, case.may_earn].append((total, gold[cell][-1]))
    failures = []
    for (cell, name, may_earn), totals in earned.items():
        theirs, golden = (sum(column) / len(totals) for column in zip(*totals, strict=True))
        if theirs > golden + ALIKE or (may_earn == LOSE and theirs > golden - ALIKE):
            task, mode = cell
            found = {"task": task, "mode": mode, "completion": name, "earns": theirs, "gold": golden}
            failures.append(found)
    return failures


def require(recipe: GrpoRecipe, rewards: Mapping[str, Any], folder: Path) -> dict[str, Any] | None:
    """Check before a training starts, leave the table in `folder/rewards.json`, refuse where gold does not
    win.

    Nothing where that file is there already: the recipe of a run does not change.
    """
    file = folder / "rewards.json"
    if file.exists():
        return None
    found = check(recipe, rewards)
    if found["failures"] and recipe.reward_check != "warn":
        raise UserError(
            f"the rewards do not pay the gold answer best: {told(found['failures'][0])}. "
            "`cxreason rewards check` shows the table; mend `rewards`, or train all the same with "
            "reward_check=warn."
        )
    write_json(file, found)
    return found


def told(failure: Mapping[str, Any]) -> str:
    """A failure in words.

    >>> told({"task": "binary", "mode": "direct", "completion": "silence", "earns": 1.0, "gold": 1.0})
    "binary (direct): 'silence' earns 1.00, gold 1.00"
    """
    where = f"{failure['task']} ({failure['mode']})"
    return f"{where}: '{failure['completion']}' earns {failure['earns']:.2f}, gold {failure['gold']:.2f}"


def describe(found: Mapping[str, Any]) -> str:
    """The table for people, then what is wrong with it."""
    names = [key for key in found["table"][0] if key not in ("completion", "may_earn", "n")]
    lines = [f"{'completion':36s}{'may earn':>10s}" + "".join(f"{name:>17s}" for name in names)]
    for row in found["table"]:
        values = (f"{'-' if row[name] is None else format(row[name], '.2f'):>17s}" for name in names)
        lines.append(f"{row['completion']:36s}{row['may_earn']:>10s}" + "".join(values))
    lines.append("")
    lines += [f"gold does not win: {told(failure)}" for failure in found["failures"]]
    lines.append(f"{found['num_samples']} samples; " + ("refused" if found["failures"] else "passed"))
    return "\n".join(lines)
