"""Load a Qwen2-VL, Qwen2.5-VL or Qwen3-VL checkpoint and its processor, with or without torchvision.

The standard Qwen processors want torchvision twice: for their fast image processor and for the video
processor. Its published build does not import beside a CPU build of torch, and cxreason shows models no
videos. So where torchvision is missing, the PIL image processor and a processor without a video part take
their place; the files on disk and the tensors that reach the model are the same. Where torchvision is
installed, the standard classes load.

What a stage trains is said by its recipe: parts that are held still (`freeze`), or adapters beside the
weights (`lora`). A folder of adapters loads as the whole model that they make of their base.

    >>> processor = load_processor(BASE_MODEL)                          # doctest: +SKIP
    >>> model = load_model(BASE_MODEL)                                  # doctest: +SKIP
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxreason.errors import UserError
from cxreason.recipes import GrpoRecipe, SftRecipe

if TYPE_CHECKING:
    from peft import LoraConfig
    from transformers import PreTrainedModel, ProcessorMixin

BASE_MODEL = Path(__file__).parent.parent / "phantom" / "base_model"
"""The tiny base model that ships in the package; recipes name it `phantom`."""

PROCESSORS = {"qwen2_vl": "Qwen2VL", "qwen2_5_vl": "Qwen2_5_VL", "qwen3_vl": "Qwen3VL"}
"""The families that load without torchvision, and how the names of their classes begin."""

ADAPTER = "adapter_config.json"
"""The file that makes a folder one of adapters."""

ADAPTED_LAYERS = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
"""Where adapters go unless a recipe says `lora.target_modules`: all linear layers of the language model."""


def resolve(model: str) -> str:
    """The folder or hub name behind a recipe's `model:`; `phantom` is the model in the package.

    >>> resolve("Qwen/Qwen2.5-VL-3B-Instruct")
    'Qwen/Qwen2.5-VL-3B-Instruct'
    """
    if model == "phantom":
        return str(BASE_MODEL)
    # No hub name has two slashes: this is a folder, be it there or not.
    if model.startswith((".", "/", "~")) or model.count("/") > 1 or Path(model).exists():
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


TOKENIZERS = ("tokenizer.json", "vocab.json", "tokenizer.model")
"""Any of these makes a tokenizer; of a folder with none transformers makes one that knows no word."""


@contextlib.contextmanager
def _loading(path: str, what: str) -> Iterator[None]:
    """What a checkpoint lacks is told in one line. transformers tells it as an OSError that is none of the
    system's, or as one of its writers' own."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        if not isinstance(error, OSError) and type(error).__name__ != "SafetensorError":
            raise
        # The first sentence says what is missing; the rest is about other places.
        why = str(error).splitlines()[0].partition(". ")[0].rstrip(".")
        raise UserError(f"{path}: its {what} cannot be loaded ({why}). Copy the whole checkpoint.") from error


def load_processor(model: str | Path, *, max_pixels: int | None = None) -> ProcessorMixin:
    """The processor of a checkpoint, padding on the left, images kept below `max_pixels`."""
    quieten()
    path = resolve(str(model))
    if Path(path).is_dir() and not any((Path(path) / name).exists() for name in TOKENIZERS):
        raise UserError(f"{path}: has no tokenizer ({', '.join(TOKENIZERS)}). Copy the whole checkpoint.")
    with _loading(path, "processor"):
        processor: Any = _processor(path)
    processor.tokenizer.padding_side = "left"  # generation continues from the right end of every row
    if max_pixels is not None:
        size = dict(processor.image_processor.size)
        size["longest_edge"] = max_pixels
        size["shortest_edge"] = min(size["shortest_edge"], max_pixels)
        processor.image_processor.size = size
    return processor


def _processor(path: str) -> ProcessorMixin:
    if has_torchvision():
        from transformers import AutoProcessor

        return AutoProcessor.from_pretrained(path)
    from transformers import AutoConfig, AutoTokenizer, Qwen2VLImageProcessorPil

    standard = _standard_processor(AutoConfig.from_pretrained(path).model_type, path)
    image_processor = Qwen2VLImageProcessorPil.from_pretrained(path)
    tokenizer = AutoTokenizer.from_pretrained(path)
    template = tokenizer.chat_template or _chat_template(path)
    return processor_without_video(standard)(image_processor, tokenizer, chat_template=template)


def _standard_processor(model_type: str, path: str) -> type[ProcessorMixin]:
    import transformers

    if model_type not in PROCESSORS:
        known = ", ".join(PROCESSORS)
        raise UserError(f"{path}: a {model_type} model; without torchvision these load: {known}.")
    return getattr(transformers, f"{PROCESSORS[model_type]}Processor")


