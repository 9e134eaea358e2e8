"""Small runs of samples and predictions to score, in the folders in which the verbs leave them."""

import json
from pathlib import Path

from cxreason.answers import understand
from cxreason.recipes import ScoreRecipe
from cxreason.records import Prediction, Sample, content_id, to_row
from cxreason.rows import write_parquet

OPTIONS = ("Yes", "No")


def question(number: int, answer: str = "A", **fields) -> Sample:
    """A closed question about a patient of its own, unless told otherwise."""
    settings = {
        "id": f"s{number:04d}",
        "dataset": "d",
        "task": "binary",
        "kind": "choice",
        "patient_id": f"p{number:04d}",
        "study_id": f"t{number:04d}",
        "split": "test",
        "images": (),
        "question": "Is there edema?",
        "answer": answer,
        "options": OPTIONS,
        **fields,
    }
    return Sample(**settings)


def reply(
    sample: Sample, text: str, *, model: str = "m", mode: str = "direct", repeat: int = 0
) -> Prediction:
    """What a model said, read as `predict` reads it."""
    said = understand(text, dialect="think", mode=mode, kind=sample.kind, options=sample.options)
    return Prediction(
        id=content_id(sample.id, model, mode, repeat),
        sample_id=sample.id,
        model=model,
        mode=mode,
        dialect="think",
        text=text,
        reasoning=said.reasoning,
        answer=said.answer,
        problem=said.problem,
        repeat=repeat,
    )


def write(folder: Path, rows: list) -> Path:
    """The rows in a folder of their own, named as their verb names them."""
    folder.mkdir(parents=True, exist_ok=True)
    record = type(rows[0])
    write_parquet(folder / f"{record.__name__.lower()}s.parquet", record, map(to_row, rows))
    return folder


def recipe(folder: Path, samples: list[Sample], *runs: list[Prediction], **settings) -> ScoreRecipe:
    """The recipe that scores these predictions."""
    predictions = [write(folder / f"predict-{number}", run) for number, run in enumerate(runs)]
    kept = {"predictions": predictions, "samples": write(folder / "samples", samples), **settings}
    return ScoreRecipe(out=folder / "score", bootstrap_draws=50, **kept)


def summary(asked: ScoreRecipe, model: str = "m", mode: str = "direct") -> dict:
    """What was written about one model."""
    return json.loads((asked.out / "summary.json").read_text())[model][mode]
