"""Each family of models: random ones load, see, speak, are held still in parts, and take adapters."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from cxreason.errors import UserError
from cxreason.recipes import GrpoRecipe, SftRecipe, validate
from cxreason.training import grpo, models, sft
from cxreason.training.random_models import random_model, random_processor, shapes, write_random_model

FAMILIES = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl")
GREY = Image.fromarray(np.full((80, 120, 3), 90, dtype=np.uint8))


def asked(processor):
    chat = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Is there edema?"}]}]
    text = processor.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    return processor(text=[text], images=[[GREY]], return_tensors="pt")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_random_model_of_each_family_is_written_loaded_and_speaks_about_an_image(family, tmp_path):
    folder = write_random_model(tmp_path / family, family)
    processor = models.load_processor(folder, max_pixels=64 * 64)
    inputs = asked(processor)
    image_token = processor.tokenizer.convert_tokens_to_ids("<|image_pad|>")
    assert int((inputs["input_ids"] == image_token).sum()) == int(inputs["image_grid_thw"].prod()) // 4
    loaded = models.load_model(folder)
    assert loaded.config.model_type == family
    first = random_model(family)
    with torch.inference_mode():
        said = loaded(**inputs).logits
        assert torch.isfinite(said).all()
        assert torch.allclose(said, first(**inputs).logits, atol=1e-5)
        other = {**inputs, "pixel_values": inputs["pixel_values"] + 1.0}
        assert not torch.allclose(said, loaded(**other).logits, atol=1e-5), "it does not see"


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("parts", "moving"),
    [
        ((), {"vision", "projector", "language"}),
        (("vision",), {"projector", "language"}),
        (("vision", "projector"), {"language"}),
        (("language", "projector"), {"vision"}),
    ],
)
def test_only_the_parts_that_are_not_named_take_gradients(family, parts, moving):
    model = random_model(family)
    models.hold_still(model, parts)
    moved = set()
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            projecting = "merger" in name
            seeing = "visual" in name and not projecting
            moved.add("vision" if seeing else "projector" if projecting else "language")
    assert moved == moving


def test_the_full_shapes_are_as_large_as_their_names_say():
    sizes = {}
    for family, shape in (("qwen2_vl", "7b"), ("qwen2_5_vl", "3b"), ("qwen3_vl", "4b")):
        with torch.device("meta"):
            model = random_model(family, shape, device="meta")
        sizes[family] = sum(weight.numel() for weight in model.parameters()) / 1e9
    # 8.29, 3.75 and 4.44 billion in the published checkpoints, tied heads counted once.
    assert sizes == pytest.approx({"qwen2_vl": 8.29, "qwen2_5_vl": 3.75, "qwen3_vl": 4.44}, abs=0.02)
    assert set(shapes()) == set(FAMILIES)


def told(kind, **changes):
    return validate(kind, {"out": "o", "model": "phantom", "samples": "s", "num_rows": 4, **changes})


def test_a_recipe_says_what_is_frozen_and_in_what_the_weights_are_held():
    model = models.load_for_training(told(GrpoRecipe, freeze=["vision"], dtype="bfloat16", attention="eager"))
    assert model.dtype == torch.bfloat16
    assert model.config._attn_implementation == "eager"
    assert model.model.visual.merger.ln_q.weight.requires_grad
    assert not model.model.visual.patch_embed.proj.weight.requires_grad
    with pytest.raises(UserError, match="write `freeze` alone"):
        told(SftRecipe, freeze=["vision"], freeze_vision=True)
    with pytest.raises(UserError, match="with `lora` all weights are held still"):
        told(SftRecipe, freeze=["vision"], lora={})


def test_a_misspelt_key_of_adapters_is_told_in_one_line():
    with pytest.raises(UserError, match=r"unknown key 'lora\.rank'"):
        models.adapters(told(SftRecipe, lora={"rank": 8}))


def test_adapters_are_trained_saved_and_load_as_the_whole_model(corpus, tmp_path):
    base = write_random_model(tmp_path / "base", "qwen3_vl")
    recipe = told(
        SftRecipe,
        out=tmp_path / "sft",
        model=str(base),
        samples=corpus / "build",
        lora={"r": 4, "lora_alpha": 8},
        max_pixels=56 * 56,
        trainer={"per_device_train_batch_size": 2, "learning_rate": 0.1, "gradient_checkpointing": False},
    )
    sft.train(recipe)
    folder = tmp_path / "sft" / "model"
    assert (folder / "adapter_model.safetensors").stat().st_size < 200_000
    assert json.loads((folder / "config.json").read_text())["model_type"] == "qwen3_vl"
    before, after = models.load_model(base).state_dict(), models.load_model(folder).state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all("language_model.layers" in name and "proj" in name for name in changed)
    assert models.load_processor(folder).image_processor.patch_size == 16
    with pytest.raises(UserError, match="adapters cannot stand on adapters"):
        models.load_for_training(told(SftRecipe, model=str(folder), lora={"r": 4}))


def test_the_processors_of_all_families_bear_the_standard_names():
    names = [type(random_processor(family)).__name__ for family in FAMILIES]
    assert names == ["Qwen2VLProcessor", "Qwen2_5_VLProcessor", "Qwen3VLProcessor"]


def test_stage_2_trains_adapters_beside_a_reference_that_needs_no_second_model(corpus, tmp_path):
    base = write_random_model(tmp_path / "base", "qwen2_5_vl")
    recipe = told(
        GrpoRecipe,
        out=tmp_path / "grpo",
        model=str(base),
        samples=corpus / "build",
        rewards={"format": 1.0},
        reward_check="warn",
        lora={"r": 2},
        max_pixels=56 * 56,
        num_rows=4,
        keep=1,
        trainer={
            "per_device_train_batch_size": 4,
            "num_generations": 2,
            "num_train_epochs": 1,
            "max_completion_length": 4,
            "beta": 0.1,
            "gradient_checkpointing": False,
            "logging_steps": 1,
            "save_steps": 1,
        },
    )
    grpo.train(recipe)
    curve = json.loads((tmp_path / "grpo" / "curve.json").read_text())
    assert [entry["kl"] for entry in curve if "kl" in entry] == pytest.approx([0.0, 0.0], abs=1e-6)
    assert models.is_adapter(tmp_path / "grpo" / "model")
    kept = [path.name for path in (tmp_path / "grpo" / "checkpoints").iterdir()]
    assert kept == ["checkpoint-2"]
    assert models.is_adapter(tmp_path / "grpo" / "checkpoints" / "checkpoint-2")
