"""What makes training quicker and changes no number: each function says where it helps."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Any

import torch

MODEL_TYPES = ("qwen2_vl", "qwen2_5_vl")
"""Vision towers whose only output that counts is one row for each image token."""
MOST_BYTES = 512 * 2**20


def score_replies_only() -> None:
    """Let TRL's language head look at the tokens that carry loss alone, on a CPU too.

    On a GPU it does; on any other device it scores the whole prompt and the padding as well and multiplies
    that by zero, lest shapes change under a compiler, which a CPU has not got.
    """
    from trl.trainer import utils

    if not hasattr(utils, "_use_triton"):
        raise RuntimeError("this version of TRL chooses in another way which positions its head scores")
    utils._use_triton = lambda device: True


def quicken_vision(model: Any, *, most_bytes: int = MOST_BYTES) -> bool:
    """Let a frozen vision tower on a CPU remember what it saw, by the pixels; False where it cannot.

    GRPO shows one image for each of its replies, in the rollout, for the loss and for the reference; several
    epochs, and several questions about a study, show it again. A GPU would have to fetch the pixels to
    compare them, and a large tower costs little beside its language half.
    """
    if hasattr(model, "get_base_model"):  # adapters leave the tower as it is
        model = model.get_base_model()
    config = getattr(model, "config", None)
    if config is None or config.model_type not in MODEL_TYPES:
        return False
    tower = model.model.visual
    weights = list(tower.parameters())
    if torch.cuda.is_available() or any(one.requires_grad or one.device.type != "cpu" for one in weights):
        return False
    tower.forward = _Remembering(tower, most_bytes)
    return True


class _Remembering:
    """The forward of a tower with a memory of limited size; what was asked for longest ago goes first."""

    def __init__(self, tower: Any, most_bytes: int) -> None:
        self._look, self._merged = tower.forward, int(tower.spatial_merge_size) ** 2
        self._most_bytes, self._num_bytes = most_bytes, 0
        self._seen: OrderedDict[bytes, torch.Tensor] = OrderedDict()

    def __call__(self, hidden_states: torch.Tensor, grid_thw: torch.Tensor, **more: Any) -> Any:
        from transformers.modeling_outputs import BaseModelOutputWithPooling

        parts = hidden_states.split(grid_thw.prod(-1).tolist())
        keys = [_name(part, grid) for part, grid in zip(parts, grid_thw, strict=True)]
        # Held for this call: the memory may be smaller than one batch.
        known = {key: self._seen[key] for key in keys if key in self._seen}
        new = {key: place for place, key in reversed(list(enumerate(keys))) if key not in known}
        if new:
            places = sorted(new.values())
            pixels, grids = torch.cat([parts[place] for place in places]), grid_thw[places]
            with torch.no_grad():
                looked = self._look(pixels, grid_thw=grids, **more).pooler_output
            sizes = (grids.prod(-1) // self._merged).tolist()
            for place, seen in zip(places, looked.split(sizes), strict=True):
                known[keys[place]] = seen.clone()  # a view would keep the whole batch alive
        for key, seen in known.items():
            self._remember(key, seen)
        return BaseModelOutputWithPooling(pooler_output=torch.cat([known[key] for key in keys]))

    def _remember(self, key: bytes, seen: torch.Tensor) -> None:
        if key not in self._seen:
            self._num_bytes += seen.nbytes
        self._seen[key] = seen
        self._seen.move_to_end(key)
        while self._num_bytes > self._most_bytes:
            self._num_bytes -= self._seen.popitem(last=False)[1].nbytes


def _name(pixels: torch.Tensor, grid: torch.Tensor) -> bytes:
    told = hashlib.sha256(pixels.contiguous().view(torch.uint8).numpy().data)
    told.update(str(grid.tolist()).encode())
    return told.digest()
