"""Where and with what a run was made: versions, commit, machine. Never imports what it asks about."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

PACKAGES = ("cxreason", "numpy", "pyarrow", "torch", "transformers", "trl")


def version_of(package: str) -> str | None:
    """The installed version of a package, or None, without importing it.

    >>> version_of("no-such-package") is None
    True
    """
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def versions() -> dict[str, str]:
    """Versions of Python and of those packages that decide a run's numbers, where they are installed."""
    installed = ((package, version_of(package)) for package in PACKAGES)
    return {"python": platform.python_version()} | {name: version for name, version in installed if version}


def commit() -> str | None:
    """The git commit that the code is from, with "+changes" where files differ; None outside a checkout."""
    checkout = Path(__file__).resolve().parents[2]
    if not (checkout / ".git").exists():  # an installed package may lie inside somebody else's repository
        return None
    try:
        sha = _git(checkout, "rev-parse", "HEAD")
        changed = _git(checkout, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):  # no git here, or a checkout of another user
        return None
    return f"{sha}+changes" if changed else sha


def machine() -> dict[str, str | int]:
    """Platform, processor family and the cores that this process may use."""
    return {"platform": platform.platform(), "processor": platform.machine(), "cores": num_cores()}


def rank() -> int:
    """Which of several processes that train together this is, as their launcher says; 0 without one."""
    return int(os.environ.get("RANK", "0"))


def num_cores() -> int:
    """Cores that this process may use, which a container can make fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _git(checkout: Path, *arguments: str) -> str:
    command = ["git", "-C", str(checkout), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
