"""Before a training: the right answer earns most, or nothing starts."""

import json

import pytest

from cxreason.errors import UserError
from cxreason.recipes import GrpoRecipe, validate
from cxreason.rewards import REWARDS, functions
from cxreason.training import grpo, reward_check


def recipe_of(corpus, **changes):
    told = {"out": corpus / "grpo-never-made", "model": "phantom", "samples": corpus / "build", "num_rows": 4}
    return validate(GrpoRecipe, {**told, "reasoning": corpus / "mine", **changes})


@pytest.mark.parametrize("process", ["process", "process_guarded"])
def test_gold_wins_under_the_rewards_that_are_shipped(corpus, process):
    recipe = recipe_of(corpus, rewards={"format": 1, "answer": 1, process: 1})
    found = reward_check.check(recipe, grpo.reward_functions(recipe))
    assert found["failures"] == []
    table = {row["completion"]: row for row in found["table"]}
    gold = table["gold"]
    assert (gold["format"], gold["answer"]) == (1.0, 1.0)
    assert table["wrong answer"]["answer"] < 0.2
    assert table["silence"]["total"] == 0
    assert table["no form"]["format"] == 0
    assert {row["may_earn"] for row in found["table"]} == {"", "less", "not more"}
    assert "passed" in reward_check.describe(found)


def test_rewards_that_do_not_ask_for_the_answer_are_refused(corpus):
    recipe = recipe_of(corpus, rewards={"format": 1})
    found = reward_check.check(recipe, grpo.reward_functions(recipe))
    assert {"wrong answer", "every option at once"} <= {one["completion"] for one in found["failures"]}
    assert "gold does not win: " in reward_check.describe(found)


def test_a_negative_weight_is_refused_and_each_place_is_named(corpus):
    recipe = recipe_of(corpus, rewards={"format": 1, "answer": -1})
    failures = reward_check.check(recipe, grpo.reward_functions(recipe))["failures"]
    assert {one["mode"] for one in failures} == {"direct", "reasoning"}


def test_a_reward_that_pays_for_listing_is_caught(corpus):
    def naive(completions, *, answer, **columns):
        return [float(gold in said[0]["content"]) for said, gold in zip(completions, answer, strict=True)]

    recipe = recipe_of(corpus)
    found = reward_check.check(recipe, {**REWARDS, "answer": naive})
    assert "every option at once" in {one["completion"] for one in found["failures"]}


def test_the_released_rewards_pay_for_listing_and_are_caught(corpus):
    recipe = recipe_of(
        corpus,
        dialect="boxed",
        rewards={"format": 1, "answer": 1},
        reward_variant="released",
        reasoning_share=1,
    )
    found = reward_check.check(recipe, grpo.reward_functions(recipe))
    caught = {(one["task"], one["completion"]) for one in found["failures"]}
    assert ("anomaly", "every option at once") not in caught
    table = {row["completion"]: row for row in found["table"]}
    assert table["every option at once"]["answer"] > 0.2


def test_a_training_refuses_to_start_and_warns_where_it_is_told_to(corpus, tmp_path):
    recipe = recipe_of(corpus, rewards={"format": 1})
    rewards = grpo.reward_functions(recipe)
    with pytest.raises(UserError, match=r"do not pay the gold answer best: .+ earns 1\.00, gold 1\.00"):
        reward_check.require(recipe, rewards, tmp_path)
    assert not (tmp_path / "rewards.json").exists()
    warned = recipe_of(corpus, rewards={"format": 1}, reward_check="warn")
    reward_check.require(warned, rewards, tmp_path)
    assert json.loads((tmp_path / "rewards.json").read_text())["failures"]
    assert reward_check.require(recipe, rewards, tmp_path) is None, "a run that went on is not checked again"


def test_grpo_shows_the_check_before_it_loads_a_model(corpus):
    shown = grpo.train(recipe_of(corpus, model="no/such-model"), dry_run=True)
    assert shown["rewards"]["failures"] == []
    with pytest.raises(UserError, match="do not pay the gold answer best"):
        grpo.train(recipe_of(corpus, model="no/such-model", rewards={"format": 1.0}))


def test_the_same_samples_are_tried_every_time(corpus):
    recipe = recipe_of(corpus, rewards=dict.fromkeys(REWARDS, 1.0))
    first = reward_check.check(recipe, functions(recipe.rewards))
    assert reward_check.check(recipe, functions(recipe.rewards)) == first


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reward_variant": "released"}, "write `dialect: boxed`"),
        (
            {"rewards": {"answer": 1}, "judge": {"url": "http://localhost/v1", "model": "m"}},
            "`judge` reads for the reward `process`",
        ),
    ],
)
def test_readers_that_could_never_read_are_told_with_the_recipe(corpus, changes, said):
    with pytest.raises(UserError, match=said):
        recipe_of(corpus, **changes)


def test_the_verb_prints_the_table_and_fails_where_gold_does_not_win(corpus, tmp_path):
    from typer.testing import CliRunner

    from cxreason.cli import app

    file = tmp_path / "grpo.yaml"
    told = f"out: {tmp_path}\nmodel: phantom\nsamples: {corpus / 'build'}\nreasoning: {corpus / 'mine'}\n"
    file.write_text(told + "num_rows: 4\n")
    passed = CliRunner().invoke(app, ["rewards", "check", str(file)], prog_name="cxreason")
    assert passed.exit_code == 0
    assert passed.output.splitlines()[-1].endswith("samples; passed")
    refused = CliRunner().invoke(app, ["rewards", "check", str(file), "rewards={format: 1}", "--json"])
    assert refused.exit_code == 1
    assert json.loads(refused.stdout)["failures"]
