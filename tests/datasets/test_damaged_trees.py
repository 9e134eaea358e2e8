"""Trees of datasets that were cut short, packed or renamed: read as before, or refused in one line."""

import gzip
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from cxreason.datasets import DATASETS
from cxreason.errors import UserError
from cxreason.records import Study

pytest.importorskip("pydicom")

NAMES = (
    "candid_ptx",
    "object_cxr",
    "pmc_vqa",
    "rad_restruct",
    "siim_acr",
    "slake",
    "vindr_pcxr",
    "vqa_med_2019",
    "vqa_rad",
)
TEXTS = {".csv", ".json", ".txt"}


@pytest.fixture(params=NAMES)
def dataset(request, tmp_path):
    """The module of a dataset and a small tree of it, as its own tests write it."""
    tests = importlib.import_module(f"test_{request.param}")
    module = next(one for one in DATASETS.values() if one.__name__.endswith(f".{request.param}"))
    return module, tests.write_tree(tmp_path / "above" / "tree")


def texts(tree: Path) -> Iterator[Path]:
    return (path for path in sorted(tree.rglob("*")) if path.suffix in TEXTS)


def studies(module, tree: Path) -> list[Study] | str:
    """What is read of a tree, or the line that refuses it."""
    try:
        return list(module.read(tree))
    except UserError as error:
        return str(error)


def test_a_file_that_was_cut_short_is_refused_in_one_line_or_has_less_in_it(dataset):
    module, tree = dataset
    whole = studies(module, tree)
    refused = 0
    for path in texts(tree):
        content = path.read_bytes()
        for kept in (0, 1, len(content) // 3, len(content) // 2, len(content) - 4):
            path.write_bytes(content[:kept])
            found = studies(module, tree)
            if isinstance(found, str):
                refused += 1
                assert "\n" not in found
                assert str(tree) in found
            else:  # a table that ends with a whole line cannot be told from a shorter one
                assert len(found) <= len(whole)
            module.find(tree)
        path.write_bytes(content)
    assert refused > 2


def test_tables_and_questions_may_be_packed(dataset):
    module, tree = dataset
    whole = studies(module, tree)
    for path in list(texts(tree)):
        if "_qa_pairs" not in path.parent.name:  # Rad-ReStruct has a file for each report
            (path.parent / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
    assert studies(module, tree) == whole


def test_files_of_another_case_are_read_or_shown_with_their_names(dataset):
    module, tree = dataset
    whole = studies(module, tree)
    for path in list(texts(tree)):
        path.rename(path.with_name(path.name.swapcase()))
    found = studies(module, tree)
    assert found == whole or ("expected" in found and "found" in found)


def test_a_dataset_is_found_in_its_folder_and_two_folders_above(dataset):
    module, tree = dataset
    place = module.find(tree)
    assert place is not None
    assert module.find(tree.parent) == place
    assert len(studies(module, tree.parent)) == len(studies(module, tree))
    assert [name for name, other in DATASETS.items() if other.find(tree.parent)] == [module.NAME]
