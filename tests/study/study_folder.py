"""A small study for tests: tiny images, invented reports, every mode, and a client that walks through it."""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from fastapi.testclient import TestClient
from PIL import Image

from cxreason.study.app import Study, create_app, open_study
from cxreason.study.protocol import PROTOCOL, Protocol

PASSWORD = "correct horse battery"
HOSTILE = "<script>window.hacked = 1</script><img src=x onerror=alert(1)> {{ 7 * 7 }} \u202etxt"


def protocol(**changes: Any) -> dict[str, Any]:
    """The values of a study with two residents and two attendings, on four cases."""
    cases = [
        {
            "id": f"secret-case-{number}",
            "images": [
                {"file": f"images/{number}-a.png", "view": "PA"},
                {"file": f"images/{number}-b.png", "view": "PA", "prior": True},
            ],
            "indication": f"Cough for {number} days.",
            "reference": f"Small left pleural effusion. No pneumothorax. Reference {number}.",
            "texts": {
                "machine": f"There is a small left pleural effusion. First wording {number}.",
                "junior": f"No pleural effusion. Second wording {number}.",
            },
            "question": "Is there an effusion?",
            "reasoning": "The left angle is blunted. So there is fluid.",
            "answer": "Yes",
        }
        for number in range(4)
    ]
    values = {
        "title": "A small study",
        "seed": 3,
        "readers": [
            {"name": name, "group": group}
            for name, group in (
                ("r1", "resident"),
                ("r2", "resident"),
                ("a1", "attending"),
                ("a2", "attending"),
            )
        ],
        "arms": {
            "arm-scratch": {"mode": "write"},
            "arm-machine": {"mode": "edit", "draft": "machine"},
            "arm-blind": {"mode": "compare", "reports": ["machine", "junior"]},
            "arm-thoughts": {"mode": "reasoning"},
        },
        "parts": [
            {"name": "one", "groups": ["resident"], "arms": ["arm-scratch", "arm-machine"], "previous": True},
            {"name": "two", "groups": ["attending"], "arms": ["arm-blind"]},
            {
                "name": "three",
                "groups": ["attending"],
                "arms": ["arm-thoughts"],
                "cases_per_reader": 2,
                "shared": 1,
            },
        ],
        "cases": cases,
    }
    return values | changes


def write_study(folder: Path, **changes: Any) -> Path:
    """The study as a folder with its images."""
    values = protocol(**changes)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for case in values["cases"]:
        for number, image in enumerate(case["images"]):
            path = folder / image["file"]
            if not path.exists() and path.resolve().is_relative_to(folder.resolve()):
                grey = np.add.outer(np.arange(40), np.arange(50)) * 700 + number
                Image.fromarray(grey.astype(np.uint16)).save(path)
    (folder / PROTOCOL).write_text(yaml.safe_dump(values), encoding="utf-8")
    return folder


def made(**changes: Any) -> Protocol:
    """The protocol alone."""
    return Protocol.model_validate(protocol(**changes))


class Client(TestClient):
    """A browser without scripts that knows our forms."""

    def __init__(self, study: Study):
        super().__init__(create_app(study), base_url="http://testserver", raise_server_exceptions=False)
        self.study = study

    def enter(self, name: str) -> Client:
        """Come in by a one-time link."""
        token = self.study.accounts.make_link(name)
        form = hidden(self.get(f"/join/{token}").text, "form")
        answer = self.post(f"/join/{token}", data={"password": PASSWORD, "again": PASSWORD, "form": form})
        assert answer.status_code == 200, answer.text
        return self

    def log_in(self, name: str, password: str = PASSWORD) -> Any:
        """Send the login form."""
        form = hidden(self.get("/login").text, "form")
        return self.post("/login", data={"name": name, "password": password, "form": form})

    def open(self) -> dict[str, Any]:
        """Open the reading that is due; what its page tells its script."""
        return told(self.get("/read").text)

    def tell(self, page: dict[str, Any], *events: dict[str, Any], **headers: str) -> Any:
        """Send events from a page."""
        body = {"page": page["page"], "events": list(events)}
        return self.post(
            f"/read/{page['reading']}/events", json=body, headers={"X-CSRF-Token": page["csrf"], **headers}
        )

    def finish(self, page: dict[str, Any], text: str = "No acute finding.", **values: str) -> None:
        """Submit every step of a reading."""
        for step in page["steps"]:
            if step == "answers" and page["last"] == "report":
                continue
            said = {"text": text} if step == "report" else {"values": values or self.answers(page)}
            base = page["state"][step]["base"]
            answer = self.tell(page, event("shown", 100), event("submit", 5100, step=step, base=base, **said))
            assert answer.json()["acks"][-1]["status"] == "stored", answer.text

    def answers(self, page: dict[str, Any]) -> dict[str, str]:
        """The first answer to each question of the page."""
        html = self.get(f"/read/{page['reading']}").text
        names = re.findall(r'type="radio" name="([^"]+)" value="([^"]+)"', html)
        return dict(reversed(names))


def event(kind: str, t: float = 0.0, **more: Any) -> dict[str, Any]:
    """An event as a browser makes it."""
    return {"id": str(uuid.uuid4()), "kind": kind, "t": t, **more}


def hidden(html: str, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', html)
    assert found, html
    return found[1]


def told(html: str) -> dict[str, Any]:
    """What a reading's page tells its script."""
    import json

    found = re.search(r'<script type="application/json" id="told">(.*?)</script>', html, re.DOTALL)
    assert found, html[:2000]
    return json.loads(found[1])


def opened(folder: Path, **changes: Any) -> Study:
    """A study that is open."""
    return open_study(write_study(folder, **changes))
