"""What holds for every dataset: its module says what it is, and its reader keeps the contract."""

import inspect

import pytest

from cxreason.datasets import DATASETS, DatasetError, read

BLOCKS = ("Content:", "Labels:", "Access:", "Citation:", "Layout:")


@pytest.mark.parametrize("name", DATASETS)
def test_a_module_says_what_it_holds(name):
    module = DATASETS[name]
    assert name == module.NAME
    assert module.TITLE
    assert module.LICENCE
    assert "http" in module.CITATION
    assert set(module.OFFICIAL_SPLITS) <= {"train", "validation", "test"}
    assert set(module.STANDS_ON) <= set(DATASETS)
    assert module.TASKS or module.EVALUATION_ONLY


@pytest.mark.parametrize("name", DATASETS)
def test_a_docstring_has_its_five_blocks_in_order(name):
    places = [(DATASETS[name].__doc__ or "").find(f"\n{block}") for block in BLOCKS]
    assert all(place > 0 for place in places), f"blocks of {name}: {', '.join(BLOCKS)}"
    assert places == sorted(places)


@pytest.mark.parametrize("name", DATASETS)
def test_a_reader_takes_its_folder_and_one_for_each_dataset_that_it_stands_on(name):
    module = DATASETS[name]
    assert len(inspect.signature(module.read).parameters) == 1 + len(module.STANDS_ON)


@pytest.mark.parametrize("name", DATASETS)
def test_an_empty_folder_holds_nothing_and_reading_it_says_what_was_expected(name, tmp_path):
    module = DATASETS[name]
    assert module.find(tmp_path) is None
    with pytest.raises(DatasetError, match="expected"):
        list(module.read(tmp_path, *(tmp_path for _ in module.STANDS_ON)))


def test_an_unknown_dataset_is_answered_with_the_known_ones(tmp_path):
    with pytest.raises(DatasetError, match=r"unknown dataset 'nimic'\. Known datasets: mimic-cxr"):
        read("nimic", [tmp_path])
