"""The JSON API: images in, questions asked, answers as events; what is refused, and how it is told."""

import base64
import json
import re

import numpy as np
import pytest
from fastapi.testclient import TestClient

from cxreason.serve.app import make_app
from cxreason.serve.desk import Desk
from cxreason.serve.engines import ModelFailed
from cxreason.serve.examples import examples
from cxreason.serve.images import Decoded, Refused, Shelf
from cxreason.serve.limits import Limits
from scripted_model import YES, Scripted, picture

HERE = "http://localhost"


@pytest.fixture(scope="module")
def client():
    """One server for all tests that do not care which; its model is set by each test."""
    desk = Desk(Scripted(), examples=examples())
    with TestClient(make_app(desk), base_url=HERE, raise_server_exceptions=False) as one:
        yield one


@pytest.fixture
def says(client):
    """Set what the model says."""

    def set_reply(*told, **more):
        client.app.state.desk.engine = Scripted(*told, **more)
        return client.app.state.desk.engine

    set_reply()
    return set_reply


def send(client, content=None):
    answer = client.post("/api/images", content=content or picture())
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def read_events(text):
    pairs = re.findall(r"event: (\w+)\ndata: (.*)\n\n", text)
    return [(name, json.loads(data)) for name, data in pairs]


def ask(client, **told):
    images = told.pop("images", None) or [send(client)]
    answer = client.post("/api/ask", json={"images": images, "type": "finding", "finding": "edema", **told})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    return read_events(answer.text)


def named(events, name):
    return [told for one, told in events if one == name]


def test_an_answer_comes_word_by_word_then_sentence_by_sentence_then_as_a_whole(client, says):
    says(YES)
    events = ask(client)
    assert "".join(told["text"] for told in named(events, "token")) == YES
    assert [told["text"] for told in named(events, "sentence")] == ["There is a small left pleural effusion."]
    (answer,) = named(events, "answer")
    assert (answer["answer"], answer["label"], answer["problem"]) == ("A", "Yes", "")
    first, second = answer["reasoning"]
    seen = first["observations"][0]
    assert (seen["finding"], seen["status"], seen["side"]) == ("pleural effusion", "present", "left")
    assert first["text"][seen["start"] : seen["end"]] == "pleural effusion"
    assert second["observations"][0]["status"] == "absent"
    names = [name for name, _ in events]
    assert names[0] == "started"
    assert names[-1] == "done"
    assert names.index("sentence") < names.index("answer")


def test_the_model_is_asked_as_it_was_trained(client, says):
    model = says()
    ask(client, finding="pleural  effusion")
    (system, user) = model.asked[0].messages
    assert system["content"][0]["text"] == "You are a helpful AI assistant."
    assert user["content"][0] == {"type": "image", "image": 0}
    assert user["content"][1]["text"].startswith(
        "Does this chest X-ray show pleural effusion?\nOptions:\nA) Yes\nB) No\nPlease think step by step"
    )
    assert model.asked[0].images[0].shape == (40, 48)
    assert model.asked[0].temperature == 0


def test_a_direct_answer_has_no_reasoning(client, says):
    model = says("<answer> B </answer>")
    (answer,) = named(ask(client, mode="direct"), "answer")
    assert (answer["label"], answer["reasoning"]) == ("No", [])
    assert "think step" not in model.asked[0].messages[1]["content"][1]["text"]


@pytest.mark.parametrize(
    ("told", "reply", "label"),
    [
        ({"type": "findings"}, "edema, pneumonia", "edema, pneumonia"),
        ({"type": "choice", "options": ["edema", "fracture", "mass"]}, "C", "mass"),
        ({"type": "own", "question": "Is it PA?", "options": ["PA", "AP"]}, "AP", "AP"),
        ({"type": "own", "question": "What is this?"}, "A chest X-ray.", "A chest X-ray."),
        (
            {"type": "report", "indication": "Cough."},
            "Clear lungs. No effusion.",
            "Clear lungs. No effusion.",
        ),
    ],
)
def test_each_type_of_question_understands_its_kind_of_answer(client, says, told, reply, label):
    says(f"<answer> {reply} </answer>")
    (answer,) = named(ask(client, mode="direct", **told), "answer")
    assert (answer["label"], answer["problem"]) == (label, "")


def test_two_examinations_are_compared_in_their_order(client, says):
    model = says("<answer> A </answer>")
    earlier, current = send(client, picture((30, 20))), send(client, picture((20, 30)))
    (answer,) = named(ask(client, images=[earlier, current], type="course", mode="direct"), "answer")
    assert answer["label"] == "worsening"
    assert [image.shape for image in model.asked[0].images] == [(20, 30), (30, 20)]


