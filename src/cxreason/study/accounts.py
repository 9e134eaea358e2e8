"""Who is who: argon2 passwords, links that work once, sessions, and a brake on guessing.

Tokens are 256 random bits; the database holds their hashes only, so that whoever reads it cannot log in.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update

from cxreason.study.store import now
from cxreason.study.tables import INSERT_LINE, Database, accounts, audit, links, sessions

SESSION_SECONDS = 12 * 3600
LINK_SECONDS = 7 * 24 * 3600
WINDOW_SECONDS = 15 * 60
MOST_FAILURES = {"account": 5, "address": 20}
"""Failed logins within the window before more are refused, by account and by address."""
MOST_BY_STRANGERS = 120
"""Lines of the audit log in a minute about refused requests of people who are not logged in."""
SHORTEST = 10
"""Characters of a password."""


_WHO = (
    select(accounts.c.name, accounts.c.role, sessions.c.csrf)
    .join(sessions, sessions.c.account == accounts.c.name)
    .where(
        sessions.c.token_hash == bindparam("hash"), sessions.c.expires > bindparam("now"), accounts.c.active
    )
)


@dataclass(frozen=True)
class Account:
    """Somebody who is logged in."""

    name: str
    role: str
    csrf: str = ""


@cache
def _hasher() -> Any:
    from argon2 import PasswordHasher

    # OWASP's second choice of settings: 19 MiB, two passes. Forty logins at once still fit a small machine.
    return PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


@cache
def _nobody() -> str:
    """The hash of a password that nobody has: a name that does not exist takes as long as one that does."""
    return _hasher().hash(secrets.token_hex(16))


class Accounts:
    """Logins of one study."""

    def __init__(self, database: Database):
        self.database = database
        self._tries: Counter[str] = Counter()
        self._strangers = (0, 0)
        self._counting = threading.Lock()

    # Links and passwords

    def make_link(self, name: str) -> str:
        """A token with which an account's password can be set, once; older ones stop working."""
        token = secrets.token_urlsafe(32)
        with self.database.writing() as connection:
            connection.execute(delete(links).where(links.c.account == name, links.c.used.is_(None)))
            connection.execute(
                insert(links).values(
                    token_hash=_hash(token), account=name, expires=time.time() + LINK_SECONDS
                )
            )
        return token

    def link_owner(self, token: str) -> str | None:
        """Whose link this is, or None where it is used, too old or made up."""
        with self.database.reading() as connection:
            return connection.scalar(_usable(token))

    def use_link(self, token: str, password: str) -> str | None:
        """Set the password with a link and end the account's sessions; None where the link is not usable."""
        hashed = _hasher().hash(password)
        with self.database.writing() as connection:
            name = connection.scalar(_usable(token))
            # Of two at a time one finds the link unused: the database says which, by the rows it changed.
            free = (links.c.token_hash == _hash(token)) & links.c.used.is_(None)
            if (
                name is None
                or connection.execute(update(links).where(free).values(used=time.time())).rowcount != 1
            ):
                return None
            connection.execute(update(accounts).where(accounts.c.name == name).values(password=hashed))
            connection.execute(delete(sessions).where(sessions.c.account == name))
        return name

    def log_in(self, name: str, password: str) -> bool:
        """Whether the password is that of an active account."""
        with self.database.reading() as connection:
            row = connection.execute(select(accounts).where(accounts.c.name == _plain(name))).one_or_none()
        hashed: str | None = row.password if row is not None and row.active else None
        # Compared in any case, so that the time taken does not tell which names there are.
        return _matches(hashed or _nobody(), password) and hashed is not None

    @contextlib.contextmanager
    def trying(self, name: str, address: str) -> Iterator[bool]:
        """Around a login: whether it may be tried. One under way counts as failed until it has ended:

        else whoever sends a hundred guesses in one moment would have them all looked at.
        """
        with self._counting:
            may = not self.blocked(name, address)
            self._tries[name] += may
        try:
            yield may
        finally:
            with self._counting:
                self._tries[name] -= may
                self._tries += Counter()  # without those at 0

    def blocked(self, name: str, address: str) -> bool:
        """Whether too many logins failed lately, for this name or from this address."""
        since = time.time() - WINDOW_SECONDS
        failed = select(func.count()).where(audit.c.action == "login failed", audit.c.epoch > since)
        with self.database.reading() as connection:
            by_name = connection.scalar(failed.where(audit.c.subject == _plain(name)[:200])) or 0
            by_address = connection.scalar(failed.where(audit.c.address == address)) or 0
        by_name += self._tries[name]
        return by_name >= MOST_FAILURES["account"] or by_address >= MOST_FAILURES["address"]

    # Sessions

    def start_session(self, name: str) -> str:
        """The token of a new session."""
        token = secrets.token_urlsafe(32)
        with self.database.writing() as connection:
            connection.execute(delete(sessions).where(sessions.c.expires < time.time()))
            connection.execute(
                insert(sessions).values(
                    token_hash=_hash(token),
                    account=name,
                    csrf=secrets.token_urlsafe(32),
                    expires=time.time() + SESSION_SECONDS,
                )
            )
        return token

    def who(self, token: str) -> Account | None:
        """Whose session this is, or None where it ended or was made up."""
        with self.database.reading() as connection:
            row = connection.execute(_WHO, {"hash": _hash(token), "now": time.time()}).one_or_none()
        return Account(row.name, row.role, row.csrf) if row else None

    def end_session(self, token: str) -> None:
        """Log out."""
        with self.database.writing() as connection:
            connection.execute(delete(sessions).where(sessions.c.token_hash == _hash(token)))

    # Administration

    def set_active(self, name: str, active: bool) -> None:
        """Let an account in, or keep it out and end its sessions."""
        with self.database.writing() as connection:
            connection.execute(update(accounts).where(accounts.c.name == name).values(active=active))
            if not active:
                connection.execute(delete(sessions).where(sessions.c.account == name))

    def all(self) -> list[dict[str, Any]]:
        """Every account: name, role, active, whether it has a password."""
        query = select(
            accounts.c.name,
            accounts.c.role,
            accounts.c.active,
            accounts.c.password.is_not(None).label("joined"),
        )
        with self.database.reading() as connection:
            return [dict(row._mapping) for row in connection.execute(query.order_by(accounts.c.name))]

    def log(self, account: str, action: str, subject: str = "", address: str = "") -> None:
        """Add a line to the audit log; of strangers so many a minute, or they could fill the disk."""
        if action in ("refused", "login blocked") and not account:
            count = self._count_stranger()
            if count > MOST_BY_STRANGERS:
                return
            if count == MOST_BY_STRANGERS:
                subject = "and more in this minute, which are not written down"
        with self.database.writing() as connection:
            connection.execute(INSERT_LINE, line(account, action, subject, address))

    def _count_stranger(self) -> int:
        minute = int(time.time() // 60)
        with self._counting:
            before = self._strangers[1] if self._strangers[0] == minute else 0
            self._strangers = minute, before + 1
            return before + 1

    def audited(self, limit: int = 200, before: int | None = None) -> list[dict[str, Any]]:
        """The last lines of the audit log, newest first."""
        query = select(audit).order_by(audit.c.seq.desc()).limit(limit)
        if before is not None:
            query = query.where(audit.c.seq < before)
        with self.database.reading() as connection:
            return [dict(row._mapping) for row in connection.execute(query)]


def line(account: str, action: str, subject: str = "", address: str = "") -> dict[str, Any]:
    """A line of the audit log, to be written with what it tells of."""
    told = {
        "account": account[:64],
        "action": action,
        "subject": _plain(subject)[:200],
        "address": address[:64],
    }
    return {"at": now(), "epoch": time.time(), **told}


def _plain(text: str) -> str:
    """What a stranger typed, without the one character that PostgreSQL does not take."""
    return text.replace("\0", "\ufffd")


def _usable(token: str) -> Any:
    return (
        select(links.c.account)
        .join(accounts, accounts.c.name == links.c.account)
        .where(
            links.c.token_hash == _hash(token),
            links.c.used.is_(None),
            links.c.expires > time.time(),
            accounts.c.active,
        )
    )


def _matches(hashed: str, password: str) -> bool:
    from argon2.exceptions import VerifyMismatchError

    try:
        return _hasher().verify(hashed, password)
    except VerifyMismatchError:
        return False


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
