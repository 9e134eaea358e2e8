"""Those who should not get in, and what they send: refused, written down, and told nothing."""

from __future__ import annotations

import json

import pytest
from study_folder import HOSTILE, PASSWORD, Client, event, opened, protocol, told, write_study

from cxreason.study import accounts as rules
from cxreason.study.app import open_study
from cxreason.study.protocol import StudyError


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    return opened(tmp_path_factory.mktemp("study"))


@pytest.fixture
def study(tmp_path):
    return opened(tmp_path)


@pytest.fixture
def client(study):
    return Client(study).enter("r1")


def logged(study, action: str) -> list[str]:
    return [row["subject"] for row in study.accounts.audited() if row["action"] == action]


def test_nobody_gets_anywhere_without_logging_in(shared):
    nobody = Client(shared)
    id = shared.store.readings_of("r1")[0]["id"]
    for path in ("/", "/read", f"/read/{id}", f"/read/{id}/pixels/0", "/admin", "/admin/export/readings.csv"):
        assert nobody.get(path, follow_redirects=False).headers["location"] == "/login"
    assert nobody.post(f"/read/{id}/events", json={"page": "0" * 16, "events": []}).status_code == 401


def test_a_forged_session_is_no_session(shared):
    for forged in ("x", "' OR 1=1 --", "a" * 5000, "\x00"):
        nobody = Client(shared)
        nobody.cookies.set("cxreason_session", forged)
        assert nobody.get("/read", follow_redirects=False).status_code in (303, 400, 413)


def test_a_case_of_another_reader_is_not_there(study, client):
    theirs = study.store.readings_of("r2")[0]["id"]
    later = study.store.readings_of("r1")[1]["id"]
    page = client.open()
    for id in (theirs, later, "x", "..%2f..%2fstudy.yaml"):
        assert client.get(f"/read/{id}").status_code == 404
        assert client.get(f"/read/{id}/pixels/0").status_code == 404
        assert client.tell({**page, "reading": id}, event("beat")).status_code == 404
    assert any("another reader's case" in subject for subject in logged(study, "refused"))
    assert any("not due" in subject for subject in logged(study, "refused"))


def test_events_of_a_page_that_was_not_served_are_refused(study, client):
    page = client.open()
    foreign = study.store.serve(study.store.readings_of("r2")[0]["id"])
    for made_up in ("0" * 16, foreign):
        assert client.tell({**page, "page": made_up}, event("beat")).status_code == 409


def test_readers_are_no_administrators_and_the_other_way_round(study, client):
    assert client.get("/admin").status_code == 404
    assert client.post("/admin/link/r2", data={"csrf": "x"}).status_code == 404
    administrator = Client(study).enter("admin")
    assert administrator.get("/admin").status_code == 200
    assert administrator.get("/read").status_code == 404


