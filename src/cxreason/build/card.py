"""The card of what was built: what is in it, whose it is, what was left out, what the audit said."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxreason.audit import Source, audit_files, write_audit
from cxreason.build.work import kept, taken_file
from cxreason.datasets import DATASETS
from cxreason.rows import write_json, write_text

if TYPE_CHECKING:
    from cxreason.recipes import BuildRecipe
    from cxreason.workers import Crew

SPLITS = ("train", "validation", "test")


def write_card(
    recipe: BuildRecipe, counts: dict[str, Any], hashes: dict[str, str], work: Path, crew: Crew
) -> list[str]:
    """Audit the samples, write `README.md`, `audit.html`, `audit.json` and `hashes.json`.

    Returns what the audit found wrong. The card's head tells `datasets.load_dataset` which files are which
    split.
    """
    settings = recipe.audit
    report = audit_files(
        [Source(recipe.out / "samples" / name, recipe.out, False) for name in hashes],
        margin=settings.margin,
        most=settings.most,
        most_ratio=settings.most_ratio,
        hash_images=settings.hash_images,
        taken=[kept(taken_file(work, name)) for name in hashes],
        each=crew.each,
    )
    write_audit(report, recipe.out, recipe.out.name)
    write_json(recipe.out / "hashes.json", hashes)
    write_text(recipe.out / "README.md", card(recipe.out.name, recipe, counts, report, set(hashes)))
    return report["failures"]


def card(
    name: str, recipe: BuildRecipe, counts: dict[str, Any], report: dict[str, Any], files: set[str]
) -> str:
    """The text of the card."""
    there = [split for split in SPLITS if any(file.startswith(f"{split}-") for file in files)]
    head = ["---", "configs:", "- config_name: default", "  data_files:"]
    for split in there:
        head += [f"  - split: {split}", f"    path: samples/{split}-*.parquet"]
    head += ["---", ""]
    body = [
        f"# {name}",
        "",
        *_summary(recipe, counts),
        "",
        *_table(recipe, counts),
        "",
        *_sources(counts),
        "",
    ]
    body += [*_left_out(counts), "", *_images(counts), *_audit(report), "", *_files(files)]
    return "\n".join([*head, *body]) + "\n"


def _summary(recipe: BuildRecipe, counts: dict[str, Any]) -> list[str]:
    datasets = {row["dataset"] for row in counts["feeds"]}
    tasks = {row["task"] for row in counts["feeds"]}
    lines = [
        f"{counts['samples']:,} samples of {_number(len(tasks), 'task')} from "
        f"{_number(len(datasets), 'dataset')}, "
        f"made by `cxreason build` with seed {recipe.seed}; `recipe.yaml` says how, `run.json` with what.",
        "",
        "It holds texts and labels of its sources and paths to their images. It may be passed on to nobody "
        "who may not have the sources. Not for clinical use.",
    ]
    if counts["not_held"]:
        lines += ["", f"Not here, and so left out: {', '.join(counts['not_held'])}."]
    return lines


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _table(recipe: BuildRecipe, counts: dict[str, Any]) -> list[str]:
    marks = {(feed.dataset, feed.task): feed for feed in recipe.feeds}
    lines = [
        "## What is asked",
        "",
        "| dataset | task | train | validation | test | offered | reasoning | GRPO |",
    ]
    lines.append("|---|---|---:|---:|---:|---:|---|---|")
    for row in counts["feeds"]:
        feed = marks[row["dataset"], row["task"]]
        numbers = " | ".join(f"{row.get(split, 0):,}" for split in (*SPLITS, "offered"))
        told = " | ".join("yes" if mark else "" for mark in (feed.reasoning, feed.grpo))
        lines.append(f"| {row['dataset']} | {row['task']} | {numbers} | {told} |")
    return lines


def _sources(counts: dict[str, Any]) -> list[str]:
    lines = ["## Sources", "", "| dataset | licence | citation |", "|---|---|---|"]
    for name in dict.fromkeys(row["dataset"] for row in counts["feeds"]):
        lines.append(f"| {DATASETS[name].TITLE} | {DATASETS[name].LICENCE} | {DATASETS[name].CITATION} |")
    return lines


def _left_out(counts: dict[str, Any]) -> list[str]:
    lines = ["## Studies that were left out", ""]
    if not counts["left_out"]:
        return [*lines, "None."]
    for name, reasons in counts["left_out"].items():
        told = "; ".join(f"{why}: {number:,}" for why, number in reasons.items())
        lines.append(f"- {name}: {told}")
    return lines


def _images(counts: dict[str, Any]) -> list[str]:
    """The datasets that name images which are not there; nothing where all have theirs."""
    missing = counts["missing_images"]
    if not missing:
        return []
    lines = ["## Images that are missing", ""]
    for name, one in missing.items():
        gone = f"{one['named'] - one['there']:,} of {one['named']:,}"
        how = (
            "those that are there are shown"
            if one["there"]
            else "built from the tables alone, paths as published"
        )
        lines.append(f"- {name}: {gone}; {how}")
    return [*lines, ""]


def _audit(report: dict[str, Any]) -> list[str]:
    lines = ["## Audit", "", "`audit.html` shows all of it."]
    if not report["failures"]:
        guesses = len(report["guesses"])
        return [*lines, f"Passed: {guesses} guesses without an image, none above chance; no leaks."]
    return [*lines, "Failed:", "", *(f"- {line}" for line in report["failures"])]


def _files(files: set[str]) -> list[str]:
    return [
        "## Files",
        "",
        f"{len(files)} Parquet files under `samples/`; `hashes.json` has the SHA-256 of each.",
    ]
