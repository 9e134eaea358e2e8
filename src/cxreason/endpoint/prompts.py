"""Prompts are data: one `.md` file each, with $named variables, known by a hash of its words.

A text that is put in is never read as a prompt: a $ in a report stays a $.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template


@dataclass(frozen=True)
class Prompt:
    """The words of a prompt; `version` changes whenever they do."""

    name: str
    text: str

    @property
    def version(self) -> str:
        """Twelve letters that stand for exactly these words.

        >>> Prompt("greet", "Hello $who").version == Prompt("greet", "Hi $who").version
        False
        """
        return hashlib.sha256(self.text.encode()).hexdigest()[:12]

    @property
    def variables(self) -> list[str]:
        """The names that `fill` wants.

        >>> Prompt("greet", "Hello $who").variables
        ['who']
        """
        return Template(self.text).get_identifiers()

    def fill(self, **values: str) -> str:
        """The prompt with its variables filled in; a missing or an unknown one raises.

        >>> Prompt("greet", "Hello $who").fill(who="$you")
        'Hello $you'
        """
        wanted = set(self.variables)
        if wanted != set(values):
            raise ValueError(f"prompt {self.name}: wants {sorted(wanted)}, was given {sorted(values)}")
        return Template(self.text).substitute(values)


@cache
def load(path: Path) -> Prompt:
    """The prompt in a file, read once."""
    return Prompt(path.stem, path.read_text(encoding="utf-8").strip())