def _chat_template(path: str) -> str | None:
    """The chat template of checkpoints that keep it beside the tokenizer instead of in it."""
    from transformers.utils import cached_file

    for name, read in (("chat_template.jinja", str), ("chat_template.json", _template_of_json)):
        file = cached_file(path, name, _raise_exceptions_for_missing_entries=False)
        if file is not None:
            return read(Path(file).read_text())
    return None


def _template_of_json(text: str) -> str:
    return json.loads(text)["chat_template"]


def load_model(
    model: str | Path,
    *,
    dtype: str = "float32",
    freeze_vision: bool = False,
    freeze: Iterable[str] = (),
    attention: str | None = None,
) -> PreTrainedModel:
    """The model of a checkpoint. The shipped base model is stored in 16 bits and computed in 32.

    `freeze` names the parts that take no gradient: vision, projector, language.
    """
    from transformers import AutoModelForImageTextToText

    quieten()
    path = resolve(str(model))
    chosen: dict[str, Any] = {"dtype": dtype}
    if attention is not None:
        chosen["attn_implementation"] = attention
    with _loading(path, "model"):
        if is_adapter(path):
            loaded = _with_adapters(path, chosen)
        else:
            loaded = AutoModelForImageTextToText.from_pretrained(path, **chosen)
    hold_still(loaded, ("vision", "projector") if freeze_vision else freeze)
    return loaded


def is_here(model: str) -> bool:
    """Whether a recipe's `model:` can be loaded without asking a hub.

    >>> is_here("phantom"), is_here("runs/no-such-run/model")
    (True, False)
    """
    return model == "phantom" or (Path(model).expanduser() / "config.json").exists()


def is_adapter(path: str | Path) -> bool:
    """Whether a folder holds adapters, which are nothing without their base."""
    return (Path(path) / ADAPTER).exists()


def _with_adapters(path: str, chosen: dict[str, Any]) -> PreTrainedModel:
    """The base of a folder of adapters, with what they learned added to its weights."""
    from peft import PeftModel
    from transformers import AutoModelForImageTextToText

    base = json.loads((Path(path) / ADAPTER).read_text())["base_model_name_or_path"]
    if base.startswith(("/", "~", ".")) and not Path(base).expanduser().exists():
        raise UserError(f"{path}: its adapters belong to {base}, which is not there. Put it back there.")
    loaded = AutoModelForImageTextToText.from_pretrained(resolve(base), **chosen)
    return PeftModel.from_pretrained(loaded, path).merge_and_unload()  # pyright: ignore


def hold_still(model: Any, parts: Iterable[str]) -> None:
    """Let the named parts of a model take no gradient: vision (the tower), projector, language."""
    tower = model.model.visual
    # Qwen3-VL hands features of several depths to the language model, each through a projector of its own.
    projectors = [tower.merger, *getattr(tower, "deepstack_merger_list", ())]
    projecting = {id(weight) for projector in projectors for weight in projector.parameters()}
    seeing = [weight for weight in tower.parameters() if id(weight) not in projecting]
    speaking = [*model.model.language_model.parameters(), *model.lm_head.parameters()]
    weights = {
        "vision": seeing,
        "projector": [weight for projector in projectors for weight in projector.parameters()],
        "language": speaking,
    }
    for part in parts:
        for weight in weights[part]:
            weight.requires_grad_(False)


def load_for_training(recipe: SftRecipe | GrpoRecipe) -> PreTrainedModel:
    """The model that a recipe starts from, with the parts held still that it names."""
    if recipe.lora is not None and is_adapter(resolve(recipe.model)):
        raise UserError(
            f"{recipe.model}: holds adapters, and adapters cannot stand on adapters. Merge them first: "
            f"cxreason merge {recipe.model} {recipe.model}-merged"
        )
    return load_model(
        recipe.model,
        dtype=recipe.dtype or "float32",
        freeze_vision=recipe.freeze_vision,
        freeze=recipe.freeze or (),
        attention=recipe.attention,
    )


def adapters(recipe: SftRecipe | GrpoRecipe) -> LoraConfig | None:
    """What TRL takes as `peft_config`; None where all weights are trained."""
    if recipe.lora is None:
        return None
    from peft import LoraConfig

    from cxreason.training.configs import configured

    told = {"task_type": "CAUSAL_LM", "target_modules": ADAPTED_LAYERS, **recipe.lora}
    return configured(LoraConfig, "lora", told)