def test_a_form_from_elsewhere_does_nothing(study, client):
    page = client.open()
    assert client.tell({**page, "csrf": "guess"}, event("beat")).status_code == 403
    assert client.tell(page, event("beat"), Origin="https://elsewhere.example").status_code == 403
    assert client.tell(page, event("beat"), **{"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.post("/logout", data={"csrf": "guess"}).status_code == 403
    assert client.get("/read").status_code == 200
    other = Client(study)
    assert other.post("/login", data={"name": "r1", "password": PASSWORD}).status_code == 403


def test_passwords_are_argon2_and_tokens_are_not_in_the_database(study, client):
    raw = b"".join(path.read_bytes() for path in study.folder.glob("study.db*"))
    assert b"$argon2id$" in raw
    assert PASSWORD.encode() not in raw
    assert client.cookies["cxreason_session"].encode() not in raw


def test_a_link_works_once_and_the_older_one_no_more(study):
    old, new = study.accounts.make_link("r2"), study.accounts.make_link("r2")
    nobody = Client(study)
    assert nobody.get(f"/join/{old}").status_code == 404
    assert nobody.get(f"/join/{new}").status_code == 200
    assert study.accounts.use_link(new, PASSWORD) == "r2"
    assert study.accounts.use_link(new, "another password") is None
    assert nobody.get(f"/join/{new}").status_code == 404
    assert Client(study).log_in("r2").url.path == "/"


def test_a_link_gets_old(study, monkeypatch):
    token = study.accounts.make_link("r2")
    monkeypatch.setattr(rules.time, "time", lambda: 4e9)
    assert study.accounts.link_owner(token) is None


@pytest.mark.parametrize(
    ("password", "again", "said"),
    [("short", "short", "10 characters"), ("long enough 1", "long enough 2", "not the same"),
     ("r2 r2 r2 r2", "r2 r2 r2 r2", "Leave your name out")],
)  # fmt: skip
def test_a_weak_password_is_not_taken(study, password, again, said):
    from study_folder import hidden

    token, nobody = study.accounts.make_link("r2"), Client(study)
    form = hidden(nobody.get(f"/join/{token}").text, "form")
    answer = nobody.post(f"/join/{token}", data={"password": password, "again": again, "form": form})
    assert answer.status_code == 422
    assert said in answer.text
    assert study.accounts.link_owner(token) == "r2"


def test_guessing_is_slowed_down_and_written_down(study, client):
    guesser = Client(study)
    codes = [guesser.log_in("r1", f"guess number {number}").status_code for number in range(7)]
    assert codes == [401] * 5 + [429] * 2
    assert guesser.log_in("r1").status_code == 429, "the right password does not help either"
    assert len(logged(study, "login failed")) == 5
    for number in range(20):
        guesser.log_in(f"made-up-{number}", "x")
    assert guesser.log_in("another", "x").status_code == 429, "nor do other names from the same address"


def test_strangers_cannot_fill_the_log(study, client, monkeypatch):
    monkeypatch.setattr(rules, "MOST_BY_STRANGERS", 5)
    monkeypatch.setattr(rules.time, "time", lambda: 1e9)
    nobody = Client(study)
    for number in range(9):
        assert nobody.get(f"/join/made-up-{number}").status_code == 404
    lines = logged(study, "refused")
    assert len(lines) == 5
    assert "not written down" in lines[0]
    client.get("/read/another")
    assert len(logged(study, "refused")) == 6, "whoever is logged in is written down always"
    monkeypatch.setattr(rules.time, "time", lambda: 1e9 + 60)
    nobody.get("/join/made-up")
    assert len(logged(study, "refused")) == 7


def test_a_locked_account_is_out_at_once(study, client):
    study.accounts.set_active("r1", False)
    assert client.get("/read", follow_redirects=False).status_code == 303
    assert Client(study).log_in("r1").status_code == 401


def test_a_session_ends(study, client, monkeypatch):
    now = rules.time.time()
    monkeypatch.setattr(rules.time, "time", lambda: now + rules.SESSION_SECONDS + 1)
    assert client.get("/read", follow_redirects=False).headers["location"] == "/login"


BODIES = [
    b"", b"{", b"[]", b"null", b'{"page": 1, "events": []}', b'{"page": "0000000000000000", "events": [{}]}',
    b"\xff\xfe", b'{"page": "0000000000000000", "events": "x"}', b"[" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_a_body_of_another_form_is_refused_without_a_trace(shared, body):
    client = Client(shared).enter("r1")
    page = client.open()
    headers = {"X-CSRF-Token": page["csrf"], "Content-Type": "application/json"}
    answer = client.post(f"/read/{page['reading']}/events", content=body, headers=headers)
    assert answer.status_code in (400, 422)
    assert "Traceback" not in answer.text
    assert ".py" not in answer.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "served"}, {"kind": "aside"}, {"t": -1}, {"t": 1e300}, {"t": "x"}, {"id": "x"},
        {"id": "../../../etc/passwd-0"}, {"kind": "save"}, {"kind": "save", "step": "report"},
        {"kind": "save", "step": "report", "text": "x" * 20_001}, {"detail": {"a": "x" * 2000}},
        {"kind": "save", "step": "other", "text": "x"}, {"more": 1}, {"detail": {"a": {"b": 1}}},
        {"kind": "save", "step": "report", "text": "x", "base": -1},
        {"kind": "save", "step": "report", "values": {}}, {"kind": "save", "step": "answers", "text": "x"},
    ],
)  # fmt: skip
def test_an_event_of_another_form_is_refused(shared, wrong):
    client = Client(shared).enter("r1")
    page = client.open()
    assert client.tell(page, {**event("beat"), **wrong}).status_code == 422


