"""A model on a server: what it is sent, what is owed when it fails, and that nothing is paid for twice."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from cxreason.endpoint.wire import EndpointError
from cxreason.errors import UserError
from cxreason.inference.endpoint import EndpointEngine, data_uri
from cxreason.inference.engines import Ask
from cxreason.inference.predict import predict
from cxreason.recipes import PredictRecipe, validate
from cxreason.records import Prediction, Sample, to_row
from cxreason.rows import write_parquet
from cxreason.runs import read
from fake_server import FakeServer

NUM = 6


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def serve():
    """Start servers that reply as they are told, and stop them at the end."""
    started = []

    def start(reply):
        started.append(FakeServer(reply))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture
def recipe(tmp_path):
    folder = tmp_path / "samples"
    folder.mkdir()
    samples = []
    for number in range(NUM):
        Image.fromarray(np.full((40, 80), 40 * number, np.uint8)).save(folder / f"{number}.png")
        told = f"Is there edema in number {number}?"
        where = (f"p{number}", f"s{number}", "test", (f"{number}.png",))
        samples.append(Sample(f"s{number}", "toy", "binary", "choice", *where, told, "A", ("Yes", "No")))
    write_parquet(folder / "samples.parquet", Sample, map(to_row, samples))

    def make(server, **more) -> PredictRecipe:
        servers = [{"url": server.url, "concurrency": 3}]
        settings = {"model": "m", "servers": servers, "attempts": 2, "retry_seconds": 0.0}
        told = {"out": tmp_path / "run", "name": "m", "samples": folder, "engine": "endpoint"}
        return validate(PredictRecipe, {**told, "endpoint": settings, "max_pixels": 800, **more})

    return make


def number_of(body) -> int:
    return int(body["messages"][1]["content"][1]["text"].split("number ")[1][0])


def reply(body):
    return f"<think> It is {number_of(body)}. </think><answer> {'AB'[number_of(body) % 2]} </answer>"


def said(recipe):
    return {one.sample_id: one for one in read(recipe.out, Prediction)}


def test_the_server_sees_the_image_before_the_question_and_replies_find_their_samples(recipe, serve):
    server = serve(reply)
    counts = predict(asked := recipe(server, max_new_tokens=99))
    found = said(asked)
    assert {id: one.answer for id, one in found.items()} == {f"s{n}": "AB"[n % 2] for n in range(NUM)}
    assert all(one.reasoning == f"It is {id[1]}." and one.num_tokens == 10 for id, one in found.items())
    body = next(body for body in server.bodies if number_of(body) == 5)
    assert (body["max_tokens"], body["temperature"]) == (99, 0.0)
    assert [turn["role"] for turn in body["messages"]] == ["system", "user"]
    image, _ = body["messages"][1]["content"]
    shown = Image.open(io.BytesIO(base64.b64decode(image["image_url"]["url"].partition(",")[2])))
    assert shown.size == (40, 20)  # 80 x 40 made to fit 800 pixels
    assert np.asarray(shown).max() == 200
    assert counts["usage"]["num_calls"] == NUM


def test_draws_have_seeds_of_their_own(recipe, serve):
    server = serve(reply)
    predict(recipe(server, num_samples=2, temperature=0.7))
    assert len({body["seed"] for body in server.bodies}) == 2 * NUM
    assert {body["temperature"] for body in server.bodies} == {0.7}


def test_a_failed_call_is_owed_and_the_next_start_pays_for_it_alone(recipe, serve):
    failing = {"now": True}

    def reply_but_to_one(body):
        return {"status": 400} if failing["now"] and number_of(body) == 2 else reply(body)

    server = serve(reply_but_to_one)
    asked = recipe(server)
    with pytest.raises(UserError, match="1 of 6 samples have no reply"):
        predict(asked)
    assert "status 400" in (asked.out / "failed.jsonl").read_text()
    assert len(server.bodies) == NUM
    failing["now"] = False
    predict(asked)
    assert len(server.bodies) == NUM + 1
    assert len(said(asked)) == NUM
    assert not any(one.problem for one in said(asked).values())


def test_failures_can_be_accepted_and_are_wrong_then(recipe, serve):
    server = serve(lambda body: {"status": 400} if number_of(body) == 2 else reply(body))
    with pytest.raises(UserError, match="accept_failures=true"):
        predict(recipe(server))
    predict(asked := recipe(server, accept_failures=True))
    one = said(asked)["s2"]
    assert (one.answer, one.finished) == ("", False)
    assert one.problem.startswith("the call failed: status 400")


def test_a_reply_that_was_cut_is_not_finished(recipe, serve):
    cut = {"choices": [{"message": {"content": "<think> It"}, "finish_reason": "length"}]}
    server = serve(lambda body: {"body": json.dumps(cut)})
    predict(asked := recipe(server))
    assert not any(one.finished for one in said(asked).values())


def test_a_wrong_key_stops_at_once(recipe, serve):
    with pytest.raises(EndpointError, match="refuses the key"):
        predict(recipe(serve(lambda body: {"status": 401})))


def test_a_prefix_is_a_turn_that_the_server_goes_on_with(recipe, serve):
    server = serve(lambda body: " B </answer>")
    asked = recipe(server)
    sample = Sample("s", "d", "t", "choice", "p", "s", "test", (), "?", "A", ("Yes", "No"))
    ask = Ask(sample, [{"role": "user", "content": "?"}], (), prefix="<think> No. </think><answer>")
    asked.out.mkdir()
    with EndpointEngine(asked) as engine:
        (told,) = engine.reply([ask])
    assert told.replies[0].text == " B </answer>"
    (body,) = server.bodies
    assert body["messages"][-1] == {"role": "assistant", "content": ask.prefix}
    assert body["continue_final_message"] is True


def test_the_same_image_is_the_same_request_on_every_start():
    pixels = np.arange(400, dtype=np.uint8).reshape(20, 20)
    assert data_uri(pixels, 100) == data_uri(pixels.copy(), 100)
