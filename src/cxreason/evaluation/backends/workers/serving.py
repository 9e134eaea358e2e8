"""The child's end of the pipe, for any backend. Standard library only: it runs in the backend's environment.

At first the child says who it is: {"backend", "version", "weights", "settings"}. Then it is handed batches:
a line {"batch": n}, then n lines {"id", "reference", "hypothesis"}; for each it answers one line, in any
order, {"id", "found"} or {"id", "error"}. It ends where its input ends.

    serve({"backend": "mine", "version": "1", "weights": "", "settings": {}}, read)

`read` takes a list of such pairs and returns a list: what was found in each, or the exception that it met.
What packages print goes to stderr, because the pipe is for replies alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

Pair = dict[str, str]
Read = Callable[[list[Pair]], list[Any]]


def open_pipe() -> TextIO:
    """The way to the parent; from here on whatever prints writes to stderr, also from C."""
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return pipe


def serve(about: dict[str, Any], read: Read, pipe: TextIO) -> None:
    """Answer batches until the input ends."""
    _say(pipe, about)
    lines = iter(sys.stdin)
    for line in lines:
        size = json.loads(line)["batch"]
        pairs = [json.loads(next(lines)) for _ in range(size)]
        for pair, found in zip(pairs, read_all(pairs, read), strict=True):
            if isinstance(found, Exception):
                _say(pipe, {"id": pair["id"], "error": f"{type(found).__name__}: {found}"[:500]})
            else:
                _say(pipe, {"id": pair["id"], "found": found})


def read_all(pairs: list[Pair], read: Read) -> list[Any]:
    """The batch at once; where that fails, one by one, so that a bad text fails alone."""
    try:
        found = read(pairs)
        if len(found) != len(pairs):
            raise ValueError(f"{len(found)} results for {len(pairs)} pairs")
        return found
    except Exception as error:
        if len(pairs) == 1:
            return [error]
        return [read_all([pair], read)[0] for pair in pairs]


def _say(pipe: TextIO, reply: dict[str, Any]) -> None:
    pipe.write(json.dumps(reply) + "\n")
    pipe.flush()


def fingerprint(files: list[Path]) -> str:
    """What the weights are: a SHA-256 over their files."""
    total = hashlib.sha256()
    for file in sorted(files):
        blob = file.resolve()
        if blob.parent.name == "blobs":  # the hub names large files by their SHA-256
            total.update(blob.name.encode())
            continue
        with blob.open("rb") as stream:
            while block := stream.read(1 << 22):
                total.update(block)
    return total.hexdigest()


def device() -> str:
    """Where torch should compute."""
    import torch  # pyright: ignore[reportMissingImports]

    return "cuda" if torch.cuda.is_available() else "cpu"


def hub_files(repository: str) -> list[Path]:
    """The files of weights that the hub's cache holds of a repository."""
    from huggingface_hub import scan_cache_dir  # pyright: ignore[reportMissingImports]

    wanted = (".bin", ".safetensors", ".gz", ".pth")
    return [
        file.file_path
        for held in scan_cache_dir().repos
        if held.repo_id == repository
        for revision in held.revisions
        for file in revision.files
        if file.file_name.endswith(wanted)
    ]
