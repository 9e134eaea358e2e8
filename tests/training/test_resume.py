"""A training that is killed and started again ends with the weights and the curve of one that was not."""

import json

import pytest
import torch
from safetensors.torch import load_file
from small_training import killed, recipe, small_model, train

from cxreason.runs import Run


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    # A child that is forked off may use no more than one thread, and sums depend on their number.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield small_model(tmp_path_factory.mktemp("small") / "model")
    torch.set_num_threads(threads)


def curve(folder):
    return [
        {key: value for key, value in entry.items() if "time" not in key}
        for entry in json.loads((folder / "curve.json").read_text())
    ]


def lines(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["sft", "grpo"])
def test_killed_twice_it_ends_with_the_same_weights_and_the_same_curve(stage, corpus, model, tmp_path):
    whole, broken = (recipe(stage, tmp_path / name, corpus, model) for name in ("whole", "broken"))
    killed(stage, broken, step=4, saving=True)  # goes on from step 2
    assert not (broken.out / "checkpoints/checkpoint-4/complete").exists()
    killed(stage, broken, step=5, saving=False)  # goes on from step 4
    assert (broken.out / "checkpoints/checkpoint-4/complete").exists()
    counts = train(stage, broken)
    assert counts == train(stage, whole)
    one, other = (load_file(told.out / "model/model.safetensors") for told in (whole, broken))
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name
    assert curve(whole.out) == curve(broken.out)
    start = load_file(model / "model.safetensors")
    assert any(not torch.equal(one[name], start[name]) for name in one)
    # What was done twice is told once.
    steps = [entry["step"] for entry in lines(broken.out / "curve.jsonl")]
    assert steps == list(range(1, 7))
    assert not (broken.out / "checkpoints").exists()


def test_what_a_start_after_a_kill_needs_stays_until_the_run_is_finished(
    corpus, model, tmp_path, monkeypatch
):
    told = recipe("sft", tmp_path / "run", corpus, model)

    def interrupted(*args, **counts):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Run, "finish", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train("sft", told)
    learnt = load_file(told.out / "model/model.safetensors")
    assert (told.out / "checkpoints/checkpoint-6/complete").exists()
    assert train("sft", told)["num_steps"] == 6
    again = load_file(told.out / "model/model.safetensors")
    assert all(torch.equal(learnt[name], again[name]) for name in learnt)
    assert [entry["step"] for entry in curve(told.out)] == list(range(1, 7))
    assert not (told.out / "checkpoints").exists()


def test_the_table_of_replies_says_what_each_earned(corpus, model, tmp_path):
    told = recipe("grpo", tmp_path / "run", corpus, model, {"max_steps": 2})
    train("grpo", told)
    table = lines(told.out / "completions.jsonl")
    assert [row["step"] for row in table] == [1] * 4 + [2] * 4
    assert {"prompt", "completion", "advantage", "format_reward", "answer_reward", "parse_failure"} <= set(
        table[0]
    )
    assert len({row["prompt"] for row in table[:4]}) == 1
    first = lines(told.out / "curve.jsonl")[0]
    assert {"reward", "kl", "frac_reward_zero_std", "rewards/parse_failure/mean"} <= set(first)


def test_only_as_many_checkpoints_stay_as_are_asked_for_and_each_is_whole(corpus, model, tmp_path):
    told = recipe("sft", tmp_path / "run", corpus, model, {"save_steps": 1, "save_total_limit": 2})
    killed("sft", told, step=5, saving=True)
    folder = told.out / "checkpoints"
    assert sorted(path.parent.name for path in folder.glob("*/complete")) == ["checkpoint-3", "checkpoint-4"]
