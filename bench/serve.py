"""How fast `cxreason serve` answers with the shipped model, and what it does with more than it can take.

    python bench/serve.py                 # one JSON line for each number of clients, and for overload
    python bench/serve.py --peer          # the same questions to `transformers serve`, in the same run
    python bench/serve.py --damaged 2000  # damaged DICOM and PNG uploads: what came back, and how slowly

Clients stream `/v1/chat/completions` greedily, each one question after another. Time to first token is from
the request to the first text, per piece from there to the end (a piece is a token here, and may be a word
elsewhere). The limit of a page that feels live is taken as 1 s to the first and 50 ms for each further one.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import io
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from cxreason.answers import DIALECTS
from cxreason.serve.limits import Limits
from cxreason.training.models import BASE_MODEL

FIRST_LIMIT, PIECE_LIMIT = 1.0, 0.05
TOKENS = 64
PEER = """
from transformers.cli.serve import Serve
from transformers.cli.serving.model_manager import ModelManager
from cxreason.training.models import BASE_MODEL, load_processor
ModelManager._load_processor = lambda self, name, gguf_file=None: load_processor(name.split("@", 1)[0])
Serve(force_model=str(BASE_MODEL), host="127.0.0.1", port={port}, device="cpu", log_level="warning")
"""


@dataclass
class Timed:
    """One answer: when its first text came, what each further piece took, when it was whole; its length."""

    first: float
    piece: float
    whole: float
    characters: int


@contextlib.contextmanager
def serving(command: list[str], address: str) -> Iterator[str]:
    """A server in a process of its own, as soon as it answers."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        ends = time.monotonic() + 180
        while time.monotonic() < ends and process.poll() is None:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{address}/health", timeout=2).status_code == 200:
                    break
            time.sleep(0.2)
        else:
            raise SystemExit(f"{command} does not start")
        yield address
    finally:
        process.terminate()
        process.wait(20)


