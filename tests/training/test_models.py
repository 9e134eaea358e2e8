"""Loading models: with and without torchvision, the shipped base, and folders that are none."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxreason.errors import UserError
from cxreason.training import models

GREY = Image.fromarray(np.full((256, 256), 90, dtype=np.uint8))


def test_the_shipped_base_model_is_small_and_real():
    weights = models.BASE_MODEL / "model.safetensors"
    assert weights.stat().st_size < 8_000_000
    assert json.loads((models.BASE_MODEL / "config.json").read_text())["model_type"] == "qwen2_5_vl"
    model = models.load_model("phantom")
    assert type(model).__name__ == "Qwen2_5_VLForConditionalGeneration"
    assert 1_000_000 < sum(parameter.numel() for parameter in model.parameters()) < 4_000_000


def test_the_processor_turns_an_image_into_marks_and_patches():
    processor = models.load_processor("phantom")
    chat = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Clear?"}]}]
    text = processor.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    inputs = processor(text=[text], images=[[GREY]], return_tensors="pt")
    image_token = processor.tokenizer.convert_tokens_to_ids("<|image_pad|>")
    patches = int(inputs["image_grid_thw"].prod())
    assert int((inputs["input_ids"] == image_token).sum()) == patches // 4
    assert inputs["pixel_values"].shape[0] == patches


def test_a_saved_processor_loads_again_and_bears_the_standard_name(tmp_path):
    models.load_processor("phantom").save_pretrained(tmp_path)
    saved = " ".join(
        path.read_text() for path in tmp_path.glob("*.json") if "tokenizer.json" not in path.name
    )
    assert "WithoutVideo" not in saved
    assert '"Qwen2_5_VLProcessor"' in saved
    models.load_model("phantom").config.save_pretrained(tmp_path)
    assert (
        models.load_processor(tmp_path).image_processor.size
        == models.load_processor("phantom").image_processor.size
    )


@pytest.mark.parametrize(
    ("without", "says"),
    [
        ("processor_config.json", "its processor cannot be loaded (Can't load image processor for "),
        ("tokenizer.json", "has no tokenizer (tokenizer.json, vocab.json, tokenizer.model). Copy the whole"),
        ("model.safetensors", "its model cannot be loaded (Error no file named model.safetensors"),
    ],
)
def test_a_checkpoint_that_was_half_copied_is_told_in_one_line(tmp_path, without, says):
    half = Path(shutil.copytree(models.BASE_MODEL, tmp_path / "half"))
    (half / without).unlink()
    load = models.load_model if without == "model.safetensors" else models.load_processor
    with pytest.raises(UserError) as told:
        load(half)
    assert str(told.value).startswith(f"{half}: {says}")


def test_cut_weights_are_told_in_one_line(tmp_path):
    half = Path(shutil.copytree(models.BASE_MODEL, tmp_path / "half"))
    weights = half / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(UserError, match=r"half: its model cannot be loaded \(Error while deserializing"):
        models.load_model(half)


def test_max_pixels_bounds_the_patches():
    def patches(max_pixels):
        image_processor = models.load_processor("phantom", max_pixels=max_pixels).image_processor
        return int(image_processor(images=[GREY], return_tensors="pt")["image_grid_thw"].prod())

    assert patches(112 * 112) == 64
    assert patches(56 * 56) == 16


def test_with_torchvision_the_standard_classes_load(monkeypatch):
    import transformers

    asked = []
    standard = models.load_processor("phantom")
    monkeypatch.setattr(models, "has_torchvision", lambda: True)
    monkeypatch.setattr(
        transformers.AutoProcessor, "from_pretrained", lambda path: asked.append(path) or standard
    )
    assert models.load_processor("phantom") is standard
    assert asked == [str(models.BASE_MODEL)]


@pytest.mark.parametrize("family", ["Qwen2VL", "Qwen2_5_VL"])
def test_each_family_gets_its_own_processor(family, tmp_path):
    import shutil

    shutil.copytree(models.BASE_MODEL, tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    config["model_type"] = {"Qwen2VL": "qwen2_vl", "Qwen2_5_VL": "qwen2_5_vl"}[family]
    for half in ("text_config", "vision_config"):  # each family reads its own kind of halves
        config[half].pop("model_type", None)
    config.pop("vision_config")
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    assert type(models.load_processor(tmp_path / "model")).__name__ == f"{family}Processor"


def test_a_folder_without_a_model_is_told_in_one_line(tmp_path):
    with pytest.raises(UserError, match=r"no config\.json"):
        models.load_model(tmp_path)


def test_a_missing_folder_is_not_taken_for_a_name_of_the_hub():
    with pytest.raises(UserError, match=r"runs/sft/model: no config.json there"):
        models.resolve("runs/sft/model")


def test_a_frozen_tower_takes_no_gradient():
    model = models.load_model("phantom", freeze_vision=True)
    assert not any(parameter.requires_grad for parameter in model.model.visual.parameters())
    assert all(parameter.requires_grad for parameter in model.model.language_model.parameters())


def test_nobody_is_told_what_is_trained():
    import os

    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"
