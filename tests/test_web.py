"""What both web servers stand on: patience that ends, bodies that stay small, files without paths."""

import contextlib
import http.client
import socket
import threading
import time

import httpx
import pytest

from cxreason import web
from cxreason.web import Files, PortError, bounded, listen, server

pytest.importorskip("fastapi")


@contextlib.contextmanager
def running(app):
    """A server of an application on a free port; gives the port."""
    listening = listen("127.0.0.1", 0)
    one = server(app, "cxreason.test")
    thread = threading.Thread(target=one.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        one.should_exit = one.force_exit = True
        thread.join(10)


@pytest.fixture
def port(monkeypatch, tmp_path):
    """An application with a file, with one that takes bodies and one that does not look at them."""
    from fastapi import FastAPI, Request

    (tmp_path / "one.js").write_text("const one = 1;\n")
    monkeypatch.setattr(web, "HEAD_SECONDS", 0.6)
    app = FastAPI()
    app.mount("/static", Files(tmp_path))

    @app.post("/read")
    async def read(request: Request):
        return len(await request.body())

    @app.post("/ignore")
    async def ignore():
        return "done"

    class Small:
        def __init__(self, app):
            self.app = app

        async def __call__(self, scope, receive, send):
            body = bounded(receive, 100, 0.6) if scope["type"] == "http" else receive
            await self.app(scope, body, send)

    app.add_middleware(Small)
    with running(app) as found:
        yield found


def seconds_until_closed(port, first, more=b"", most=8.0):
    """Send something, then further bytes now and then; when the server closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=0.1) as line:
        line.sendall(first)
        began = time.monotonic()
        while time.monotonic() - began < most:
            with contextlib.suppress(TimeoutError):
                try:
                    if line.recv(65_536) == b"":
                        break
                    continue  # an answer; what matters is the end of the connection
                except ConnectionError:
                    break
            if more:
                try:
                    line.sendall(more)
                except OSError:
                    break
        return time.monotonic() - began


WHOLE = b"POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("first", "more"),
    [
        (b"", b""),
        (b"GET / HT", b""),
        (b"GET / HTTP/1.1\r\n", b"X: y\r\n"),
        (WHOLE + b"GET / HTTP/1.1\r\n", b"X: y\r\n"),
        (b"POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n", b"x"),
    ],
    ids=["nothing", "half a head", "a head that never ends", "the second head", "a body that nobody wants"],
)
def test_a_client_that_never_comes_to_the_point_is_let_go(port, first, more):
    assert seconds_until_closed(port, first, more) < 5
    assert httpx.post(f"http://127.0.0.1:{port}/ignore").json() == "done"


def test_a_client_that_takes_its_time_between_requests_is_kept(port):
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    client.connect()
    connected = client.sock
    for _ in range(3):
        client.request("POST", "/ignore")
        assert client.getresponse().read() == b'"done"'
        time.sleep(0.9)
    assert client.sock is connected
    client.close()


def test_a_body_has_to_be_small_and_to_come_in_time(port):
    address = f"http://127.0.0.1:{port}/read"
    assert httpx.post(address, content=b"x" * 101).status_code == 413
    with socket.create_connection(("127.0.0.1", port), timeout=8) as line:
        line.sendall(b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nabc")
        assert b" 408 " in line.recv(65_536)


def test_files_are_sent_once_and_asked_about_afterwards(port):
    address = f"http://127.0.0.1:{port}/static"
    first = httpx.get(f"{address}/one.js")
    assert first.text == "const one = 1;\n"
    assert "javascript" in first.headers["content-type"]
    again = httpx.get(f"{address}/one.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for name in ("", "two.js", "../test_web.py", "%2e%2e/test_web.py", "/etc/passwd", "one.js/"):
        assert httpx.get(f"{address}/{name}").status_code == 404
    assert httpx.post(f"{address}/one.js").status_code == 404


def test_a_port_that_is_taken_is_told_in_one_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(PortError, match="cannot be opened"):
            listen("127.0.0.1", taken.getsockname()[1])
