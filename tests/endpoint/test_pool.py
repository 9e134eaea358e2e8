"""Many calls at once to servers that misbehave: what is retried, where calls go, what is paid for."""

import asyncio
import json
import time

import pytest
from pydantic import BaseModel

from cxreason.endpoint.asking import Asker, Stopped
from cxreason.endpoint.http import Broken, Connections, _read_answer
from cxreason.endpoint.lanes import Lane
from cxreason.endpoint.pool import BudgetSpent, Pool
from cxreason.endpoint.wire import CallFailed, EndpointError
from cxreason.settings import PoolServer, PoolSettings
from fake_server import FakeServer
from serving import serving


class Colour(BaseModel):
    name: str


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def settings(*urls, **told) -> PoolSettings:
    server = {"concurrency": 8, "timeout_seconds": 30.0, **told.pop("server", {})}
    known = {"model": "m", "retry_seconds": 0.001, "attempts": 4, **told}
    return PoolSettings.model_validate({**known, "servers": [{"url": url, **server} for url in urls]})


def ask(told, prompts, replies=None):
    """The words to each prompt, or the exception; and the pool."""

    async def work():
        async with Pool(told, replies) as pool:
            calls = [Asker(pool, turn).text(prompt) for turn, prompt in enumerate(prompts)]
            said = await asyncio.gather(*calls, return_exceptions=True)
            return [one if isinstance(one, BaseException) else one.text for one in said], pool

    return asyncio.run(work())


def echo(body):
    return body["messages"][0]["content"].upper()


PROMPTS = [f"prompt {number}" for number in range(120)]


def test_every_call_comes_through_a_server_that_fails_often(tmp_path):
    with serving(echo, faults=0.3, seed=2, late=1.8) as (server, url):
        told = settings(url, attempts=12, server={"timeout_seconds": 1.5, "concurrency": 16})
        said, pool = ask(told, PROMPTS, tmp_path / "replies.jsonl")
    assert said == [prompt.upper() for prompt in PROMPTS]
    assert server.counts["answered twice"] == 0
    assert pool.usage.num_retries >= 10
    assert {"429", "500", "late", "half-closed", "broken JSON"} <= set(server.counts)


def test_what_was_answered_is_never_asked_again(tmp_path):
    replies = tmp_path / "replies.jsonl"
    with serving(echo) as (server, url):
        ask(settings(url), PROMPTS[:20], replies)
        said, pool = ask(settings(url), PROMPTS[:30] + PROMPTS[:3], replies)
    assert said == [prompt.upper() for prompt in PROMPTS[:30] + PROMPTS[:3]]
    assert server.counts["requests"] == 30
    assert pool.usage.num_calls == 30
    assert pool.usage.tokens_in > 0


def test_two_servers_share_the_calls_and_one_takes_over_from_one_that_is_away():
    with serving(echo, latency=0.02) as (first, url), serving(echo, latency=0.02) as (second, other):
        said, _ = ask(settings(url, other), PROMPTS)
    assert said == [prompt.upper() for prompt in PROMPTS]
    assert min(first.counts["requests"], second.counts["requests"]) >= 30
    with serving(echo) as (server, url):
        said, pool = ask(settings("http://127.0.0.1:9/v1", url, attempts=1), PROMPTS)
    assert said == [prompt.upper() for prompt in PROMPTS]
    assert server.counts["requests"] == len(PROMPTS)
    assert not pool.lanes.lanes[0].reached


def test_concurrency_goes_down_to_what_a_server_bears():
    with serving(echo, latency=0.01, most_at_once=4) as (server, url):
        many = [f"prompt {number}" for number in range(400)]
        said, pool = ask(settings(url, server={"concurrency": 32}), many)
    assert said == [prompt.upper() for prompt in many]
    assert pool.lanes.lanes[0].allowed < 8
    refused = server.counts["429"] / server.counts["requests"]
    assert refused < 0.35


def test_a_lane_gives_places_up_when_refused_and_gets_them_back():
    lane = Lane(PoolServer(url="http://a", concurrency=64))
    began = time.monotonic()
    for _ in range(200):
        lane.refused(began, None)
    assert lane.allowed == 32, "calls that began together halve it at most"
    for _ in range(200):
        lane.served()
    assert lane.allowed == pytest.approx(52)
    lane.refused(time.monotonic(), 30.0)
    assert lane.resumes_at > time.monotonic() + 25
    for _ in range(1000):
        lane.served()
    assert lane.allowed == 64


def test_a_server_that_says_when_to_come_back_is_left_alone_until_then():
    answers = [{"status": 429, "headers": {"Retry-After": "0.4"}}, "yes"]
    server = FakeServer(lambda body: answers.pop(0) if len(answers) > 1 else answers[0])
    try:
        said, _ = ask(settings(server.url, server={"concurrency": 1}), ["a", "b"])
    finally:
        server.close()
    assert said == ["yes", "yes"]
    assert server.times[1] - server.times[0] >= 0.4


@pytest.mark.parametrize(
    ("budget", "key"), [({"budget": 0.05}, "budget"), ({"budget_tokens": 5000}, "budget_tokens")]
)
def test_a_budget_stops_the_calls_and_more_of_it_lets_them_go_on(tmp_path, budget, key):
    replies = tmp_path / "replies.jsonl"
    server = {"price_in": 10.0, "price_out": 10.0, "concurrency": 4}
    long = [f"{number} {'word ' * 200}" for number in range(60)]
    with serving(echo, latency=0.005) as (_, url):
        said, pool = ask(settings(url, server=server, **budget), long, replies)
        assert isinstance(pool.stopped_by, BudgetSpent)
        assert f"llm.{key}" in str(pool.stopped_by)
        spent = pool.usage.cost if key == "budget" else pool.usage.tokens_in + pool.usage.tokens_out
        assert 0.5 * budget[key] < spent <= 1.05 * budget[key]
        assert {type(one) for one in said} == {str, Stopped}
        said, _ = ask(settings(url, server=server), long, replies)
    assert said == [prompt.upper() for prompt in long]


