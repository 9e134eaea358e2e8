"""Cards, checkpoints that stay, adapters made whole, and what may go to a hub."""

import json

import pytest
import yaml

from cxreason.errors import UserError
from cxreason.recipes import SftRecipe, validate
from cxreason.training import card, checkpoints, loop, models, publish
from cxreason.training.random_models import random_model, random_processor, write_random_model

CURVE = [
    {"loss": 2.0, "step": 1},
    {
        "loss": 1.25,
        "reward": 0.5,
        "rewards/format_reward/mean": 0.75,
        "rewards/process_reward/mean": None,  # no reply of the last step was asked for reasoning
    },
]


def recipe(corpus, folder, **changes):
    told = {"out": folder / "sft-a", "model": "phantom", "samples": corpus / "build", "num_rows": 4}
    return validate(SftRecipe, {**told, "reasoning": corpus / "mine", **changes})


def test_a_card_says_what_a_model_was_made_of(corpus, tmp_path):
    (tmp_path / "rewards.json").write_text('{"failures": []}')
    (tmp_path / "data_check.json").write_text('{"num_samples": 9, "faults": {"x": {"count": 2}}}')
    text = card.card(recipe(corpus, tmp_path, licence="cc-by-nc-4.0"), "sft", CURVE, tmp_path)
    head = yaml.safe_load(text.split("---")[1])
    assert (head["license"], head["base_model"]) == ("cc-by-nc-4.0", "phantom")
    for file in ("build", "mine"):
        assert card.digest(corpus / file / "samples.parquet") in text
    assert "- loss: 1.25" in text
    assert "- rewards/format_reward/mean: 0.75" in text
    assert "process_reward/mean" not in text
    assert "gold won everywhere" in text
    assert "checked before training: 9, left out: 2" in text
    assert "Not a medical device" in text
    assert str(tmp_path) not in text
    assert str(corpus) not in text


def test_the_hash_of_the_data_changes_with_the_data(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    before = card.digest(tmp_path / "a")
    (tmp_path / "a").write_bytes(b"2")
    assert card.digest(tmp_path / "a") != before
    assert len(before) == 64


@pytest.mark.parametrize(("number", "left"), [(0, []), (1, [30]), (2, [20, 30]), (9, [10, 20, 30])])
def test_the_newest_whole_checkpoints_stay(tmp_path, number, left):
    folder = tmp_path / "checkpoints"
    for step in (10, 20, 30, 40):
        (folder / f"checkpoint-{step}").mkdir(parents=True)
        if step < 40:  # the latest was cut off while it was saved
            (folder / f"checkpoint-{step}" / checkpoints.COMPLETE).touch()
    checkpoints.keep_newest(folder, number)
    assert sorted(int(path.name.split("-")[1]) for path in folder.glob("*")) == left
    assert folder.exists() == bool(left)


def adapted(folder):
    """A folder of adapters as a training leaves it, with something learned in them."""
    import torch
    from peft import get_peft_model

    base = write_random_model(folder / "base", "qwen2_vl")
    told = {"out": folder / "o", "model": str(base), "samples": folder, "num_rows": 1, "lora": {"r": 2}}
    model = get_peft_model(models.load_model(base), models.adapters(validate(SftRecipe, told)))
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.constant_(weight, 0.05)
    head = "---\nlibrary_name: peft\nlicense: apache-2.0\n---\n\n# It\n"
    loop.save(model, random_processor("qwen2_vl"), folder / "adapters", card=head)
    return model, folder / "adapters"


def test_merging_gives_a_whole_model_that_says_the_same(tmp_path):
    import torch

    model, folder = adapted(tmp_path)
    told = publish.merge(folder, tmp_path / "deep" / "whole", dtype="float32")
    whole = models.load_model(tmp_path / "deep" / "whole")
    assert told["parameters"] == sum(weight.numel() for weight in whole.parameters())
    asked = torch.tensor([[20, 21, 22, 23]])
    with torch.inference_mode():
        assert torch.allclose(model(input_ids=asked).logits, whole(input_ids=asked).logits, atol=1e-5)
        base = random_model("qwen2_vl")
        assert not torch.allclose(base(input_ids=asked).logits, whole(input_ids=asked).logits, atol=1e-3)
    assert not models.is_adapter(tmp_path / "deep" / "whole")
    text = (tmp_path / "deep" / "whole" / "README.md").read_text()
    assert "library_name: transformers" in text
    assert "merged into the weights" in text
    with pytest.raises(UserError, match="is there already"):
        publish.merge(folder, tmp_path / "deep" / "whole")
    with pytest.raises(UserError, match="holds no adapters"):
        publish.merge(tmp_path / "deep" / "whole", tmp_path / "again")


class Hub:
    """A hub that notes what it is sent."""

    def __init__(self, sent):
        self.sent = sent

    def create_repo(self, name, *, private, exist_ok):
        self.sent.append((name, private))
        return f"https://hub.invalid/{name}"

    def upload_folder(self, *, repo_id, folder_path, commit_message):
        self.sent.append((repo_id, folder_path))


@pytest.fixture
def sent(monkeypatch):
    import huggingface_hub

    sent = []
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: Hub(sent))
    return sent


def model_with(folder, head):
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({}))
    (folder / "README.md").write_text(head)
    return folder


def test_a_model_goes_to_the_hub_privately_unless_told_otherwise(sent, tmp_path):
    folder = model_with(tmp_path / "m", "---\nlicense: apache-2.0\n---\n# It\n")
    told = publish.push(folder, "me/it")
    assert told == {"address": "https://hub.invalid/me/it", "private": True, "licence": "apache-2.0"}
    publish.push(folder, "me/it", public=True)
    assert sent == [("me/it", True), ("me/it", str(folder)), ("me/it", False), ("me/it", str(folder))]


@pytest.mark.parametrize("head", ["---\nlicense: other\n---\n", "---\ntags: []\n---\n", "# no head\n"])
def test_without_a_licence_nothing_leaves_this_machine(sent, tmp_path, head):
    with pytest.raises(UserError, match="names no licence"):
        publish.push(model_with(tmp_path / "m", head), "me/it")
    assert sent == []


def test_what_is_no_model_is_not_sent(sent, tmp_path):
    with pytest.raises(UserError, match="is no model with a card"):
        publish.push(tmp_path, "me/it")
    assert sent == []
