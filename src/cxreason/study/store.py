"""Events in, the state of a reading out. Nothing is overwritten: the state is what the events say.

An event carries an id that the browser made, so sending it again records nothing twice. A saved text names
the save that it was written over (`base`); where another window has saved since, it is kept aside and told
so, and the text that stands stays. The first submit of a step can be there once, whoever sends it.
"""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Literal

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from cxreason.study import tables
from cxreason.study.design import Assignment, design
from cxreason.study.protocol import Mode, Protocol, StudyError, resolved
from cxreason.study.tables import Database, accounts, assignments, events, meta
from cxreason.study.timing import Recorded

BOOT = secrets.token_hex(8)
"""Of this process: the server's monotonic clock means something within one only."""

Step = Literal["report", "answers"]
STEPS: dict[Mode, tuple[Step, ...]] = {
    "write": ("report", "answers"),
    "edit": ("report", "answers"),
    "compare": ("answers",),
    "reasoning": ("answers",),
}
HARMLESS = ("shown", "failed", "first_edit", "hidden", "visible", "idle", "active", "beat", "used", "left")
"""Events that say when and how, and change nothing."""


@dataclass(frozen=True)
class Event:
    """What a browser sends."""

    id: str
    kind: str
    t: float | None = None
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Ack:
    """What became of an event: stored, known (it was there), aside (another window was first), closed."""

    id: str
    status: Literal["stored", "known", "aside", "closed"]
    seq: int


@dataclass(frozen=True)
class Reading:
    """An assignment and all that was recorded of it."""

    id: str
    reader: str
    position: int
    part: str
    arm: str
    case_id: str
    left: str
    events: tuple[Recorded, ...] = ()

    def head(self, step: Step) -> Recorded | None:
        """The save or submit that stands for a step."""
        standing = (one for one in reversed(self.events) if one.kind in ("save", "submit"))
        return next((one for one in standing if one.data.get("step") == step), None)

    def submitted(self, step: Step) -> Recorded | None:
        """The last submit of a step."""
        found = (one for one in reversed(self.events) if one.kind == "submit")
        return next((one for one in found if one.data.get("step") == step), None)


@dataclass(frozen=True)
class Standing:
    """What stands for a step of a reading: its number (0: nothing), its words, whether it is submitted."""

    seq: int = 0
    data: dict[str, Any] = field(default_factory=dict)
    closed: bool = False


