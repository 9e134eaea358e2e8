"""What every page has to be for those who do not see it, or see it badly, checked in the browser itself."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

CHECKS = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")


def faults_of(page: Any) -> list[str]:
    """What is wrong with a page for people with other eyes and hands: names, headings, contrast, sizes."""
    return page.evaluate(CHECKS)


@contextlib.contextmanager
def browser() -> Iterator[Any]:
    """A Chromium; the test is skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        one = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield one
        one.close()


@contextlib.contextmanager
def watched(browser: Any, width: int, height: int = 900, **told: Any) -> Iterator[Any]:
    """A page of a width that may say nothing on its console and ask nothing of any other host."""
    context = browser.new_context(viewport={"width": width, "height": height}, **told)
    context.set_default_timeout(60_000)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(request.url.split("/")[2] if "//" in request.url else ""))
    page.said, page.asked = said, asked
    yield page
    home = page.url.split("/")[2] if "//" in page.url else ""
    context.close()
    assert said == []
    assert asked <= {home, ""}
