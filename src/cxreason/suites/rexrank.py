"""Predictions as ReXrank takes them: its test file again, each study with a `model_prediction`.

    cxreason export runs/predict predictions.json --form rexrank --template rexrank_test.json

The template is the test file that the board publishes (JSON, study -> record); every record stays as it is
and gets the report that the model wrote. Without one the records hold what the samples know. A study of the
template without a prediction is refused: the board would score the empty text.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from cxreason.errors import UserError
from cxreason.records import Prediction, Sample
from cxreason.rows import write_json
from cxreason.runs import read

KEY = "model_prediction"


def export_rexrank(predictions: Path, out: Path, template: Path | None = None) -> dict[str, Any]:
    """Write the JSON file `out` from a run of `predict`; how many studies, and how many replies were empty.

    export_rexrank(Path("runs/predict"), Path("predictions.json"), Path("rexrank_test.json"))
    """
    said = _reports(predictions)
    if template is None:
        records = {
            sample.study_id: {
                "study_id": sample.study_id,
                "image_path": list(sample.images),
                "report": sample.report,
                KEY: text,
            }
            for sample, text in said
        }
    else:
        records = _filled(_read(template), said, template)
    write_json(out, records)
    return {"studies": len(records), "empty": sum(not one[KEY].strip() for one in records.values())}


def _reports(folder: Path) -> list[tuple[Sample, str]]:
    """What was written for each study: the answer, without the reasoning before it."""
    made = folder / "recipe.yaml"
    if not made.exists():
        raise UserError(f"{folder}: is no run of `cxreason predict`.")
    source = Path(yaml.safe_load(made.read_text(encoding="utf-8")).get("samples", ""))
    samples = {one.id: one for one in read(source, Sample) if one.kind == "report"}
    found = [
        (samples[one.sample_id], one.answer)
        for one in read(folder, Prediction)
        if one.sample_id in samples and one.repeat == 0
    ]
    if not found:
        raise UserError(f"{folder}: holds no written reports. ReXrank ranks report generation alone.")
    studies = [sample.study_id for sample, _ in found]
    if len(set(studies)) < len(studies):
        twice = next(one for one in studies if studies.count(one) > 1)
        raise UserError(f"{folder}: two reports were written for {twice}. Predict one task of one set alone.")
    return found


def _filled(
    records: dict[str, Any], said: list[tuple[Sample, str]], template: Path
) -> dict[str, dict[str, Any]]:
    """The template with a report in each record; studies are found by any name that both sides use."""
    named = Counter(name for sample, _ in said for name in _names(sample.study_id))
    # A short name that two studies have says nothing of either.
    known = {name: text for sample, text in said for name in _names(sample.study_id) if named[name] == 1}
    filled, missing = {}, []
    for key, record in records.items():
        names = [*_names(key), *_names(str(record.get("study_id", "")))]
        text = next((known[name] for name in names if name in known), None)
        if text is None:
            missing.append(key)
        else:
            filled[key] = {**record, KEY: text}
    if missing:
        raise UserError(
            f"{template}: {len(missing)} of {len(records)} studies have no prediction, the first is "
            f"{missing[0]!r}. Predict all of them."
        )
    return filled


def _names(study: str) -> list[str]:
    """A study under its whole name and under its own, without the data set before it.

    >>> _names("open-i/CXR2384")
    ['open-i/CXR2384', 'CXR2384']
    """
    own = study.rpartition("/")[2]
    return [name for name in dict.fromkeys((study, own, own.partition("_")[0])) if name]


def _read(template: Path) -> dict[str, Any]:
    try:
        records = json.loads(template.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{template}: is not readable JSON ({error}).") from None
    if isinstance(records, list):
        records = {str(one.get("study_id", place)): one for place, one in enumerate(records)}
    if not isinstance(records, dict) or not all(isinstance(one, dict) for one in records.values()):
        raise UserError(f"{template}: expected an object of one record for each study.")
    return records
