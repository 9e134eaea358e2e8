"""The tiny base model learns to see: its vision tower is taught the findings before it meets language."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cxreason.progress import progress
from cxreason.recipes import BaseModelRecipe
from cxreason.records import Study
from cxreason.text import observe
from cxreason.text.ontology import FINDINGS, implies, main_finding

if TYPE_CHECKING:
    import torch

ATTRIBUTES = ("left", "right", "upper", "mid", "lower", "mild", "moderate", "severe")
"""What the vision tower learns about a finding beside its presence; after them come the four box edges."""
WIDTH = 1 + len(ATTRIBUTES) + 4
EDGES = slice(1 + len(ATTRIBUTES), WIDTH)
WORTH_OF_STANDING = 0.2
WORTH_OF_MARKS = 2.0
WORTH_OF_EDGES = 2.0  # an edge that is off by a tenth should count about as a wrong attribute does


@dataclass(frozen=True)
class Pictures:
    """All images of some studies in one tensor of grey bytes, and where each stands in it."""

    grey: torch.Tensor
    row_of: dict[tuple[str, int], int]
    """(study id, number of the image) -> row."""
    mean: tuple[float, float, float]
    spread: tuple[float, float, float]

    @property
    def side(self) -> int:
        """Patches of 14 pixels along each edge."""
        return self.grey.shape[1] // 14

    def cut(self, rows: Sequence[int] | torch.Tensor) -> torch.Tensor:
        """These images as grey patches: (images, patches, 14, 14), two by two patches together."""
        import torch

        grey = self.grey[torch.as_tensor(rows)].float() / 255
        half = self.side // 2
        parted = grey.reshape(len(grey), half, 2, 14, half, 2, 14).permute(0, 1, 4, 2, 5, 3, 6)
        return parted.reshape(len(grey), self.side**2, 14, 14)

    def patches(self, rows: Sequence[int] | torch.Tensor) -> torch.Tensor:
        """What the processor makes of these images: (images * patches, values).

        Kept as bytes and unfolded here, as all patches of a corpus would take twelve times the memory.
        """
        import torch

        cut = self.cut(rows)
        colour = torch.stack([(cut - m) / s for m, s in zip(self.mean, self.spread, strict=True)], dim=2)
        # An image is a film of two equal frames to this architecture.
        twice = colour.unsqueeze(3).expand(*colour.shape[:3], 2, 14, 14)
        return twice.reshape(len(cut) * self.side**2, -1)


def read_pictures(studies: Sequence[Study], folder: Path, processor: Any) -> Pictures:
    """The images of studies as the processor sizes them."""
    import torch
    from PIL import Image

    side = int(processor.image_processor.size["shortest_edge"] ** 0.5)
    shown = [(study, number) for study in studies for number in range(len(study.images))]
    grey = torch.empty((len(shown), side, side), dtype=torch.uint8)
    for row, (study, number) in enumerate(progress(shown, what="read pictures")):
        with Image.open(folder / study.images[number]) as image:
            sized = image.convert("L").resize((side, side), Image.Resampling.BICUBIC)
            grey[row] = torch.from_numpy(np.asarray(sized).copy())
    rows = {(study.id, number): row for row, (study, number) in enumerate(shown)}
    process = processor.image_processor
    return Pictures(grey, rows, tuple(process.image_mean), tuple(process.image_std))


def vision_targets(
    images: Sequence[tuple[Study, int]], findings: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """What the tower should see on each image, and which of it is known: both (images, findings * WIDTH).

    Presence comes from the labels, where one is certain; side, zone and severity from the observations in the
    report, and only where the report states one of the kind and the image is from the front; the edges of the
    largest box from the boxes.
    """
    target = np.zeros((len(images), len(findings) * WIDTH), dtype=np.float32)
    known = np.zeros_like(target)
    for row, (study, number) in enumerate(images):
        said = {
            main_finding(seen.finding): seen for seen in observe(study.report) if seen.status == "present"
        }
        for column, finding in enumerate(findings):
            at = slice(column * WIDTH, (column + 1) * WIDTH)
            if study.labels.get(finding) in (0, 1):
                target[row, at.start], known[row, at.start] = study.labels[finding], 1.0
            if finding in said and number == 0:
                _attributes(said[finding], target[row, at], known[row, at])
            _edges(study, number, finding, target[row, at], known[row, at])
    return target, known


def _attributes(seen: Any, target: np.ndarray, known: np.ndarray) -> None:
    sides = {"left", "right"} if seen.side == "both" else {seen.side}
    words = {seen.severity, *seen.location.split()} | sides
    for kind in (ATTRIBUTES[:2], ATTRIBUTES[2:5], ATTRIBUTES[5:]):
        if words & set(kind):
            for attribute in kind:
                at = 1 + ATTRIBUTES.index(attribute)
                target[at], known[at] = float(attribute in words), 1.0


def _edges(study: Study, number: int, finding: str, target: np.ndarray, known: np.ndarray) -> None:
    boxes = [box for box in study.boxes if box.image == number and implies(box.label, finding)]
    if boxes:
        box = max(boxes, key=lambda box: (box.x2 - box.x1) * (box.y2 - box.y1))
        target[EDGES], known[EDGES] = (box.x1, box.y1, box.x2, box.y2), 1.0


def box_maps(images: Sequence[tuple[Study, int]], findings: Sequence[str], side: int) -> np.ndarray:
    """How much of each patch lies in a box of each finding: (images, patches, findings), patches as `cut`."""
    covered = np.zeros((len(images), len(findings), side, side), dtype=np.float16)
    start = np.arange(side) / side
    for row, (study, number) in enumerate(images):
        for box in study.boxes:
            if box.image == number:
                across = np.clip(np.minimum(box.x2, start + 1 / side) - np.maximum(box.x1, start), 0, None)
                down = np.clip(np.minimum(box.y2, start + 1 / side) - np.maximum(box.y1, start), 0, None)
                place = np.outer(down, across) * side**2
                for column, finding in enumerate(findings):
                    if implies(box.label, finding):
                        covered[row, column] = np.maximum(covered[row, column], place)
    parted = covered.reshape(*covered.shape[:2], side // 2, 2, side // 2, 2).transpose(0, 2, 4, 3, 5, 1)
    return parted.reshape(len(images), side**2, len(findings))


def see(tower: Any, pictures: Pictures, rows: torch.Tensor) -> list[torch.Tensor]:
    """What a vision tower makes of images, after each block and at last merged; each (images, tokens, width).

    The class itself takes images of any size, one after another; these are all of one size and go through
    together, as grey as they are. A third of the time is saved; the merged tokens are the same.
    """
    import torch
    from torch.nn import functional
    from transformers.models.qwen2_5_vl import modeling_qwen2_5_vl as qwen

    device = tower.patch_embed.proj.weight.device
    mean, spread = (torch.tensor(part, device=device) for part in (pictures.mean, pictures.spread))
    both_frames = tower.patch_embed.proj.weight.sum(2) / spread[:, None, None]
    offset = -(both_frames * mean[:, None, None]).sum((1, 2, 3))
    hidden = functional.linear(
        pictures.cut(rows).flatten(2).to(device), both_frames.sum(1).flatten(1), offset
    )
    num_images, num_patches, _ = hidden.shape
    grid = torch.tensor([[1, pictures.side, pictures.side]], device=device)
    cosine, sine = tower.rotary_pos_emb(hidden, qwen.get_vision_position_ids(grid, 2, kwargs={}))
    seen = []
    for block in tower.blocks:
        attention = block.attn
        three = attention.qkv(block.norm1(hidden)).reshape(
            num_images, num_patches, 3, attention.num_heads, -1
        )
        query, key, value = three.unbind(2)
        query, key = qwen.apply_rotary_pos_emb_vision(query, key, cosine, sine)
        by_head = [part.transpose(1, 2) for part in (query, key, value)]
        read = functional.scaled_dot_product_attention(by_head[0], by_head[1], by_head[2])
        hidden = hidden + attention.proj(read.transpose(1, 2).flatten(2))
        hidden = hidden + block.mlp(block.norm2(hidden))
        seen.append(hidden)
    merged = tower.merger(hidden.flatten(0, 1))
    return [*seen, merged.reshape(num_images, num_patches // 4, -1)]


def make_teachers(tower: Any, side: int) -> torch.nn.ModuleDict:
    """What reads the tower's tokens while it learns; thrown away afterwards.

    asking    asks as language will ask: each finding is a query that attends to the merged tokens, and one
              decoder reads what every query finds. So "left" and "large" come to look alike whatever they
              are said of, and a language model has little but the queries to learn.
    at_places reads every token at its place with weights of its own, half way up and at the end. It learns
              several times faster, as a straight line through pixels does, and shows the tower what to keep.
    marking   asks each token which findings' boxes it lies in. It has the same weights at all places, so what
              a finding looks like is learned once for all of them, wherever the patient stood.
    standing  asks each token in which row and column it stands. The architecture knows only how far tokens
              are apart; taught where it is, a token can tell what a shadow at its place means.
    """
    import torch
    from torch import nn

    class Asking(nn.Module):
        def __init__(self, width: int, num_heads: int = 4) -> None:
            super().__init__()
            self.num_heads, self.norm = num_heads, nn.LayerNorm(width)
            self.queries = nn.Parameter(torch.randn(len(FINDINGS), width) / 2)
            self.names = nn.Parameter(torch.zeros(len(FINDINGS), width))
            self.key, self.value, self.mixed = (nn.Linear(width, width) for _ in range(3))
            self.decoder = nn.Linear(width, WIDTH)

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            tokens = self.norm(tokens)
            key, value = self._by_head(self.key(tokens)), self._by_head(self.value(tokens))
            query = self._by_head(self.queries[None]).expand(len(tokens), -1, -1, -1)
            read = nn.functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
            return self.decoder(nn.functional.gelu(self.mixed(read) + self.names)).flatten(1)

        def _by_head(self, rows: torch.Tensor) -> torch.Tensor:
            return rows.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)

    def at_places(num_tokens: int, width: int) -> nn.Module:
        decoder = nn.Linear(num_tokens * width, len(FINDINGS) * WIDTH)
        nn.init.zeros_(decoder.weight)
        return nn.Sequential(nn.LayerNorm(width), nn.Flatten(1), decoder)

    inner, outer = tower.config.hidden_size, tower.config.out_hidden_size
    places = [at_places(side**2, inner), at_places(side**2 // 4, outer)]
    marking = [nn.Linear(inner, len(FINDINGS)), nn.Linear(outer, 4 * len(FINDINGS))]
    standing = [nn.Linear(inner, 2 * side), nn.Linear(inner, 2 * side), nn.Linear(outer, side)]
    return nn.ModuleDict(
        {
            "asking": Asking(outer),
            "at_places": nn.ModuleList(places),
            "marking": nn.ModuleList(marking),
            "standing": nn.ModuleList(standing),
        }
    )


def _lost(readings: torch.Tensor, wanted: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    import torch

    is_edge = torch.zeros(WIDTH, dtype=torch.bool, device=readings.device)
    is_edge[EDGES] = True
    worth = torch.nn.functional.binary_cross_entropy_with_logits(readings, wanted, reduction="none")
    off = torch.nn.functional.smooth_l1_loss(readings, wanted, reduction="none", beta=0.05)
    each = torch.where(is_edge.repeat(len(FINDINGS)), WORTH_OF_EDGES * off, worth)
    return (each * known).sum() / known.sum()


def _misplaced(logits: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """How badly tokens tell their rows and columns; `places` are those of one image: (tokens, 2)."""
    import torch

    num_images, _, width = logits.shape
    told = logits.unflatten(-1, (2, width // 2)).flatten(0, 2)
    return torch.nn.functional.cross_entropy(told, places.repeat(num_images, 1).flatten())


def _mismarked(
    logits: torch.Tensor, marks: torch.Tensor, wanted: torch.Tensor, known: torch.Tensor
) -> torch.Tensor:
    """How badly tokens tell in whose boxes they lie, of findings known to be absent or to have a box."""
    import torch

    told = logits.reshape(marks.shape)  # a merged token tells it of its four patches
    there, judged = wanted[:, ::WIDTH] > 0, known[:, ::WIDTH] > 0
    counted = (judged & (~there | marks.any(1)))[:, None].float()
    # A box covers little of an image, so a patch in it counts for more.
    worth = torch.nn.functional.binary_cross_entropy_with_logits(
        told, marks, reduction="none", pos_weight=torch.tensor(4.0, device=marks.device)
    )
    return (worth * counted).sum() / (counted.sum() * marks.shape[1])


def train_vision(model: Any, pictures: Pictures, studies: Sequence[Study], recipe: BaseModelRecipe) -> dict:
    """Teach the vision tower the findings, their attributes and boxes; how well it sees others afterwards."""
    import torch
    from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import get_vision_position_ids

    images = [(study, number) for study in studies for number in range(len(study.images))]
    target, known = (torch.from_numpy(part) for part in vision_targets(images, FINDINGS))
    tower, side = model.model.visual, pictures.side
    maps = torch.from_numpy(box_maps(images, FINDINGS, side))
    torch.manual_seed(recipe.seed)
    device = tower.patch_embed.proj.weight.device
    teachers: Any = make_teachers(tower, side).to(device)
    second, middle = min(1, len(tower.blocks) - 1), len(tower.blocks) // 2
    stands = get_vision_position_ids(torch.tensor([[1, side, side]]), 2, kwargs={}).long().to(device)
    merged_stands = stands[::4] // 2

    def loss_of(rows: torch.Tensor) -> torch.Tensor:
        seen = see(tower, pictures, rows)
        wanted, weight = target[rows].to(device), known[rows].to(device)
        marks = maps[rows].to(device).float()
        placed = zip(teachers["at_places"], (seen[middle], seen[-1]), strict=True)
        marking = zip(teachers["marking"], (seen[-2], seen[-1]), strict=True)
        standing = zip(
            teachers["standing"],
            (seen[0], seen[second], seen[-1]),
            (stands, stands, merged_stands),
            strict=True,
        )
        return (
            _lost(teachers["asking"](seen[-1]), wanted, weight)
            + sum(_lost(teacher(tokens), wanted, weight) for teacher, tokens in placed) / 2
            + WORTH_OF_MARKS
            * sum(_mismarked(teacher(tokens), marks, wanted, weight) for teacher, tokens in marking)
            / 2
            + WORTH_OF_STANDING * sum(_misplaced(teacher(tokens), at) for teacher, tokens, at in standing)
        )

    parameters = [*tower.parameters(), *teachers.parameters()]
    rate, steps, size = (recipe.vision[key] for key in ("learning_rate", "steps", "batch_size"))
    optimizer = torch.optim.AdamW(parameters, lr=rate, betas=(0.9, 0.98), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.1)
    draw = torch.Generator().manual_seed(recipe.seed)
    # The last studies are held out: a twentieth, at least one.
    held_out = sum(len(study.images) for study in studies[-max(1, len(studies) // 20) :])
    order = torch.empty(0, dtype=torch.long)
    for step in progress(range(steps), what="vision tower"):
        if len(order) < size:
            order = torch.cat([order, torch.randperm(len(images) - held_out, generator=draw)])
        rows, order = order[:size], order[size:]
        loss = loss_of(rows)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % 50 == 0:
            logging.info("vision step %d: loss %.4f", step, loss.item())
    rows = torch.arange(len(images) - held_out, len(images))
    with torch.no_grad():
        readings = torch.cat([teachers["asking"](see(tower, pictures, part)[-1]) for part in rows.split(64)])
    return _figures(readings.cpu().numpy(), target[rows].numpy(), known[rows].numpy() > 0)


def _figures(readings: np.ndarray, target: np.ndarray, known: np.ndarray) -> dict:
    """How well the held-out images were read: areas under the curve, right attributes, edges off by."""
    split = [part.reshape(len(part), len(FINDINGS), WIDTH) for part in (readings, target, known)]
    read, true, counted = split
    presence = {}
    for column, finding in enumerate(FINDINGS):
        seen = counted[:, column, 0]
        there = true[seen, column, 0] > 0
        presence[finding] = area(read[seen, column, 0], there) if 0 < there.sum() < len(there) else None
    attributes = slice(1, EDGES.start)
    right = ((read > 0) == (true > 0.5))[..., attributes][counted[..., attributes]]
    off = np.abs(read - true)[..., EDGES][counted[..., EDGES]]
    return {
        "presence": presence,
        "attributes": float(right.mean()) if right.size else None,
        "edges_off": float(off.mean()) if off.size else None,
    }


def area(score: np.ndarray, truth: np.ndarray) -> float:
    """Area under the receiver operating characteristic, by ranks (Mann and Whitney 1947).

    >>> area(np.array([0.1, 0.9, 0.8]), np.array([False, True, True]))
    1.0
    """
    from scipy.stats import rankdata

    ranks, positive = rankdata(score), int(truth.sum())
    total = ranks[truth].sum() - positive * (positive + 1) / 2
    return float(total / (positive * (len(truth) - positive)))
