"""The client of mining against a server of its own: overhead per call, and a run through faults and kills.

    .venv/bin/python bench/mining_endpoint.py overhead
    .venv/bin/python bench/mining_endpoint.py faults --samples 10000 --kills 10

overhead  CPU seconds of the client process per call, 256 calls under way, the server in a process of its own
          (so wall time says little, CPU time of this process all there is). Limit: 3 ms.
faults    Mines so many samples from a server that fails with a fifth of all requests (429, 500, too late,
          half-closed, broken JSON, wrong schema, in equal shares), while the miner is killed (SIGKILL) at
          random moments. Then: is each sample mined or in failed.jsonl with a reason, none twice, none lost?
          Answers that the server had to give twice are those that were on their way at a kill or late.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path

import yaml

from cxreason.endpoint.asking import Asker
from cxreason.endpoint.pool import Pool
from cxreason.mining.run import mine
from cxreason.recipes import MineRecipe, validate
from cxreason.records import Sample, to_row
from cxreason.rows import write_parquet
from cxreason.runs import read
from cxreason.settings import PoolSettings

MACHINE = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
LIMIT_MS = 3.0
SERVER = Path(__file__).parents[1] / "tests" / "faulty_server.py"


def start_server(*told: str) -> tuple[subprocess.Popen[str], str]:
    """The server's process and its address."""
    command = [sys.executable, str(SERVER), *told]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def stats(url: str) -> dict:
    """What the server counted."""
    with urllib.request.urlopen(url.removesuffix("/v1") + "/stats") as answer:
        return json.load(answer)


def overhead(num_calls: int, concurrency: int) -> dict:
    """CPU of this process per call; each prompt is as long as a mining prompt and another one."""
    process, url = start_server("--constant", "--latency", "0.05")
    try:
        with tempfile.TemporaryDirectory() as folder:
            servers = [{"url": url, "concurrency": concurrency}]
            settings = validate(PoolSettings, {"model": "m", "servers": servers})

            async def work() -> tuple[float, float]:
                async with Pool(settings, Path(folder) / "replies.jsonl") as pool:
                    prompt = "What does the image show? " * 80
                    waiting = iter(range(num_calls))

                    async def one_of_many() -> None:
                        for number in waiting:
                            await Asker(pool, number).text(f"{number} {prompt}")

                    before = time.process_time(), time.perf_counter()
                    await asyncio.gather(*(one_of_many() for _ in range(concurrency)))
                    return time.process_time() - before[0], time.perf_counter() - before[1]

            cpu, wall = asyncio.run(work())
            counted = stats(url)
    finally:
        process.kill()
    figure = 1000 * cpu / num_calls
    return {
        "what": f"client overhead per call in ms, {concurrency} under way, one core",
        "figure": round(figure, 3),
        "limit": LIMIT_MS,
        "ratio": round(LIMIT_MS / figure, 2),
        "calls": num_calls,
        "most_at_once": counted["most at once"],
        "calls_per_second": round(num_calls / wall),
        "machine": MACHINE,
    }


def invented(number: int) -> Sample:
    """A question about an invented report, another one for each number."""
    rng = random.Random(number)
    there = rng.random() < 0.5
    side = rng.choice(["left", "right"])
    report = f"{'There is a' if there else 'There is no'} {side if there else ''} pleural effusion. "
    report += f"{rng.choice(['No edema', 'No fracture', 'The heart is normal in size'])}. Study {number}."
    question = "Does this chest X-ray show pleural effusion?"
    options = ("Yes", "No") if rng.random() < 0.5 else ("No", "Yes")
    answer = "AB"[options.index("Yes" if there else "No")]
    known = (f"{number:020x}", "invented", "binary", "choice", f"p{number}", f"s{number}", "train", ())
    return Sample(*known, question, answer, options, "pleural effusion", " ".join(report.split()))


