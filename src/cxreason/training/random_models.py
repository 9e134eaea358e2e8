"""Qwen models of each family with random weights: tiny ones for tests, full shapes for measuring a machine.

They speak with the tokenizer of the shipped model, so they need no network and no weights.

    >>> write_random_model(Path("runs/random"), "qwen3_vl")              # doctest: +SKIP
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from cxreason.training.loop import save
from cxreason.training.models import BASE_MODEL, PROCESSORS, processor_without_video, quieten

if TYPE_CHECKING:
    from transformers import PreTrainedModel, ProcessorMixin

HALF = [0.5, 0.5, 0.5]
TINY_PIXELS = 56 * 56


@cache
def shapes() -> dict[str, dict[str, dict[str, Any]]]:
    """Family -> name of a shape -> the settings of its configuration."""
    return yaml.safe_load(Path(__file__).with_name("shapes.yaml").read_text())


def random_model(
    family: str, shape: str = "tiny", *, seed: int = 0, dtype: str = "float32", device: str = "cpu"
) -> PreTrainedModel:
    """A model of one of the families in `shapes.yaml`, made on the device where it will work."""
    import torch
    import transformers

    name = PROCESSORS[family]
    tokenizer = _tokenizer()

    def token(text: str) -> int:
        return tokenizer.convert_tokens_to_ids(text)

    ends = {"bos_token_id": None, "eos_token_id": token("<|im_end|>"), "pad_token_id": token("<|endoftext|>")}
    told = shapes()[family][shape]
    config = getattr(transformers, f"{name}Config")(
        **{**told, "text_config": {**told["text_config"], **ends}},
        image_token_id=token("<|image_pad|>"),
        video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
    )
    torch.manual_seed(seed)
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, dtype))
    try:
        with torch.device(device):
            model = getattr(transformers, f"{name}ForConditionalGeneration")(config)
    finally:
        torch.set_default_dtype(before)
    model.generation_config = transformers.GenerationConfig(
        eos_token_id=ends["eos_token_id"], pad_token_id=ends["pad_token_id"], do_sample=False
    )
    return model


def random_processor(family: str, *, max_pixels: int = TINY_PIXELS) -> ProcessorMixin:
    """The processor of a family around the shipped tokenizer."""
    import transformers
    from transformers import Qwen2VLImageProcessorPil

    tokenizer = _tokenizer()
    how: dict[str, Any] = {"min_pixels": min(TINY_PIXELS, max_pixels), "max_pixels": max_pixels}
    if family == "qwen3_vl":
        how |= {"patch_size": 16, "image_mean": HALF, "image_std": HALF}
    standard = getattr(transformers, f"{PROCESSORS[family]}Processor")
    return processor_without_video(standard)(
        Qwen2VLImageProcessorPil(**how), tokenizer, chat_template=tokenizer.chat_template
    )


def write_random_model(folder: Path, family: str, shape: str = "tiny", *, seed: int = 0) -> Path:
    """Write a random model with its processor to a folder that recipes can name, and return it."""
    quieten()
    folder.parent.mkdir(parents=True, exist_ok=True)
    save(random_model(family, shape, seed=seed), random_processor(family), folder)
    return folder


def _tokenizer() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(BASE_MODEL)
