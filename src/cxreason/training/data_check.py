"""One pass over everything that a training will read, before it starts: what cannot be learned from is named.

A training that meets its first missing image after nine hours has lost nine hours. So every sample of the
train split is looked at once: its images by their headers, its answer, its target, and its length in tokens.
What is wrong is counted by kind: `data_check.json` in the run's folder has the counts and examples,
`left_out.jsonl` every sample. `bad_samples: drop` trains on the rest; else nothing starts, and the next start
looks again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cxreason.answers import DIALECTS, KINDS
from cxreason.answers.conversation import conversation, reply
from cxreason.errors import UserError
from cxreason.imaging.boxes import resized
from cxreason.imaging.read import image_size
from cxreason.progress import progress
from cxreason.recipes import GrpoRecipe, TrainRecipe
from cxreason.records import Mode, Sample
from cxreason.rows import append_lines, partial, read_lines, replace_whole, write_json
from cxreason.runs import num_rows, read
from cxreason.training.data import sources

NO_FILE = "no image file"
TOO_LARGE = "image too large"
UNREADABLE = "image cannot be read"
NOT_AN_OPTION = "answer is none of the options"
BAD_ANSWER = "answer cannot be scored"
BAD_TARGET = "target would be read as something else"
TOO_LONG = "longer than the context"

BATCH_SAMPLES = 512
EXAMPLES = 5
"""Of each fault in `data_check.json`; all are in `left_out.jsonl`."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with one sample in one mode."""

    sample: str
    mode: Mode
    fault: str
    why: str


class Lengths:
    """How long a sample is in tokens: its text, and its images as the model's processor will cut them."""

    def __init__(self, recipe: TrainRecipe) -> None:
        from transformers import AutoConfig

        from cxreason.training.models import load_processor, resolve

        processor: Any = load_processor(recipe.model, max_pixels=recipe.max_pixels)
        self._tokenizer = processor.tokenizer
        images = processor.image_processor
        self._factor = images.patch_size * images.merge_size
        self._least, self._most = images.size["shortest_edge"], images.size["longest_edge"]
        turns = [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]
        around = processor.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        # What the template adds to the words of a conversation; each image has a mark before and behind it.
        self._around = self._count([around])[0] - 2 + 1
        config = AutoConfig.from_pretrained(resolve(recipe.model)).get_text_config()
        whole = config.max_position_embeddings
        self.context: int = recipe.trainer.get("max_length") or whole
        self._written = recipe.trainer.get("max_completion_length", 256) if _is_grpo(recipe) else 0

    def image(self, width: int, height: int) -> int:
        """The tokens of one image; ValueError where it is too narrow for any."""
        high, wide = resized(
            height, width, factor=self._factor, min_pixels=self._least, max_pixels=self._most
        )
        return high * wide // self._factor**2 + 2

    def at_most(self, prompt: str, target: str) -> int:
        """What `texts` cannot exceed, as a token stands for a byte at least; most samples need no more."""
        return self._around + len(prompt.encode()) + max(len(target.encode()), self._written)

    def texts(self, prompts: Sequence[str], targets: Sequence[str]) -> list[int]:
        """The tokens of prompts with their targets; in GRPO with all that may be written instead."""
        asked, said = self._count(prompts), self._count(targets)
        return [
            self._around + one + (max(two, self._written) if self._written else two)
            for one, two in zip(asked, said, strict=True)
        ]

    def _count(self, texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in self._tokenizer(list(texts), add_special_tokens=False)["input_ids"]]


def _is_grpo(recipe: TrainRecipe) -> bool:
    return isinstance(recipe, GrpoRecipe)


class _Images:
    """The tokens of each image file, or what is wrong with it; a file is opened once."""

    def __init__(self, lengths: Lengths | None) -> None:
        self._lengths = lengths
        self._known: dict[Path, int | tuple[str, str]] = {}

    def tokens(self, path: Path) -> int | tuple[str, str]:
        if path not in self._known:
            self._known[path] = self._look(path)
        return self._known[path]

    def _look(self, path: Path) -> int | tuple[str, str]:
        if not path.is_file():
            return NO_FILE, f"{path} does not exist"
        try:
            size = image_size(path)
            return 0 if self._lengths is None else self._lengths.image(*size)
        except UserError as error:
            return TOO_LARGE if "more than the" in str(error) else UNREADABLE, str(error)
        except ValueError as error:
            return UNREADABLE, f"{path}: {error}"


def target_or_fault(
    sample: Sample, dialect: str, mode: Mode, *, without_chain: bool = False
) -> str | tuple[str, str]:
    """The target of a sample, or what is wrong with it; a prompt of GRPO may have no chain, and no target."""
    if sample.kind == "choice" and sample.answer not in _letters(sample):
        return NOT_AN_OPTION, f"{sample.answer!r} of {list(sample.options)}"
    try:
        KINDS[sample.kind].score("", sample.answer, sample.options)
    except ValueError as error:
        return BAD_ANSWER, str(error)
    if without_chain and mode == "reasoning" and not sample.reasoning:
        return ""
    try:
        return DIALECTS[dialect].target(reply(sample), mode, sample.reasoning)
    except ValueError as error:
        return BAD_TARGET, str(error)


def _letters(sample: Sample) -> Sequence[str]:
    from cxreason.answers.dialects import letters

    return letters(sample.options) if len(set(sample.options)) == len(sample.options) else ()


