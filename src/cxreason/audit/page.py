"""The page of an audit: one HTML file that works offline, in the clothes of the page of scores."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from cxreason.audit.guessers import GUESSERS
from cxreason.audit.options import FAULTS
from cxreason.evaluation.page import environment

KINDS = {
    "leak": "Leaks",
    "fault": "Questions that are wrong in themselves",
    "blind": "Answered without an image",
    "balance": "Out of balance",
}
"""Kind of a failure -> its heading."""


def claim(report: dict[str, Any]) -> str:
    """The verdict in one sentence.

    >>> claim({"failures": [], "guesses": []})
    'Nothing here can be answered without looking, and nobody stands on two sides.'
    """
    failed = report["failures"]
    if not failed:
        return "Nothing here can be answered without looking, and nobody stands on two sides."
    kinds = [
        kind for kind in ("leak", "fault", "blind", "balance") if any(one.startswith(kind) for one in failed)
    ]
    words = {
        "leak": "splits share what they must not share",
        "fault": "some questions are wrong in themselves",
        "blind": "some tasks can be answered without an image",
        "balance": "answers fall unevenly",
    }
    told = ", ".join(words[kind] for kind in kinds)
    return f"{told[0].upper()}{told[1:]}: {len(failed)} things to mend."


def tables(report: dict[str, Any]) -> list[dict[str, Any]]:
    """One table of guessers for each task and side, datasets as its rows."""
    found: dict[tuple[str, str], dict[str, dict[str, Any]]] = defaultdict(dict)
    for guess in report["guesses"]:
        found[guess["task"], guess["side"]].setdefault(guess["dataset"], {})[guess["guesser"]] = guess
    return [{"task": task, "side": side, "rows": rows} for (task, side), rows in sorted(found.items())]


def render(report: dict[str, Any], title: str) -> str:
    """The page as text."""
    verdicts: dict[str, list[str]] = defaultdict(list)
    for line in report["failures"]:
        kind, _, told = line.partition(": ")
        verdicts[KINDS[kind]].append(told)
    template = environment(Path(__file__).parent).get_template("audit.html.jinja")
    return template.render(
        title=title,
        claim=claim(report),
        verdicts=verdicts,
        report=report,
        tables=tables(report),
        guessers=GUESSERS,
        faults=FAULTS,
    )
