"""What a model replied, kept on disk by the hash of what it was asked: nothing is paid for twice.

The file only grows, a line for each reply. A line that was cut off by a kill is skipped when the file is read
again, and the next one starts on a line of its own, so several processes may share a file.
"""

from __future__ import annotations

import json
import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

NUM_IN_MEMORY = 4096


class Replies:
    """A mapping from request ids to replies. Without a path it remembers the latest replies only.

    >>> replies = Replies()
    >>> replies.put("a", {"text": "yes"})
    >>> replies.get("a"), replies.get("b")
    ({'text': 'yes'}, None)
    """

    def __init__(self, path: Path | None = None):
        self.path = path
        self.num_damaged = 0
        """Lines of the file that could not be read: what was being written when a process died."""
        self._lock = threading.Lock()
        self._latest: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._offsets: dict[str, int] = {}
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._read_offsets(path)

    def _read_offsets(self, path: Path) -> None:
        torn = False
        with path.open("ab+") as stream:
            stream.seek(0)
            offset = 0
            for line in stream:
                torn = not line.endswith(b"\n")
                try:
                    self._offsets[json.loads(line)["id"]] = offset
                except (ValueError, KeyError, TypeError):
                    self.num_damaged += bool(line.strip())
                offset += len(line)
            if torn:
                stream.write(b"\n")

    def __len__(self) -> int:
        return len(self._latest) if self.path is None else len(self._offsets)

    def get(self, key: str) -> dict[str, Any] | None:
        """The reply to a request, or None where it was never made."""
        with self._lock:
            if key in self._latest:
                self._latest.move_to_end(key)
                return self._latest[key]
            offset = self._offsets.get(key)
            if offset is None or self.path is None:
                return None
            with self.path.open("rb") as stream:
                stream.seek(offset)
                reply = json.loads(stream.readline())["reply"]
            self._remember(key, reply)
            return reply

    def put(self, key: str, reply: dict[str, Any]) -> None:
        """Keep a reply; it is on the disk when this returns."""
        with self._lock:
            if self.path is not None:
                line = (json.dumps({"id": key, "reply": reply}) + "\n").encode()
                with self.path.open("ab") as stream:
                    stream.write(line)
                    stream.flush()
                    os.fsync(stream.fileno())
                    # Appending moves to the end, wherever another process has moved it by now.
                    self._offsets[key] = stream.tell() - len(line)
            self._remember(key, reply)

    def _remember(self, key: str, reply: dict[str, Any]) -> None:
        self._latest[key] = reply
        self._latest.move_to_end(key)
        while len(self._latest) > NUM_IN_MEMORY:
            self._latest.popitem(last=False)