def faults(
    recipe: TrainRecipe,
    lengths: Lengths | None,
    limit: int | None = None,
    counts: Counter[str] | None = None,
) -> Iterator[Fault]:
    """Every fault of every sample that the recipe would train on; `counts` learns how many were looked at.

    Without `lengths` nothing is too long: a dry run may come before its model.
    """
    counts = Counter() if counts is None else counts
    images = _Images(lengths)
    for mode, folder in sources(recipe):
        batch: list[Sample] = []
        number = 0
        for sample in progress(read(folder, Sample), f"checking {mode}", num_rows(folder, Sample)):
            if sample.split != "train" or number == limit:
                continue
            number += 1
            batch.append(sample)
            if len(batch) == BATCH_SAMPLES:
                yield from _faults_of(batch, folder, recipe, mode, lengths, images)
                batch = []
        yield from _faults_of(batch, folder, recipe, mode, lengths, images)
        counts[mode] += number


def _faults_of(
    batch: Sequence[Sample],
    folder: Path,
    recipe: TrainRecipe,
    mode: Mode,
    lengths: Lengths | None,
    images: _Images,
) -> Iterator[Fault]:
    doubtful: list[tuple[Sample, int, str, str]] = []
    for sample in batch:
        target = target_or_fault(sample, recipe.dialect, mode, without_chain=_is_grpo(recipe))
        if not isinstance(target, str):
            yield Fault(sample.id, mode, *target)
            continue
        seen = [images.tokens(folder / image) for image in sample.images]
        wrong = next((one for one in seen if not isinstance(one, int)), None)
        if wrong is not None:
            yield Fault(sample.id, mode, *wrong)
        elif lengths is not None:
            looked = sum(one for one in seen if isinstance(one, int))
            chat = conversation(sample, dialect=recipe.dialect, mode=mode)
            prompt = "".join(turn["content"] for turn in chat)
            if looked + lengths.at_most(prompt, target) > lengths.context:
                doubtful.append((sample, looked, prompt, target))
    if lengths is None or not doubtful:
        return
    totals = lengths.texts([one[2] for one in doubtful], [one[3] for one in doubtful])
    for (sample, looked, _, _), words in zip(doubtful, totals, strict=True):
        if looked + words > lengths.context:
            why = f"{looked} tokens of images and {words} of text, and {lengths.context} are the most"
            yield Fault(sample.id, mode, TOO_LONG, why)


@dataclass(frozen=True)
class Checked:
    """What was found: counts and examples by fault, and the samples, as (id, mode)."""

    counts: dict[str, Any]
    bad: set[tuple[str, str]]


def check(
    recipe: TrainRecipe, limit: int | None = None, into: Path | None = None, *, dry_run: bool = False
) -> Checked:
    """Look at everything; each fault goes `into` a file as well, where one is named.

    A dry run counts tokens only where the model is on this machine, and says where it is not.
    """
    from cxreason.training.models import is_here

    measured = not dry_run or is_here(recipe.model)
    looked: Counter[str] = Counter()
    found: dict[str, dict[str, Any]] = {}
    bad: set[tuple[str, str]] = set()
    waiting: list[str] = []
    for one in faults(recipe, Lengths(recipe) if measured else None, limit, looked):
        kind = found.setdefault(one.fault, {"count": 0, "examples": []})
        kind["count"] += 1
        if kind["count"] <= EXAMPLES:
            kind["examples"].append({"sample": one.sample, "mode": one.mode, "why": one.why})
        bad.add((one.sample, one.mode))
        waiting.append(json.dumps(asdict(one), ensure_ascii=False))
    if into is not None:
        append_lines(into, waiting)
    counts = {"num_samples": sum(looked.values()), "faults": found}
    if not measured:
        counts["lengths"] = f"not measured, because {recipe.model} is not here yet"
    return Checked(counts, bad)


def require(recipe: TrainRecipe, folder: Path, limit: int | None = None) -> set[tuple[str, str]]:
    """Check once before a training; what is to be left out of it, as (sample, mode).

    Raises UserError where something is wrong and the recipe does not say `bad_samples: drop`.
    """
    file, lines = folder / "data_check.json", folder / "left_out.jsonl"
    drop = recipe.bad_samples == "drop"
    counts = json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
    if counts is None or (counts["faults"] and not drop):  # they may have been mended since
        part = partial(lines)
        part.unlink(missing_ok=True)
        counts = check(recipe, limit, part).counts
        replace_whole(part, lines)
        write_json(file, counts)
    if counts["faults"] and not drop:
        raise UserError(
            f"{told(counts)} {file} has examples, {lines.name} beside it all. Mend them, or train on the "
            "rest with bad_samples=drop."
        )
    return {(row["sample"], row["mode"]) for row in read_lines(lines)}


def told(found: dict[str, Any]) -> str:
    """The counts in one line.

    >>> told({"num_samples": 9, "faults": {"no image file": {"count": 2, "examples": [{"sample": "a"}]}}})
    '2 of 9 samples cannot be trained on: 2 no image file (the first is a).'
    """
    parts = [
        f"{kind['count']:,} {name} (the first is {kind['examples'][0]['sample']})"
        for name, kind in found["faults"].items()
    ]
    number = sum(kind["count"] for kind in found["faults"].values())
    return f"{number:,} of {found['num_samples']:,} samples cannot be trained on: {', '.join(parts)}."
