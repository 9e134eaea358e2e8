"""The OpenAI-compatible API, with OpenAI's own client and by hand."""

import base64
import json

import openai
import pytest
from fastapi.testclient import TestClient

from cxreason.serve.app import make_app
from cxreason.serve.desk import Desk
from cxreason.serve.engines import ModelFailed
from cxreason.serve.images import Busy
from cxreason.serve.limits import Limits
from scripted_model import YES, Scripted, picture, running


def data_url(content=None):
    return "data:image/png;base64," + base64.b64encode(content or picture()).decode()


def shown(text="Is there an effusion?", url=None):
    image = {"type": "image_url", "image_url": {"url": url or data_url()}}
    return [{"role": "user", "content": [image, {"type": "text", "text": text}]}]


@pytest.fixture(scope="module")
def served():
    """A real server; its model is set by each test."""
    desk = Desk(Scripted(), limits=Limits(at_once=1, most_waiting=0))
    with running(desk) as address:
        yield desk, openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0)


@pytest.fixture
def client():
    with TestClient(make_app(Desk(Scripted())), base_url="http://localhost") as one:
        yield one


def test_openais_client_gets_an_answer(served):
    desk, client = served
    desk.engine = Scripted(YES)
    assert [model.id for model in client.models.list()] == ["scripted"]
    said = client.chat.completions.create(
        model="scripted",
        messages=[{"role": "system", "content": "Be brief."}, *shown()],
        max_tokens=99,
        temperature=0.5,
        seed=3,
    )
    assert said.choices[0].message.content == YES
    assert said.choices[0].finish_reason == "stop"
    assert said.usage.prompt_tokens == 7
    assert said.usage.completion_tokens == len(YES.split(" "))
    (ask,) = desk.engine.asked
    assert [part["type"] for part in ask.messages[1]["content"]] == ["image", "text"]
    assert (ask.temperature, ask.seed, ask.max_tokens) == (0.5, 3, 99)
    assert ask.images[0].shape == (40, 48)


def test_openais_client_reads_a_stream(served):
    desk, client = served
    desk.engine = Scripted(YES)
    stream = client.chat.completions.create(
        model="scripted", messages=shown(), stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert len(chunks) > 5
    texts = [choice.delta.content or "" for chunk in chunks for choice in chunk.choices]
    assert "".join(texts) == YES
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].usage.completion_tokens == len(YES.split(" "))


def test_several_choices_and_a_cut_are_told(served):
    desk, client = served
    desk.engine = Scripted(["one two three", "four five six"])
    said = client.chat.completions.create(model="scripted", messages=shown(), n=2, max_tokens=2)
    assert [choice.message.content for choice in said.choices] == ["one two", "four five"]
    assert {choice.finish_reason for choice in said.choices} == {"length"}


def test_openais_client_knows_each_error(served):
    desk, client = served
    desk.engine = Scripted(YES)
    with pytest.raises(openai.NotFoundError, match="is not here"):
        client.chat.completions.create(model="gpt-4o", messages=shown())
    with pytest.raises(openai.BadRequestError, match="'tools' is not supported"):
        client.chat.completions.create(
            model="scripted", messages=shown(), tools=[{"type": "function", "function": {"name": "x"}}]
        )
    with pytest.raises(openai.BadRequestError, match="nothing is fetched"):
        client.chat.completions.create(model="scripted", messages=shown(url="http://127.0.0.1:1/x.png"))
    desk.engine = Scripted(YES, fault=ModelFailed("gone"))
    with pytest.raises(openai.InternalServerError, match="gone"):
        client.chat.completions.create(model="scripted", messages=shown())
    with pytest.raises(openai.APIError, match="gone"):
        list(client.chat.completions.create(model="scripted", messages=shown(), stream=True))


def test_openais_client_is_told_when_to_come_again(served):
    desk, client = served
    desk.engine = Scripted(YES, seconds=5)
    stream = client.chat.completions.create(model="scripted", messages=shown(), stream=True)
    next(iter(stream))
    with pytest.raises(openai.RateLimitError) as refusal:
        client.chat.completions.create(model="scripted", messages=shown())
    assert int(refusal.value.response.headers["retry-after"]) >= 1
    stream.close()


def test_a_server_that_is_busy_behind_this_one_is_a_429(client):
    client.app.state.desk.engine = Scripted(YES, fault=Busy("the model's server is busy", 9))
    client.app.state.desk.engine.reply_text = ""
    told = client.post("/v1/chat/completions", json={"messages": shown(), "stream": True})
    assert (told.status_code, told.headers["retry-after"]) == (429, "9")


@pytest.mark.parametrize(
    ("told", "status", "said"),
    [
        ({}, 400, "messages"),
        ({"messages": []}, 400, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, 400, "messages.0.role"),
        ({"messages": [{"role": "user"}]}, 400, "messages.0.content"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, "needs an image_url"),
        ({"messages": shown() * 5}, 400, "4 images is the most"),
        ({"messages": shown(url="data:image/png;base64,aGk=")}, 400, "not a PNG"),
        ({"messages": shown(), "n": 2, "temperature": 0}, 400, "above 0"),
        ({"messages": shown(), "n": 0}, 400, "n:"),
        ({"messages": shown(), "top_p": 0.5}, 400, "'top_p' is not supported"),
        ({"messages": shown(), "response_format": {"type": "json_object"}}, 400, "'response_format'"),
        ({"messages": shown(), "stop": ["."]}, 400, "'stop'"),
        ({"messages": shown(), "max_tokens": 9**9}, 400, "is the most"),
        ({"messages": shown("x" * 9000)}, 400, "characters"),
    ],
)
def test_what_is_refused_is_told_in_openais_form(client, told, status, said):
    answer = client.post("/v1/chat/completions", json=told)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert said in error["message"]
    assert error["type"] == "invalid_request_error"


def test_settings_that_change_nothing_are_no_reason_to_refuse(client):
    told = {
        "messages": shown(),
        "top_p": 1,
        "frequency_penalty": 0,
        "tools": [],
        "logprobs": False,
        "user": "x",
    }
    assert client.post("/v1/chat/completions", json=told).status_code == 200


def test_images_stay_where_they_stand_in_a_chat(client):
    model = client.app.state.desk.engine = Scripted(YES)
    first, second = shown("one", data_url(picture((10, 10)))), shown("two", data_url(picture((20, 20))))
    chat = [*first, {"role": "assistant", "content": "Hm."}, *second]
    assert client.post("/v1/chat/completions", json={"messages": chat}).status_code == 200
    (ask,) = model.asked
    assert [turn["role"] for turn in ask.messages] == ["user", "assistant", "user"]
    assert ask.messages[2]["content"][0] == {"type": "image", "image": 1}
    assert [image.shape for image in ask.images] == [(10, 10), (20, 20)]


def test_an_error_in_the_middle_of_a_stream_is_an_event(client):
    client.app.state.desk.engine = Scripted(YES, fault=ModelFailed("gone"))
    text = client.post("/v1/chat/completions", json={"messages": shown(), "stream": True}).text
    last = [line for line in text.splitlines() if line][-1]
    assert json.loads(last.removeprefix("data: "))["error"]["message"] == "gone"
