"""How long somebody read: from the images on the screen to the submit, without pauses.

The browser's monotonic clock says when things happened on a page; the server's clock says that no more time
has passed than lay between serving the page and receiving its submit. Neither is believed alone: where the
browser claims more than the server could have seen, the server's figure counts and the reading is marked.

    active   on the screen, tab visible, reader not idle, summed over all pages (reloads) of the reading
    hidden   in another tab or window
    idle     from `idle_seconds` after the last key, pointer, wheel or touch until the next; to look hard at
             an image without moving the mouse is reading, up to then
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

TOLERANCE_SECONDS = 1.0
"""What a page may claim beyond the server's clock before it is doubted."""


@dataclass(frozen=True)
class Recorded:
    """One event as it lies in the table."""

    seq: int
    kind: str
    page: str
    t: float | None
    at: str
    mono: float
    boot: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Times:
    """Seconds of one reading up to its first submit; None where it was not submitted or never shown."""

    seconds: float | None = None
    """Active seconds, or what the server saw where that is less."""
    active: float = 0.0
    hidden: float = 0.0
    idle: float = 0.0
    server: float | None = None
    """From serving the first page to receiving the submit."""
    to_first_edit: float | None = None
    """Active seconds before the first change of the text."""
    pages: int = 0
    saves: int = 0
    doubted: bool = False


def times_of(events: Sequence[Recorded], step: str) -> Times:
    """The times of a reading up to the first submit of `step` ("report" or "answers").

    >>> times_of([], "report").seconds is None
    True
    """
    ordered = sorted(events, key=lambda one: one.seq)
    submit = next((one for one in ordered if one.kind == "submit" and one.data.get("step") == step), None)
    if submit is None:
        return Times()
    ordered = [one for one in ordered if one.seq <= submit.seq]
    pages = list(dict.fromkeys(one.page for one in ordered))
    parts = [
        _page([one for one in ordered if one.page == page], submit if page == submit.page else None)
        for page in pages
    ]
    active, hidden, idle = (sum(part[kind] for part in parts) for kind in ("active", "hidden", "idle"))
    served = next((one for one in ordered if one.kind == "served"), None)
    server = _between(served, submit) if served else None
    shown = any(one.kind == "shown" for one in ordered)
    doubted = server is not None and active > server + TOLERANCE_SECONDS
    return Times(
        seconds=(min(active, server) if server is not None else active) if shown else None,
        active=active,
        hidden=hidden,
        idle=idle,
        server=server,
        to_first_edit=_first_edit(parts),
        pages=len(pages),
        saves=sum(one.kind in ("save", "aside") for one in ordered),
        doubted=doubted,
    )


def _page(events: Iterable[Recorded], submit: Recorded | None) -> dict[str, Any]:
    """Seconds of one page from its images on: active, hidden, idle, and active ones before the first edit."""
    timed = sorted((one for one in events if one.t is not None), key=lambda one: (one.t, one.seq))
    seconds: dict[str, Any] = {"active": 0.0, "hidden": 0.0, "idle": 0.0, "edit": None}
    last: float | None = None  # nothing counts before the images are there
    state = {"hidden": False, "idle": False}
    for one in timed:
        now = one.t or 0.0
        if submit is not None and submit.t is not None and now > submit.t:
            break
        if last is not None:
            kind = "hidden" if state["hidden"] else "idle" if state["idle"] else "active"
            seconds[kind] += (now - last) / 1000
            last = now
        if one.kind == "shown" and last is None:
            last = now
        if one.kind in ("hidden", "visible"):
            state["hidden"] = one.kind == "hidden"
        if one.kind in ("idle", "active"):
            state["idle"] = one.kind == "idle"
        if one.kind == "first_edit" and seconds["edit"] is None and last is not None:
            seconds["edit"] = seconds["active"]
    return seconds


def _first_edit(parts: Sequence[dict[str, Any]]) -> float | None:
    before = 0.0
    for part in parts:
        if part["edit"] is not None:
            return before + part["edit"]
        before += part["active"]
    return None


def _between(first: Recorded, last: Recorded) -> float:
    """Seconds of the server: monotonic where it was not started anew in between, else by the wall clock."""
    if first.boot == last.boot:
        return last.mono - first.mono
    return (datetime.fromisoformat(last.at) - datetime.fromisoformat(first.at)).total_seconds()
