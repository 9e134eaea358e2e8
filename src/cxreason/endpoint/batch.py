"""A model behind batch files: requests are written, somebody has them answered, and the answers are read.

    <folder>/requests-1.jsonl   written by each start: what is still to be asked, 50,000 to a file
    <folder>/*.jsonl            everything else is answers: what `vllm run-batch` or a provider's batch wrote

    vllm run-batch -i requests-1.jsonl -o answers-1.jsonl --model Qwen/Qwen3-32B

Both have the form that OpenAI's batches gave them. A work of several steps takes a start for each step.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from cxreason.endpoint import wire
from cxreason.endpoint.asking import Deferred
from cxreason.endpoint.replies import Replies
from cxreason.endpoint.wire import CallFailed, Said, Usage
from cxreason.rows import partial, replace_whole, write_json
from cxreason.settings import PoolSettings

MOST_REQUESTS = 50_000
"""In one file: the most that providers take."""


class Batch:
    """The carrier that writes requests and reads answers. `close` makes the request files whole."""

    def __init__(self, settings: PoolSettings, folder: Path, replies: Path):
        self.settings = settings
        self.folder = folder
        self.usage = Usage()
        self.replies = Replies(replies, each=self._count)
        folder.mkdir(parents=True, exist_ok=True)
        self._state_file = folder / "read.json"
        state = {"files": {}, "failed": {}}
        if self._state_file.exists():
            state = json.loads(self._state_file.read_text(encoding="utf-8"))
        self._read_until: dict[str, int] = state["files"]
        self._failed: Counter[str] = Counter(state["failed"])
        self.num_read = self._read_answers()
        self._asked: set[str] = set()
        self._given_up: set[str] = set()
        self._writing: IO[str] | None = None
        self.files: list[Path] = []

    async def get(self, request: dict[str, Any], turn: int) -> Said:
        """The reply to a request that was answered; Deferred after the request is written."""
        key = wire.key(request)
        known = self.replies.get(key)
        if known is not None:
            return Said(known["text"], known["cut"], known["tokens_in"], known["tokens_out"])
        if key in self._given_up or self._failed[key] >= self.settings.attempts:
            # For this start; the next one asks again.
            self._given_up.add(key)
            self._failed.pop(key, None)
            self.usage.num_failed += 1
            raise CallFailed(f"no usable answer in {self.settings.attempts} batches")
        if key not in self._asked:
            self._write(key, request)
            self._asked.add(key)
        raise Deferred

    def forget(self, request: dict[str, Any]) -> None:
        """Let a reply that could not be used be asked for again."""
        self.replies.forget(wire.key(request))

    @property
    def num_asked(self) -> int:
        """Requests that were written."""
        return len(self._asked)

    def close(self) -> None:
        """Finish the request files; those of an earlier start that nobody needs any more go away."""
        if self._writing is not None:
            self._writing.close()
        for file in self.files:
            replace_whole(partial(file), file)
        for old in self.folder.glob("requests-*.jsonl"):
            if old not in self.files:
                old.unlink()
        self._write_state()

    def _write(self, key: str, request: dict[str, Any]) -> None:
        if self._writing is None or len(self._asked) % MOST_REQUESTS == 0:
            if self._writing is not None:
                self._writing.close()
            self.files.append(self.folder / f"requests-{len(self.files) + 1}.jsonl")
            self._writing = partial(self.files[-1]).open("w", encoding="utf-8")
        line = {"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": request}
        self._writing.write(json.dumps(line) + "\n")

    def _read_answers(self) -> int:
        """Take in the whole lines of answer files that were not read before."""
        number = 0
        for file in sorted(self.folder.glob("*.jsonl")):
            if file.name.startswith("requests-"):
                continue
            with file.open("rb") as lines:
                lines.seek(self._read_until.get(file.name, 0))
                for line in lines:
                    if not line.endswith(b"\n"):
                        break
                    number += self._read_answer(line)
                    self._read_until[file.name] = self._read_until.get(file.name, 0) + len(line)
        self.replies.sync()
        self._write_state()
        return number

    def _read_answer(self, line: bytes) -> bool:
        try:
            row = json.loads(line)
            key, answer = row["custom_id"], row.get("response") or {}
        except (ValueError, KeyError, TypeError, AttributeError):
            return False  # what cannot be told apart is asked again
        try:
            if row.get("error") or answer.get("status_code") != 200:
                raise ValueError("refused")
            said = wire.read_completion(answer["body"])
        except (ValueError, KeyError):
            self._failed[key] += 1
            return False
        self._failed.pop(key, None)
        if self.replies.get(key) is not None:
            return False
        reply = {**asdict(said), "cost": 0.0, "server": "batch"}
        self.replies.append(key, reply)
        self._count(reply)
        return True

    def _count(self, reply: dict[str, Any]) -> None:
        self.usage.num_calls += 1
        self.usage.num_uncounted += reply["tokens_in"] is None or reply["tokens_out"] is None
        self.usage.tokens_in += reply["tokens_in"] or 0
        self.usage.tokens_out += reply["tokens_out"] or 0

    def _write_state(self) -> None:
        write_json(self._state_file, {"files": self._read_until, "failed": dict(self._failed)})
