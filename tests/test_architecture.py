"""The arrows of the house: which room may import which, read from the source, inner imports included."""

import ast
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "cxreason"

# Rooms without a folder: small files that stand below or beside the rooms.
GROUND = {"errors", "records", "columns"}
STAGE = GROUND | {
    "runs",
    "samples",
    "rows",
    "progress",
    "recipes",
    "settings",
    "tables",
}  # what a verb needs to read and write run folders

MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "records": set(),
    "columns": {"records"},
    "machine": set(),
    "progress": set(),
    "rows": GROUND,
    "tables": {"errors"},
    "runs": GROUND | {"machine", "progress", "rows"},
    "samples": GROUND | {"runs"},
    "settings": set(),
    "recipe_files": {"errors"},
    # What the two web servers share below their pages: the port, limits, files.
    "web": {"errors"},
    "training_recipes": {"settings", "recipe_files"},
    "recipes": {"errors", "settings", "recipe_files", "training_recipes"},
    "endpoint": {"errors", "settings", "records", "rows"},
    "text": GROUND,
    "imaging": GROUND,
    # Shared by the reader study and by the interpretation page: pixels for a browser, and what draws them.
    "viewer": {"errors", "imaging"},
    "answers": GROUND | {"text", "imaging"},
    "datasets": GROUND | {"text", "imaging"},
    "phantom": STAGE | {"machine", "workers", "text", "imaging"},
    "tasks": GROUND | {"answers", "text", "imaging"},
    "build": STAGE
    | {"answers", "text", "imaging", "datasets", "phantom", "tasks", "machine", "workers", "audit"},
    "audit": STAGE
    | {"answers", "text", "imaging", "evaluation"},  # evaluation: intervals, the page's clothes
    "workers": {"machine"},
    # How true a chain is, the intervals and the look of a page have one home each, in evaluation.
    "mining": STAGE
    | {"answers", "text", "imaging", "datasets", "phantom", "tasks", "build", "endpoint", "evaluation"}
    | {"workers"},
    "rewards": GROUND | {"answers", "evaluation", "imaging"},
    "training": STAGE
    | {"answers", "text", "imaging", "datasets", "phantom", "tasks", "build", "mining", "rewards"}
    | {"evaluation", "endpoint", "machine"},  # judge and metrics that rewards read by; what a card says
    # training/models.py is the one home of loading a model, which inference does as well.
    "inference": STAGE | {"answers", "imaging", "training", "endpoint"},
    # Predictions come as files: evaluation needs no engine, so rewards can call it without a circle.
    "evaluation": STAGE | {"answers", "text", "imaging", "endpoint"},
    # Edits of traces know how chains are made; what a model makes of them is asked as `predict` asks.
    "probing": STAGE | {"answers", "text", "imaging", "inference", "evaluation", "mining"},
    # An answer is shown with the pages' own means; what is asked comes from tasks, examples from phantoms.
    "serve": STAGE
    | {"answers", "text", "imaging", "phantom", "tasks", "endpoint", "inference", "evaluation", "viewer"}
    | {"web"},
    # Benchmarks: from the datasets to the scores.
    "suites": STAGE | {"answers", "text", "datasets", "tasks", "build", "inference", "evaluation"},
    "doctor": {"machine", "evaluation"},  # which backends of metrics are installed
    # phantom: the example study; text and evaluation: what an edit changed, and the statistics.
    "study": STAGE | {"text", "imaging", "viewer", "web", "phantom", "evaluation"} | {"recipe_files"},
}
COMMAND_LINE = {
    "cli",
    "cli_backends",
    "cli_evaluation",
    "cli_parts",
    "cli_serve",
    "cli_study",
    "cli_training",
}
FREE = COMMAND_LINE | {"demo", "__main__", "__init__"}

HEAVY = {"torch", "transformers", "trl", "accelerate", "datasets", "torchvision"}


def room_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def rooms_imported(tree: ast.AST, file: Path) -> set[str]:
    """Rooms of cxreason that a file imports anywhere, its own left out."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import; name the room"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    inside = [name.split(".")[1] for name in names if name.startswith("cxreason.")]
    rooms = {name for name in inside if (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").exists()}
    return rooms - {room_of(file)}


def modules_at_import(tree: ast.Module) -> set[str]:
    """Top-level names of what is imported as soon as the file is: not in functions, not for types only."""
    found: set[str] = set()
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
        waiting += ast.iter_child_nodes(node)
    return found


SOURCES = sorted(PACKAGE.rglob("*.py"))


@cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: file.relative_to(PACKAGE).as_posix())
def test_a_room_imports_only_what_the_table_allows(file):
    room = room_of(file)
    if room in FREE:
        return
    assert room in MAY_IMPORT, f"{room} is not in the table: say in MAY_IMPORT what it stands on"
    forbidden = rooms_imported(tree_of(file), file) - MAY_IMPORT[room]
    assert not forbidden, f"{room} may not import {', '.join(sorted(forbidden))}"


def test_nothing_but_the_command_line_stands_on_it():
    for file in SOURCES:
        if room_of(file) not in COMMAND_LINE | {"__main__"}:
            above = rooms_imported(tree_of(file), file) & COMMAND_LINE
            assert not above, f"{file} imports the command line"


def test_the_table_has_no_circle():
    list(TopologicalSorter(MAY_IMPORT).static_order())


def test_the_table_names_no_room_that_is_not_planned():
    assert set().union(*MAY_IMPORT.values()) <= set(MAY_IMPORT)


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: file.relative_to(PACKAGE).as_posix())
def test_only_training_and_the_transformers_engine_load_torch_with_the_file(file):
    relative = file.relative_to(PACKAGE)
    if relative.parts[0] == "training" or relative == Path("inference/transformers.py"):
        return
    loaded = modules_at_import(tree_of(file)) & HEAVY
    assert not loaded, f"imports {', '.join(loaded)} at its top; do it in the function that needs it"


@pytest.mark.parametrize(
    ("source", "rooms", "loaded"),
    [
        ("from cxreason import build, demo", {"build", "demo"}, {"cxreason"}),
        ("def f():\n from cxreason.text.ontology import FINDINGS", {"text"}, set()),
        ("import cxreason.runs", {"runs"}, {"cxreason"}),
        ("from cxreason import __version__", set(), {"cxreason"}),
        ("if TYPE_CHECKING:\n import torch", set(), set()),
        ("try:\n import torch\nexcept ImportError: pass", set(), {"torch"}),
    ],
)
def test_the_reader_of_imports_sees(source, rooms, loaded):
    tree = ast.parse(source)
    assert rooms_imported(tree, PACKAGE / "cli.py") == rooms
    assert modules_at_import(tree) == loaded
