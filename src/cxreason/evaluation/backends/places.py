"""Where backends live: a virtual environment each, in CXREASON_BACKENDS or the user's cache folder.

cxreason backends install radgraph    makes the environment and installs its pinned packages
cxreason backends check radgraph      starts the worker (which fetches its weights) and asks it something
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from cxreason.errors import UserError
from cxreason.evaluation.backends import BACKENDS, Backend
from cxreason.evaluation.backends.pipe import Failed, Pair, Worker
from cxreason.evaluation.metrics import TABLE
from cxreason.rows import write_json

WORKERS = Path(__file__).parent / "workers"
INSTALLED = "installed.json"
EXAMPLE = "There is a small left pleural effusion. The heart is normal in size."


def home() -> Path:
    """The folder that holds the environments."""
    named = os.environ.get("CXREASON_BACKENDS")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(named) if named else cache / "cxreason" / "backends"


def backend_of(name: str) -> Backend:
    """The backend of this name; UserError names those that there are.

    >>> backend_of("green").weights
    ('StanfordAIMI/GREEN-radllama2-7b',)
    """
    if name not in BACKENDS:
        raise UserError(f"{name}: there is no such backend. There are {', '.join(BACKENDS)}.")
    return BACKENDS[name]


def is_installed(name: str) -> bool:
    """Whether the environment was made to its end."""
    return (home() / name / INSTALLED).exists()


def command_of(name: str) -> list[str]:
    """What starts the worker; UserError with the command that installs it, where it is not installed."""
    backend_of(name)
    if not is_installed(name):
        raise UserError(f"backend {name} is not installed: `cxreason backends install {name}`.")
    return [str(home() / name / "bin" / "python"), str(WORKERS / f"read_{name}.py")]


def install(name: str) -> dict[str, Any]:
    """Make the environment of a backend and install its packages; what was half made before is made anew."""
    backend = backend_of(name)
    folder = home() / name
    python = _python(backend)
    if folder.exists():
        shutil.rmtree(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    _run([python, "-m", "venv", str(folder)], f"{name}: {python} cannot make a virtual environment")
    own = str(folder / "bin" / "python")
    quiet = ["--quiet", "--disable-pip-version-check"]
    _run(
        [own, "-m", "pip", "install", *quiet, *backend.pip, *backend.requirements],
        f"{name}: pip could not install it",
    )
    versions = _run([own, "-m", "pip", "list", "--format=freeze", *quiet], f"{name}: pip does not answer")
    write_json(folder / INSTALLED, {"python": python, "packages": versions.split()})
    return {"backend": name, "folder": str(folder), "packages": len(versions.split())}


def _python(backend: Backend) -> str:
    if not backend.pythons:
        return sys.executable
    found = next((path for one in backend.pythons if (path := shutil.which(one))), None)
    if found is None:
        raise UserError(
            f"{backend.name}: needs {' or '.join(backend.pythons)}, which is not on this machine."
        )
    return found


def _run(command: list[str], complaint: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise UserError(f"{complaint}: {lines[-1] if lines else f'exit code {done.returncode}'}")
    return done.stdout


def listing() -> list[dict[str, Any]]:
    """Every backend: whether it is installed, what it gives and what it needs."""
    return [
        {
            "backend": name,
            "installed": is_installed(name),
            "gives": [metric for metric, told in TABLE.items() if told.backend == name],
            "packages": list(backend.requirements),
            "weights": list(backend.weights),
            "note": backend.note,
            "command": f"cxreason backends install {name}",
        }
        for name, backend in BACKENDS.items()
    ]


def describe(found: list[dict[str, Any]]) -> str:
    """The listing as lines for people."""
    lines = []
    for one in found:
        state = "installed" if one["installed"] else f"not installed: {one['command']}"
        lines += [
            f"{one['backend']:10} {state}",
            f"           gives {', '.join(one['gives'])}",
            f"           weights {', '.join(one['weights'])}",
        ]
        lines += [f"           {one['note']}"] if one["note"] else []
    return "\n".join(lines)


def check(name: str) -> dict[str, Any]:
    """Start the worker, hand it a pair of equal texts, and say who it is and what it found.

    Raises UserError where it does not start or does not read the pair.
    """
    with Worker(name, command_of(name)) as worker:
        about = worker.about()
        found = worker.ask([Pair("check", EXAMPLE, EXAMPLE)])["check"]
    if isinstance(found, Failed):
        raise UserError(f"backend {name} starts but reads nothing: {found.reason}")
    return {**about, "found": found}