def test_boxes_of_an_answer_are_fractions_of_the_image(client, says):
    says("<answer> <|ref|>edema<|/ref|><|box|>(10,20),(30,40)<|/box|> </answer>")
    (answer,) = named(ask(client, type="place", mode="direct"), "answer")
    assert answer["boxes"] == [{"label": "edema", "x1": 0.1, "y1": 0.2, "x2": 0.3, "y2": 0.4}]
    assert answer["label"] == "1 place"


def test_several_samples_show_how_far_they_agree(client, says):
    no = "<think> No pleural effusion. </think><answer> B </answer>"
    model = says([YES, YES, no, "I cannot say"])
    events = ask(client, num_samples=4)
    (agreed,) = named(events, "agreement")
    assert [(one["label"], one["count"]) for one in agreed["answers"]] == [
        ("Yes", 2),
        ("No", 1),
        ("no readable answer", 1),
    ]
    assert agreed["share"] == 0.5
    assert agreed["consistency"] == pytest.approx(0.0456, abs=1e-3)
    effusion = next(one for one in agreed["findings"] if one["finding"] == "pleural effusion")
    assert (effusion["present"], effusion["absent"]) == (2, 1)
    assert model.asked[0].temperature == 1.0
    assert len(named(events, "answer")) == 4


def test_without_a_stream_the_same_comes_as_one_object(client, says):
    says(YES)
    body = {"images": [send(client)], "type": "finding", "finding": "edema", "stream": False}
    whole = client.post("/api/ask", json=body).json()
    assert whole["samples"][0]["label"] == "Yes"
    assert whole["model"] == "scripted"
    assert whole["num_tokens"] == len(YES.split(" "))


def test_an_image_may_come_inside_the_question(client, says):
    url = "data:image/png;base64," + base64.b64encode(picture((9, 8))).decode()
    assert named(ask(client, images=[url]), "answer")[0]["label"] == "Yes"


def test_a_reply_that_cannot_be_understood_says_why(client, says):
    says("<think> I see. </think> Well.")
    (answer,) = named(ask(client), "answer")
    assert answer["answer"] == ""
    assert answer["problem"] == "no filled <answer></answer> after the reasoning"


def test_a_reply_that_is_cut_says_so(client, says):
    says(YES)
    (answer,) = named(ask(client, max_tokens=3), "answer")
    assert answer["finished"] is False
    assert answer["num_tokens"] == 3


