"""`cxreason study init`: a study on phantoms that runs at once, in every mode, with a protocol to copy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cxreason.phantom.layouts.vindr_cxr import write_dicom
from cxreason.phantom.radiograph import Radiograph, radiographs
from cxreason.phantom.study import phantom, record
from cxreason.phantom.visit import DEEP
from cxreason.records import Study, content_id
from cxreason.rows import write_text
from cxreason.study.protocol import PROTOCOL, StudyError
from cxreason.text.sections import sentences

NUM_CASES = 12
NUM_JUDGED = 6
IMAGE_SIZE = 512
SEED = 5
ASKED = ("pleural effusion", "pneumothorax", "cardiomegaly", "consolidation", "edema", "atelectasis")

HEAD = """\
# A reader study on synthetic X-rays. Start it:  cxreason study serve {folder}
# docs/study.md explains every key; docs/cli.md lists them.
title: Drafts on synthetic chest X-rays
welcome: |
  You will read synthetic chest X-rays: some from scratch, some with a draft that you may change as you like.
  Later you compare two reports, and judge how a model reasoned.
  The images are drawings. Nothing here is about a patient.
seed: 17
# So many other cases lie between two readings of one case by one reader.
washout: 4
idle_seconds: 60
administrators: [admin]
readers:
  - {{name: resident-1, group: resident}}
  - {{name: resident-2, group: resident}}
  - {{name: attending-1, group: attending}}
  - {{name: attending-2, group: attending}}
arms:
  scratch: {{mode: write}}
  model-draft: {{mode: edit, draft: model}}
  resident-draft: {{mode: edit, draft: resident}}
  blinded: {{mode: compare, reports: [model, resident]}}
  reasoning: {{mode: reasoning, boxes: true}}
parts:
  - {{name: reports, groups: [resident], arms: [scratch, model-draft], pool: reports, previous: true}}
  - {{name: drafts, groups: [attending], arms: [model-draft, resident-draft], pool: reports}}
  - {{name: preference, groups: [attending], arms: [blinded], pool: reports, cases_per_reader: 6, shared: 4}}
  - {{name: reasoning, groups: [attending, resident], arms: [reasoning], pool: reasoning}}
cases:
"""


def write_example(folder: Path) -> dict[str, Any]:
    """Write the example study into a folder that holds none yet; its counts.

    write_example(Path("runs/study"))
    """
    import yaml

    for name in (PROTOCOL, "run.json"):
        if (folder / name).exists():
            raise StudyError(f"{folder / name}: is there already. Name another folder.")
    (folder / "images").mkdir(parents=True, exist_ok=True)
    cases = []
    for number in range(NUM_CASES + NUM_JUDGED):
        drawn = phantom(SEED, number, DEEP)
        case: dict[str, Any] = {
            "id": f"case-{number + 1:02d}",
            "pool": "reasoning" if number >= NUM_CASES else "reports",
        }
        case["images"] = _images(folder, case["id"], drawn.visit, drawn.study)
        case["indication"] = drawn.study.indication or "Chest pain."
        if drawn.visit.prior:
            case["prior_report"] = record(drawn.visit.prior).report
        case["reference"] = drawn.study.report
        cases.append(
            case | (_judged(drawn.study, number) if number >= NUM_CASES else _drafted(drawn.study, number))
        )
    text = yaml.safe_dump(cases, sort_keys=False, allow_unicode=True, width=110)
    write_text(folder / PROTOCOL, HEAD.format(folder=folder) + text)
    return {
        "cases": len(cases),
        "images": sum(len(case["images"]) for case in cases),
        "readers": 4,
        "arms": 5,
    }


def _images(folder: Path, id: str, visit: Any, study: Study) -> list[dict[str, Any]]:
    """The current images and those of the prior visit, half of them DICOM; boxes on the current ones."""
    shown = []
    for when in (visit, visit.prior) if visit.prior else (visit,):
        for number, film in enumerate(radiographs(when, IMAGE_SIZE)):
            prior = when is not visit
            name = f"{id}-{'prior' if prior else 'current'}-{number}"
            boxes = [box for box in study.boxes if box.image == number and not prior]
            shown.append(
                {
                    "file": _write(folder, name, film, dicom=int(id[-2:]) % 2 == 0),
                    "view": film.view.capitalize() if film.view == "LATERAL" else film.view,
                    **({"prior": True} if prior else {}),
                    **({"boxes": [_box(box) for box in boxes]} if boxes else {}),
                }
            )
    return shown


def _box(box: Any) -> dict[str, Any]:
    corners = {key: round(getattr(box, key), 3) for key in ("x1", "y1", "x2", "y2")}
    return {"label": box.label, **corners}


def _write(folder: Path, name: str, film: Radiograph, dicom: bool) -> str:
    """An image of 12 bits; its path in the study folder."""
    from PIL import Image

    if dicom:
        write_dicom(folder / "images" / f"{name}.dcm", film.pixels, content_id(name), inverted=False)
        return f"images/{name}.dcm"
    # Grey steps of a drawing are coarser than 12 bits: what lies between them is noise, as on a film.
    noise = np.random.default_rng(int(content_id(name)[:8], 16)).integers(0, 16, film.pixels.shape)
    deep = film.pixels.astype(np.uint16) * 16 + noise.astype(np.uint16)
    Image.fromarray(deep).save(folder / "images" / f"{name}.png")
    return f"images/{name}.png"


def _drafted(study: Study, number: int) -> dict[str, Any]:
    """Two drafts of a report: the model's with a mistake now and then, the resident's a little shorter."""
    said = _sentences(study.findings)
    model, resident = list(said), list(said)
    if number % 3 == 0:
        model = [_other_side(sentence) for sentence in model]
    elif number % 3 == 1 and len(model) > 2:
        model.pop(number % len(model))
    if len(resident) > 3:
        resident.pop(-1)
    impression = _sentences(study.impression)
    texts = {
        "model": _report(model, [_other_side(one) for one in impression] if number % 3 == 0 else impression),
        "resident": _report(resident, [*impression, "Clinical correlation is advised."]),
    }
    return {"texts": texts}


def _judged(study: Study, number: int) -> dict[str, Any]:
    """A question with a line of reasoning, which goes astray in every third case."""
    known = [finding for finding in ASKED if study.labels.get(finding) in (0, 1)]
    finding = known[number % len(known)] if known else "pleural effusion"
    answer = "Yes" if study.labels.get(finding) == 1 else "No"
    steps = _sentences(study.findings) or _sentences(study.impression)
    if number % 3 == 0:
        steps = [_other_side(step) for step in steps]
    lines = [f"{place}. {step}" for place, step in enumerate(steps, start=1)]
    lines.append(
        f"{len(lines) + 1}. Taken together, this {'fits' if answer == 'Yes' else 'does not fit'} {finding}."
    )
    return {"question": f"Is there {finding}?", "reasoning": "\n".join(lines), "answer": answer}


def _sentences(text: str) -> list[str]:
    return [sentence.strip() for _, sentence in sentences(text) if sentence.strip()]


def _report(findings: Sequence[str], impression: Sequence[str]) -> str:
    return "FINDINGS:\n" + " ".join(findings) + "\n\nIMPRESSION:\n" + " ".join(impression)


def _other_side(sentence: str) -> str:
    """A sentence with left for right.

    >>> _other_side("Small left effusion.")
    'Small right effusion.'
    """
    swapped = {"left": "right", "right": "left", "Left": "Right", "Right": "Left"}
    return re.sub(r"\b([Ll]eft|[Rr]ight)\b", lambda match: swapped[match[1]], sentence)
