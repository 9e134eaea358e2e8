"""An OpenAI-compatible server that fails as real ones do, in a process of its own.

    python tests/faulty_server.py --faults 0.2 --seed 1      prints its address, then serves until killed

A share of requests is answered with 429 or 500, too late, half, with broken JSON, or with an object that is
not of the form asked for. GET /stats tells how often each happened, and how many whole and usable answers
were sent in all and for requests that had been answered before: what somebody paid for twice.
"""

import argparse
import asyncio
import hashlib
import json
import random
import sys
from collections import Counter

FAULTS = ("429", "500", "late", "half-closed", "broken JSON", "wrong schema")


class Faulty:
    """Serves `reply(body)`; `faults` is the share of requests that go wrong, all kinds equally often."""

    def __init__(self, reply, *, faults=0.0, seed=0, latency=0.0, late=3.0, most_at_once=10**9):
        self.reply = reply
        self.faults, self.latency, self.late, self.most_at_once = faults, latency, late, most_at_once
        self.random = random.Random(seed)
        self.counts = Counter()
        self.answered = set()
        self.at_once = self.most_seen = 0

    async def start(self, port=0):
        server = await asyncio.start_server(self.serve, "127.0.0.1", port, limit=1 << 24, backlog=1024)
        return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"

    async def serve(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                if head.startswith("GET"):
                    stats = {**self.counts, "most at once": self.most_seen}
                    writer.write(self.whole(200, json.dumps(stats).encode()))
                    continue
                length = next(
                    int(line.split(":")[1])
                    for line in head.split("\r\n")
                    if line.lower().startswith("content-length")
                )
                content = await reader.readexactly(length)
                self.at_once += 1
                self.most_seen = max(self.most_seen, self.at_once)
                try:
                    if not await self.answer(content, writer):
                        return
                finally:
                    self.at_once -= 1
        except (asyncio.IncompleteReadError, OSError):
            self.counts["client went away"] += 1
        finally:
            writer.close()

    async def answer(self, content, writer):
        """Answer one request; False where the connection is to be closed."""
        self.counts["requests"] += 1
        fault = self.random.choice(FAULTS) if self.random.random() < self.faults else ""
        if self.at_once > self.most_at_once:
            fault = "429"
        self.counts[fault or "good"] += 1
        await asyncio.sleep(self.latency)
        if fault == "429":
            writer.write(self.whole(429, b"slow down"))
        elif fault == "500":
            writer.write(self.whole(500, b"oh"))
        elif fault == "late":
            await asyncio.sleep(self.late)
            return False
        elif fault == "half-closed":
            writer.write(self.whole(200, b"x" * 100)[:-50])
            await writer.drain()
            return False
        elif fault == "broken JSON":
            writer.write(self.whole(200, b'{"choices": [{"message": {"cont'))
        else:
            self.say(content, writer, wrong=fault == "wrong schema")
        await writer.drain()
        return True

    def say(self, content, writer, *, wrong):
        body = json.loads(content)
        told = self.reply(body)
        if wrong and "response_format" in body:
            text = '{"unheard": ["of"]}'
        else:
            text = told
            key = hashlib.sha256(content).digest()
            if key in self.answered:
                self.counts["answered twice"] += 1
            self.answered.add(key)
            self.counts["answers"] += 1
        usage = {"prompt_tokens": len(content) // 4, "completion_tokens": len(text) // 4}
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        writer.write(self.whole(200, json.dumps({"choices": [choice], "usage": usage}).encode()))

    @staticmethod
    def whole(status, content):
        head = (
            f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        return head.encode() + content


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--faults", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--late", type=float, default=3.0)
    parser.add_argument("--most-at-once", type=int, default=10**9)
    parser.add_argument("--constant", action="store_true", help="the same words to everything")
    told = parser.parse_args()
    if told.constant:

        def reply(body):
            return "There is edema."

    else:
        from scripted_miner import reply as work_out

        known = {}

        def reply(body):
            asked = body["messages"][0]["content"]
            if asked not in known:
                known[asked] = work_out(body)
            return known[asked]

    faulty = Faulty(
        reply,
        faults=told.faults,
        seed=told.seed,
        latency=told.latency,
        late=told.late,
        most_at_once=told.most_at_once,
    )
    server, url = await faulty.start()
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
