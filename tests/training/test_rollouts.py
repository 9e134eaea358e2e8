"""Who writes GRPO's replies: a server where a recipe says so, and it is missed in one line."""

import contextlib
import importlib.util
import types

import pytest

from cxreason.errors import UserError
from cxreason.recipes import GrpoRecipe, validate
from cxreason.training import rollouts
from fake_server import FakeServer


def recipe(**trainer):
    told = {"out": "runs/a", "model": "runs/sft/model", "samples": "runs/b", "num_rows": 4}
    return validate(GrpoRecipe, {**told, "trainer": trainer})


@pytest.fixture
def vllm(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: types.SimpleNamespace() if name == "vllm" else found(name)
    )


def test_without_vllm_nothing_is_told():
    assert rollouts.rollout_settings(recipe(temperature=1.0)) == {}


def test_vllm_that_is_not_installed_is_missed_in_one_line(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"not installed.*use_vllm=false"):
        rollouts.rollout_settings(recipe(use_vllm=True))


def test_a_server_is_the_default_and_has_to_answer(vllm):
    with contextlib.closing(FakeServer(lambda body: "")) as server:
        base = server.url.removesuffix("/v1")
        told = rollouts.rollout_settings(recipe(use_vllm=True, vllm_server_base_url=base))
    assert told == {"vllm_mode": "server"}
    with pytest.raises(UserError, match=r"no vLLM server answers.*trl vllm-serve --model runs/sft/model"):
        rollouts.rollout_settings(recipe(use_vllm=True, vllm_server_base_url=base))


def test_who_asks_for_colocated_rollouts_needs_no_server(vllm):
    rollouts.rollout_settings(recipe(use_vllm=True, vllm_mode="colocate", vllm_server_port=1))


def test_seeds_belong_to_replies_and_not_to_processes():
    def trainer(process, step=3):
        return types.SimpleNamespace(args=types.SimpleNamespace(process_index=process), _step=step)

    together = rollouts.seeds(17, trainer(0))(8)
    apart = rollouts.seeds(17, trainer(0))(4) + rollouts.seeds(17, trainer(1))(4)
    assert together == apart
    assert not set(together) & set(rollouts.seeds(17, trainer(0, step=4))(8))