def test_a_step_that_a_reading_does_not_have_is_refused_without_a_fault(study):
    client = Client(study).enter("a1")
    page = client.open()
    assert page["steps"] == ["answers"]
    answer = client.tell(page, event("save", 1.0, step="report", text="A report."))
    assert answer.status_code == 409
    assert "events that are not of this page" in logged(study, "refused")


def test_nobody_answers_the_questions_before_the_report_is_submitted(study, client):
    page = client.open()
    while page["last"] == "report":
        client.finish(page)
        page = client.open()
    values = client.answers(page)
    for kind in ("save", "submit"):
        answer = client.tell(page, event(kind, 9.0, step="answers", values=values))
        assert [ack["status"] for ack in answer.json()["acks"]] == ["aside"]
    assert not next(one for one in study.store.readings_of("r1") if one["id"] == page["reading"])["done"]


def test_a_large_body_is_refused_before_it_is_read(shared):
    client = Client(shared).enter("r1")
    page = client.open()
    headers = {"X-CSRF-Token": page["csrf"], "Content-Type": "application/json"}
    path = f"/read/{page['reading']}/events"
    assert client.post(path, content=b"x" * 300_000, headers=headers).status_code == 413

    def streamed():
        for _ in range(30):
            yield b"x" * 10_000

    assert client.post(path, content=streamed(), headers=headers).status_code in (400, 413)
    assert client.request("PUT", path).status_code == 405


def test_a_fault_of_ours_shows_nothing_of_the_inside(study, client, monkeypatch):
    monkeypatch.setattr(study.store, "due", lambda name: 1 / 0)
    answer = client.get("/read")
    assert answer.status_code == 500
    assert "division" not in answer.text
    assert "Nothing that was saved is lost" in answer.text


def test_every_page_comes_with_a_strict_policy(shared):
    client = Client(shared).enter("r1")
    page = client.open()
    for path in ("/", f"/read/{page['reading']}", "/login", "/static/reading.js", "/nothing"):
        headers = client.get(path, follow_redirects=False).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert headers["x-content-type-options"] == "nosniff"
    assert client.get("/").headers["cache-control"] == "no-store"


def test_nothing_tells_a_reader_which_arm_or_source_or_case_it_is(study):
    """Every byte that reaches a browser: page, headers, images, receipts; in all modes."""
    for name in ("r1", "a1"):
        client = Client(study).enter(name)
        for _ in study.store.readings_of(name):
            page = client.open()
            answers = [client.get(f"/read/{page['reading']}"), client.tell(page, event("shown", 5))]
            answers += [client.get(image["url"]) for image in page["images"]]
            for answer in answers:
                seen = answer.content + json.dumps(dict(answer.headers)).encode() + answer.url.path.encode()
                for secret in (
                    b"machine",
                    b"junior",
                    b"arm-",
                    b"secret-case",
                    b"images/",
                    b".png",
                    b"Reference",
                ):
                    assert secret not in seen.replace(b"First wording", b""), secret
            client.finish(page)


def test_scripts_in_texts_stay_texts(tmp_path):
    cases = [
        {**one, "indication": HOSTILE, "prior_report": HOSTILE, "question": HOSTILE, "reasoning": HOSTILE,
         "texts": {"machine": HOSTILE, "junior": HOSTILE}} for one in protocol()["cases"]
    ]  # fmt: skip
    study = opened(tmp_path, cases=cases, title=HOSTILE, welcome=HOSTILE)
    for name in ("r1", "a1"):
        client = Client(study).enter(name)
        html = client.get("/").text + client.get("/read").text
        assert "<script>window" not in html
        assert "<img" not in html
        assert "{{ 7 * 7 }}" in html
        page = client.open()
        assert page["start"] in ("", HOSTILE)
        if "report" in page["steps"]:
            client.tell(page, event("save", 1, step="report", text=HOSTILE))
            assert told(client.get("/read").text)["state"]["report"]["text"] == HOSTILE


