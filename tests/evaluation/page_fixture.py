"""A small invented demo folder: drawn images, invented reports, three models that get better."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from cxreason.evaluation.metrics import ALWAYS
from cxreason.records import Box, Prediction, Sample, Score, content_id, to_row
from cxreason.rows import write_json, write_parquet

MODELS = ("base", "sft", "grpo")
MODES = ("reasoning", "direct")
HOSTILE = "</think><script>alert('x')</script><img src=x onerror=alert(1)>" + "x" * 300
REPORT = "The heart is enlarged. Small left pleural effusion.\nNo pneumothorax & no fracture <seen>."
REASONING = "Look at the heart. There is cardiomegaly. So the answer is A, yes."

QUESTIONS = {
    "binary": ("Does this chest X-ray show cardiomegaly?", ("Yes", "No"), "A"),
    "single": (
        "Which finding is in this chest X-ray?",
        ("cardiomegaly", "edema", "fracture", "no finding"),
        "A",
    ),
    "multiple": ("Which findings are in this chest X-ray?", ("cardiomegaly, edema", "fracture, edema"), "A"),
    "anomaly": ("Which findings are in this chest X-ray?", (), "cardiomegaly, pleural effusion"),
    "temporal": ("What is the progression of cardiomegaly?", ("worsening", "stable", "improving"), "A"),
}


def make_demo(folder: Path, per_task: int = 5) -> Path:
    """Write what `cxreason demo` leaves behind, as far as the page reads it; `folder` must not exist."""
    (folder / "phantom/images").mkdir(parents=True)
    samples = [_sample(folder, task, number) for task in QUESTIONS for number in range(per_task)]
    _write(folder / "mine/samples.parquet", Sample, samples)
    scores: list[Score] = []
    for model in MODELS:
        for mode in MODES:
            predictions = [_prediction(sample, model, mode, number) for number, sample in enumerate(samples)]
            _write(folder / f"predict-{model}-{mode}/predictions.parquet", Prediction, predictions)
            pairs = zip(samples, predictions, strict=True)
            scores += [score for sample, said in pairs for score in _scores(sample, said)]
    _write(folder / "score/scores.parquet", Score, scores)
    for stage, counts in COUNTS.items():
        _json(folder / stage / "run.json", {"finished": "yes", "counts": counts})
    _json(folder / "score/run.json", {"finished": "yes", "counts": {}})
    _json(folder / "sft/curve.json", [{"step": step, "loss": 2 / step} for step in range(1, 31)])
    log = [{"step": step, "rewards/answer_reward/mean": step / 40, "kl": None} for step in range(1, 31)]
    _json(folder / "grpo/curve.json", log)
    _json(
        folder / "summary.json",
        {"models": SUMMARY, "seconds": {"sft": 91.5, "total": 123.4}, "recipe": {"seed": 17}},
    )
    return folder


COUNTS = {
    "phantom": {"studies": 1234},
    "build": {"rows": 987},
    "mine": {
        "rows": 876,
        "funnel": {"read": 987, "kept": 876, "leak": 111},
        "tasks": {"binary": {"read": 500, "kept": 489, "leak": 11}},
    },
}


def _estimate(value: float) -> dict[str, Any]:
    return {
        "value": value,
        "low": value - 0.06,
        "high": min(1.0, value + 0.04),
        "n": 25,
        "num_left_out": 0,
        "num_flagged": 0,
    }


def _of_mode(skill: float, mode: str) -> dict[str, Any]:
    metrics = {
        metric: {
            **_estimate(
                0.0 if mode == "direct" and metric.startswith(("r_", "radr")) else skill + position / 100
            ),
            "by_task": {"binary": _estimate(skill)},
        }
        for position, metric in enumerate(ALWAYS)
    }
    return {**metrics, "parse_rate": 0.975, "finished_rate": 1.0, "mean_tokens": 51.25}


SUMMARY = {
    model: {mode: _of_mode(skill + (mode == "direct") * 0.1, mode) for mode in MODES}
    for model, skill in zip(MODELS, (0.31, 0.62, 0.83), strict=True)
}


def _sample(folder: Path, task: str, number: int) -> Sample:
    question, options, answer = QUESTIONS[task]
    names = [f"{task}-{number}-{view}.png" for view in range(2 if task == "temporal" else 1)]
    for name in names:
        picture = Image.new("L", (96, 96), 30 + 5 * number)
        ImageDraw.Draw(picture).ellipse((30, 40, 75, 85), fill=190)
        picture.save(folder / "phantom/images" / name)
    return Sample(
        id=content_id(task, number),
        dataset="invented",
        task=task,
        kind="choice" if options else "labels",
        patient_id=f"p{number}",
        study_id=f"s{number}",
        split="test",
        images=tuple(f"../phantom/images/{name}" for name in names),
        question=question,
        answer=answer,
        options=options,
        report=REPORT,
        prior_report="The heart is of normal size." if task == "temporal" else "",
        boxes=(Box("cardiomegaly", 0.3, 0.4, 0.8, 0.9, image=len(names) - 1),),
        reasoning=REASONING,
        evidence=("The heart is enlarged.",),
    )


def _prediction(sample: Sample, model: str, mode: str, number: int) -> Prediction:
    right = number % 5 >= {"base": 4, "sft": 2, "grpo": 1}[model]
    reasoning = REASONING if right else f"There is no cardiomegaly. There is edema. {HOSTILE}"
    said = Prediction(
        id=content_id(sample.id, model, mode),
        sample_id=sample.id,
        model=model,
        mode=mode,
        dialect="think",
        text=f"<think>{reasoning}</think><answer>{sample.answer}</answer>",
        reasoning=reasoning if mode == "reasoning" else "",
        answer=sample.answer if right else "",
        problem="" if right else f"unreadable {HOSTILE}",
        finished=right,
    )
    partly = sample.kind == "labels" and model == "sft" and not right
    return replace(said, answer="cardiomegaly", problem="") if partly else said


def _scores(sample: Sample, said: Prediction) -> list[Score]:
    worth = 0.0 if not said.answer else 1.0 if said.answer == sample.answer else 2 / 3
    values = {"anomaly_f1" if sample.kind == "labels" else "accuracy": worth, "radrscore": 0.44}
    return [
        Score(
            content_id(said.id, metric),
            said.id,
            sample.id,
            sample.patient_id,
            "invented",
            sample.task,
            metric,
            value,
        )
        for metric, value in values.items()
    ]


def _write(file: Path, record: type, rows: list[Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_parquet(file, record, (to_row(row) for row in rows))


def _json(file: Path, value: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_json(file, value)
