"""The tiny base model learns to speak: to describe, locate, compare and choose, and nothing of reasoning."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cxreason.answers import DIALECTS
from cxreason.answers.conversation import SYSTEM_PROMPT
from cxreason.recipes import BaseModelRecipe
from cxreason.records import Study
from cxreason.text import observe

Lesson = tuple[str, str, tuple[Study, ...]]
"""A question, the reply to it, and the studies whose images are shown."""


def language_rows(studies: Sequence[Study], folder: Path, num_rows: int, seed: int) -> list[dict[str, Any]]:
    """What the base model reads: descriptions, places, comparisons and plain choices."""
    draw = random.Random(seed)
    by_id = {study.id: study for study in studies}
    makers = (_describe, _describe, _locate, _locate, _choose, _choose, _compare)
    rows: list[dict[str, Any]] = []
    while len(rows) < num_rows:
        study = draw.choice(studies)
        row = draw.choice(makers)(study, by_id.get(study.prior_id), draw)
        if row is not None:
            question, reply, shown = row
            rows.append(
                {
                    "prompt": [
                        {"role": "system", "content": SYSTEM_PROMPT},
                        {"role": "user", "content": question},
                    ],
                    "completion": [{"role": "assistant", "content": reply}],
                    "images": [str(folder / item.images[0]) for item in shown],
                }
            )
    return rows


def _describe(study: Study, prior: Study | None, draw: random.Random) -> Lesson:
    if prior is not None:
        return "What do the two chest X-rays show?", study.findings, (prior, study)
    question = draw.choice(("Describe this chest X-ray.", "What does this chest X-ray show?"))
    return question, study.findings, (study,)


def _locate(study: Study, prior: Study | None, draw: random.Random) -> Lesson | None:
    seen = [item for item in observe(study.findings) if item.status == "present"]
    if not seen:
        return None
    item = draw.choice(seen)
    place = " ".join(part for part in (item.severity, item.side, item.location) if part)
    return f"Describe the {item.finding}.", f"{place} {item.finding}".strip(), (study,)


def _choose(study: Study, prior: Study | None, draw: random.Random) -> Lesson | None:
    """A choice about side, zone or size: it teaches letters and tags, and asks nothing of the benchmark."""
    seen = [item for item in observe(study.findings) if item.status == "present"]
    draw.shuffle(seen)
    for item in seen:
        zone = next((word for word in ("upper", "mid", "lower") if word in item.location), "")
        kinds = [
            ("On which side is the {}?", item.side, ["left", "right", "both"]),
            ("How large is the {}?", item.severity, ["mild", "moderate", "severe"]),
            ("In which zone is the {}?", zone, ["upper", "mid", "lower"]),
        ]
        kinds = [kind for kind in kinds if kind[1] in kind[2]]
        if kinds:
            question, answer, options = draw.choice(kinds)
            draw.shuffle(options)
            dialect = DIALECTS["think"]
            text = dialect.prompt(question.format(item.finding), options, "direct")
            return text, dialect.target("ABC"[options.index(answer)], "direct"), (study,)
    return None


def _compare(study: Study, prior: Study | None, draw: random.Random) -> Lesson | None:
    if prior is None or not study.changes:
        return None
    finding = draw.choice(sorted(study.changes))
    return f"How has the {finding} changed?", f"{study.changes[finding]} {finding}", (prior, study)


def train_language(
    model: Any, processor: Any, rows: list[dict[str, Any]], folder: Path, recipe: BaseModelRecipe
):
    """Teach the language half over TRL's SFTTrainer, with the tower that was taught before held still."""
    from trl import SFTConfig, SFTTrainer

    from cxreason.training import data, loop

    model.model.visual.requires_grad_(False)
    settings = {
        **loop.machine_settings(),
        "max_length": None,
        **recipe.language,
    }
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(output_dir=str(folder / "checkpoints"), seed=recipe.seed, **settings),
        train_dataset=data.dataset(rows),
        processing_class=processor,
    )
    return loop.run(trainer, folder, "language")
