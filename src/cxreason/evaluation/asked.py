"""What was asked and what came back: the predictions of a run with their samples, and those that are missing.

An answer that is not there is the model's failure. In published scorers it vanishes from the denominator, and
models are then compared on different questions; both are ruled out here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cxreason.errors import UserError
from cxreason.recipes import ScoreRecipe
from cxreason.records import Prediction, Sample, content_id
from cxreason.runs import read, state_of

NO_PREDICTION = "no prediction"


def known_samples(recipe: ScoreRecipe) -> dict[str, Sample]:
    """Id -> sample, with the reasoning that was mined for it where the recipe names where that is.

    What mining dropped stays a question: it has no RadRScore, and counts in all else.
    """
    samples = {sample.id: sample for sample in read(recipe.samples, Sample)}
    if recipe.reasoning is None:
        return samples
    num_found = 0
    for mined in read(recipe.reasoning, Sample):
        sample = samples.get(mined.id)
        if sample is not None:
            num_found += 1
            samples[mined.id] = replace(sample, reasoning=mined.reasoning, evidence=mined.evidence)
    if not num_found:
        raise UserError(f"{recipe.reasoning}: was not mined from {recipe.samples}; no sample is in both.")
    return samples


@dataclass(frozen=True)
class Asked:
    """The predictions of one run, each with its sample; the last `num_missing` stand for answers that are not
    there."""

    folder: Path
    model: str
    mode: str
    pairs: list[tuple[Prediction, Sample]]
    num_missing: int

    @property
    def predictions(self) -> list[Prediction]:
        """The predictions alone."""
        return [prediction for prediction, _ in self.pairs]


def read_asked(folder: Path, samples: Mapping[str, Sample], recipe: ScoreRecipe, limit: int | None) -> Asked:
    """The predictions of a folder with their samples.

    Raises UserError where they are not those of one model in one mode, where a sample is not known or was
    answered twice, and where answers are missing that may not be.
    """
    predictions = list(read(folder, Prediction))[:limit]
    if not predictions:
        raise UserError(f"{folder}: holds no predictions. Run `cxreason predict` with more samples.")
    kinds = sorted({(one.model, one.mode) for one in predictions})
    if len(kinds) > 1:
        several = ", ".join(" ".join(kind) for kind in kinds)
        raise UserError(
            f"{folder}: holds several models or modes ({several}). Give each a folder of its own."
        )
    answered: set[tuple[str, int]] = set()
    for one in predictions:
        if one.sample_id not in samples:
            raise UserError(
                f"{folder}: predicts sample {one.sample_id}, which {recipe.samples} does not hold. "
                "Name what was predicted in `samples`, and that of `mine`, which drops some, in `reasoning`."
            )
        if (one.sample_id, one.repeat) in answered:
            raise UserError(f"{folder}: answers sample {one.sample_id} twice; give each draw its `repeat`.")
        answered.add((one.sample_id, one.repeat))
    missing = [] if limit else _missing(folder, predictions, samples)
    if missing and recipe.missing == "refuse":
        raise UserError(
            f"{folder}: {len(missing)} samples have no prediction, first {missing[0].id}. Predict them, or "
            "write missing=wrong to count them as wrong."
        )
    pairs = [(one, samples[one.sample_id]) for one in predictions]
    if recipe.missing == "leave_out":
        missing = []
    pairs += [(_nothing_said(sample, predictions[0]), sample) for sample in missing]
    return Asked(folder, *kinds[0], pairs, len(missing))


def _missing(folder: Path, predictions: Sequence[Prediction], samples: Mapping[str, Sample]) -> list[Sample]:
    """The samples of the splits that were asked about which there is no prediction of."""
    there = {one.sample_id for one in predictions}
    state = state_of(folder)
    if state is not None:  # a run of ours knows how many it asked, and it may have asked only some
        num_asked = state["counts"].get("num_samples")
        if num_asked is None or num_asked == len(there):
            return []
    splits = {samples[id].split for id in there}
    return [sample for sample in samples.values() if sample.split in splits and sample.id not in there]


def _nothing_said(sample: Sample, like: Prediction) -> Prediction:
    return Prediction(
        id=content_id(sample.id, like.model, like.dialect, like.mode, NO_PREDICTION),
        sample_id=sample.id,
        model=like.model,
        mode=like.mode,
        dialect=like.dialect,
        text="",
        problem=NO_PREDICTION,
        finished=False,
    )


def check_same_items(runs: Sequence[Asked], recipe: ScoreRecipe) -> None:
    """UserError where a table would compare models on different questions, or show two runs as one."""
    seen: dict[tuple[str, str], Path] = {}
    for run in runs:
        if (run.model, run.mode) in seen:
            raise UserError(
                f"{run.folder}: is {run.model} in mode {run.mode}, as {seen[run.model, run.mode]} is. "
                "Predict with another `name`, or score them apart."
            )
        seen[run.model, run.mode] = run.folder
    first = {sample.id for _, sample in runs[0].pairs}
    for run in runs[1:]:
        own = {sample.id for _, sample in run.pairs}
        if own != first and recipe.missing != "leave_out":
            raise UserError(
                f"{run.folder}: was not asked the same as {runs[0].folder} ({len(first - own)} samples only "
                f"there, {len(own - first)} only here). Score them apart and use `cxreason compare`, or "
                "write missing=leave_out to see each on its own questions."
            )
