"""The parent's end of the pipe: a worker is started, handed batches, watched, and started again if it dies.

A text that a worker cannot read is a failure with its name, never a 0. A worker that dies or hangs in a batch
is started again and handed the rest of it one by one, so that the text that kills it is found out and costs
nobody else a score.
"""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

from cxreason.errors import UserError

MOST_DEATHS = 3
"""So often in a row a worker may die before it is given up: then it is no text's fault."""
START_SECONDS = 1800.0
"""Until a worker says who it is: its first start may have to fetch gigabytes of weights."""


@dataclass(frozen=True)
class Pair:
    """Two texts to compare, under a name that the reply bears."""

    id: str
    reference: str
    hypothesis: str


@dataclass(frozen=True)
class Failed:
    """Why there is no reply to a pair."""

    reason: str


class WorkerDied(Exception):
    """The worker ended, hung or spoke nonsense; the message says which."""


class Worker:
    """A reader in its own process, started when it is first asked.

    with Worker("mine", [python, "worker.py"]) as worker:
        found = worker.ask([Pair("1", "There is edema.", "No edema.")])
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        seconds: float = 600.0,
        start_seconds: float = START_SECONDS,
    ):
        self.name = name
        self._command = list(command)
        self._seconds = seconds
        self._start_seconds = start_seconds
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._complaints: IO[str] | None = None
        self._about: dict[str, Any] | None = None

    def about(self) -> dict[str, Any]:
        """Who the worker says it is: backend, version, weights, settings.

        Raises UserError, with its last words, where it does not start.
        """
        if self._about is None:
            try:
                self._start()
            except WorkerDied as error:
                raise UserError(
                    f"backend {self.name} does not start: {error}. Try `cxreason backends check {self.name}`."
                ) from None
        assert self._about is not None
        return self._about

    def ask(self, pairs: Sequence[Pair]) -> dict[str, Any]:
        """Id -> what was found in the pair, or why nothing was (`Failed`); one entry for every pair."""
        self.about()
        try:
            return self._batch(pairs)
        except _Half as half:
            return half.found | self._one_by_one([pair for pair in pairs if pair.id not in half.found])

    def _one_by_one(self, pairs: Sequence[Pair]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        deaths = 0
        for pair in pairs:
            if deaths == MOST_DEATHS:
                found[pair.id] = Failed(f"the worker died {MOST_DEATHS} times in a row and was given up")
                continue
            try:
                found |= self._batch([pair])
                deaths = 0
            except _Half as half:
                found[pair.id] = Failed(str(half))
                deaths += 1
        return found

    def _batch(self, pairs: Sequence[Pair]) -> dict[str, Any]:
        """The replies to a batch; _Half with those that had come where the worker dies in it."""
        found: dict[str, Any] = {}
        waiting = {pair.id for pair in pairs}
        if len(waiting) < len(pairs):
            raise ValueError("two pairs have one id")
        try:
            if self._process is None:
                self._start()
            self._hand_over(pairs)
            until = time.monotonic() + self._seconds
            while waiting:
                reply = self._next(until, f"{self._seconds:g} s")
                if reply.get("id") not in waiting:
                    raise WorkerDied(
                        f"it answered {reply.get('id')!r}, which it was not asked or had answered"
                    )
                if "found" not in reply and "error" not in reply:
                    raise WorkerDied(f"its answer to {reply['id']} holds neither `found` nor `error`")
                waiting.remove(reply["id"])
                found[reply["id"]] = reply["found"] if "found" in reply else Failed(str(reply["error"]))
        except WorkerDied as error:
            self.close()
            raise _Half(str(error), found) from None
        return found

    def _hand_over(self, pairs: Sequence[Pair]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        lines = [{"batch": len(pairs)}, *(vars(pair) for pair in pairs)]
        try:
            self._process.stdin.write("".join(json.dumps(line) + "\n" for line in lines))
            self._process.stdin.flush()
        except (BrokenPipeError, OSError):
            raise WorkerDied(self._last_words()) from None

    def _start(self) -> None:
        self._complaints = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 (lives as long as the worker)
        self._lines = queue.Queue()
        try:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                text=True,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            raise WorkerDied(f"{self._command[0]} cannot be run ({error.strerror})") from None
        threading.Thread(target=_pump, args=(self._process.stdout, self._lines), daemon=True).start()
        about = self._next(time.monotonic() + self._start_seconds, f"{self._start_seconds:g} s")
        missing = [key for key in ("backend", "version", "weights", "settings") if key not in about]
        if missing or (self._about is not None and about != self._about):
            self.close()
            raise WorkerDied(f"it does not say its {missing[0]}" if missing else "it has become another")
        self._about = about

    def _next(self, until: float, allowed: str) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            self.close()
            raise WorkerDied(f"no answer in {allowed}") from None
        if line is None:
            raise WorkerDied(self._last_words())
        try:
            reply = json.loads(line)
        except ValueError:
            reply = None
        if not isinstance(reply, dict):
            raise WorkerDied(f"it wrote what is no reply: {line.strip()[:120]!r}")
        return reply

    def _last_words(self) -> str:
        """What a worker that ended said last on stderr."""
        assert self._process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        words = ""
        if self._complaints is not None:
            self._complaints.seek(0)
            words = next(
                (line.strip() for line in reversed(self._complaints.readlines()) if line.strip()), ""
            )
        return f"the worker ended with {self._process.returncode}" + (f": {words[:300]}" if words else "")

    def close(self) -> None:
        """End the process; it is started again by the next question."""
        process, self._process = self._process, None
        if process is not None:
            # Killed before its pipes are closed: one that is being read does not close until its writer has.
            if process.poll() is None:
                process.kill()
            process.wait()
            if process.stdin is not None:
                with contextlib.suppress(OSError):
                    process.stdin.close()
        if self._complaints is not None:
            self._complaints.close()
            self._complaints = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Half(Exception):
    """A batch that the worker died in, with the replies that had come."""

    def __init__(self, message: str, found: dict[str, Any]):
        super().__init__(message)
        self.found = found


def _pump(stream: IO[str], lines: queue.Queue[str | None]) -> None:
    """Every line of a stream into a queue, and None at its end, so that one can wait with a limit."""
    with stream:
        for line in stream:
            lines.put(line)
    lines.put(None)