@pytest.mark.parametrize(("status", "word"), [(401, "refuses the key"), (404, "no such address or model")])
def test_a_server_that_can_never_be_used_stops_everything(status, word):
    server = FakeServer(lambda body: {"status": status, "body": "no"})
    try:
        said, pool = ask(settings(server.url), PROMPTS[:20])
    finally:
        server.close()
    assert all(isinstance(one, Stopped) for one in said)
    assert isinstance(pool.stopped_by, EndpointError)
    assert word in str(pool.stopped_by)
    assert len(server.bodies) <= 8


def test_a_server_that_was_never_there_is_told_in_one_line():
    _, pool = ask(settings("http://127.0.0.1:9/v1", attempts=2), PROMPTS[:5])
    assert isinstance(pool.stopped_by, EndpointError)
    assert "Is the server running" in str(pool.stopped_by)


def test_a_request_that_a_server_refuses_fails_alone():
    server = FakeServer(
        lambda body: {"status": 400, "body": "too long"} if "bad" in echo(body).lower() else "yes"
    )
    try:
        said, _ = ask(settings(server.url), ["a", "bad", "b"])
    finally:
        server.close()
    assert (said[0], said[2]) == ("yes", "yes")
    assert isinstance(said[1], CallFailed)
    assert "too long" in str(said[1])


def form(told, replies, repeat=1):
    async def work():
        async with Pool(told, replies) as pool:
            return [await Asker(pool, 0).form("Which colour?", Colour) for _ in range(repeat)], pool

    return asyncio.run(work())


def test_an_object_is_repaired_once_and_a_useless_one_is_never_remembered(tmp_path):
    replies = tmp_path / "replies.jsonl"
    answers = ["I think blue.", '{"nam": 1}', '{"name": "blue"}']
    server = FakeServer(lambda body: answers.pop(0))
    try:
        with pytest.raises(CallFailed, match="nor its repair"):
            form(settings(server.url), replies)
        (blue,), _ = form(settings(server.url), replies)
        assert blue.name == "blue"
        assert "could not be used" in server.bodies[1]["messages"][-1]["content"]
        (blue,), pool = form(settings(server.url), replies)
        assert (blue.name, len(server.bodies)) == ("blue", 3)
        assert pool.usage.num_calls == 3, "what was of no use was paid for as well"
    finally:
        server.close()


def test_free_words_and_objects_are_asked_for_differently():
    server = FakeServer(lambda body: '{"name": "blue"}')
    told = settings(server.url, free_extra={"thinking": True})
    try:
        ask(told, ["Think."])
        form(told, None)
    finally:
        server.close()
    free, formed = server.bodies
    assert (free.get("thinking"), "response_format" in free) == (True, False)
    assert (formed.get("thinking"), "response_format" in formed) == (None, True)


def read(head: bytes):
    async def work():
        reader = asyncio.StreamReader()
        reader.feed_data(head)
        reader.feed_eof()
        return await _read_answer(reader)

    return asyncio.run(work())


@pytest.mark.parametrize(
    ("sent", "content", "keeps"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"hi", True),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n1;x=y\r\n!\r\n0\r\n\r\n",
            b"hi!",
            True,
        ),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhi", b"hi", False),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"hi", True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"hi", False),
    ],
)
def test_answers_are_read_in_every_form_they_come_in(sent, content, keeps):
    answer, kept = read(sent)
    assert (answer.status, answer.content, kept) == (200, content, keeps)


@pytest.mark.parametrize(
    "sent",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi", b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 20"],
)
def test_half_an_answer_is_none(sent):
    with pytest.raises((EOFError, ValueError)):
        read(sent)


def test_an_idle_connection_that_the_server_closed_costs_nothing():
    async def work():
        seen = []

        async def serve(reader, writer):
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            await reader.readexactly(2)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
            writer.close()  # without a word in the header

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        connections = Connections(url)
        answers = [await connections.post(b"{}", {}, 5.0) for _ in range(3)]
        await connections.close()
        server.close()
        return [answer.content for answer in answers], len(seen)

    assert asyncio.run(work()) == ([b"hi"] * 3, 3)


def test_a_proxy_is_used_where_the_environment_names_one(monkeypatch):
    async def work():
        seen = []

        async def serve(reader, writer):
            seen.append((await reader.readuntil(b"\r\n\r\n")).decode())
            await reader.readexactly(2)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("no_proxy", "")
        monkeypatch.setenv("http_proxy", f"http://who:secret@127.0.0.1:{port}")
        connections = Connections("http://model.example/v1/chat/completions")
        answer = await connections.post(b"{}", {}, 5.0)
        await connections.close()
        server.close()
        return answer.status, seen[0]

    status, head = asyncio.run(work())
    assert status == 200
    assert head.startswith(
        "POST http://model.example/v1/chat/completions HTTP/1.1\r\nHost: model.example\r\n"
    )
    assert "Proxy-Authorization: Basic d2hvOnNlY3JldA==" in head


def test_a_late_answer_is_no_answer():
    with serving(echo, latency=2.0) as (_, url):
        connections = Connections(f"{url}/chat/completions")
        with pytest.raises(Broken, match=r"no answer in 0\.1 seconds"):
            asyncio.run(connections.post(json.dumps({}).encode(), {}, 0.1))
