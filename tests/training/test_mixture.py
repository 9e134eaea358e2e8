"""Rows are drawn by weights and a seed, lie on disk, and stand beside others of their length."""

import pickle

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cxreason.errors import UserError
from cxreason.records import Sample
from cxreason.runs import read
from cxreason.training.data import target_row
from cxreason.training.mixture import Rows, Samples, by_weights, draw, order_by_length


def test_samples_on_disk_are_those_of_the_run_in_their_order(corpus, tmp_path):
    expected = [one for one in read(corpus / "mine", Sample) if one.split == "train"]
    file = tmp_path / "rows" / "reasoning.arrow"
    for _ in range(2):  # written, and found again
        kept = Samples(corpus / "mine", "train", file=file)
        assert list(kept) == expected
    assert list(Samples(corpus / "mine", "train")) == expected
    assert list(Samples(corpus / "mine", "train", limit=5)) == expected[:5]


def test_what_is_left_out_is_not_there_and_an_empty_rest_is_told(corpus, tmp_path):
    every = list(Samples(corpus / "mine", "train"))
    gone = {one.id for one in every[::3]}
    kept = Samples(corpus / "mine", "train", without=gone, file=tmp_path / "a.arrow")
    assert [one.id for one in kept] == [one.id for one in every if one.id not in gone]
    with pytest.raises(UserError, match=r"left_out\.jsonl"):
        Samples(corpus / "mine", "train", without={one.id for one in every})
    with pytest.raises(UserError, match="no samples of the validation split"):
        Samples(corpus / "build", "validation", file=tmp_path / "b.arrow")


@pytest.mark.parametrize("kept", [True, False])
def test_another_process_gets_the_same_samples_and_of_a_file_its_name_alone(corpus, tmp_path, kept):
    samples = Samples(corpus / "mine", "train", file=tmp_path / "a.arrow" if kept else None)
    sent = pickle.dumps(samples)
    assert list(pickle.loads(sent)) == list(samples)
    assert (len(sent) < 1000) == kept


def test_a_row_is_made_when_it_is_asked_for_and_only_then(corpus):
    made = []

    def make_row(sample, folder, *, dialect, mode):
        made.append((sample.id, mode))
        return target_row(sample, folder, dialect=dialect, mode=mode)

    direct, reasoning = Samples(corpus / "build", "train"), Samples(corpus / "mine", "train")
    order = np.array([0, len(direct), len(direct) + 1])
    rows = Rows([(direct, "direct"), (reasoning, "reasoning")], order, make_row, "think")
    assert made == []
    assert "<think>" in rows[2]["completion"][0]["content"]
    assert made == [(reasoning[1].id, "reasoning")]
    assert rows[0]["prompt"][-1]["content"].startswith(direct[0].question)


def test_lengths_are_those_of_the_rows_up_to_how_tokens_are_counted(corpus):
    parts = [(Samples(corpus / "build", "train"), "direct"), (Samples(corpus / "mine", "train"), "reasoning")]
    number = sum(len(samples) for samples, _ in parts)
    rows = Rows(parts, np.arange(number)[::-1].copy(), target_row, "think")
    guessed = rows.lengths(max_pixels=12544)
    true = [
        sum(len(turn["content"]) for key in ("prompt", "completion") for turn in row[key]) / 4
        + 16 * len(row["images"])
        for row in (rows[place] for place in range(number))
    ]
    assert np.corrcoef(guessed, true)[0, 1] > 0.99


@given(
    sizes=st.lists(st.integers(1, 20), min_size=1, max_size=4),
    num_rows=st.integers(0, 60),
    seed=st.integers(0, 5),
)
def test_a_deck_is_dealt_out_before_a_card_comes_again(sizes, num_rows, seed):
    ends = np.cumsum(sizes).tolist()
    decks = [range(end - size, end) for end, size in zip(ends, sizes, strict=True)]
    order = draw(decks, [1.0] * len(decks), num_rows, seed)
    assert np.array_equal(order, draw(decks, [1.0] * len(decks), num_rows, seed))
    assert len(order) == num_rows
    for deck in decks:
        seen = [one for one in order if one in deck]
        for start in range(0, len(seen), len(deck)):
            once = seen[start : start + len(deck)]
            assert len(set(once)) == len(once)


def test_weights_are_kept_and_a_seed_is_another_order():
    decks = [range(10), range(10, 1000)]
    order = draw(decks, [3.0, 1.0], 4000, seed=1)
    assert 0.72 < (order < 10).mean() < 0.78
    assert not np.array_equal(order, draw(decks, [3.0, 1.0], 4000, seed=2))
    assert (draw(decks, [1.0, 0.0], 50, seed=1) < 10).all()


def parts_of(corpus):
    return [(Samples(corpus / "build", "train"), "direct"), (Samples(corpus / "mine", "train"), "reasoning")]


def test_rows_belong_to_the_name_that_says_most_about_them(corpus):
    parts = parts_of(corpus)
    names = {"direct": 2.0, "reasoning": 1.0, "reasoning/temporal": 0.5}
    decks, weights = by_weights(parts, names)
    assert weights == [2.0, 1.0, 0.5]
    direct, reasoning = parts
    number = len(direct[0])
    assert decks[0] == list(range(number))
    assert {reasoning[0][one - number].task for one in decks[2]} == {"temporal"}
    assert "temporal" not in {reasoning[0][one - number].task for one in decks[1]}
    assert sorted(one for deck in decks for one in deck) == list(range(number + len(reasoning[0])))


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({"direct": 1.0, "reasoning/temporal": 1.0}, "none of them name"),
        ({"direct": 1.0, "reasoning": 1.0, "temporal": 1.0}, "direct and temporal|reasoning and temporal"),
        (
            {"direct": 1.0, "reasoning": 1.0, "reasoning/nonsense": 1.0},
            "no row belongs to 'reasoning/nonsense'",
        ),
    ],
)
def test_weights_that_leave_a_row_out_or_in_doubt_are_told(corpus, names, said):
    with pytest.raises(UserError, match=said):
        by_weights(parts_of(corpus), names)


@given(
    lengths=st.lists(st.integers(1, 500), min_size=1, max_size=200),
    batch_size=st.integers(1, 40),
    seed=st.integers(0, 3),
)
@example(lengths=[2, 2, 1], batch_size=2, seed=0)  # the batch that is not full is best the smallest,
@example(lengths=[1, 1, 10], batch_size=2, seed=0)  # or the largest
def test_rows_of_like_length_share_a_batch_and_none_is_lost(lengths, batch_size, seed):
    order, sizes = np.arange(len(lengths)) + 5, np.array(lengths)
    grouped = order_by_length(order, sizes, batch_size, seed)
    assert sorted(grouped) == sorted(order)

    def padding(numbers):
        batches = [sizes[numbers[at : at + batch_size] - 5] for at in range(0, len(numbers), batch_size)]
        return sum(int(max(batch)) * len(batch) - int(sum(batch)) for batch in batches)

    if len(lengths) <= batch_size * 8:  # one window: sorted as a whole
        assert padding(grouped) <= padding(order)
    assert len(order_by_length(order[:0], sizes[:0], batch_size, seed)) == 0
