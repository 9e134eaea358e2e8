"""The tiny base model learns to see: its vision tower is taught the findings before it meets language."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cxreason.progress import progress
from cxreason.recipes import BaseModelRecipe
from cxreason.records import Study
from cxreason.text import observe
from cxreason.text.ontology import main_finding

if TYPE_CHECKING:
    import torch

ATTRIBUTES = ("left", "right", "upper", "mid", "lower", "mild", "moderate", "severe")
"""What the vision tower learns about a finding beside its presence."""


def vision_targets(studies: Sequence[Study], findings: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """What the tower should see, and which of it is known: both (studies, findings * (1 + attributes)).

    Presence comes from the labels; side, zone and severity from the observations in the report, and only
    where the report states one of the kind.
    """
    width = 1 + len(ATTRIBUTES)
    target = np.zeros((len(studies), len(findings) * width), dtype=np.float32)
    known = np.zeros_like(target)
    kinds = (ATTRIBUTES[:2], ATTRIBUTES[2:5], ATTRIBUTES[5:])
    for row, study in enumerate(studies):
        said = {
            main_finding(seen.finding): seen for seen in observe(study.report) if seen.status == "present"
        }
        for column, finding in enumerate(findings):
            start = column * width
            target[row, start], known[row, start] = study.labels[finding], 1.0
            if finding not in said:
                continue
            seen = said[finding]
            words = {seen.severity, *seen.location.split()} | (
                {"left", "right"} if seen.side == "both" else {seen.side}
            )
            for kind in kinds:
                if words & set(kind):
                    for attribute in kind:
                        at = start + 1 + ATTRIBUTES.index(attribute)
                        target[row, at], known[row, at] = float(attribute in words), 1.0
    return target, known


def prepare_pixels(studies: Sequence[Study], folder: Path, processor: Any) -> torch.Tensor:
    """All patches of the first image of each study, (studies, patches, values), in 16 bits."""
    import torch
    from PIL import Image

    prepared = []
    for at in progress(range(0, len(studies), 64), what="prepare pixels"):
        pictures = [Image.open(folder / study.images[0]) for study in studies[at : at + 64]]
        patches = processor.image_processor(images=pictures, return_tensors="pt")["pixel_values"]
        prepared.append(patches.reshape(len(pictures), -1, patches.shape[-1]).half())
    return torch.cat(prepared)


def make_heads(width: int, num_findings: int) -> torch.nn.ModuleList:
    """What reads the visual tokens while the tower learns; thrown away afterwards.

    The first reads the mean of the tokens, which learns fastest. The second asks as language will ask: each
    finding is a query that attends to the tokens, and one decoder reads what every query finds. So "left" and
    "large" come to look alike whatever they are said of, and a language model has little but the queries to
    learn.
    """
    import torch

    class Averaging(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = torch.nn.LayerNorm(width)
            self.decoder = torch.nn.Linear(width, num_findings * (1 + len(ATTRIBUTES)))

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return self.decoder(self.norm(tokens.mean(dim=1)))

    class Asking(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = torch.nn.LayerNorm(width)
            self.queries = torch.nn.Parameter(torch.randn(num_findings, width) / width**0.5)
            self.key, self.value = torch.nn.Linear(width, width), torch.nn.Linear(width, width)
            self.decoder = torch.nn.Linear(width, 1 + len(ATTRIBUTES))

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            tokens = self.norm(tokens)
            weight = (self.queries @ self.key(tokens).transpose(1, 2)).softmax(dim=-1)
            return self.decoder(weight @ self.value(tokens)).flatten(1)

    return torch.nn.ModuleList([Averaging(), Asking()])


def train_vision(model: Any, pixels: torch.Tensor, studies: Sequence[Study], recipe: BaseModelRecipe) -> dict:
    """Teach the vision tower the findings with two heads that are thrown away afterwards."""
    import torch

    findings = [name for name in studies[0].labels if name != "no finding"]
    target, known = (torch.from_numpy(part) for part in vision_targets(studies, findings))
    side = int(pixels.shape[1] ** 0.5)
    tower = model.model.visual
    num_tokens = pixels.shape[1] // 4
    torch.manual_seed(recipe.seed)
    heads = make_heads(tower.config.out_hidden_size, len(findings))
    held_out = max(1, len(studies) // 20)

    def loss_of(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        grid = torch.tensor([[1, side, side]] * len(rows))
        seen = tower(pixels[rows].float().flatten(0, 1), grid_thw=grid).pooler_output
        seen = torch.stack(list(seen)) if isinstance(seen, (list, tuple)) else seen
        readings = torch.stack([head(seen.reshape(len(rows), num_tokens, -1)) for head in heads])
        wanted = target[rows].expand_as(readings)
        each = torch.nn.functional.binary_cross_entropy_with_logits(readings, wanted, reduction="none")
        return (each * known[rows]).sum() / known[rows].sum(), readings.mean(dim=0)

    parameters = [*tower.parameters(), *heads.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=recipe.vision["learning_rate"], weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.vision["learning_rate"], total_steps=recipe.vision["steps"], pct_start=0.1
    )
    draw = torch.Generator().manual_seed(recipe.seed)
    order = torch.empty(0, dtype=torch.long)
    for step in progress(range(recipe.vision["steps"]), what="vision tower"):
        if len(order) < recipe.vision["batch_size"]:
            order = torch.cat([order, torch.randperm(len(studies) - held_out, generator=draw) + held_out])
        rows, order = order[: recipe.vision["batch_size"]], order[recipe.vision["batch_size"] :]
        loss, _ = loss_of(rows)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % 50 == 0:
            logging.info("vision step %d: loss %.4f", step, loss.item())
    with torch.no_grad():
        _, logits = loss_of(torch.arange(held_out))
    right = ((logits > 0) == (target[:held_out] > 0.5)).float()
    width = 1 + len(ATTRIBUTES)
    counted = known[:held_out]
    return {
        "presence": {name: right[:, at * width].mean().item() for at, name in enumerate(findings)},
        "attributes": ((right * counted).sum() / counted.sum()).item(),
    }
