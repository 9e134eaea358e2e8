"""Datasets as they lie about in laboratories: saved again by other programs, packed by other machines."""

import csv
import gzip
import importlib
import io
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from test_damaged_files import TREES

from cxreason.datasets import DATASETS, read
from cxreason.records import Study

pytest.importorskip("pydicom")

WRITTEN = (
    "candid-ptx",
    "object-cxr",
    "pmc-vqa",
    "rad-restruct",
    "siim-acr",
    "slake",
    "vindr-pcxr",
    "vqa-med-2019",
    "vqa-rad",
)
"""Datasets whose own tests write a tree."""
LAYOUTS = {
    "mimic-cxr": "mimic-cxr",
    "ms-cxr": "ms-cxr",
    "chexpert": "chexpert",
    "chexpert-plus": "chexpert",
    "chestx-ray14": "nih",
    "vindr-cxr": "vindr-cxr",
    "open-i": "open-i",
}
TEXTS = (".csv", ".tsv", ".json", ".jsonl", ".txt", ".xml")
MARK = b"\xef\xbb\xbf"
FORK = bytes.fromhex("0005160700020000") + b"Mac OS X        " + bytes(range(200, 256))


@pytest.fixture(scope="module", params=[*TREES, *WRITTEN, *LAYOUTS])
def dataset(request, tmp_path_factory, phantom_tree):
    """(name, a whole tree, its studies)."""
    name = request.param
    if name in LAYOUTS:
        tree = phantom_tree(LAYOUTS[name])
    else:
        tree = tmp_path_factory.mktemp("whole") / name
        if name in TREES:
            TREES[name](tree)
        else:
            importlib.import_module(f"test_{name.replace('-', '_')}").write_tree(tree)
    studies = list(read(name, [tree]))
    assert studies
    return name, tree, studies


def rewritten(tree: Path, endings: tuple[str, ...], change: Callable[[bytes], bytes]) -> None:
    """Every text of a tree as `change` has it, packed or not."""
    for path in sorted(tree.rglob("*")):
        packed = path.suffix == ".gz"
        if path.is_file() and (path.with_suffix("") if packed else path).suffix in endings:
            content = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
            path.write_bytes(gzip.compress(change(content)) if packed else change(content))


def marked(tree: Path) -> None:
    rewritten(tree, TEXTS, lambda text: MARK + text.removeprefix(MARK))


def with_line_ends_of_windows(tree: Path) -> None:
    rewritten(tree, TEXTS, lambda text: text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))


def without_the_last_line_end(tree: Path) -> None:
    rewritten(tree, TEXTS, lambda text: text.rstrip(b"\r\n"))


def with_blank_lines_at_the_end(tree: Path) -> None:
    rewritten(tree, TEXTS, lambda text: text + b"\n\n")


def saved_by_pandas(tree: Path) -> None:
    """With a column of row numbers that has no name, names for those that had none, and one more."""

    def more(text: bytes) -> bytes:
        header, *rows = csv.reader(io.StringIO(text.decode("utf-8-sig"), newline=""))
        out = io.StringIO(newline="")
        table = csv.writer(out, lineterminator="\n")
        named = [name or f"Unnamed: {place}" for place, name in enumerate(header)]
        table.writerow(["", *named, "checked by"])
        for number, row in enumerate(rows):
            table.writerow([number, *row, *[""] * (len(header) - len(row)), "me"])
        return out.getvalue().encode()

    rewritten(tree, (".csv",), more)


def packed_on_a_mac(tree: Path) -> None:
    """Each file with its resource fork beside it and in a tree of its own, as `zip` on a Mac makes them."""
    for path in [*tree.rglob("*")]:
        if path.is_file():
            path.with_name(f"._{path.name}").write_bytes(FORK)
            fork = tree / "__MACOSX" / path.relative_to(tree).with_name(f"._{path.name}")
            fork.parent.mkdir(parents=True, exist_ok=True)
            fork.write_bytes(FORK)
    for folder in [tree, *(path for path in tree.rglob("*") if path.is_dir())]:
        (folder / ".DS_Store").write_bytes(FORK)


def seen_with_windows(tree: Path) -> None:
    for folder in [tree, *(path for path in tree.rglob("*") if path.is_dir())]:
        (folder / "Thumbs.db").write_bytes(FORK)
        (folder / "desktop.ini").write_text("[.ShellClassInfo]\n")


@pytest.mark.parametrize(
    "change",
    [
        marked,
        with_line_ends_of_windows,
        without_the_last_line_end,
        with_blank_lines_at_the_end,
        saved_by_pandas,
        packed_on_a_mac,
        seen_with_windows,
    ],
)
def test_the_same_is_read_of_a_tree(dataset, tmp_path, change):
    name, tree, studies = dataset
    copy = shutil.copytree(tree, tmp_path / tree.name)
    change(copy)
    assert list(read(name, [copy])) == studies
    assert [other for other in DATASETS if DATASETS[other].find(copy)] == [
        other for other in DATASETS if DATASETS[other].find(tree)
    ]


def without_images(studies) -> list[Study]:
    return [replace(one, images=()) for one in studies]


def test_an_archive_may_unpack_into_a_folder_of_its_name(dataset, tmp_path):
    name, tree, studies = dataset
    if name in ("mimic-cxr", "ms-cxr"):
        pytest.skip("lies two folders below as it is")
    shutil.copytree(tree, tmp_path / "unpacked" / name)
    assert without_images(read(name, [tmp_path / "unpacked"])) == without_images(studies)


@pytest.mark.parametrize("given", ["", "physionet.org", "physionet.org/files"])
@pytest.mark.parametrize("name", ["mimic-cxr", "ms-cxr"])
def test_what_wget_fetched_from_physionet_is_found_from_any_folder_above_it(
    phantom_tree, tmp_path, name, given
):
    tree = phantom_tree(LAYOUTS[name])
    shutil.copytree(tree, tmp_path / "physionet.org" / "files")
    studies = list(read(name, [tmp_path / given]))
    assert without_images(studies) == without_images(read(name, [tree]))
    assert all((tmp_path / given / image).is_file() for one in studies for image in one.images)
