"""What docs/ and the README print can be typed: verbs, recipes and keys that there are, links that lead."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from cxreason.cli import app
from cxreason.recipes import RECIPES, load

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FIRST_DAY = (ROOT / "docs" / "first-day.md").read_text(encoding="utf-8")


def commands_of(page: Path) -> list[list[str]]:
    """The lines of a page that start cxreason, from the word cxreason on; what holds dots is no command."""
    text = re.sub(r" *\\\n +", " ", page.read_text(encoding="utf-8"))
    lines = re.findall(r"^(?:    )?((?:accelerate launch .*-m )?cxreason [a-z].*)$", text, flags=re.MULTILINE)
    found = [shlex.split(line.split("->")[0], comments=True) for line in lines]
    found = [words[words.index("cxreason") :] for words in found]
    return [words for words in found if "RECIPE" not in words and not any("..." in word for word in words)]


COMMANDS = [(page, command) for page in PAGES if page.name != "cli.md" for command in commands_of(page)]


def test_the_pages_hold_commands():
    assert len(COMMANDS) > 40
    assert {"first-day.md", "README.md", "benchmarks.md", "serving.md"} <= {page.name for page, _ in COMMANDS}


@pytest.mark.parametrize(
    ("page", "command"), COMMANDS, ids=[f"{page.name}: {shlex.join(command)}" for page, command in COMMANDS]
)
def test_a_printed_command_names_a_verb_a_recipe_and_keys_that_there_are(page, command, monkeypatch):
    monkeypatch.chdir(ROOT)
    room, words = typer.main.get_command(app), command[1:]
    while hasattr(room, "commands") and words:
        name = words.pop(0)
        assert name in room.commands, f"no verb {name}"
        room = room.commands[name]
    known = {option for parameter in room.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert not [word for word in words if word.startswith("--") and word.split("=")[0] not in known]
    recipes = [word for word in words if word.endswith(".yaml") and word.startswith("recipes/")]
    for recipe in recipes:
        verb = re.split(r"[-.]", Path(recipe).name)[0]
        load(RECIPES[verb], ROOT / recipe, [word for word in words if re.match(r"[a-z_.]+=", word)])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_links_of_a_page_lead_somewhere(page):
    for place in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        if not place.startswith("http"):
            assert (page.parent / place).exists(), place


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", FIRST_DAY, flags=re.DOTALL))
def test_the_code_of_the_first_day_writes_studies_that_can_be_built(code, tmp_path):
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    from cxreason.build import build
    from cxreason.recipes import BuildRecipe, validate

    told = {"out": tmp_path / "build", "studies": [tmp_path / "hospital"], "tasks": ["anomaly"]}
    assert build(validate(BuildRecipe, told), dry_run=True)["example"]["answer"] == "pleural effusion"
