"""What a training reads: which rows, in which mixture, and which tokens carry loss."""

import pytest

from cxreason.errors import UserError
from cxreason.recipes import GrpoRecipe, SftRecipe, validate
from cxreason.records import Sample
from cxreason.runs import read
from cxreason.samples import read_samples
from cxreason.training import data


def sft_recipe(corpus, **changes):
    values = {"out": corpus / "sft", "model": "phantom", "samples": corpus / "build", "num_rows": 200}
    return validate(SftRecipe, {**values, "reasoning": corpus / "mine", **changes})


def replies(rows):
    return [row["completion"][0]["content"] for row in rows]


def test_the_mixture_keeps_the_share_of_reasoning_rows(corpus):
    rows = data.mixture(sft_recipe(corpus, reasoning_share=0.75), data.target_row, None)
    share = sum("<think>" in reply for reply in replies(rows)) / len(rows)
    assert len(rows) == 200
    assert 0.65 < share < 0.85


@pytest.mark.parametrize(("share", "marked"), [(0.0, 0), (1.0, 200)])
def test_a_share_of_none_or_all_is_kept_exactly(corpus, share, marked):
    rows = data.mixture(sft_recipe(corpus, reasoning_share=share), data.target_row, None)
    assert sum("<think>" in reply for reply in replies(rows)) == marked


def test_the_mixture_follows_its_seed(corpus):
    one, same, other = (
        replies(data.mixture(sft_recipe(corpus, seed=seed), data.target_row, None)) for seed in (1, 1, 2)
    )
    assert one == same
    assert one != other


@pytest.mark.parametrize(("num_rows", "batch_size"), [(200, 8), (50, 32), (7, 8), (64, 8)])
def test_rows_of_like_length_share_a_batch_and_none_is_lost(num_rows, batch_size, corpus):
    recipe = sft_recipe(corpus, num_rows=num_rows, max_pixels=12544)
    rows = data.mixture(recipe, data.target_row, None)
    grouped = data.by_length(rows, recipe, batch_size)
    assert sorted(map(repr, grouped)) == sorted(map(repr, rows))

    def padding(rows):
        texts = [len(row["prompt"][-1]["content"]) + len(replies([row])[0]) for row in rows]
        lengths = [text / 4 + 16 * len(row["images"]) for text, row in zip(texts, rows, strict=True)]
        batches = [lengths[at : at + batch_size] for at in range(0, len(lengths), batch_size)]
        return sum(max(batch) * len(batch) - sum(batch) for batch in batches)

    assert padding(grouped) <= padding(rows)


def test_no_row_comes_from_another_split_than_train(corpus):
    train = {sample.id: sample for sample in read(corpus / "mine", Sample) if sample.split == "train"}
    told = {(sample.question, sample.answer, sample.reasoning) for sample in train.values()}
    for sample in read_samples(corpus / "mine", "train"):
        assert (sample.question, sample.answer, sample.reasoning) in told


def test_rows_follow_the_weights_of_a_recipe(corpus):
    weights = {"direct": 3.0, "reasoning": 0.0, "reasoning/temporal": 1.0}
    rows = data.mixture(sft_recipe(corpus, weights=weights, num_rows=400), data.target_row, None)
    reasoned = [row for row in rows if "<think>" in row["completion"][0]["content"]]
    assert 0.19 < len(reasoned) / len(rows) < 0.31
    assert all(len(row["images"]) == 2 for row in reasoned)


def test_an_empty_split_is_told_in_one_line(corpus):
    with pytest.raises(UserError, match="no samples of the validation split"):
        read_samples(corpus / "build", "validation")


def test_a_comparison_is_rewarded_against_both_reports(corpus):
    sample = next(item for item in read(corpus / "mine", Sample) if item.task == "temporal")
    row = data.reward_row(sample, corpus / "mine", dialect="think", mode="reasoning")
    assert sample.prior_report in row["report"]
    assert sample.report in row["report"]
    assert len(row["images"]) == 2


def test_grpo_asks_reasoning_and_direct_prompts_by_their_share(corpus):
    recipe = validate(
        GrpoRecipe,
        {
            "out": corpus / "grpo",
            "model": "phantom",
            "samples": corpus / "build",
            "reasoning": corpus / "mine",
            "reasoning_share": 0.5,
            "num_rows": 40,
        },
    )
    rows = data.mixture(recipe, data.reward_row, None)
    assert {row["mode"] for row in rows} == {"reasoning", "direct"}
    for row in rows:
        assert ("think step by step" in row["prompt"][1]["content"]) == (row["mode"] == "reasoning")


def test_with_a_window_of_one_step_a_step_has_the_rows_it_would_have_had(corpus):
    recipe = sft_recipe(corpus, num_rows=64, max_pixels=12544, length_window=1)
    rows = data.mixture(recipe, data.target_row, None)
    grouped = data.by_length(rows, recipe, 16)
    for start in range(0, 64, 16):
        assert sorted(grouped.order[start : start + 16]) == sorted(rows.order[start : start + 16])
    assert list(grouped.order) != list(rows.order)