@pytest.mark.parametrize(
    ("told", "status", "said"),
    [
        ({"images": []}, 422, "give an image"),
        ({"images": ["nothing"]}, 404, "no such image"),
        ({"images": ["https://example.org/x.png"]}, 422, "nothing is fetched"),
        ({"images": ["file:///etc/passwd"]}, 422, "nothing is fetched"),
        ({"images": ["data:image/png,abc"]}, 422, "base64"),
        ({"images": ["data:image/png;base64,@@@"]}, 422, "holds no base64"),
        ({"images": ["data:image/png;base64,aGk="]}, 422, "is not a PNG, JPEG or DICOM image"),
        ({"finding": " "}, 422, "needs a finding"),
        ({"type": "own"}, 422, "needs a question"),
        ({"type": "choice", "options": ["edema"]}, 422, "2 to 8 options"),
        ({"type": "choice", "options": ["edema", "Edema"]}, 422, "the same"),
        ({"type": "choice", "options": ["edema", ""]}, 422, "empty"),
        ({"type": "course"}, 422, "compares two images"),
        ({"type": "surgery"}, 422, "type:"),
        ({"num_samples": 2, "temperature": 0}, 422, "temperature above 0"),
        ({"num_samples": 99}, 422, "8 is the most"),
        ({"max_tokens": 10**6}, 422, "1024 is the most"),
        ({"finding": "x" * 201}, 422, "finding:"),
        ({"type": "own", "question": "x" * 4001}, 422, "question:"),
        ({"extra": 1}, 422, "extra:"),
        ({"seed": -1}, 422, "seed:"),
        ({"temperature": "hot"}, 422, "temperature:"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_line(client, says, told, status, said):
    says()
    body = {"images": [send(client)], "type": "finding", "finding": "edema", **told}
    answer = client.post("/api/ask", json=body)
    assert answer.status_code == status
    assert answer.json().keys() == {"error"}
    assert said in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"x"',
        b"\xff\xfe",
        b'{"images": ["\\ud800"]}',
        b"[" * 100_000,
        b'{"seed": NaN}',
    ],
)
def test_a_body_that_is_no_question_is_refused_and_breaks_nothing(client, says, body):
    answer = client.post("/api/ask", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.json()["error"]


def test_half_a_character_is_refused(client, says):
    body = '{"images": ["ID"], "type": "own", "question": "a\\ud800"}'.replace("ID", send(client))
    answer = client.post("/api/ask", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, "unicode" in answer.json()["error"]) == (422, True)


def test_a_model_that_fails_ends_the_stream_in_one_line(client, says):
    says(YES, fault=ModelFailed("the model's server gave no answer: gone"))
    assert ask(client)[-1] == ("error", {"message": "the model's server gave no answer: gone"})


def test_a_bug_is_told_without_its_traceback(client, says, caplog):
    says(YES, fault=ZeroDivisionError("secret"))
    events = ask(client)
    assert events[-1] == ("error", {"message": "the server failed; its log says why"})
    assert "secret" not in json.dumps(events)
    assert "ZeroDivisionError" in caplog.text
    body = {"images": [send(client)], "type": "finding", "finding": "edema", "stream": False}
    answer = client.post("/api/ask", json=body)
    assert (answer.status_code, answer.json()) == (502, {"error": "the server failed; its log says why"})


def test_a_bug_outside_of_an_answer_is_a_500_in_one_line(client, says, monkeypatch):
    def broken(*told):
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("cxreason.serve.questions.make", broken)
    answer = client.post("/api/ask", json={"images": ["x"], "type": "finding"})
    assert (answer.status_code, answer.json()) == (500, {"error": "the server failed; its log says why"})
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_an_image_is_told_apart_from_its_file(client):
    told = client.post("/api/images", content=picture((31, 17))).json()
    assert (told["width"], told["height"], told["view"]) == (31, 17, "")
    pixels = client.get(f"/api/images/{told['id']}/pixels")
    assert pixels.content[:4] == b"CXF1"
    assert pixels.headers["cache-control"] == "no-store"
    assert client.delete(f"/api/images/{told['id']}").status_code == 204
    assert client.get(f"/api/images/{told['id']}/pixels").status_code == 404


def test_images_go_when_the_room_or_the_time_is_used_up(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("cxreason.serve.images.time.monotonic", lambda: now[0])
    shelf = Shelf(Limits(kept_bytes=9000, kept_seconds=60))
    images = [Decoded(np.zeros((40, 48), dtype=np.uint8), b"x" * 80) for _ in range(6)]
    ids = [shelf.put(image) for image in images]
    assert shelf.num_bytes <= 9000
    with pytest.raises(Refused, match="no such image"):
        shelf.get(ids[0])
    now[0] = 50.0
    assert shelf.get(ids[-1]) is images[-1]
    now[0] = 70.0  # 20 seconds after it was asked for, 70 after the others were
    assert shelf.get(ids[-1]) is images[-1]
    with pytest.raises(Refused):
        shelf.get(ids[-2])
    now[0] = 131.0
    shelf.tidy()
    assert shelf.num_bytes == 0


def test_the_examples_are_drawn_and_can_be_asked_about(client, says):
    about = client.get("/api/about").json()
    assert [one["name"] for one in about["examples"]] == ["findings", "normal", "course"]
    for one in about["examples"]:
        told = client.post(f"/api/examples/{one['name']}").json()
        images = [image["id"] for image in told["images"]]
        assert len(images) == (2 if one["name"] == "course" else 1)
        says("<think> Hm. </think><answer> A </answer>")
        assert named(ask(client, images=images, **told["ask"]), "answer")
    assert client.post("/api/examples/other").status_code == 404


def test_every_answer_forbids_what_is_not_from_here(client):
    for path in (
        "/",
        "/docs",
        "/api/about",
        "/openapi.json",
        "/static/page.js",
        "/viewer/viewer.js",
        "/none",
    ):
        answer = client.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"


def test_no_page_names_another_host(client):
    for path in (
        "/",
        "/docs",
        "/static/page.js",
        "/static/answer.js",
        "/static/docs.js",
        "/static/page.css",
        "/viewer/viewer.js",
        "/viewer/viewer.css",
    ):
        text = client.get(path).text
        assert not re.findall(r"https?://(?!www\.w3\.org/)[\w.]+", text), path
        assert "<script>" not in text
        assert " style=" not in text


def test_the_description_of_the_api_names_every_address(client):
    told = client.get("/openapi.json").json()
    assert {"/api/ask", "/api/images", "/api/about", "/v1/chat/completions", "/v1/models"} <= set(
        told["paths"]
    )
    assert "images" in told["components"]["schemas"]["AskRequest"]["properties"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "localhost:9", "Origin": "http://evil.example"}, 403),
        ({"Host": "localhost:9", "Origin": "null"}, 403),
        ({"Host": "localhost:9", "Origin": "http://localhost:9"}, 200),
        ({"Host": "127.0.0.1:9"}, 200),
        ({"Host": "[::1]:9"}, 200),
        ({"Host": ""}, 421),
    ],
)
def test_other_sites_and_other_names_are_sent_away(headers, status):
    from cxreason.serve.guard import LOOPBACK

    with TestClient(make_app(Desk(Scripted()), hosts=LOOPBACK), base_url=HERE) as client:
        assert client.get("/api/about", headers=headers).status_code == status
