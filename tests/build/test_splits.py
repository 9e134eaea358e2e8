"""Sides of studies over all datasets: whoever is tested is never trained on."""

from collections import defaultdict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cxreason.build.reading import BITS, TEST, TRAIN, VALIDATION
from cxreason.build.splits import Index, assign
from cxreason.records import short_id


def index(
    name: str, *studies: tuple[str, list[str]], has_splits=True, evaluation_only=False, **more
) -> Index:
    """Studies as (split, keys); `more` has own splits and hashes of reports."""
    keys = [short_id(key) for _, own in studies for key in own]
    fields = {"own": [0] * len(studies), "reports": [0] * len(studies), **more}
    return Index(
        name,
        keys=np.array(keys, dtype=np.uint64),
        num_keys=np.array([len(own) for _, own in studies]),
        bits=np.array([BITS[split] for split, _ in studies], dtype=np.int8),
        own=np.array(fields["own"], dtype=np.int8),
        reports=np.array(fields["reports"], dtype=np.uint64),
        has_splits=has_splits,
        evaluation_only=evaluation_only,
        gone=np.array(more["gone"]) if "gone" in more else None,
    )


def sides(*indexes: Index, **shares) -> dict[str, list[int]]:
    return {name: one.side.tolist() for name, one in assign(indexes, shares).items()}


def test_a_training_study_that_is_tested_elsewhere_is_left_out():
    nih = index("chestx-ray14", ("test", ["nih/1"]), ("train", ["nih/2"]))
    copy = index("slake", ("train", ["slake/1", "nih/1"]), ("train", ["slake/2", "nih/2"]))
    assert sides(nih, copy) == {"chestx-ray14": [TEST, TRAIN], "slake": [0, TRAIN]}


def test_a_study_whose_images_are_not_there_is_asked_nowhere_and_is_a_test_for_the_others_all_the_same():
    nih = index("chestx-ray14", ("test", ["nih/1"]), ("train", ["nih/2"]), gone=[True, False])
    copy = index("slake", ("train", ["slake/1", "nih/1"]))
    found = assign([nih, copy], {})
    assert found["chestx-ray14"].side.tolist() == [0, TRAIN]
    assert found["chestx-ray14"].reason.tolist() == [4, 0]
    assert found["slake"].side.tolist() == [0]


def test_a_dataset_without_splits_goes_where_its_images_are_tested():
    nih = index("chestx-ray14", ("test", ["nih/1"]), ("train", ["nih/2"]))
    rsna = index("rsna", ("train", ["rsna/1", "nih/1"]), ("train", ["rsna/2", "nih/2"]), has_splits=False)
    assert sides(nih, rsna)["rsna"] == [TEST, TRAIN]


def test_an_evaluation_set_without_splits_takes_all_that_hangs_with_it_out_of_training():
    open_i = index("open-i", ("train", ["open-i/1"]), has_splits=False, evaluation_only=True)
    restruct = index("rad-restruct", ("train", ["rr/1", "open-i/1"]), ("train", ["rr/2"]))
    found = assign([open_i, restruct], {})
    assert found["rad-restruct"].side.tolist() == [0, TRAIN]
    assert found["rad-restruct"].reason.tolist() == [2, 0]


def test_what_hangs_together_through_others_counts_too():
    chain = index("a", ("train", ["1", "2"]), ("validation", ["2", "3"]), ("test", ["3"]))
    assert sides(chain)["a"] == [0, 0, TEST]


def test_an_own_split_that_says_otherwise_is_refused_where_one_of_the_two_is_an_evaluation():
    studies = [("train", ["1"]), ("train", ["2"]), ("test", ["3"])]
    derived = index("ms-cxr", *studies, own=[TEST, TRAIN, TRAIN])
    assert sides(derived)["ms-cxr"] == [0, TRAIN, 0]


def test_a_report_that_is_tested_is_not_trained_on():
    studies = index("a", ("test", ["1"]), ("train", ["2"]), ("train", ["3"]), reports=[7, 7, 8])
    assert sides(studies)["a"] == [TEST, 0, TRAIN]


def test_a_report_that_is_tested_is_not_validated_on_either():
    order = ("train", "validation", "test", "validation", "train")
    studies = index(
        "a", *((split, [str(place)]) for place, split in enumerate(order)), reports=[7, 7, 7, 8, 8]
    )
    assert sides(studies)["a"] == [0, 0, TEST, VALIDATION, 0]


def test_an_image_with_questions_of_both_splits_is_tested_only():
    one = index("vqa-rad", ("train", ["synpic1"]))
    one.bits[0] = TRAIN | TEST
    assert sides(one)["vqa-rad"] == [TEST]


def test_shares_are_kept_by_patients_and_follow_no_order():
    studies = [("train", [f"p{number // 2}"]) for number in range(4000)]
    shares = {"train": 0.7, "validation": 0.1, "test": 0.2}
    found = sides(index("rsna", *studies, has_splits=False), rsna=shares)["rsna"]
    assert found[::2] == found[1::2]
    assert abs(found.count(TRAIN) / 4000 - 0.7) < 0.03
    assert abs(found.count(VALIDATION) / 4000 - 0.1) < 0.02
    turned = sides(index("rsna", *studies[::-1], has_splits=False), rsna=shares)["rsna"]
    assert turned == found[::-1]


hanging = st.lists(
    st.tuples(st.sampled_from(list(BITS)), st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=3)),
    min_size=1,
    max_size=12,
)


@given(hanging, hanging, st.booleans())
def test_no_key_is_ever_on_two_sides(first, second, has_splits):
    found = assign(
        [index("one", *first), index("two", *second, has_splits=has_splits)], {"two": {"train": 1, "test": 1}}
    )
    where = defaultdict(set)
    for name, studies in (("one", first), ("two", second)):
        for (_, keys), side in zip(studies, found[name].side.tolist(), strict=True):
            for key in keys:
                where[key] |= {side} - {0}
    assert all(len(met) <= 1 for met in where.values())
