"""Take the pictures of docs/study.md: the example study in Chromium, with answers that dice gave.

python docs/write_study.py
"""

from __future__ import annotations

import random
import shutil
import socket
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import uvicorn
from PIL import Image
from playwright.sync_api import sync_playwright

from cxreason.study import store
from cxreason.study.app import Study, create_app, open_study
from cxreason.study.example import write_example
from cxreason.study.protocol import LIKERT

FOLDER = Path(__file__).parent
PASSWORD = "a password for pictures"
SECONDS = {"scratch": 150, "model-draft": 65, "resident-draft": 70, "blinded": 45, "reasoning": 40}
PHONE = {
    "viewport": {"width": 390, "height": 800},
    "device_scale_factor": 1.5,
    "has_touch": True,
    "is_mobile": True,
}
COLOURS = 80


def answer(study: Study, reader: str, leave: int) -> None:
    """Let dice read all but the last cases of a reader."""
    dice = random.Random(reader)
    rows = study.store.readings_of(reader)
    for row in rows[: len(rows) - leave]:
        arm = study.protocol.arms[row["arm"]]
        seconds = SECONDS[row["arm"]] * dice.lognormvariate(0, 0.35)
        begun = time.monotonic() - seconds - 3
        store.monotonic = lambda begun=begun: begun
        page = study.store.serve(row["id"])
        store.monotonic = time.monotonic
        sent = [store.Event(str(uuid.uuid4()), "shown", 1000.0)]
        done = 1000 + 1000 * seconds
        case = study.protocol.case(row["case_id"])
        if arm.mode in ("write", "edit"):
            draft = case.texts[arm.draft] if arm.draft else ""
            text = case.reference if dice.random() < 0.6 else draft or case.reference
            sent.append(
                store.Event(str(uuid.uuid4()), "submit", done, {"step": "report", "text": text, "base": 0})
            )
        values = {}
        for question in study.protocol.asked(row["arm"]):
            if question.kind == "likert":
                values[question.id] = dice.choices(list(LIKERT), (4, 5, 3, 2, 1))[0]
            elif question.kind == "choice":
                values[question.id] = dice.choice(question.options)
        if values:
            said = {"step": "answers", "values": values, "base": 0}
            sent.append(store.Event(str(uuid.uuid4()), "submit", done, said))
        study.store.record(row["id"], page, sent)


def serve(study: Study) -> str:
    """The address of the study."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(study), log_level="error", access_log=False))
    threading.Thread(target=server.run, args=([listening],), daemon=True).start()
    while not server.started:
        time.sleep(0.05)
    return f"http://127.0.0.1:{listening.getsockname()[1]}"


class Camera:
    """A browser that takes pictures of one study."""

    def __init__(self, browser: Any, study: Study, base: str, out: Path):
        self.browser, self.study, self.base, self.out = browser, study, base, out

    def enter(self, name: str, **settings: Any) -> Any:
        """A window in which somebody is logged in."""
        context = self.browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **settings})
        context.set_default_timeout(180_000)
        page = context.new_page()
        page.goto(f"{self.base}/join/{self.study.accounts.make_link(name)}")
        page.fill("#password", PASSWORD)
        page.fill("#again", PASSWORD)
        page.click("button.main")
        return page

    def read(self, page: Any, wanted: str) -> None:
        """Open the next case, answering what comes before the first one in this mode."""
        page.goto(f"{self.base}/read")
        page.wait_for_selector("#viewer[data-shown]")
        assert f"mode-{wanted}" in page.get_attribute("body", "class"), wanted
        page.wait_for_timeout(400)

    def take(self, page: Any, name: str) -> None:
        """A picture with few colours, which is small."""
        raw = self.out / f"{name}.png"
        page.screenshot(path=raw)
        with Image.open(raw) as picture:
            few = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
            few.save(FOLDER / f"study-{name}.png", optimize=True)


def until(study: Study, reader: str, mode: str) -> int:
    """How many cases to leave so that the next one is in a mode."""
    rows = study.store.readings_of(reader)
    modes = [study.protocol.arms[row["arm"]].mode for row in rows]
    with_views = [
        place
        for place, row in enumerate(rows)
        if modes[place] == mode and (len(study.protocol.case(row["case_id"]).images) > 1 or mode != "write")
    ]
    return len(rows) - with_views[0]


def main() -> None:
    """Write docs/study-*.png."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "study"
        write_example(folder)
        modes = {
            "resident-1": "write",
            "resident-2": "edit",
            "attending-1": "compare",
            "attending-2": "reasoning",
        }
        with sync_playwright() as playwright:
            chromium = shutil.which("chromium") or shutil.which("google-chrome")
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            study = open_study(folder)
            for reader, mode in modes.items():
                answer(study, reader, until(study, reader, mode))
            camera = Camera(browser, study, serve(study), Path(place))
            for reader, mode in modes.items():
                page = camera.enter(reader)
                if mode == "write":
                    camera.take(page, "start")
                camera.read(page, mode)
                if mode == "write":
                    due = study.store.plan(reader)[study.store.due(reader)]
                    page.fill("#text", study.protocol.case(due.case_id).reference)
                    page.wait_for_timeout(1500)
                camera.take(page, mode)
                if mode == "edit":
                    page.click("#submit-report")
                    page.wait_for_selector("#answers:not([hidden])")
                    page.wait_for_timeout(300)
                    camera.take(page, "questions")
                page.context.close()
            for name, reader, mode in (
                ("phone-edit", "resident-2", "edit"),
                ("phone-compare", "attending-1", "compare"),
            ):
                page = camera.enter(reader, **PHONE)
                camera.read(page, mode)
                camera.take(page, name)
                page.context.close()
            page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
            page.goto(f"{camera.base}/login")
            camera.take(page, "login")
            page = camera.enter("admin")
            camera.take(page, "progress")
            page.goto(f"{camera.base}/admin/results")
            camera.take(page, "results")
            page.goto(f"{camera.base}/admin/audit")
            camera.take(page, "audit")
            browser.close()


if __name__ == "__main__":
    main()
