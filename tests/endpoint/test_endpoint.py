"""The client against a server that misbehaves: what is retried, repaired, remembered, counted and refused."""

import os
import signal
import subprocess
import sys
import threading
import time
from email.utils import formatdate
from pathlib import Path

import pytest
from pydantic import BaseModel

from cxreason.endpoint import prompts
from cxreason.endpoint.client import CallFailed, Endpoint, EndpointError
from cxreason.endpoint.replies import Replies
from cxreason.settings import EndpointSettings
from fake_server import FakeServer


class Colour(BaseModel):
    name: str
    shade: int = 0


@pytest.fixture
def serve(monkeypatch):
    """Start servers that reply with a queue of answers, the last one for ever."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    servers = []

    def start(*answers):
        waiting = list(answers)
        server = FakeServer(lambda body: waiting.pop(0) if len(waiting) > 1 else waiting[0])
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.close()


def endpoint(server, cache=None, **settings):
    known = {"url": server.url, "model": "m", "retry_seconds": 0.0, "attempts": 3, **settings}
    return Endpoint(EndpointSettings(**known), cache=cache)


def say(words="Say it."):
    return [{"role": "user", "content": words}]


BLUE = '{"name": "blue"}'


def test_a_reply_is_asked_for_in_the_form_that_openai_servers_read(serve, monkeypatch):
    monkeypatch.setenv("MY_KEY", "secret")
    server = serve(BLUE)
    asked = endpoint(server, api_key_variable="MY_KEY", extra={"top_p": 0.5}, seed=3)
    assert asked.ask("Which colour?", Colour) == Colour(name="blue")
    (body,) = server.bodies
    assert body["messages"] == say("Which colour?")
    assert (body["model"], body["temperature"], body["seed"], body["top_p"]) == ("m", 0, 3, 0.5)
    schema = body["response_format"]["json_schema"]
    assert schema["strict"]
    assert schema["schema"]["additionalProperties"] is False
    assert schema["schema"]["required"] == ["name", "shade"]
    assert server.headers[0]["Authorization"] == "Bearer secret"


@pytest.mark.parametrize(("form", "expected"), [("object", {"type": "json_object"}), ("text", None)])
def test_servers_without_schemas_can_be_asked_as_well(serve, form, expected):
    server = serve(BLUE)
    endpoint(server, json_form=form).ask("Which colour?", Colour)
    assert server.bodies[0].get("response_format") == expected


@pytest.mark.parametrize(
    "wrapped",
    [f"```json\n{BLUE}\n```", f"Here it is: {BLUE}", f"<think>{{red?}}</think>\n{BLUE}", f" {BLUE} \n"],
)
def test_json_is_found_in_what_models_wrap_around_it(serve, wrapped):
    assert endpoint(serve(wrapped)).ask("?", Colour).name == "blue"


@pytest.mark.parametrize(
    ("trouble", "why"),
    [
        ({"status": 500}, "a fault of the server"),
        ({"status": 429}, "too many calls"),
        ({"status": 503, "headers": {"Retry-After": "0"}}, "busy"),
        ({"body": "<html>oops</html>"}, "not JSON"),
        ({"body": '{"choices": []}'}, "no choice"),
        ({"body": '{"choices": [{"message": {"content": null}}]}'}, "no words"),
        ({"body": "[1]"}, "not an object"),
    ],
)
def test_trouble_that_passes_is_waited_out(serve, trouble, why):
    asked = endpoint(serve(trouble, trouble, BLUE))
    assert asked.ask("?", Colour).name == "blue", why
    assert (asked.usage.num_retries, asked.usage.num_calls, asked.usage.num_failed) == (2, 1, 0)


def test_a_slow_answer_is_asked_for_again(serve):
    server = serve({"wait": 1.0, "text": BLUE}, BLUE)
    assert endpoint(server, timeout_seconds=0.2).ask("?", Colour).name == "blue"
    assert len(server.bodies) == 2


@pytest.mark.parametrize("told", ["0.5", lambda: formatdate(time.time() + 2, usegmt=True)])
def test_the_wait_that_a_busy_server_asks_for_is_kept(serve, told):
    header = told if isinstance(told, str) else told()
    server = serve({"status": 429, "headers": {"Retry-After": header}}, BLUE)
    endpoint(server).ask("?", Colour)
    assert server.times[1] - server.times[0] > 0.4


def test_trouble_that_stays_fails_this_call_and_is_counted(serve):
    asked = endpoint(serve(BLUE, {"status": 500}))
    asked.ask("?", Colour)
    with pytest.raises(CallFailed, match="status 500, after 3 attempts"):
        asked.ask("??", Colour)
    assert asked.usage.num_failed == 1


def test_a_request_that_the_server_will_not_take_is_not_repeated(serve):
    server = serve({"status": 400, "body": "the prompt is too long"})
    asked = endpoint(server)
    with pytest.raises(CallFailed, match="status 400: the prompt is too long"):
        asked.ask("?", Colour)
    assert len(server.bodies) == asked.usage.num_failed == 1


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_wrong_key_or_model_stops_everything_with_one_line(serve, status):
    server = serve({"status": status, "body": "no\nway"})
    with pytest.raises(EndpointError, match=r"Check `url`, `model` and \$OPENAI_API_KEY") as error:
        endpoint(server).ask("?", Colour)
    assert "\n" not in str(error.value)
    assert len(server.bodies) == 1


def test_a_server_that_was_never_there_is_the_user_s_mistake(serve):
    server = serve(BLUE)
    settings = EndpointSettings(url=server.url, model="m", attempts=2, retry_seconds=0)
    server.close()
    server.close = lambda: None
    with pytest.raises(EndpointError, match="Is the server running"):
        Endpoint(settings).ask("?", Colour)


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        ('{"name": ', "no JSON object"),
        ("blue", "no JSON object"),
        ('{"shade": 3}', "name: Field required"),
        ('{"name": "red"}', "red is taken"),
        ('{"name": "blue"} {"name": "blue"}', "Invalid JSON"),
    ],
)
def test_a_reply_that_cannot_be_used_is_repaired_once(serve, broken, problem):
    def not_red(colour):
        if colour.name == "red":
            raise ValueError("red is taken")

    server = serve(broken, BLUE)
    asked = endpoint(server)
    assert asked.ask("Which?", Colour, not_red).name == "blue"
    again = server.bodies[1]["messages"]
    assert [turn["role"] for turn in again] == ["user", "assistant", "user"]
    assert again[1]["content"] == broken
    assert problem in again[2]["content"]
    assert asked.usage.num_repairs == 1
    stubborn = endpoint(serve(broken))
    with pytest.raises(CallFailed, match="nor its repair"):
        stubborn.ask("Which?", Colour, not_red)
    assert (stubborn.usage.num_failed, stubborn.usage.num_calls) == (1, 2)


def test_tokens_and_cost_are_added_up_and_what_is_unknown_is_counted(serve):
    usage = {"prompt_tokens": 2_000_000, "completion_tokens": 500_000}
    asked = endpoint(
        serve({"text": BLUE, "usage": usage}, {"text": BLUE, "usage": None}), price_in=0.5, price_out=2
    )
    asked.ask("?", Colour)
    asked.ask("??", Colour)
    spent = asked.spent()
    assert (spent["tokens_in"], spent["tokens_out"], spent["cost"]) == (2_000_000, 500_000, 2.0)
    assert (spent["num_calls"], spent["num_uncounted"]) == (2, 1)


def test_what_was_asked_before_is_not_asked_again(serve, tmp_path):
    server = serve(BLUE)
    cache = tmp_path / "deep" / "replies.jsonl"
    first = endpoint(server, cache)
    assert first.ask("?", Colour) == first.ask("?", Colour)
    again = endpoint(server, cache, timeout_seconds=9.0)
    again.ask("?", Colour)
    assert (again.usage.num_calls, again.usage.num_from_cache, again.usage.cost) == (0, 1, 0)
    assert len(server.bodies) == 1
    endpoint(server, cache, temperature=0.7).ask("?", Colour)
    assert len(server.bodies) == 2, "another question"


def test_a_reply_that_failed_is_not_remembered(serve, tmp_path):
    server = serve("no", "no", BLUE)
    cache = tmp_path / "replies.jsonl"
    with pytest.raises(CallFailed):
        endpoint(server, cache).ask("?", Colour)
    assert endpoint(server, cache).ask("?", Colour).name == "blue"


def test_equal_questions_at_the_same_time_are_one_call(serve):
    server = serve({"wait": 0.2, "text": BLUE})
    asked = endpoint(server, concurrency=8)
    assert {one.name for one in asked.map(lambda _: asked.ask("?", Colour), range(8))} == {"blue"}
    assert len(server.bodies) == 1


def test_calls_run_beside_each_other_up_to_the_limit_and_come_back_in_order(serve):
    server = serve({"wait": 0.05, "text": BLUE})
    asked = endpoint(server, concurrency=3)
    numbers = asked.map(lambda n: (asked.ask_text(say(str(n))), n)[1], range(12))
    assert numbers == list(range(12))
    assert server.most_at_once == 3


def test_no_more_calls_are_made_in_a_minute_than_allowed(serve):
    server = serve(BLUE)
    asked = endpoint(server, requests_per_minute=600, concurrency=4)
    asked.map(lambda n: asked.ask_text(say(str(n))), range(5))
    assert max(server.times) - min(server.times) > 0.35, "a tenth of a second apart"


def test_a_fault_of_the_caller_comes_through(serve):
    asked = endpoint(serve(BLUE))

    def wrong(colour):
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        asked.ask("?", Colour, wrong)


@pytest.mark.parametrize("torn", [b'{"id": "b", "rep', b"\xff\xfe", b"[]\n", b'{"id": "b"'])
def test_a_torn_line_is_skipped_and_the_next_reply_is_whole(tmp_path, torn):
    file = tmp_path / "replies.jsonl"
    Replies(file).put("a", {"text": "first"})
    with file.open("ab") as stream:
        stream.write(torn)
    replies = Replies(file)
    assert replies.num_damaged == 1
    replies.put("c", {"text": "later \ud800"})
    reopened = Replies(file)
    assert [reopened.get(key) for key in "abc"] == [{"text": "first"}, None, {"text": "later \ud800"}]


def test_what_memory_let_go_is_read_from_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr("cxreason.endpoint.replies.NUM_IN_MEMORY", 1)
    replies = Replies(tmp_path / "replies.jsonl")
    for key in "abc":
        replies.put(key, {"text": key * 3})
    assert [replies.get(key) for key in "cab"] == [{"text": "ccc"}, {"text": "aaa"}, {"text": "bbb"}]
    forgetful = Replies()
    forgetful.put("a", {})
    forgetful.put("b", {})
    assert (forgetful.get("a"), len(forgetful)) == (None, 1)


WRITER = """
import sys
from pathlib import Path
from cxreason.endpoint.replies import Replies
replies = Replies(Path(sys.argv[1]))
for number in range(10**6):
    replies.put(str(number), {"text": "x" * 5000})
    print(number, flush=True)
