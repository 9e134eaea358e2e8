"""Write docs/cli.md from the program: the help of every verb and the keys of every recipe.

python docs/write_cli.py
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command
from typer.testing import CliRunner

from cxreason.cli import app
from cxreason.recipes import RECIPES
from cxreason.settings import AuditSettings, EndpointSettings, Feed, MineFilters, PoolServer, PoolSettings
from cxreason.study.protocol import Arm, Case, Protocol, QuestionItem, Reader, Stretch, StudyBox, StudyImage

PARTS = {
    "a feed of build": Feed,
    "the audit of build": AuditSettings,
    "an endpoint": EndpointSettings,
    "a model on several servers": PoolSettings,
    "one of several servers": PoolServer,
    "the filters of mining": MineFilters,
    "study.yaml": Protocol,
    "a reader of a study": Reader,
    "an arm of a study": Arm,
    "a part of a study": Stretch,
    "a case of a study": Case,
    "an image of a case": StudyImage,
    "a box on an image": StudyBox,
    "a question of a study": QuestionItem,
}
PAGE = Path(__file__).with_name("cli.md")


def page() -> str:
    """The text of docs/cli.md."""
    parts = ["# The command line", "Written by `make docs`; a test compares it with the program."]
    for verb in ("", *_verbs(get_command(app))):
        command = f"cxreason {verb}".strip()
        parts += [f"## {command}", f"```\n{_help(verb)}\n```"]
    parts += [
        "# Recipes",
        "A recipe is a YAML file whose name begins with its verb; paths in it are relative to the folder in "
        "which the command is started. `key=value` on the command line wins over the file, and dotted keys "
        "reach inside: `trainer.max_steps=20`.",
    ]
    for name, recipe in {**RECIPES, **PARTS}.items():
        rows = [
            f"| `{key}` | {_default(field)} | {field.description or ''} |"
            for key, field in recipe.model_fields.items()
        ]
        head = ["| key | default | meaning |", "|---|---|---|"]
        parts += [f"## {name}", recipe.__doc__ or "", "\n".join([*head, *rows])]
    return "\n\n".join(parts) + "\n"


def _verbs(group: Any, before: str = "") -> Iterator[str]:
    """Every verb of the program, those of a group with its name in front."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _verbs(command, f"{before}{name} ")
        else:
            yield f"{before}{name}"


def _help(verb: str) -> str:
    # A fixed width, because the help is wrapped to the terminal that asks for it.
    terminal = {"COLUMNS": "100", "TERMINAL_WIDTH": "100"}
    result = CliRunner().invoke(app, [*verb.split(), "--help"], prog_name="cxreason", env=terminal)
    return result.output.rstrip()


def _default(field) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    return f"`{list(value) if isinstance(value, tuple) else value}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
