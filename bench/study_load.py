"""Forty readers at work while the server is killed again and again: is every acknowledged answer there, once?

.venv/bin/python bench/study_load.py                          five minutes, 20 SIGKILLs, SQLite
.venv/bin/python bench/study_load.py --seconds 30 --kills 3   a first look
.venv/bin/python bench/study_load.py --database postgresql+psycopg://user@host/name

Readers open pages, load images, save and submit as a browser does, with ids of their own making, and send
again what got no answer. Each remembers every receipt. At the end the database is read and compared with
them. Prints one JSON line each for what was lost, what is there twice, and for times:

- of a page: from the request that was answered to the whole page. Requests that failed because the server had
  been killed are not in it; they are sent again after 0.1 s, then twice as long each time, up to 2 s;
- of a page with its outage: from the first try, so with every failed one and the waiting between;
- of a save: from sending it to its receipt, as of a page;
- of an outage: from the SIGKILL until the server answers again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from pathlib import Path

import httpx
import numpy as np
import yaml
from PIL import Image

from cxreason.study.app import open_records, open_study
from cxreason.study.protocol import PROTOCOL

NUM_READERS, NUM_CASES, NUM_KILLS = 40, 60, 20
LIMIT_MILLISECONDS = 200.0
THINKING_SECONDS = (1.0, 4.0)
"""Between the saves of a reader; people who type and look save less often."""


def write_study(folder: Path) -> None:
    """A study of every mode for forty readers."""
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(1)
    cases = []
    for number in range(NUM_CASES):
        grey = rng.integers(0, 4096, (256, 256)).astype(np.uint16)
        Image.fromarray(grey).save(folder / "images" / f"{number}.png")
        cases.append(
            {
                "id": f"c{number}",
                "images": [{"file": f"images/{number}.png", "view": "PA"}],
                "indication": "Cough.",
                "texts": {"one": f"Small left effusion {number}.", "two": f"No effusion {number}."},
                "question": "Is there an effusion?",
                "reasoning": "The left angle is blunted.",
                "answer": "Yes",
            }
        )
    arms = {
        "scratch": {"mode": "write"},
        "draft": {"mode": "edit", "draft": "one"},
        "blind": {"mode": "compare", "reports": ["one", "two"]},
        "thoughts": {"mode": "reasoning"},
    }
    values = {
        "title": "Load",
        "readers": [{"name": f"r{number}", "group": "all"} for number in range(NUM_READERS)],
        "arms": arms,
        "parts": [{"groups": ["all"], "arms": list(arms), "crossing": "every"}],
        "cases": cases,
    }
    (folder / PROTOCOL).write_text(yaml.safe_dump(values), encoding="utf-8")


class Server:
    """`cxreason study serve` in a process that can be killed."""

    def __init__(self, folder: Path, port: int, url: str | None):
        self.command = [sys.executable, "-m", "cxreason", "study", "serve", str(folder), "--port", str(port)]
        self.command += ["--database", url] if url else []
        self.base = f"http://127.0.0.1:{port}"
        self.log = folder.with_name("server.log")
        self.process: subprocess.Popen | None = None
        self.cpu_seconds = 0.0
        self.outages: list[float] = []

    def start(self) -> None:
        """Begin."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stderr=log, stdout=subprocess.DEVNULL)

    def kill(self) -> None:
        assert self.process is not None
        self.cpu_seconds += cpu_seconds(self.process.pid)
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    async def answers(self, client: httpx.AsyncClient) -> None:
        """Wait until it is there."""
        while True:
            try:
                if (await client.get(f"{self.base}/health", timeout=2)).status_code == 200:
                    return
            except httpx.HTTPError:
                await asyncio.sleep(0.05)