def question(number: int) -> list[dict[str, Any]]:
    """A chat with an image of its own, so that no cache can help."""
    grey = np.random.default_rng(number).integers(0, 255, (256, 256)).astype(np.uint8)
    written = io.BytesIO()
    Image.fromarray(grey).save(written, "PNG")
    url = "data:image/png;base64," + base64.b64encode(written.getvalue()).decode()
    text = DIALECTS["think"].prompt("Does this chest X-ray show edema?", ("Yes", "No"), "reasoning")
    return [
        {
            "role": "user",
            "content": [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": text}],
        }
    ]


async def ask(client: httpx.AsyncClient, model: str, number: int) -> Timed | int:
    """One question, timed; the status where it was refused."""
    body = {"model": model, "messages": question(number), "stream": True, "max_tokens": TOKENS}
    began = time.perf_counter()
    first = None
    count = characters = 0
    async with client.stream("POST", "/v1/chat/completions", json=body) as answer:
        if answer.status_code != 200:
            await answer.aread()
            return answer.status_code
        async for line in answer.aiter_lines():
            if not line.startswith("data: {"):
                continue
            choices = json.loads(line[6:]).get("choices") or [{}]
            text = (choices[0].get("delta") or {}).get("content")
            if text:
                count += 1
                characters += len(text)
                first = first or time.perf_counter()
    if first is None:
        return 0
    ended = time.perf_counter()
    return Timed(first - began, (ended - first) / max(1, count - 1), ended - began, characters)


async def load(address: str, model: str, clients: int, each: int) -> list[Timed | int]:
    """So many clients at once, each with so many questions one after another."""
    limits = httpx.Limits(max_connections=clients)
    async with httpx.AsyncClient(base_url=address, timeout=120, limits=limits) as client:

        async def one(number: int) -> list[Timed | int]:
            return [await ask(client, model, 1000 * number + turn) for turn in range(each)]

        return [said for several in await asyncio.gather(*map(one, range(clients))) for said in several]


def summed(what: str, who: str, results: list[Timed | int], seconds: float) -> dict[str, Any]:
    """The figures of a load."""
    good = [one for one in results if isinstance(one, Timed)]
    refused = Counter(one for one in results if not isinstance(one, Timed))

    def at(values: list[float], share: float) -> float | None:
        return round(float(np.quantile(values, share)), 4) if values else None

    firsts, pieces = [one.first for one in good], [one.piece for one in good]
    wholes, characters = [one.whole for one in good], sum(one.characters for one in good)
    return {
        "what": what,
        "server": who,
        "answers": len(good),
        "refused": dict(refused),
        "first_p50": at(firsts, 0.5),
        "first_p95": at(firsts, 0.95),
        "piece_p50": at(pieces, 0.5),
        "piece_p95": at(pieces, 0.95),
        "whole_p50": at(wholes, 0.5),
        "whole_p95": at(wholes, 0.95),
        "characters": round(characters / max(1, len(good)), 1),
        "characters_per_second": round(characters / seconds, 1),
        "limit": {"first": FIRST_LIMIT, "piece": PIECE_LIMIT},
        "cores": len(os.sched_getaffinity(0)),
    }


def measured(address: str, who: str, model: str, clients: list[int], each: int) -> None:
    """Print a line for each number of clients."""
    asyncio.run(load(address, model, 2, 1))  # first calls load what later ones have
    for number in clients:
        began = time.perf_counter()
        results = asyncio.run(load(address, model, number, each))
        seconds = time.perf_counter() - began
        print(json.dumps(summed(f"{number} clients", who, results, seconds)), flush=True)


def overloaded(address: str) -> None:
    """Twice as many clients as have room: who is refused, and who is served."""
    began = time.perf_counter()
    results = asyncio.run(load(address, "phantom", 96, 1))
    print(json.dumps(summed("96 clients at once", "cxreason", results, time.perf_counter() - began)))
    alive = httpx.get(f"{address}/health", timeout=10).status_code
    print(json.dumps({"what": "after overload", "health": alive}), flush=True)


def damaged_uploads(address: str, number: int) -> None:
    """Damaged uploads, as the tests make them."""
    sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1] / "tests/serve")]
    from test_serve_hostile import damaged  # pyright: ignore[reportMissingImports]

    from image_files import EIGHT, RAMP, dicom, picture  # pyright: ignore[reportMissingImports]

    files = [
        picture(EIGHT),
        picture(RAMP),
        dicom(WindowCenter=2000, WindowWidth=900),
        dicom(syntax="rle"),
        dicom(syntax="jpeg2000"),
        dicom(EIGHT, bits=8, syntax="jpeg"),
    ]
    chance, statuses, times = random.Random(11), Counter(), []
    with httpx.Client(base_url=address, timeout=60) as client:
        for at in range(number):
            content = damaged(files[at % len(files)], chance)
            began = time.perf_counter()
            answer = client.post("/api/images", content=content)
            times.append(time.perf_counter() - began)
            statuses[answer.status_code] += 1
            if answer.status_code not in (201, 422) or "Traceback" in answer.text:
                raise SystemExit(f"upload {at}: {answer.status_code} {answer.text[:200]}")
        told = {"p50": np.quantile(times, 0.5), "p95": np.quantile(times, 0.95), "slowest": max(times)}
        rounded = {name: round(float(value), 4) for name, value in told.items()}
        alive = client.get("/health").status_code
    line = {
        "what": f"{number} damaged uploads",
        "statuses": dict(statuses),
        **rounded,
        "limit": 5,
        "health": alive,
    }
    print(json.dumps(line), flush=True)


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clients", type=int, nargs="*", default=[1, 4, 16])
    parser.add_argument("--each", type=int, default=8, help="questions of each client")
    parser.add_argument("--peer", action="store_true", help="measure `transformers serve` as well")
    parser.add_argument("--damaged", type=int, default=0, help="send so many damaged files instead")
    parser.add_argument(
        "--at-once",
        type=int,
        nargs="*",
        default=[Limits().at_once],
        help="questions that the server answers at a time; several are measured one after the other",
    )
    parser.add_argument(
        "--no-overload", dest="overload", action="store_false", help="leave the 96 clients out"
    )
    parser.add_argument("--port", type=int, default=8378)
    told = parser.parse_args()
    address = f"http://127.0.0.1:{told.port}"
    command = [sys.executable, "-m", "cxreason", "serve", "--port", str(told.port)]
    for at_once in told.at_once:
        with serving([*command, "--at-once", str(at_once)], address):
            if told.damaged:
                damaged_uploads(address, told.damaged)
                continue
            measured(address, f"cxreason, {at_once} at once", "phantom", told.clients, told.each)
            if told.overload:
                overloaded(address)
    if told.peer:
        address = f"http://127.0.0.1:{told.port + 1}"
        with serving([sys.executable, "-c", PEER.format(port=told.port + 1)], address):
            measured(address, "transformers serve", str(BASE_MODEL), told.clients, told.each)


if __name__ == "__main__":
    main()
