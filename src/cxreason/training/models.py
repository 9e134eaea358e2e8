"""Load a Qwen vision-language checkpoint and its processor, with or without torchvision.

The standard Qwen processors want torchvision twice: for their fast image processor and for the video
processor. Its published build does not import beside a CPU build of torch, and cxreason shows models no
videos. So where torchvision is missing, the PIL image processor and a processor without a video part take
their place; the files on disk and the tensors that reach the model are the same. Where torchvision is
installed, the standard classes load.

    >>> processor = load_processor(BASE_MODEL)                          # doctest: +SKIP
    >>> model = load_model(BASE_MODEL)                                  # doctest: +SKIP
"""

from __future__ import annotations

import importlib.util
import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from cxreason.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, ProcessorMixin

BASE_MODEL = Path(__file__).parent.parent / "phantom" / "base_model"
"""The tiny base model that ships in the package; recipes name it `phantom`."""


def resolve(model: str) -> str:
    """The folder or hub name behind a recipe's `model:`; `phantom` is the model in the package.

    >>> resolve("Qwen/Qwen2.5-VL-3B-Instruct")
    'Qwen/Qwen2.5-VL-3B-Instruct'
    """
    if model == "phantom":
        return str(BASE_MODEL)
    if model.startswith((".", "/", "~")) or Path(model).exists():
        folder = Path(model).expanduser()
        if not (folder / "config.json").exists():
            raise UserError(f"{folder}: no config.json there, so this is no model folder. Name a checkpoint.")
        return str(folder)
    return model


def has_torchvision() -> bool:
    """Whether torchvision is installed; a broken one still counts, and then fails with its own words."""
    return importlib.util.find_spec("torchvision") is not None


def processor_without_video(standard: type[ProcessorMixin]) -> type[ProcessorMixin]:
    """A Qwen processor class less its video half, under the standard name.

    The parent looks its parts up in the signature of `__init__`, so a signature without `video_processor`
    is what makes it neither want nor save one. The name stays the standard one because it is written into
    the checkpoint, and whoever loads that with torchvision must find the class they know.
    """

    class WithoutVideo(standard):
        def __init__(self, image_processor=None, tokenizer=None, chat_template=None, **kwargs):
            super().__init__(image_processor, tokenizer, chat_template=chat_template, **kwargs)

    WithoutVideo.__name__ = standard.__name__
    return WithoutVideo


def quieten() -> None:
    """Keep the bars of loading and saving, and warnings meant for the authors of TRL, off the terminal."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers\.|trl\.")


def load_processor(model: str | Path, *, max_pixels: int | None = None) -> ProcessorMixin:
    """The processor of a checkpoint, padding on the left, images kept below `max_pixels`."""
    quieten()
    path = resolve(str(model))
    if has_torchvision():
        from transformers import AutoProcessor

        processor = AutoProcessor.from_pretrained(path)
    else:
        from transformers import AutoConfig, AutoTokenizer, Qwen2VLImageProcessorPil

        standard = _standard_processor(AutoConfig.from_pretrained(path).model_type, path)
        image_processor = Qwen2VLImageProcessorPil.from_pretrained(path)
        tokenizer = AutoTokenizer.from_pretrained(path)
        template = tokenizer.chat_template or _chat_template(path)
        processor = processor_without_video(standard)(image_processor, tokenizer, chat_template=template)
    processor.tokenizer.padding_side = "left"  # generation continues from the right end of every row
    if max_pixels is not None:
        size = dict(processor.image_processor.size)
        size["longest_edge"] = max_pixels
        size["shortest_edge"] = min(size["shortest_edge"], max_pixels)
        processor.image_processor.size = size
    return processor


def _standard_processor(model_type: str, path: str) -> type[ProcessorMixin]:
    from transformers import Qwen2_5_VLProcessor, Qwen2VLProcessor

    classes = {"qwen2_vl": Qwen2VLProcessor, "qwen2_5_vl": Qwen2_5_VLProcessor}
    if model_type not in classes:
        known = ", ".join(classes)
        raise UserError(f"{path}: a {model_type} model; without torchvision these load: {known}.")
    return classes[model_type]


def _chat_template(path: str) -> str | None:
    """The chat template of checkpoints that keep it beside the tokenizer instead of in it."""
    for name, read in (("chat_template.jinja", str), ("chat_template.json", _template_of_json)):
        file = Path(path) / name
        if file.exists():
            return read(file.read_text())
    return None


def _template_of_json(text: str) -> str:
    return json.loads(text)["chat_template"]


def load_model(model: str | Path, *, dtype: str = "float32", freeze_vision: bool = False) -> PreTrainedModel:
    """The model of a checkpoint. The shipped base model is stored in 16 bits and computed in 32."""
    from transformers import AutoModelForImageTextToText

    quieten()
    loaded = AutoModelForImageTextToText.from_pretrained(resolve(str(model)), dtype=dtype)
    if freeze_vision:
        loaded.model.visual.requires_grad_(False)
    return loaded