"""


def test_what_was_acknowledged_survives_a_kill(tmp_path):
    file = tmp_path / "replies.jsonl"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    for line in writer.stdout:
        if int(line) >= 20:
            os.kill(writer.pid, signal.SIGKILL)
            break
    last = max([20, *(int(line) for line in writer.stdout.read().split("\n")[:-1])])
    writer.wait()
    replies = Replies(file)
    assert all(replies.get(str(number)) == {"text": "x" * 5000} for number in range(last + 1))


def test_threads_share_one_file(tmp_path):
    replies = Replies(tmp_path / "replies.jsonl")
    threads = [
        threading.Thread(target=lambda n=n: [replies.put(f"{n}/{k}", {"text": str(k)}) for k in range(20)])
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    again = Replies(replies.path)
    assert len(again) == 80
    assert again.get("3/7") == {"text": "7"}


def test_a_prompt_names_the_variable_that_is_missing(tmp_path):
    file = tmp_path / "greet.md"
    file.write_text("Hello $who, it costs $$5.\n")
    prompt = prompts.load(Path(file))
    assert prompt.fill(who="$you") == "Hello $you, it costs $5."
    for values in ({}, {"who": "you", "when": "now"}):
        with pytest.raises(ValueError, match=r"prompt greet: wants \['who'\]"):
            prompt.fill(**values)
    assert prompt.version != prompts.Prompt("greet", "Hello $who.").version