def cpu_seconds(pid: int) -> float:
    """What a process has used of the processors; 0 where the system does not tell."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return 0.0
    parts = stat.read_text().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


class Reader:
    """One reader: reads case after case, and remembers what was acknowledged."""

    def __init__(self, base: str, name: str, session: str, end: float):
        self.base, self.name, self.end = base, name, end
        self.client = httpx.AsyncClient(cookies={"cxreason_session": session}, timeout=15)
        self.dice = random.Random(name)
        self.receipts: dict[str, str] = {}
        self.submitted: dict[tuple[str, str], str] = {}
        self.pages: list[float] = []
        self.pages_with_outage: list[float] = []
        self.saves: list[float] = []
        self.asked = self.retries = 0

    async def ask(self, method: str, path: str, **more) -> httpx.Response:
        """Until there is an answer, as a browser's script does."""
        wait, first = 0.1, time.perf_counter()
        while True:
            self.asked += 1
            started = time.perf_counter()
            try:
                answer = await self.client.request(method, f"{self.base}{path}", **more)
                if answer.status_code < 500:
                    self.note(method, path, time.perf_counter() - started, time.perf_counter() - first)
                    return answer
            except httpx.HTTPError:
                pass
            self.retries += 1
            await asyncio.sleep(wait * self.dice.uniform(0.5, 1.5))
            wait = min(2.0, wait * 2)

    def note(self, method: str, path: str, seconds: float, with_outage: float) -> None:
        """Remember how long an answer took."""
        if method == "POST":
            self.saves.append(seconds)
        elif "/pixels/" not in path:
            self.pages.append(seconds)
            self.pages_with_outage.append(with_outage)

    async def read(self) -> None:
        """Read until the time is over."""
        await asyncio.sleep(self.dice.uniform(0, 2))
        while time.monotonic() < self.end:
            html = (await self.ask("GET", "/read")).text
            found = re.search(r'id="told">(.*?)</script>', html, re.DOTALL)
            if found is None:
                return  # all cases are read
            page = json.loads(found[1])
            radios = re.findall(r'type="radio" name="([^"]+)" value="([^"]+)"', html)
            for image in page["images"]:
                await self.ask("GET", image["url"])
            await self.one_case(page, dict(reversed(radios)))

    async def one_case(self, page: dict, values: dict[str, str]) -> None:
        started = time.monotonic()
        base = {step: page["state"][step]["base"] for step in page["steps"]}
        for step in page["steps"]:
            if page["state"][step]["closed"] or (step == "answers" and page["last"] == "report"):
                continue
            for number in range(self.dice.randint(1, 4)):
                await asyncio.sleep(self.dice.uniform(*THINKING_SECONDS))
                text = f"{self.name} {uuid.uuid4()} {number} " + "The lungs are clear. " * self.dice.randint(
                    1, 30
                )
                said = {"text": text} if step == "report" else {"values": values}
                kinds = [("shown", {}), ("beat", {}), ("save", {"step": step, "base": base[step], **said})]
                base[step] = await self.send(page, kinds, started) or base[step]
                if time.monotonic() > self.end:
                    return
            kinds = [("submit", {"step": step, "base": base[step], **said})]
            await self.send(page, kinds, started)

    async def send(self, page: dict, kinds: list[tuple[str, dict]], started: float) -> int:
        t = round(1000 * (time.monotonic() - started), 1)
        events = [{"id": str(uuid.uuid4()), "kind": kind, "t": t, **more} for kind, more in kinds]
        answer = await self.ask(
            "POST",
            f"/read/{page['reading']}/events",
            json={"page": page["page"], "events": events},
            headers={"X-CSRF-Token": page["csrf"]},
        )
        answer.raise_for_status()
        if self.dice.random() < 0.1:  # a receipt that got lost on the way: the same events come again
            answer = await self.ask(
                "POST",
                f"/read/{page['reading']}/events",
                json={"page": page["page"], "events": events},
                headers={"X-CSRF-Token": page["csrf"]},
            )
        acks = answer.json()["acks"]
        for ack, event in zip(acks, events, strict=True):
            self.receipts[ack["id"]] = ack["status"]
            if event["kind"] == "submit" and ack["status"] in ("stored", "known"):
                self.submitted[page["reading"], event["step"]] = ack["id"]
        return acks[-1]["seq"]


async def work(server: Server, sessions: dict[str, str], seconds: float, kills: int) -> list[Reader]:
    """Readers and the killer side by side."""
    end = time.monotonic() + seconds
    readers = [Reader(server.base, name, session, end) for name, session in sessions.items()]
    async with httpx.AsyncClient() as client:
        await server.answers(client)

        async def kill() -> None:
            for _ in range(kills):
                await asyncio.sleep(seconds / (kills + 1) * random.uniform(0.6, 1.2))
                server.kill()
                began = time.monotonic()
                server.start()
                await server.answers(client)
                server.outages.append(time.monotonic() - began)

        await asyncio.gather(kill(), *(reader.read() for reader in readers))
        await server.answers(client)
    for reader in readers:
        await reader.client.aclose()
    return readers


