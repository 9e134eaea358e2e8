"""What a model replied, kept on disk by the hash of what it was asked: nothing is paid for twice.

The file only grows, a line for each reply. A line that was cut off by a kill is skipped when the file is read
again, and the next one starts on a line of its own, so several processes may share a file. Of each reply
memory holds sixteen bytes: where it stands.
"""

from __future__ import annotations

import json
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cxreason.records import short_id

NUM_IN_MEMORY = 4096
MOST_LOOSE = 100_000
"""Places that wait outside the sorted table; a hundred bytes each."""


class Replies:
    """A mapping from request ids to replies. Without a path it remembers the latest only.

    `each` is told every reply that the file holds when it is opened.

    >>> replies = Replies()
    >>> replies.put("a", {"text": "yes"})
    >>> replies.get("a"), replies.get("b")
    ({'text': 'yes'}, None)
    """

    def __init__(self, path: Path | None = None, each: Callable[[dict[str, Any]], None] | None = None):
        self.path = path
        self.num_damaged = 0
        """Lines of the file that could not be read: what was being written when a process died."""
        self._lock = threading.Lock()
        self._latest: OrderedDict[str, dict[str, Any] | None] = OrderedDict()
        # Eight bytes for an id -> where its line begins. Sorted arrays for most, a dict for the newest.
        self._sorted = np.empty((2, 0), dtype=np.uint64)
        self._loose: dict[int, int] = {}
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._read_places(path, each)

    def _read_places(self, path: Path, each: Callable[[dict[str, Any]], None] | None) -> None:
        torn = False
        with path.open("ab+") as stream:
            stream.seek(0)
            offset = 0
            for line in stream:
                torn = not line.endswith(b"\n")
                try:
                    row = json.loads(line)
                    self._place(row["id"], offset)
                    if each is not None and row["reply"] is not None:
                        each(row["reply"])
                except (ValueError, KeyError, TypeError):
                    self.num_damaged += bool(line.strip())
                offset += len(line)
            if torn:
                stream.write(b"\n")

    def __len__(self) -> int:
        return len(self._latest) if self.path is None else self._sorted.shape[1] + len(self._loose)

    def get(self, key: str) -> dict[str, Any] | None:
        """The reply to a request, or None where it was never made."""
        with self._lock:
            if key in self._latest:
                self._latest.move_to_end(key)
                return self._latest[key]
            offset = self._place_of(key)
            if offset is None or self.path is None:
                return None
            with self.path.open("rb") as stream:
                stream.seek(offset)
                row = json.loads(stream.readline())
            if row["id"] != key:  # another request with the same eight bytes
                return None
            self._remember(key, row["reply"])
            return row["reply"]

    def put(self, key: str, reply: dict[str, Any]) -> None:
        """Keep a reply; it is on the disk when this returns."""
        self.append(key, reply)
        self.sync()

    def append(self, key: str, reply: dict[str, Any] | None) -> None:
        """Keep a reply so that no kill of this process can lose it; `sync` guards against the machine's."""
        with self._lock:
            if self.path is not None:
                line = (json.dumps({"id": key, "reply": reply}) + "\n").encode()
                with self.path.open("ab") as stream:
                    stream.write(line)
                    stream.flush()
                    # Appending moves to the end, wherever another process has moved it by now.
                    self._place(key, stream.tell() - len(line))
            self._remember(key, reply)

    def forget(self, key: str) -> None:
        """Let a reply that turned out to be of no use be asked for again; its line stays."""
        self.append(key, None)

    def sync(self) -> None:
        """Wait until the disk has what was appended."""
        if self.path is not None and self.path.exists():
            with self.path.open("rb") as stream:
                os.fsync(stream.fileno())

    def _place(self, key: str, offset: int) -> None:
        self._loose[short_id(key)] = offset
        if len(self._loose) >= MOST_LOOSE:
            loose = np.array([list(self._loose), list(self._loose.values())], dtype=np.uint64)
            # The newest of one id first, and then each id once.
            both = np.concatenate([loose, self._sorted], axis=1)
            _, first = np.unique(both[0], return_index=True)
            self._sorted = both[:, first]
            self._loose = {}

    def _place_of(self, key: str) -> int | None:
        short = short_id(key)
        if short in self._loose:
            return self._loose[short]
        at = int(np.searchsorted(self._sorted[0], np.uint64(short)))
        if at < self._sorted.shape[1] and int(self._sorted[0, at]) == short:
            return int(self._sorted[1, at])
        return None

    def _remember(self, key: str, reply: dict[str, Any] | None) -> None:
        self._latest[key] = reply
        self._latest.move_to_end(key)
        while len(self._latest) > NUM_IN_MEMORY:
            self._latest.popitem(last=False)
