"""The README's commands run as they are printed, at a size that a test can afford."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cxreason.cli import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


COMMANDS = [
    shlex.split(line, comments=True)
    for block in blocks("sh")
    for line in block.splitlines()
    if line.startswith("cxreason ")
]

# What makes a command small. Training is shown and not run: tests/test_demo.py runs it.
SMALLER = {
    "phantom": ["num_studies=90", "image_size=128"],
    "build": ["per_task={train: 4, test: 2}"],
    "mine": [],
    "train": ["--dry-run"],
    "predict": ["model=phantom", "max_new_tokens=8"],
    "control": [],
    "score": [],
    "doctor": [],
}


def test_the_commands_run_in_their_order(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "recipes", tmp_path / "recipes")
    assert [command[1] for command in COMMANDS] == [
        "phantom", "build", "mine", "train", "train", "predict", "control", "score", "doctor",
    ]  # fmt: skip
    monkeypatch.chdir(tmp_path)
    for command in COMMANDS:
        # In this process: to load PyTorch for each of them would take most of the test.
        given = [*command[1:], *SMALLER[command[1]]]
        result = CliRunner().invoke(app, given, prog_name="cxreason", catch_exceptions=False)
        assert result.exit_code == 0, f"{shlex.join(given)}\n{result.output[-2000:]}"
        assert (command[1] == "score") == ("score-phantom/page.html" in result.stderr)
    assert (tmp_path / "runs" / "score-phantom" / "summary.json").exists()


@pytest.mark.parametrize("code", blocks("python"))
def test_the_python_examples_run_without_torch(code):
    code += "\nimport sys\nassert 'torch' not in sys.modules"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_make_knows_the_targets_that_are_named():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", "\n".join(blocks("sh")), flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_the_pages_and_pictures_that_are_named_exist():
    for place in re.findall(r"\]\(([^)#]+)\)", README):
        if not place.startswith("http"):
            assert (ROOT / place).exists(), place
