"""`cxreason doctor`: what this machine has, what is installed, and what each extra or backend would add."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
from pathlib import Path
from typing import Any

from cxreason import __version__
from cxreason.machine import num_cores, version_of

ADDS = {
    "train": "supervised fine-tuning, GRPO and predictions, with PyTorch",
    "deepspeed": "training that shares weights out over GPUs by ZeRO",
    "dicom": "DICOM images in all common transfer syntaxes",
    "ray": "building on the machines of a Ray cluster",
    "web": "the reader study and the interpretation page",
    "postgres": "the reader study on PostgreSQL instead of SQLite",
}
"""What a user gains by each extra; the packages behind it are in pyproject.toml."""


def examine() -> dict[str, Any]:
    """Everything that `describe` prints, as plain values for `--json`.

    >>> examine()["cxreason"] == __version__
    True
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cxreason": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": num_cores(),
        "memory_gib": round(memory / 2**30, 1),
        "free_disk_gib": round(shutil.disk_usage(".").free / 2**30, 1),
        "accelerator": _accelerator(),
        "torchvision": _torchvision(),
        "vllm": version_of("vllm"),
        "models": _models(),
        "extras": {extra: _extra(extra, gain) for extra, gain in ADDS.items()},
        "backends": _backends(),
    }


def describe(findings: dict[str, Any]) -> str:
    """The findings as lines for people, with the command for each extra that is not complete."""
    lines = [f"cxreason      {findings['cxreason']} on Python {findings['python']}, {findings['platform']}"]
    lines += [f"cores         {findings['cores']}"]
    lines += [f"memory        {findings['memory_gib']} GiB"]
    lines += [f"free disk     {findings['free_disk_gib']} GiB in this folder"]
    lines += [f"accelerator   {findings['accelerator']}"]
    lines += [f"torchvision   {findings['torchvision']}"]
    lines += [
        f"vLLM          {findings['vllm'] or 'not installed: only engine=vllm and trainer.use_vllm need it'}"
    ]
    models = findings["models"]
    lines += [f"models        come to {models['folder']}, {models['free_disk_gib']} GiB free", ""]
    for extra, state in findings["extras"].items():
        lines.append(
            f"extra {extra:7s} {'installed' if state['installed'] else 'not installed'}: {state['adds']}"
        )
        versions = (f"{name} {version or 'missing'}" for name, version in state["packages"].items())
        lines.append(f"              {', '.join(versions)}")
        if not state["installed"]:
            lines.append(f"              {state['command']}")
    lines.append("")
    for name, state in findings["backends"].items():
        installed = "installed" if state["installed"] else f"not installed: {state['command']}"
        lines.append(f"metrics of {name:10s} {installed}")
    lines.append(
        "`cxreason backends list` says which metrics these are; scores without them stand as absent."
    )
    return "\n".join(lines)


def extra_of(module: str) -> str | None:
    """The extra that brings a module, or None where no extra does.

    >>> extra_of("trl")
    'train'
    """
    package = module.partition(".")[0].replace("_", "-")
    return next((extra for extra in ADDS if package in _packages(extra)), None)


def _packages(extra: str) -> list[str]:
    requirements = importlib.metadata.requires("cxreason") or []
    return [
        re.split(r"[^A-Za-z0-9_.-]", requirement, maxsplit=1)[0].lower()
        for requirement in requirements
        if re.search(rf"extra == ['\"]{extra}['\"]", requirement)
    ]


def _extra(extra: str, gain: str) -> dict[str, Any]:
    packages = {package: version_of(package) for package in _packages(extra)}
    command = f"pip install 'cxreason[{extra}]'"
    # An installation that is older than the extra knows none of its packages.
    installed = bool(packages) and all(packages.values())
    return {"adds": gain, "installed": installed, "packages": packages, "command": command}


def _backends() -> dict[str, Any]:
    from cxreason.evaluation.backends import places

    return {
        one["backend"]: {key: one[key] for key in ("installed", "gives", "command")}
        for one in places.listing()
    }


def _models() -> dict[str, Any]:
    """Where checkpoints of the hub are kept, as huggingface_hub has it: often another disk than this one."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"
    home = Path(os.environ.get("HF_HOME") or cache)
    folder = Path(os.environ.get("HF_HUB_CACHE") or home / "hub").expanduser()
    there = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    return {"folder": str(folder), "free_disk_gib": round(shutil.disk_usage(there).free / 2**30, 1)}


def _accelerator() -> str:
    if version_of("torch") is None:
        return "unknown: torch is not installed (extra train)"
    import torch

    if torch.cuda.is_available():
        cards = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
        return ", ".join(f"{card.name} ({card.total_memory / 2**30:.0f} GiB)" for card in cards)
    if torch.backends.mps.is_available():
        return "Apple GPU (mps)"
    return "none: torch computes on the CPU"


def _torchvision() -> str:
    version = version_of("torchvision")
    if version is None:
        return "not installed and not needed: images go through Pillow"
    try:
        import torchvision  # noqa: F401  # pyright: ignore[reportMissingImports]
    except Exception as error:  # a build for another torch fails in many ways, and each is the finding
        return f"{version} does not import beside this torch ({error}); pip uninstall torchvision"
    return f"{version} is installed and used"
