"""An OpenAI-compatible server in a thread that replies as a test tells it to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = str | dict[str, Any]
"""The words of a reply; or what to do instead: status, headers, body, wait (seconds), usage."""


class FakeServer:
    """Keeps every request body; `reply` is asked what to say to each, one request at a time."""

    def __init__(self, reply: Callable[[dict[str, Any]], Answer]):
        self.reply = reply
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with server._lock:
                    server.times.append(time.monotonic())
                    server.bodies.append(body)
                    server.headers.append(dict(self.headers))
                    server._at_once += 1
                    server.most_at_once = max(server.most_at_once, server._at_once)
                    answer = server.reply(body)
                told = answer if isinstance(answer, dict) else {"text": answer}
                time.sleep(told.get("wait", 0))
                with server._lock:
                    server._at_once -= 1
                self._send(told)

            def _send(self, told: dict[str, Any]) -> None:
                usage = told.get("usage", {"prompt_tokens": 100, "completion_tokens": 10})
                message = {"role": "assistant", "content": told.get("text", "")}
                whole = json.dumps({"choices": [{"message": message}], "usage": usage})
                content = told.get("body", whole).encode()
                try:
                    self.send_response(told.get("status", 200))
                    for name, value in told.get("headers", {}).items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)
                except OSError:
                    pass  # the client had no patience

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The base address."""
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    def close(self) -> None:
        """Stop the thread."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
