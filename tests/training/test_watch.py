"""What is said early of a training on rewards that cannot learn, and what is kept of each step."""

import json

import pytest

from cxreason.training.checkpoints import StepLines
from cxreason.training.watch import PATIENCE, parse_failure, warnings_of

FINE = {
    "rewards/format_reward/mean": 0.5,
    "rewards/format_reward/std": 0.4,
    "rewards/answer_reward/mean": 0.3,
    "rewards/answer_reward/std": 0.2,
    "rewards/parse_failure/mean": 0.1,
    "frac_reward_zero_std": 0.5,
    "completions/clipped_ratio": 0.2,
}
NAMES = ["format_reward", "answer_reward"]


def curve(number=PATIENCE, **changes):
    return [
        {**FINE, **{key.replace("__", "/"): value for key, value in changes.items()}} for _ in range(number)
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rewards__format_reward__std": 0.0}, "reward format_reward: 0.50 for every reply"),
        ({"frac_reward_zero_std": 1.0}, "earned the same"),
        ({"rewards__parse_failure__mean": 0.8}, "no answer could be understood"),
        ({"completions__clipped_ratio": 1.0}, "were cut off"),
    ],
)
def test_what_cannot_teach_is_said_after_a_few_steps_and_not_before(changes, said):
    assert [said in one for one in warnings_of(curve(**changes), NAMES)] == [True]
    assert warnings_of(curve(PATIENCE - 1, **changes), NAMES) == []
    assert warnings_of([*curve(**changes), FINE], NAMES) == []


def test_a_training_that_learns_and_one_without_rewards_are_left_in_peace():
    assert warnings_of(curve(), NAMES) == []
    assert warnings_of([{"loss": 1.0, "step": step} for step in range(20)], []) == []


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_is_said_at_once_in_both_stages(loss):
    for names in ([], NAMES):
        assert warnings_of([{**FINE, "loss": 1.0}, {**FINE, "loss": loss}], names)[0].startswith("the loss")


def test_a_reward_that_is_all_or_nothing_from_step_to_step_is_not_constant():
    steps = curve(rewards__answer_reward__std=0.0)
    steps[1]["rewards/answer_reward/mean"] = 0.0
    assert warnings_of(steps, NAMES) == []


def test_a_reward_that_never_applies_is_no_constant():
    steps = curve(rewards__answer_reward__std=None, rewards__answer_reward__mean=None)
    assert warnings_of(steps, NAMES) == []


@pytest.mark.parametrize(
    ("text", "failed"),
    [
        ("<think> clear </think><answer> A </answer>", 0.0),
        ("<think> clear </think><answer> Z </answer>", 1.0),
        ("<think> and so on", 1.0),
        ("", 1.0),
    ],
)
def test_a_reply_without_an_understood_answer_is_a_failure(text, failed):
    said = [[{"role": "assistant", "content": text}]]
    columns = {"kind": ["choice"], "options": [["Yes", "No"]], "dialect": ["think"], "mode": ["reasoning"]}
    assert parse_failure(said, **columns) == [failed]


def test_steps_that_are_done_again_stand_once_and_a_torn_line_is_dropped(tmp_path):
    file = tmp_path / "curve.jsonl"
    StepLines(file, from_step=0).write([{"step": step, "loss": step / 2} for step in (1, 2, 3)])
    with file.open("a") as stream:
        stream.write('{"step": 4, "lo')
    StepLines(file, from_step=2).write([{"step": 3, "loss": 7.0}])
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert rows == [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 1.0}, {"step": 3, "loss": 7.0}]
