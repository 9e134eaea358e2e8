"""What a training reads: which rows, in which mixture, and which tokens carry loss."""

import pytest

from cxreason.errors import UserError
from cxreason.recipes import GrpoRecipe, SftRecipe, validate
from cxreason.records import Sample
from cxreason.runs import read
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


def test_every_row_of_a_kind_is_seen_before_one_is_seen_again():
    rows = data.mix([{"id": number} for number in range(7)], [], reasoning_share=0.0, num_rows=14, seed=3)
    assert sorted(row["id"] for row in rows[:7]) == list(range(7))
    assert sorted(row["id"] for row in rows[7:]) == list(range(7))


@pytest.mark.parametrize(("num_rows", "batch_size"), [(200, 8), (50, 32), (7, 8), (64, 8)])
def test_rows_of_like_length_share_a_batch_and_none_is_lost(num_rows, batch_size, corpus):
    rows = data.mixture(sft_recipe(corpus, num_rows=num_rows), data.target_row, None)
    grouped = data.group_by_length(rows, batch_size, seed=1)
    assert sorted(map(repr, grouped)) == sorted(map(repr, rows))

    def padding(rows):
        lengths = [len(row["prompt"][-1]["content"]) + len(replies([row])[0]) for row in rows]
        batches = [lengths[at : at + batch_size] for at in range(0, len(lengths), batch_size)]
        return sum(max(batch) * len(batch) - sum(batch) for batch in batches)

    assert padding(grouped) <= padding(rows)


def test_no_row_comes_from_another_split_than_train(corpus):
    train = {sample.id: sample for sample in read(corpus / "mine", Sample) if sample.split == "train"}
    told = {(sample.question, sample.answer, sample.reasoning) for sample in train.values()}
    for sample in data.read_samples(corpus / "mine", "train"):
        assert (sample.question, sample.answer, sample.reasoning) in told


def test_an_empty_split_is_told_in_one_line(corpus):
    with pytest.raises(UserError, match="no samples of the validation split"):
        data.read_samples(corpus / "build", "validation")


def test_a_comparison_is_rewarded_against_both_reports(corpus):
    sample = next(item for item in read(corpus / "mine", Sample) if item.task == "temporal")
    row = data.reward_row(sample, corpus / "mine", dialect="think", mode="reasoning")
    assert sample.prior_report in row["report"]
    assert sample.report in row["report"]
    assert len(row["images"]) == 2


def test_the_loss_is_on_the_reply_and_nothing_else(corpus):
    from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

    from cxreason.training import models

    processor = models.load_processor("phantom")
    rows = data.mixture(sft_recipe(corpus, num_rows=6), data.target_row, None)
    batch = DataCollatorForVisionLanguageModeling(processor, completion_only_loss=True)(
        [data.dataset(rows)[number] for number in range(6)]
    )
    for labels, ids, reply in zip(batch["labels"], batch["input_ids"], replies(rows), strict=True):
        learned = ids[labels != -100]
        assert processor.tokenizer.decode(learned).strip() == f"{reply}<|im_end|>"
        assert (labels[labels != -100] == learned).all()
    image_token = processor.tokenizer.convert_tokens_to_ids("<|image_pad|>")
    assert (batch["labels"] != image_token).all()


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
