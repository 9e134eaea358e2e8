"""Events in, the state of a reading out. Nothing is overwritten: the state is what the events say.

An event carries an id that the browser made, so sending it again records nothing twice. A saved text names
the save that it was written over (`base`); where another window has saved since, it is kept aside and told
so, and the text that stands stays. The first submit of a step can be there once, whoever sends it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Literal

from sqlalchemy import Connection, func, insert, select, update
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


class Store:
    """The records of one study."""

    def __init__(self, database: Database, protocol: Protocol):
        self.database = database
        self.protocol = protocol

    def prepare(self) -> None:
        """Tables, accounts and assignments. A study that began with another design is refused."""
        tables.reachable(self.database)
        self.database.create()
        wanted = design(self.protocol)
        with self.database.writing() as connection:
            told = dict(connection.execute(select(meta.c.key, meta.c.value)).all())
            if told.get("version", tables.VERSION) != tables.VERSION:
                raise StudyError(f"database: is of version {told['version']}, not {tables.VERSION}.")
            if "version" not in told:
                connection.execute(insert(meta).values(key="version", value=tables.VERSION))
            self._add_accounts(connection)
            self._add_assignments(connection, wanted)
            text = json.dumps(resolved(self.protocol), sort_keys=True)
            if "protocol" in told:
                connection.execute(update(meta).where(meta.c.key == "protocol").values(value=text))
            else:
                connection.execute(insert(meta).values(key="protocol", value=text))

    def _add_accounts(self, connection: Connection) -> None:
        known = set(connection.scalars(select(accounts.c.name)))
        wanted = {reader.name: "reader" for reader in self.protocol.readers}
        wanted |= dict.fromkeys(self.protocol.administrators, "administrator")
        rows = [{"name": name, "role": role} for name, role in wanted.items() if name not in known]
        if rows:
            connection.execute(insert(accounts), rows)

    def _add_assignments(self, connection: Connection, wanted: Sequence[Assignment]) -> None:
        """Those of new readers; those of known ones must be what they were, unless nobody has read yet."""
        there = connection.execute(select(assignments)).all()
        begun = connection.scalar(select(func.count()).select_from(events)) or 0
        if not begun:
            connection.execute(assignments.delete())
            there = []
        known = {(row.reader, row.position): row for row in there}
        readers = {row.reader for row in there}
        rows = []
        for one in wanted:
            row = known.pop((one.reader, one.position), None)
            same = row and (row.part, row.arm, row.case_id, row.left_text) == (
                one.part,
                one.arm,
                one.case,
                one.left,
            )
            if not same and one.reader in readers:
                raise _other_design(one.reader)
            if row is None:
                rows.append({**_row(one), "id": secrets.token_urlsafe(16)})
        if known:
            raise _other_design(next(iter(known))[0])
        if rows:
            connection.execute(insert(assignments), rows)

    # What readers have before them

    def readings_of(self, reader: str) -> list[dict[str, Any]]:
        """A reader's assignments in order, each with `done`: whether its last step was submitted."""
        keys = ("id", "part", "arm", "case_id", "left_text")
        with self.database.reading() as connection:
            own = (
                select(*(assignments.c[key] for key in keys))
                .where(assignments.c.reader == reader)
                .order_by(assignments.c.position)
            )
            rows = connection.execute(own).all()
            done = self._done(connection, reader)
        return [{**dict(zip(keys, row, strict=True)), "done": row[0] in done} for row in rows]

    def _done(self, connection: Connection, reader: str | None = None) -> set[str]:
        """Assignments whose last step was submitted."""
        query = select(events.c.once, assignments.c.id, assignments.c.arm).join(assignments)
        query = query.where(events.c.once.is_not(None))
        if reader is not None:
            query = query.where(assignments.c.reader == reader)
        steps = {arm: last_step(self.protocol, arm) for arm in self.protocol.arms}
        return {id for once, id, arm in connection.execute(query) if once == f"{id}:{steps[arm]}"}

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

    def serve(self, assignment: str) -> str:
        """Record that a page of a reading is being served; its id, which the browser's events then name."""
        page = secrets.token_hex(8)
        with self.database.writing() as connection:
            self._insert(connection, assignment, page, Event(f"served-{page}", "served"))
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

    def _record(self, connection: Connection, assignment: str, page: str, sent: Sequence[Event]) -> list[Ack]:
        lock = select(assignments.c.arm).where(assignments.c.id == assignment).with_for_update()
        arm = connection.execute(lock).scalar_one()
        served = select(events.c.assignment).where(events.c.id == f"served-{page}")
        if connection.scalar(served) != assignment:
            raise ForeignEvent(page)
        ids = [one.id for one in sent]
        known = {
            row.id: row
            for row in connection.execute(
                select(events.c.id, events.c.seq, events.c.assignment, events.c.kind).where(
                    events.c.id.in_(ids)
                )
            )
        }
        acks = []
        for one in sent:
            if one.id in known:
                row = known[one.id]
                if row.assignment != assignment:
                    raise ForeignEvent(one.id)
                acks.append(Ack(one.id, "aside" if row.kind == "aside" else "known", row.seq))
                continue
            ack = self._one(connection, assignment, page, one, STEPS[self.protocol.arms[arm].mode])
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
        head, closed = self._standing(connection, assignment, step)
        again = bool(one.data.get("again"))
        if closed and not again:
            aside = Event(one.id, "aside", one.t, {**one.data, "was": one.kind})
            return Ack(one.id, "closed", self._insert(connection, assignment, page, aside))
        # Questions come after the report: until it is submitted they are not shown, whoever answers them.
        early = step != steps[0] and not self._standing(connection, assignment, steps[0])[1]
        if early or (one.data.get("base") or 0) != head:
            aside = Event(one.id, "aside", one.t, {**one.data, "was": one.kind})
            return Ack(one.id, "aside", self._insert(connection, assignment, page, aside))
        once = f"{assignment}:{step}" if one.kind == "submit" and not closed else None
        return Ack(one.id, "stored", self._insert(connection, assignment, page, one, once))

    def _standing(self, connection: Connection, assignment: str, step: str) -> tuple[int, bool]:
        """The number of the save or submit that stands for a step (0: none), and whether it was submitted."""
        query = (
            select(events.c.seq, events.c.kind, events.c.data)
            .where(events.c.assignment == assignment, events.c.kind.in_(("save", "submit")))
            .order_by(events.c.seq.desc())
        )
        head, closed = 0, False
        for seq, kind, data in connection.execute(query):
            if json.loads(data).get("step") == step:
                head = head or seq
                if kind == "submit":
                    closed = True
                    break
        return head, closed

    def _insert(
        self, connection: Connection, assignment: str, page: str, one: Event, once: str | None = None
    ) -> int:
        done = connection.execute(
            insert(events).values(
                id=one.id,
                once=once,
                assignment=assignment,
                page=page,
                kind=one.kind,
                t=one.t,
                at=now(),
                mono=monotonic(),
                boot=BOOT,
                data=json.dumps(one.data, ensure_ascii=False),
            )
        )
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


def _row(one: Assignment) -> dict[str, Any]:
    return {
        "reader": one.reader,
        "position": one.position,
        "part": one.part,
        "arm": one.arm,
        "case_id": one.case,
        "left_text": one.left,
    }


def _other_design(reader: str) -> StudyError:
    return StudyError(
        f"study.yaml: gives '{reader}' other readings than those that were begun. Undo the change or start a "
        "new study in another folder. Readers may be added at the end of `readers`."
    )