def compare(folder: Path, url: str | None, readers: list[Reader]) -> dict[str, int]:
    """What was acknowledged against what is there."""
    readings = open_records(folder, url).store.all_readings()
    ids = Counter(row_id for row_id in all_ids(folder, url))
    acknowledged = [id for reader in readers for id in reader.receipts]
    firsts = Counter(
        (one.id, event.data["step"]) for one in readings for event in one.events if event.kind == "submit"
    )
    submitted = {key for reader in readers for key in reader.submitted}
    return {
        "acknowledged": len(acknowledged),
        "lost": sum(id not in ids for id in acknowledged) + sum(key not in firsts for key in submitted),
        "twice": sum(count > 1 for count in ids.values()) + sum(count > 1 for count in firsts.values()),
        "submits": len(submitted),
    }


def all_ids(folder: Path, url: str | None) -> list[str]:
    """The ids of all recorded events."""
    from sqlalchemy import select

    from cxreason.study.tables import events

    with open_records(folder, url).store.database.reading() as connection:
        return list(connection.scalars(select(events.c.id)))


def times(readers: list[Reader], server: Server) -> list[dict]:
    """How long pages, saves and outages took, in milliseconds, and what the server did for it."""
    lines = []
    for what, limit, seconds in (
        ("milliseconds of a page, p95", LIMIT_MILLISECONDS, [one for it in readers for one in it.pages]),
        (
            "milliseconds of a page with its outage, p95",
            None,
            [one for it in readers for one in it.pages_with_outage],
        ),
        ("milliseconds of a save, p95", LIMIT_MILLISECONDS, [one for it in readers for one in it.saves]),
        ("milliseconds of an outage, mean", None, server.outages),
    ):
        if not seconds:
            continue
        sorted_ = np.sort(seconds) * 1000
        figure = float(sorted_.mean() if what.endswith("mean") else np.quantile(sorted_, 0.95))
        line: dict = {"what": what, "figure": round(figure, 1)}
        line |= {"limit": limit, "ratio": round(limit / figure, 2)} if limit else {}
        line |= {"median": round(float(np.median(sorted_)), 1), "longest": round(float(sorted_[-1]), 1)}
        lines.append(line | {"number": len(sorted_)})
    asked = sum(reader.asked for reader in readers)
    cpu = {"what": "milliseconds of processor of a request, starts of the server included"}
    cpu |= {"figure": round(1000 * server.cpu_seconds / asked, 1), "requests": asked}
    return [*lines, cpu]


def main() -> None:
    """Prints the lines; exit code 1 where something was lost, is there twice or failed in the server."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--kills", type=int, default=NUM_KILLS)
    parser.add_argument("--port", type=int, default=8971)
    parser.add_argument("--database")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "study"
        write_study(folder)
        study = open_study(folder, told.database)
        sessions = {
            reader.name: study.accounts.start_session(reader.name) for reader in study.protocol.readers
        }
        study.store.database.close()
        server = Server(folder, told.port, told.database)
        server.start()
        try:
            readers = asyncio.run(work(server, sessions, told.seconds, told.kills))
        finally:
            server.kill()
        found = compare(folder, told.database, readers)
        found["faults"] = server.log.read_text(errors="replace").count("Traceback")
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    kind = "PostgreSQL" if told.database else "SQLite"
    how = f"{len(readers)} readers, {told.seconds:g} s, {told.kills} SIGKILLs, {kind}"
    retries = sum(reader.retries for reader in readers)
    for what in ("lost", "twice"):
        line = {"what": f"acknowledged events {what}: {how}", "figure": found[what], "limit": 0}
        print(json.dumps({**line, **found, "retries": retries, "machine": machine}))
    for line in times(readers, server):
        print(json.dumps({**line, "what": f"{line['what']}: {how}", "machine": machine}))
    sys.exit(bool(found["lost"] or found["twice"] or found["faults"]))


if __name__ == "__main__":
    main()