class Store:
    """The records of one study."""

    def __init__(self, database: Database, protocol: Protocol):
        self.database = database
        self.protocol = protocol
        # Who reads what is drawn once and does not change while a study is open.
        self._plan: dict[str, list[Reading]] = {}
        self._modes: dict[str, Mode] = {}
        self._due: dict[str, int] = {}

    def prepare(self) -> None:
        """Tables, accounts and assignments. A study that began with another design is refused."""
        tables.reachable(self.database)
        self.database.create()
        text = json.dumps(resolved(self.protocol), sort_keys=True)
        with self.database.writing() as connection:
            told = dict(connection.execute(select(meta.c.key, meta.c.value)).all())
            if told.get("version", tables.VERSION) != tables.VERSION:
                raise StudyError(f"database: is of version {told['version']}, not {tables.VERSION}.")
            if told.get("protocol") == text:
                return  # all was drawn from it before; after a crash readers wait for this start
            self._add_accounts(connection)
            self._add_assignments(connection, design(self.protocol))
            connection.execute(delete(meta))
            rows = [{"key": "version", "value": tables.VERSION}, {"key": "protocol", "value": text}]
            connection.execute(insert(meta), rows)

    def _add_accounts(self, connection: Connection) -> None:
        known = set(connection.scalars(select(accounts.c.name)))
        wanted = {reader.name: "reader" for reader in self.protocol.readers}
        wanted |= dict.fromkeys(self.protocol.administrators, "administrator")
        rows = [{"name": name, "role": role} for name, role in wanted.items() if name not in known]
        if rows:
            connection.execute(insert(accounts), rows)

    def _add_assignments(self, connection: Connection, wanted: Sequence[Assignment]) -> None:
        """Those of new readers; those of known ones must be what they were, unless nobody has read yet."""
        there = {(row.reader, row.position): row for row in connection.execute(select(assignments))}
        if any(not _same(there.get((one.reader, one.position)), one) for one in wanted) or (
            len(there) > len(wanted)
        ):
            begun = connection.scalar(select(events.c.seq).limit(1)) is not None
            if not begun:
                connection.execute(assignments.delete())
                there = {}
            rows = _missing(there, wanted)
            connection.execute(insert(assignments), rows)

    # What readers have before them

    def plan(self, reader: str) -> list[Reading]:
        """A reader's assignments in order, without what was recorded of them."""
        if reader not in self._plan:
            with self.database.reading() as connection:
                rows = connection.execute(tables.PLAN, {"reader": reader}).all()
            self._plan[reader] = [_reading_of(row, ()) for row in rows]
        return self._plan[reader]

    def _mode(self, connection: Connection, assignment: str) -> Mode:
        if assignment not in self._modes:
            arm = connection.scalar(tables.ARM, {"id": assignment})
            self._modes[assignment] = self.protocol.arms[arm or ""].mode
        return self._modes[assignment]

    def due(self, reader: str) -> int:
        """The place of a reader's first assignment that is not done; all before it are."""
        own = self.plan(reader)
        with self.database.reading() as connection:
            if reader not in self._due:
                done = self._done(connection, reader)
                self._due[reader] = next(
                    (place for place, one in enumerate(own) if one.id not in done), len(own)
                )
            place = self._due[reader]
            # What is done stays so: only the next one is asked about, because another server may have it.
            while place < len(own) and self._closed(connection, own[place].id, self._last(own[place])):
                place += 1
        self._due[reader] = place
        return place

    def readings_of(self, reader: str) -> list[dict[str, Any]]:
        """A reader's assignments in order, each with `done`: whether its last step was submitted."""
        own = self.plan(reader)
        with self.database.reading() as connection:
            done = self._done(connection, reader)
        keys = ("id", "part", "arm", "case_id")
        return [
            {**{key: getattr(one, key) for key in keys}, "left_text": one.left, "done": one.id in done}
            for one in own
        ]

    def _done(self, connection: Connection, reader: str) -> set[str]:
        """Assignments whose last step was submitted."""
        submitted = set(connection.scalars(tables.SUBMITTED, {"reader": reader}))
        return {one.id for one in self.plan(reader) if f"{one.id}:{self._last(one)}" in submitted}

    def _last(self, one: Reading) -> Step:
        return last_step(self.protocol, one.arm)

    def reading(self, id: str, reader: str | None = None) -> Reading | None:
        """An assignment with its events; None where there is none, or where it is another reader's."""
        with self.database.reading() as connection:
            return self._reading(connection, id, reader)

    def _reading(self, connection: Connection, id: str, reader: str | None) -> Reading | None:
        row = connection.execute(select(assignments).where(assignments.c.id == id)).one_or_none()
        if row is None or (reader is not None and row.reader != reader):
            return None
        found = connection.execute(select(events).where(events.c.assignment == id).order_by(events.c.seq))
        return _reading_of(row, [recorded(one) for one in found])

    # Recording

    def serve(self, assignment: str, also: Mapping[str, Any] | None = None) -> str:
        """Record that a page of a reading is being served; its id, which the browser's events then name.

        `also` is the line of the audit log that has to be on the disk before the page goes out.
        """
        page = secrets.token_hex(8)
        with self.database.writing() as connection:
            self._insert(connection, assignment, page, Event(f"served-{page}", "served"))
            if also:
                connection.execute(tables.INSERT_LINE, also)
        return page

    def record(self, assignment: str, page: str, sent: Sequence[Event]) -> list[Ack]:
        """Record what a page sent, all or nothing; when this returns it is on the disk."""
        for _ in range(3):
            try:
                with self.database.writing() as connection:
                    return self._record(connection, assignment, page, sent)
            except IntegrityError:  # the same event came in twice at a time: now it is there, so it is known
                continue
        raise RuntimeError("an event could not be recorded")

    def rehearse(self, reader: str) -> None:
        """Go through a reading's statements, so that they are compiled, and undo what they did."""
        if not self.plan(reader) or self.due(reader) == len(self.plan(reader)):
            return
        one = self.plan(reader)[self.due(reader)]
        self.standing(one.id)
        step = STEPS[self.protocol.arms[one.arm].mode][0]
        page, said = secrets.token_hex(8), {"step": step, "base": 0}
        with contextlib.suppress(_Undone), self.database.writing() as connection:
            self._insert(connection, one.id, page, Event(f"served-{page}", "served"))
            self._record(connection, one.id, page, [Event(secrets.token_hex(8), "save", 0.0, said)])
            raise _Undone

    def _record(self, connection: Connection, assignment: str, page: str, sent: Sequence[Event]) -> list[Ack]:
        if not self.database.is_sqlite:  # which lets one writer in at a time
            connection.execute(tables.LOCK, {"id": assignment})
        served = f"served-{page}"
        asked = {"ids": [served, *(one.id for one in sent)]}
        known = {row.id: row for row in connection.execute(tables.KNOWN, asked)}
        if served not in known or known[served].assignment != assignment:
            raise ForeignEvent(page)
        acks = []
        for one in sent:
            if one.id in known:
                row = known[one.id]
                if row.assignment != assignment:
                    raise ForeignEvent(one.id)
                acks.append(Ack(one.id, "aside" if row.kind == "aside" else "known", row.seq))
                continue
            ack = self._one(connection, assignment, page, one, STEPS[self._mode(connection, assignment)])
            acks.append(ack)
        return acks

    def _one(
        self, connection: Connection, assignment: str, page: str, one: Event, steps: tuple[Step, ...]
    ) -> Ack:
        if one.kind in HARMLESS:
            return Ack(one.id, "stored", self._insert(connection, assignment, page, one))
        step = one.data["step"]
        if step not in steps:
            raise ForeignEvent(one.id)
        head, closed = self._head(connection, assignment, step), self._closed(connection, assignment, step)
        again = bool(one.data.get("again"))
        if closed and not again:
            aside = Event(one.id, "aside", one.t, {**one.data, "was": one.kind})
            return Ack(one.id, "closed", self._insert(connection, assignment, page, aside))
        # Questions come after the report: until it is submitted they are not shown, whoever answers them.
        early = step != steps[0] and not self._closed(connection, assignment, steps[0])
        if early or (one.data.get("base") or 0) != (head.seq if head else 0):
            aside = Event(one.id, "aside", one.t, {**one.data, "was": one.kind})
            return Ack(one.id, "aside", self._insert(connection, assignment, page, aside))
        once = f"{assignment}:{step}" if one.kind == "submit" and not closed else None
        return Ack(one.id, "stored", self._insert(connection, assignment, page, one, once))

    def standing(self, assignment: str) -> dict[Step, Standing]:
        """What stands for each step of a reading."""
        found: dict[Step, Standing] = {"report": Standing(), "answers": Standing()}
        with self.database.reading() as connection:
            for step in STEPS[self._mode(connection, assignment)]:
                head, closed = (
                    self._head(connection, assignment, step),
                    self._closed(connection, assignment, step),
                )
                if head:
                    found[step] = Standing(head.seq, json.loads(head.data), closed)
                if not closed:
                    break  # the steps after it are not begun
        return found

    def _head(self, connection: Connection, assignment: str, step: str) -> Any:
        """The row of the save or submit that stands for a step; None where there is none."""
        last = tables.LAST[self.database.engine.dialect.name]
        asked = {"assignment": assignment, "step": step}
        # One by one, so that the index ends the search at the first row.
        found = [
            connection.execute(last, {**asked, "kind": kind}).one_or_none() for kind in ("save", "submit")
        ]
        return max((row for row in found if row), key=lambda row: row.seq, default=None)

    def _closed(self, connection: Connection, assignment: str, step: str) -> bool:
        """Whether a step was submitted."""
        return connection.scalar(tables.ONCE, {"once": f"{assignment}:{step}"}) is not None

    def _insert(
        self, connection: Connection, assignment: str, page: str, one: Event, once: str | None = None
    ) -> int:
        row = {
            "id": one.id,
            "once": once,
            "assignment": assignment,
            "page": page,
            "kind": one.kind,
            "t": one.t,
            "at": now(),
            "mono": monotonic(),
            "boot": BOOT,
            "data": json.dumps(one.data, ensure_ascii=False),
        }
        done = connection.execute(tables.INSERT, row)
        key = done.inserted_primary_key
        assert key is not None
        return int(key[0])

    def all_readings(self) -> list[Reading]:
        """Every assignment with its events, by reader and position."""
        with self.database.reading() as connection:
            rows = connection.execute(
                select(assignments).order_by(assignments.c.reader, assignments.c.position)
            ).all()
            found: dict[str, list[Recorded]] = {row.id: [] for row in rows}
            for one in connection.execute(select(events).order_by(events.c.seq)):
                found[one.assignment].append(recorded(one))
        return [_reading_of(row, found[row.id]) for row in rows]