@pytest.mark.parametrize("file", ["../outside.png", "/etc/hostname", "images/../../outside.png"])
def test_images_outside_of_the_study_folder_are_refused(tmp_path, file):
    (tmp_path / "outside.png").write_bytes(b"x")
    cases = [{**one, "images": [{"file": file}]} for one in protocol()["cases"]]
    with pytest.raises(StudyError, match="outside of the study folder"):
        open_study(write_study(tmp_path / "study", cases=cases))


def test_a_link_to_a_file_outside_is_refused_as_well(tmp_path):
    folder = write_study(tmp_path / "study")
    (tmp_path / "outside.png").write_bytes((folder / "images" / "0-a.png").read_bytes())
    (folder / "images" / "0-a.png").unlink()
    (folder / "images" / "0-a.png").symlink_to(tmp_path / "outside.png")
    with pytest.raises(StudyError, match="outside of the study folder"):
        open_study(folder)


def test_static_routes_give_nothing_else(shared):
    nobody = Client(shared)
    for path in (
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/viewer/..%2fpixels.py",
        "/static//etc/passwd",
    ):
        assert nobody.get(path).status_code == 404


def test_slow_clients_keep_nobody_waiting_and_are_written_down(study, client, monkeypatch):
    """On a port of its own, as `cxreason study serve` opens it."""
    import socket
    import threading

    from cxreason import web
    from cxreason.study import guard
    from cxreason.study.app import create_app

    page = client.open()
    monkeypatch.setattr(web, "HEAD_SECONDS", 0.5)
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.5)
    listening = web.listen("127.0.0.1", 0)
    server = web.server(create_app(study), "cxreason.study")
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    session = f"Cookie: cxreason_session={client.cookies['cxreason_session']}\r\n"
    head = f"POST /read/{page['reading']}/events HTTP/1.1\r\nHost: x\r\n{session}Content-Length: 100\r\n"
    for sent, answer in (
        (b"GET / HT", b""),
        (head.encode() + b"Content-Type: application/json\r\n\r\n{", b" 408 "),
    ):
        with socket.create_connection(listening.getsockname(), timeout=8) as line:
            line.sendall(sent)
            assert answer in line.recv(65_536)
    server.should_exit = server.force_exit = True
    thread.join(10)
    assert any("too slow" in subject for subject in logged(study, "refused"))


def test_guesses_that_come_in_one_moment_are_slowed_down_too(study, monkeypatch):
    import threading

    looked_at, codes, refused = [], [], threading.Semaphore(0)
    others_are_refused = threading.Event()

    def log_in(name, password):
        looked_at.append(password)
        others_are_refused.wait(30)
        return False

    def guess(client):
        codes.append(client.log_in("r1", "a guess").status_code)
        refused.release()

    monkeypatch.setattr(study.accounts, "log_in", log_in)
    threads = [threading.Thread(target=guess, args=(Client(study),)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for _ in range(7):
        assert refused.acquire(timeout=30)
    others_are_refused.set()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [401] * 5 + [429] * 7
    assert len(looked_at) == 5


def test_a_character_that_databases_do_not_take_does_no_harm(study, client):
    page = client.open()
    told = client.tell(page, event("save", 1.0, step="report", text="Clear.\0 Lungs."))
    assert told.json()["state"]["report"]["text"] == "Clear. Lungs."
    assert client.get("/read/%00").status_code == 404
    assert Client(study).log_in("r\0", "x").status_code == 401
    half = json.dumps({"page": page["page"], "events": [event("save", 1.0, step="report", text="\ud800")]})
    headers = {"X-CSRF-Token": page["csrf"], "Content-Type": "application/json"}
    assert client.post(f"/read/{page['reading']}/events", content=half, headers=headers).status_code == 422
