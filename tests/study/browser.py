"""A study behind a real server and in front of a real browser, and what to check on every page."""

from __future__ import annotations

import contextlib
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from study_folder import PASSWORD

from cxreason.study.app import SESSION, Study, create_app

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
PATIENCE = 30_000
"""Milliseconds that a step may take on a busy machine."""


class Served:
    """A study on a port of this machine; can be stopped and started amid a reading."""

    def __init__(self, study: Study):
        self.study = study
        self.port = 0
        self.start()

    def start(self) -> None:
        """Listen again, on the same port as before."""
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self.port))
        self.port = listening.getsockname()[1]
        settings = uvicorn.Config(create_app(self.study), log_level="error", access_log=False, lifespan="off")
        settings.timeout_graceful_shutdown = 1
        self.server = uvicorn.Server(settings)
        self.thread = threading.Thread(target=self.server.run, args=([listening],), daemon=True)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.02)

    def stop(self) -> None:
        """Go away."""
        self.server.should_exit = self.server.force_exit = True
        self.thread.join(10)

    @property
    def base(self) -> str:
        """The address."""
        return f"http://127.0.0.1:{self.port}"

    def link(self, name: str) -> str:
        """A one-time link."""
        return f"{self.base}/join/{self.study.accounts.make_link(name)}"


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A browser for a file of tests."""
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@contextlib.contextmanager
def window(browser: Any, served: Served, **settings: Any) -> Iterator[Any]:
    """A window of its own; at its end nothing has gone wrong in it, and nobody else was asked anything."""
    told: list[str] = []
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **settings})
    context.set_default_timeout(PATIENCE)

    def watch(page: Any) -> None:
        bad = ("error", "warning")
        page.on("console", lambda line: told.append(line.text if line.type in bad else ""))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("request", lambda one: told.append("" if one.url.startswith(served.base) else one.url))

    context.on("page", watch)
    context.expected = []
    yield context
    context.close()
    faults = [line for line in told if line and not any(part in line for part in context.expected)]
    assert not faults, faults


def sign_in(context: Any, served: Served, name: str) -> None:
    """Let a browser belong to somebody who has come in by a link."""
    accounts = served.study.accounts
    assert accounts.use_link(accounts.make_link(name), PASSWORD) == name
    session = {"name": SESSION, "value": accounts.start_session(name), "url": served.base}
    context.add_cookies([session])


def join(context: Any, served: Served, name: str) -> Any:
    """Begin as somebody who has come in by a link."""
    sign_in(context, served, name)
    page = context.new_page()
    page.goto(f"{served.base}/read")
    shown(page)
    return page


def until(page: Any, condition: str) -> None:
    """Wait until an expression is true: asked from outside, because the page's policy forbids `eval`."""
    end = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < end:
        with contextlib.suppress(Exception):  # amid a navigation there is no page to ask
            if page.evaluate(condition):
                return
        page.wait_for_timeout(60)
    raise AssertionError(f"never came true: {condition}")


def shown(page: Any) -> None:
    """Wait for the images."""
    page.wait_for_selector("#viewer[data-shown]")


def saved(page: Any) -> None:
    """Wait for the receipt."""
    until(page, "document.getElementById('saved').textContent.startsWith('Saved')")


def case_number(page: Any) -> int:
    """Which case is open."""
    return int(page.inner_text(".where strong"))


def on_case(page: Any, number: int) -> None:
    """Wait for a case and its images."""
    until(page, f"document.querySelector('.where strong')?.textContent === '{number}'")
    shown(page)


CHECKS = (Path(__file__).parent / "accessible.js").read_text(encoding="utf-8")


def accessible(page: Any) -> None:
    """Names, labels, contrast, sizes and width of a page; and that whatever has the focus shows it."""
    page.wait_for_load_state("load")  # before the style is there everything looks wrong
    faults = page.evaluate(CHECKS)
    assert not faults, faults


STOP = """() => {
  const one = document.activeElement;
  if (one === document.body) return null;
  const style = [one, one.closest(".choice")].filter(Boolean).map((it) => getComputedStyle(it));
  const outlined = style.some((it) => parseFloat(it.outlineWidth) > 0 && it.outlineStyle !== "none");
  const name = one.id || one.name || one.textContent.trim() || one.getAttribute("aria-label");
  return { outlined, name: one.getAttribute("aria-label") || name };
}"""


def focus_is_seen(page: Any, steps: int = 25) -> list[str]:
    """Go through the page with the Tab key: each stop shows an outline. The stops by their names."""
    stops: list[str] = []
    page.focus(".skip")
    for _ in range(steps):
        page.keyboard.press("Tab")
        stop = page.evaluate(STOP)
        if stop is None:
            break
        assert stop["outlined"], stop["name"]
        stops.append(stop["name"])
    return stops