def _reading_of(row: Any, told: Sequence[Recorded]) -> Reading:
    """A reading from its row among the assignments."""
    own = (row.id, row.reader, row.position, row.part, row.arm, row.case_id, row.left_text)
    return Reading(*own, tuple(told))


class _Undone(Exception):
    """Ends a transaction of which nothing shall stay."""


class ForeignEvent(Exception):
    """An event of another reading, or of a page that was never served: no browser of ours sends that."""


def last_step(protocol: Protocol, arm: str) -> Step:
    """The step whose submit ends a reading: the report where nothing is asked after it."""
    mode = protocol.arms[arm].mode
    return "answers" if mode in ("compare", "reasoning") or protocol.asked(arm) else "report"


def main_step(mode: Mode) -> Step:
    """The step that is timed: the report, or the judgement where no report is written."""
    return STEPS[mode][0]


def recorded(row: Any) -> Recorded:
    """A row of the table of events."""
    seq, _, _, _, page, kind, t, at, mono, boot, data = row
    return Recorded(seq, kind, page, t, at, mono, boot, json.loads(data))


def now() -> str:
    """The server's wall clock, in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _same(row: Any, one: Assignment) -> bool:
    there = row is not None and (row.part, row.arm, row.case_id, row.left_text)
    return there == (one.part, one.arm, one.case, one.left)


def _missing(there: dict[tuple[str, int], Any], wanted: Sequence[Assignment]) -> list[dict[str, Any]]:
    """The rows of readers who are new; StudyError where those of the others are not what they were."""
    known, readers, rows = dict(there), {reader for reader, _ in there}, []
    for one in wanted:
        row = known.pop((one.reader, one.position), None)
        if not _same(row, one) and one.reader in readers:
            raise _other_design(one.reader)
        if row is None:
            own = {"reader": one.reader, "position": one.position, "part": one.part, "arm": one.arm}
            own |= {"case_id": one.case, "left_text": one.left}
            rows.append({**own, "id": secrets.token_urlsafe(16)})
    if known:
        raise _other_design(next(iter(known))[0])
    return rows


def _other_design(reader: str) -> StudyError:
    return StudyError(
        f"study.yaml: gives '{reader}' other readings than those that were begun. Undo the change or start a "
        "new study in another folder. Readers may be added at the end of `readers`."
    )