def faults(num_samples: int, num_kills: int, seed: int, concurrency: int) -> dict:
    """Mine through faults and kills; what came of each sample."""
    rng = random.Random(seed)
    process, url = start_server("--faults", "0.2", "--seed", str(seed), "--late", "1.0")
    started = time.perf_counter()
    try:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            rows = (to_row(invented(number)) for number in range(num_samples))
            write_parquet(folder / "samples.parquet", Sample, rows)
            server = {"url": url, "concurrency": concurrency, "timeout_seconds": 0.8}
            llm = {"model": "m", "servers": [server], "retry_seconds": 0.05, "attempts": 6}
            wanted = {"most_alike": None, "min_words": 0}
            told = {"out": str(folder / "mined"), "samples": str(folder / "samples.parquet")}
            recipe = {**told, "engine": "llm", "llm": llm, "filters": wanted}
            (folder / "mine.yaml").write_text(yaml.safe_dump(recipe))
            command = [sys.executable, "-m", "cxreason", "mine", str(folder / "mine.yaml"), "--quiet"]
            at_kill = []
            for _ in range(num_kills):
                at_kill.append(_killed(command, folder, rng, num_samples / (num_kills + 1)))
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            first = _outcome(folder / "mined", num_samples)
            counted = stats(url)
            # Failures of the moment are owed: another start tries them again.
            mine(validate(MineRecipe, recipe))
            again = _outcome(folder / "mined", num_samples)
    finally:
        process.kill()
    ok = all(one["lost"] == 0 and one["twice"] == 0 for one in (first, again))
    return {
        "what": f"{num_samples} samples, a fifth of requests failing, {num_kills} SIGKILLs: lost or twice",
        "figure": first["lost"] + first["twice"],
        "limit": 0,
        "ok": ok,
        "first": first,
        "after_one_more_start": again,
        "replies_on_disk_at_each_kill": at_kill,
        "server": counted,
        "seconds": round(time.perf_counter() - started, 1),
        "machine": MACHINE,
    }


def _killed(command: list[str], folder: Path, rng: random.Random, samples_between: float) -> int:
    """Start the miner, kill it after a random number of further replies; how many there were then."""
    replies = folder / "mined" / "replies.jsonl"
    before = num_lines(replies)
    miner = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    # A sample takes two replies of its own: its evidence in words and as a form. Many share the rest.
    until = before + 2 * samples_between * rng.uniform(0.4, 0.95)
    while miner.poll() is None and num_lines(replies) < until:
        time.sleep(0.05)
    time.sleep(rng.uniform(0, 0.3))
    assert miner.poll() is None, "the miner was to be killed at work"
    miner.send_signal(signal.SIGKILL)
    miner.wait()
    return num_lines(replies)


def num_lines(file: Path) -> int:
    """Lines of a file, none where there is no such file."""
    if not file.exists():
        return 0
    with file.open("rb") as lines:
        return sum(1 for _ in lines)


def _outcome(folder: Path, num_samples: int) -> dict:
    mined = [sample.id for sample in read(folder, Sample)]
    failed_file = folder / "failed.jsonl"
    lines = (
        [json.loads(line) for line in failed_file.read_text().splitlines()] if failed_file.exists() else []
    )
    assert all(line["problem"] for line in lines)
    times = Counter([*mined, *(line["id"] for line in lines)])
    expected = {f"{number:020x}" for number in range(num_samples)}
    assert set(times) <= expected
    return {
        "mined": len(mined),
        "failed_with_a_reason": len(lines),
        "reasons": dict(Counter(line["kind"] for line in lines)),
        "lost": len(expected - set(times)),
        "twice": sum(number > 1 for number in times.values()),
    }


def main() -> None:
    """Prints one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=["overhead", "faults"])
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--concurrency", type=int, default=256)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    told = parser.parse_args()
    if told.what == "overhead":
        line = overhead(told.calls, told.concurrency)
    else:
        line = faults(told.samples, told.kills, told.seed, told.concurrency)
    print(json.dumps(line))


if __name__ == "__main__":
    main()
