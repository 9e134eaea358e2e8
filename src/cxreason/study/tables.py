"""The tables of a study, on SQLite or PostgreSQL. What was recorded cannot be changed: the database refuses.

SQLite runs with a write-ahead log and `synchronous=FULL`: what was acknowledged is on the disk, whatever
kills the server. One lock lets one writer in at a time, so none waits in SQLite's own, slower queue.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    cast,
    create_engine,
    event,
    insert,
    select,
    text,
    type_coerce,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from cxreason.study.protocol import StudyError

VERSION = "1"
metadata = MetaData()

meta = Table(
    "meta", metadata, Column("key", String(40), primary_key=True), Column("value", Text, nullable=False)
)

accounts = Table(
    "accounts",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("role", String(20), nullable=False),
    Column("password", Text),
    Column("active", Boolean, nullable=False, default=True),
)

links = Table(
    "links",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("account", ForeignKey("accounts.name"), nullable=False),
    Column("expires", Float, nullable=False),
    Column("used", Float),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("account", ForeignKey("accounts.name"), nullable=False),
    Column("csrf", String(64), nullable=False),
    Column("expires", Float, nullable=False),
)

assignments = Table(
    "assignments",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("reader", ForeignKey("accounts.name"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("part", String(64), nullable=False),
    Column("arm", String(64), nullable=False),
    Column("case_id", String(64), nullable=False),
    Column("left_text", String(64), nullable=False),
    UniqueConstraint("reader", "position"),
)

events = Table(
    "events",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    # Made by the browser before it sends, so that sending twice is recording once.
    Column("once", String(64), unique=True),
    # What may be there a single time: the first submit of each step of a reading.
    Column("assignment", ForeignKey("assignments.id"), nullable=False),
    Column("page", String(32), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("t", Float),
    # Milliseconds on the browser's monotonic clock since the page was made; null where the server speaks.
    Column("at", String(32), nullable=False),
    Column("mono", Float, nullable=False),
    # Seconds on the server's monotonic clock, which starts anew with each `boot`.
    Column("boot", String(32), nullable=False),
    Column("data", Text, nullable=False),
    Index("events_of_assignment", "assignment", "kind", "seq"),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("at", String(32), nullable=False),
    Column("epoch", Float, nullable=False),
    Column("account", String(64), nullable=False),
    Column("action", String(40), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("address", String(64), nullable=False),
    Index("audit_by_action", "action", "epoch"),
    Index("audit_by_account", "account", "seq"),
)

APPEND_ONLY = ("events", "audit")

# Built once: for short statements SQLAlchemy takes longer to build them than the database to answer.
ONCE = select(events.c.seq).where(events.c.once == bindparam("once"))
SUBMITTED = (
    select(events.c.once).join(assignments).where(events.c.kind == "submit")
    .where(assignments.c.reader == bindparam("reader"))
)  # fmt: skip
KNOWN = select(events.c.id, events.c.seq, events.c.assignment, events.c.kind).where(
    events.c.id.in_(bindparam("ids", expanding=True))
)
PLAN = (
    select(assignments)
    .where(assignments.c.reader == bindparam("reader"))
    .order_by(assignments.c.position)
)  # fmt: skip
ARM = select(assignments.c.arm).where(assignments.c.id == bindparam("id"))
LOCK = select(assignments.c.id).where(assignments.c.id == bindparam("id")).with_for_update()
INSERT = insert(events)
INSERT_LINE = insert(audit)


def _last_of_step(said: ColumnElement[Any]) -> Select[Any, Any]:
    """The last event of a kind and a step; `said` is its data as the dialect reads JSON."""
    return (
        select(events.c.seq, events.c.data)
        .where(events.c.assignment == bindparam("assignment"), events.c.kind == bindparam("kind"))
        .where(said["step"].as_string() == bindparam("step"))
        .order_by(events.c.seq.desc())
        .limit(1)
    )


LAST = {
    "sqlite": _last_of_step(type_coerce(events.c.data, JSON)),
    "postgresql": _last_of_step(cast(events.c.data, JSON)),
}


class Database:
    """An engine with the two ways to use it: `reading()` and `writing()`, each one transaction."""

    def __init__(self, url: str):
        self.engine = _engine(url)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self._writers = threading.Lock()
        self._inside = threading.local()

    def create(self) -> None:
        """Make what is missing: tables, and the triggers that keep the records from being changed."""
        metadata.create_all(self.engine)
        with self.writing() as connection:
            for table in APPEND_ONLY:
                for statement in _triggers(table, self.is_sqlite):
                    connection.execute(text(statement))

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the data."""
        with self._alone(), self.engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that may write. When the block ends without an error, it is on the disk."""
        engine = self.engine.execution_options(cxreason_writes=True)
        lock = self._writers if self.is_sqlite else contextlib.nullcontext()
        # Alone first: a second one of the same thread would wait for the lock that it holds itself.
        with self._alone(), lock, engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Refuse a transaction within another of the same thread: all would wait for a second connection."""
        if getattr(self._inside, "transaction", False):
            raise RuntimeError("a transaction was begun within another")
        self._inside.transaction = True
        try:
            yield
        finally:
            self._inside.transaction = False

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()


def _engine(url: str) -> Engine:
    try:
        if not url.startswith("sqlite"):
            # Few, and the last used first: transactions are short, and after a start each connection is a
            # process of the database that everybody would have to wait for.
            return create_engine(url, pool_pre_ping=True, pool_size=4, max_overflow=0, pool_use_lifo=True)
        engine = create_engine(url, poolclass=QueuePool, pool_size=16, max_overflow=32)
    except ModuleNotFoundError:
        raise
    except Exception as error:  # a wrong address fails in many ways, all of them the user's to mend
        raise StudyError(f"database: the address is not understood ({error}).") from None
    event.listen(engine, "connect", _begin_by_hand)
    event.listen(engine, "begin", _begin)
    return engine


def _begin_by_hand(connection: Any, _: Any) -> None:
    connection.isolation_level = (
        None  # the driver would begin late, and a reader turned writer can be refused
    )
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=20000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("cxreason_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _triggers(table: str, is_sqlite: bool) -> list[str]:
    if is_sqlite:
        return [
            f"CREATE TRIGGER IF NOT EXISTS {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            for verb in ("UPDATE", "DELETE")
        ]
    return [
        "CREATE OR REPLACE FUNCTION cxreason_append_only() RETURNS trigger AS $$ "
        "BEGIN RAISE EXCEPTION 'append-only'; END $$ LANGUAGE plpgsql",
        f"CREATE OR REPLACE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION cxreason_append_only()",
    ]


def reachable(database: Database) -> None:
    """StudyError where the database does not answer."""
    try:
        with database.reading() as connection:
            connection.execute(text("SELECT 1"))
    except DBAPIError as error:
        reason = str(error.orig).splitlines()[0]
        raise StudyError(
            f"database: does not answer ({reason}). Check the address and that it runs."
        ) from None
