"""Take the pictures of docs/serving.md: the page of `cxreason serve` in Chromium, with a model that answers.

python docs/write_serving.py runs/demo/grpo/model --name demo/grpo      # after `cxreason demo`

Everything after it is handed to `cxreason serve`.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

FOLDER = Path(__file__).parent
PORT = 8379
DESKTOP = {"viewport": {"width": 1280, "height": 860}}
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 1.5,
    "has_touch": True,
    "is_mobile": True,
}
FINDING = "central venous catheter"
COLOURS = 96
PATIENCE = 180_000


@contextlib.contextmanager
def serving(model: list[str]) -> Iterator[str]:
    """`cxreason serve` in a process of its own."""
    address = f"http://127.0.0.1:{PORT}"
    process = subprocess.Popen([sys.executable, "-m", "cxreason", "serve", *model, "--port", str(PORT)])
    try:
        for _ in range(600):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{address}/health", timeout=2)
                break
            time.sleep(0.5)
        yield address
    finally:
        process.terminate()
        process.wait(20)


def opened(browser: Any, address: str, **settings: Any) -> Any:
    """The page with its first example."""
    context = browser.new_context(**settings)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector("#viewer[data-shown]")
    return page


def ask(page: Any, samples: str = "1") -> None:
    """Choose, ask and wait for the whole answer."""
    page.fill("#finding", FINDING)
    page.select_option("#samples", samples)
    page.wait_for_selector("#viewer[data-shown]")
    page.click("#go")
    page.wait_for_selector("#cost:has-text('tokens')")
    page.wait_for_selector("#go:enabled")
    page.wait_for_timeout(500)


def take(page: Any, name: str, whole: bool = False) -> None:
    """A picture with few colours, which is small."""
    with tempfile.TemporaryDirectory() as place:
        raw = Path(place) / "raw.png"
        page.screenshot(path=raw, full_page=whole)
        with Image.open(raw) as picture:
            few = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
            few.save(FOLDER / f"{name}.png", optimize=True)


def main() -> None:
    """Write docs/serving*.png."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with serving(sys.argv[1:]) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = opened(browser, address, **DESKTOP)
        ask(page)
        take(page, "serving")
        ask(page, samples="5")
        page.evaluate("window.scrollTo(0, 0)")
        take(page, "serving-agreement")
        page = opened(browser, address, **PHONE)
        ask(page)
        take(page, "serving-phone", whole=True)
        browser.close()


if __name__ == "__main__":
    main()
