"""The model card: what a trained model was made of and with, so that whoever finds the folder can judge it.

It is written into the folder before that gets its name, as README.md in the form that the Hugging Face hub
reads. Of paths it says the last two parts alone: a card is for others, and folders of one machine tell them
nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from cxreason import machine
from cxreason.recipes import TrainRecipe
from cxreason.records import Sample
from cxreason.runs import row_files
from cxreason.training.data import sources

NO_LICENCE = "none chosen"
FIGURES = ("loss", "mean_token_accuracy", "reward", "frac_reward_zero_std", "kl", "completions/mean_length")
"""What of the learning curve stands in the card, with every reward's own mean."""


def card(recipe: TrainRecipe, stage: str, curve: list[dict[str, Any]], folder: Path) -> str:
    """The card's text. `folder` is the run's: its checks stand in the card, too.

    card(recipe, "grpo", curve, recipe.out)
    """
    head = {
        "base_model": _shown(recipe.model),
        "license": recipe.licence or "other",
        "library_name": "peft" if recipe.lora is not None else "transformers",
        "pipeline_tag": "image-text-to-text",
        "tags": ["chest-x-ray", "cxreason", stage],
    }
    lines = ["---", yaml.safe_dump(head, sort_keys=False).rstrip(), "---", "", f"# {recipe.out.name}", ""]
    lines += [
        f"Trained by `cxreason train {stage}` from {_shown(recipe.model)}. Not a medical device: nothing "
        "here is for diagnosis or care.",
        "",
        f"Licence: {recipe.licence or NO_LICENCE}. What the base model and the data allow binds its users.",
        "",
        "## Data",
        "",
        *_data(recipe),
        "",
        "## Figures at the end of training",
        "",
        *_figures(curve),
        *_checks(folder),
        "",
        "## Made with",
        "",
        *(f"- {name} {version}" for name, version in machine.versions().items()),
        f"- commit {machine.commit() or 'unknown'}, seed {recipe.seed}",
        "",
        "## Recipe",
        "",
        "```yaml",
        yaml.safe_dump(_without_folders(recipe.model_dump(mode="json")), sort_keys=False).rstrip(),
        "```",
        "",
    ]
    return "\n".join(lines)


def _data(recipe: TrainRecipe) -> list[str]:
    """A row for each file that was read: its hash, and what is in it."""
    lines = ["| file | asked for | rows to train on | of | sha256 |", "|---|---|---|---|---|"]
    for mode, folder in sources(recipe):
        for file in row_files(folder, Sample):
            counts = _rows_of(file)
            of = ", ".join(f"{name} {number:,}" for name, number in sorted(counts.items()))
            row = f"| {_shown(str(file))} | {mode} | {counts.total():,} | {of} | {digest(file)} |"
            lines.append(row)
    return lines


def _rows_of(file: Path) -> Counter[str]:
    """Dataset -> its rows of the train split."""
    import pyarrow.parquet as pq

    counts: Counter[str] = Counter()
    with pq.ParquetFile(file) as parquet:
        for batch in parquet.iter_batches(65_536, columns=["dataset", "split"]):
            names, splits = batch.column("dataset").to_pylist(), batch.column("split").to_pylist()
            counts.update(name for name, split in zip(names, splits, strict=True) if split == "train")
    return counts


def digest(file: Path) -> str:
    """The SHA-256 of a file, read piece by piece."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _figures(curve: list[dict[str, Any]]) -> list[str]:
    last: dict[str, Any] = {}
    for entry in curve:
        last |= entry
    last = {name: value for name, value in last.items() if value is not None}  # did not apply at last
    names = [name for name in FIGURES if name in last]
    names += sorted(name for name in last if name.startswith("rewards/") and name.endswith("/mean"))
    return [f"- {name}: {last[name]:.4g}" for name in names] or ["- none was logged"]


def _checks(folder: Path) -> list[str]:
    """What was checked before the training: the rewards and the data."""
    lines = []
    rewards, data = folder / "rewards.json", folder / "data_check.json"
    if rewards.exists():
        failures = json.loads(rewards.read_text(encoding="utf-8"))["failures"]
        said = f"gold did not win in {len(failures)} places" if failures else "gold won everywhere"
        lines.append(f"- rewards before training: {said}")
    if data.exists():
        found = json.loads(data.read_text(encoding="utf-8"))
        left = sum(kind["count"] for kind in found["faults"].values())
        lines.append(f"- samples checked before training: {found['num_samples']:,}, left out: {left:,}")
    return lines


def _shown(path: str) -> str:
    """A hub id as it is; of an absolute path the last two parts."""
    return "/".join(Path(path).parts[-2:]) if Path(path).is_absolute() else path


def _without_folders(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_folders(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_folders(item) for item in value]
    return _shown(value) if isinstance(value, str) else value
