"""The project's own files say the same as the program."""

import ast
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

from cxreason import __version__
from cxreason.recipes import RECIPES, load

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
RECIPE_FILES = [
    *(file for file in sorted((ROOT / "recipes").rglob("*.yaml")) if file.parent.name != "accelerate"),
    ROOT / "src/cxreason/phantom/demo.yaml",
]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = [need for needs in PROJECT["optional-dependencies"].values() for need in needs]


def texts_of_the_project() -> list[Path]:
    """Every text file that is, or is about to be, part of the repository."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    files = [ROOT / name for name in listed.stdout.splitlines()]
    binary = {".png", ".safetensors", ".parquet", ".jpg", ".dcm", ".woff2"}
    return [file for file in files if file.is_file() and file.suffix not in binary]


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("script", ["write_cli", "write_datasets", "write_rewards", "write_tasks"])
def test_the_written_pages_are_those_of_the_program(script):
    module = importlib.util.spec_from_file_location(script, ROOT / "docs" / f"{script}.py")
    assert module is not None
    assert module.loader is not None
    writer = importlib.util.module_from_spec(module)
    module.loader.exec_module(writer)
    assert writer.PAGE.read_text(encoding="utf-8") == writer.page(), "run `make docs`"


def test_the_version_is_the_same_everywhere():
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == __version__


@pytest.mark.parametrize("file", SOURCES, ids=name_of)
def test_no_file_grows_beyond_what_one_can_read(file):
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 420, "split it or cut it"


@pytest.mark.parametrize("file", RECIPE_FILES, ids=name_of)
def test_every_recipe_loads_as_the_type_that_its_name_begins_with(file):
    verb = re.split(r"[-.]", file.name)[0]
    assert verb in RECIPES, f"{file.name} begins with no verb; known: {', '.join(RECIPES)}"
    load(RECIPES[verb], file)


def test_the_base_install_has_no_torch_and_no_extra_brings_torchvision():
    heavy = ("torch", "transformers", "trl", "accelerate", "datasets", "vllm")
    assert not [need for need in PROJECT["dependencies"] if re.match(rf"({'|'.join(heavy)})\b", need)]
    everything = " ".join(EXTRAS)
    assert "torchvision" not in everything
    assert "trl[" not in everything, "trl[vlm] pulls torchvision in"


def test_every_direct_dependency_is_pinned_to_a_version_that_its_range_allows():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = {normal(line.split("==")[0]) for line in lines if "==" in line}
    needs = [*PROJECT["dependencies"], *EXTRAS]
    names = {normal(re.split(r"[\[<>=~!;]", need)[0]) for need in needs} - {"cxreason"}
    assert names <= pins, f"constraints.txt lacks {', '.join(sorted(names - pins))}"


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def test_no_file_names_a_place_that_only_one_machine_has():
    places = re.compile(r"/(?:home|Users|root|work|opt|mnt|scratch)/\w|[A-Z]:\\\\Users")
    found = {
        f"{name_of(file)}: {match.group()}"
        for file in texts_of_the_project()
        for match in places.finditer(file.read_text(encoding="utf-8", errors="replace"))
        if file != Path(__file__) and name_of(file) != "LICENSE"
    }
    assert not found


def test_an_error_that_is_made_for_users_is_a_user_error():
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and node.name not in ("UserError",):
                bases = {ast.unparse(base) for base in node.bases}
                assert "ValueError" not in bases, f"{name_of(file)}: {node.name} should subclass UserError"


def test_python_files_are_checked_and_formatted():
    for command in (["check", "--output-format", "concise"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--quiet", "."]
        result = subprocess.run(ruff, cwd=ROOT, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr


def test_ci_runs_make_test_and_nothing_cleverer():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text().strip().splitlines()[-1] == "make test"


def make(folder: Path, *arguments: str, path: Path) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PATH": f"{path}:/usr/bin:/bin"}
    command = ["make", "-f", str(ROOT / "Makefile"), *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def toy(tmp_path):
    """A folder with what the Makefile needs, and an empty folder in front of PATH."""
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "constraints.txt").touch()
    (tmp_path / "programs").mkdir()
    return tmp_path


def program(file: Path, text: str) -> None:
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


def test_make_says_which_python_it_needs(toy):
    for name in ("python3", "python3.11", "python3.12", "python3.13"):
        program(toy / "programs" / name, "exit 1")
    result = make(toy, "test", path=toy / "programs")
    assert result.returncode == 2
    assert "error: cxreason needs Python 3.11 or newer" in result.stderr
    assert not (toy / ".venv").exists()


def test_make_says_that_the_venv_module_is_missing(toy):
    program(toy / "programs" / "python3.11", 'case "$2" in *ensurepip*) exit 1;; esac')
    result = make(toy, "test", path=toy / "programs")
    assert result.returncode == 2
    assert "has no venv module" in result.stderr


def test_make_installs_once_and_again_when_the_project_file_changes(toy):
    log = toy / "log"
    real = f'mkdir -p "$3/bin"; cp "$0.fake" "$3/bin/python"; echo venv >> {log}'  # python -m venv .venv
    program(toy / "programs" / "python3.11.fake", f'echo "$2 $*" >> {log}')
    program(toy / "programs" / "python3.11", f'case "$2" in venv) {real};; esac')
    for _ in range(2):
        result = make(toy, "test", path=toy / "programs")
        assert result.returncode == 0, result.stderr
    lines = [line.split() for line in log.read_text().splitlines()]
    assert [line[0] for line in lines] == ["venv", "pip", *["pytest"] * 4]
    os.utime(toy / "pyproject.toml", (2e9, 2e9))
    make(toy, "test", path=toy / "programs")
    assert log.read_text().count("pip install") == 2


def test_no_folder_of_tests_is_passed_over(pytestconfig):
    passed_over = pytestconfig.getini("norecursedirs")
    folders = {file.parent for file in (ROOT / "tests").rglob("test_*.py")}
    assert not [str(one) for one in folders if any(fnmatch(one.name, pattern) for pattern in passed_over)]


def test_no_two_files_of_tests_have_one_name():
    # They are imported by their names alone: the second one would stop the whole collection.
    names = [file.name for file in (ROOT / "tests").rglob("*.py") if file.name != "conftest.py"]
    assert not [name for name in set(names) if names.count(name) > 1]


def test_make_test_leaves_no_test_out(toy):
    shown = make(toy, "-n", "test", path=toy / "programs").stdout
    assert re.findall(r"-m pytest -m ('.+?'|\S+)", shown) == ["'not timing'", "timing"]
