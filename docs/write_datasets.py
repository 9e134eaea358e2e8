"""Write docs/datasets.md from the docstrings of the modules in datasets/.

python docs/write_datasets.py
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from cxreason.datasets import DATASETS, Dataset

PAGE = Path(__file__).with_name("datasets.md")
_BLOCK = re.compile(r"^(Content|Labels|Access|Citation|Layout):\s+", re.MULTILINE)


def page() -> str:
    """The page as text: a table of all datasets, then what each one's docstring says."""
    lines = [
        "# Datasets",
        "",
        "Written by `make docs` from the modules of `src/cxreason/datasets`. A folder, or one up to two",
        "folders below it, holds a dataset in the form its owners publish; `cxreason build --list FOLDER`",
        "says which it finds. Splits: those that its owners define; where there are none, `build` shares out",
        "patients. What stands on MIMIC-CXR keeps to its splits. Where only some images are there, studies",
        "without any are left out; copies with another ending (.png for .dcm) are taken; the card counts",
        "what is missing.",
        "",
        "| name | dataset | splits | stands on | feeds (names of Table S3) |",
        "|---|---|---|---|---|",
    ]
    for name, dataset in DATASETS.items():
        feeds = ", ".join(dataset.TASKS) or "evaluation"
        if dataset.EVALUATION_ONLY and dataset.TASKS:
            feeds += " (evaluation only)"
        splits, parents = ", ".join(dataset.OFFICIAL_SPLITS) or "none", ", ".join(dataset.STANDS_ON)
        lines.append(f"| `{name}` | {dataset.TITLE} | {splits} | {parents} | {feeds} |")
    for name, dataset in DATASETS.items():
        lines += ["", f"## {dataset.TITLE}", "", *_blocks(name, dataset)]
    return "\n".join(lines) + "\n"


def _blocks(name: str, dataset: Dataset) -> list[str]:
    head, *parts = _BLOCK.split(inspect.cleandoc(dataset.__doc__ or ""))
    told = [f"`{name}`. {_line(head)}", ""]
    for title, text in zip(parts[::2], parts[1::2], strict=True):
        told.append(f"- **{title}**: {_line(text)}")
    return [*told, f"- **Licence**: {dataset.LICENCE}"]


def _line(text: str) -> str:
    """A text on one line. Patterns of file names and <places> would be read as marks and tags."""
    line = " ".join(text.split())
    return re.sub(r"(?<![`\w])([\w./\\-]*[<*|{][\w./<>*|{},\\-]*[\w>}*])(?![`\w])", r"`\1`", line)


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
