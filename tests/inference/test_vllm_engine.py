"""What vLLM is asked, held against a stand-in with its interface: no GPU runs in tests."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from cxreason.errors import UserError
from cxreason.inference.vllm import VllmEngine

CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Clear?"}]
GREY = np.full((56, 56), 128, np.uint8)


@pytest.fixture
def asked(monkeypatch):
    """What the stand-in was made with and asked; it says its own prompt's last word and the seed."""
    seen: dict = {}

    class LLM:
        def __init__(self, **settings):
            seen["settings"] = settings

        def generate(self, prompts, wanted, use_tqdm):
            seen["prompts"], seen["wanted"] = prompts, wanted
            said = [
                SimpleNamespace(text=f"{one.get('seed')}", token_ids=[1, 2, 3], finish_reason=reason)
                for one, reason in zip(wanted, ["stop", "length"] * len(wanted), strict=False)
            ]
            return [SimpleNamespace(outputs=[one]) for one in said]

    module = ModuleType("vllm")
    module.LLM = LLM  # type: ignore[attr-defined]
    module.SamplingParams = dict  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "vllm", module)
    return seen


def test_prompts_images_and_limits_arrive_as_vllm_takes_them(asked):
    engine = VllmEngine("phantom", max_new_tokens=7, max_pixels=12544, settings={"dtype": "float16"})
    first, second = engine.generate([CHAT, CHAT], [[GREY], []], prefixes=["<think> No", ""])
    assert asked["settings"]["dtype"] == "float16"
    assert asked["settings"]["mm_processor_kwargs"] == {"max_pixels": 12544}
    shown, blind = asked["prompts"]
    assert shown["prompt"].count("<|image_pad|>") == 1
    assert shown["prompt"].endswith("<think> No")
    assert shown["multi_modal_data"]["image"][0].size == (56, 56)
    assert "multi_modal_data" not in blind
    assert asked["wanted"] == [{"temperature": 0.0, "max_tokens": 7}] * 2
    assert (first.finished, first.num_tokens) == (True, 2)
    assert (second.finished, second.num_tokens) == (False, 3)


def test_draws_come_one_after_another_each_with_its_seed(asked):
    engine = VllmEngine("phantom", max_new_tokens=7)
    said = engine.generate([CHAT, CHAT], [[], []], seeds=[[1, 2], [3, 2**40 + 4]], temperature=0.5)
    assert [one.text for one in said] == ["1", "2", "3", str((2**40 + 4) % 2**31)]
    assert {one["temperature"] for one in asked["wanted"]} == {0.5}
    assert {one["top_k"] for one in asked["wanted"]} == {-1}


def test_without_vllm_one_line_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(UserError, match="vllm is not installed"):
        VllmEngine("phantom", max_new_tokens=7)
