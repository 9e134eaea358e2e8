"""How quick the page of `score` is with 5,000 cases: to write, to open, to search, to jump to the last case.

    python bench/score_page.py

Two models and invented texts; the browser is Chromium, and its times are the page's own. Prints one JSON line
for each figure with its limit (a ratio above 1 keeps it).
"""

from __future__ import annotations

import json
import platform
import shutil
import sys
import tempfile
import time
from pathlib import Path

from cxreason.evaluation.case_files import Reply, write_cases
from cxreason.evaluation.score import score
from cxreason.recipes import ScoreRecipe
from cxreason.records import Prediction, Sample, Score, to_row
from cxreason.rows import write_parquet

NUM = 5000
FINDINGS = ("edema", "cardiomegaly", "fracture", "pneumothorax", "consolidation", "pleural effusion")
SEARCH = """() => {
  const started = performance.now(), field = document.querySelector('[name=find]');
  field.value = 'fracture 49'; field.dispatchEvent(new Event('input', {bubbles: true}));
  return performance.now() - started;
}"""


def sample(number: int) -> Sample:
    """A question about a finding that is there, with a report of four sentences."""
    finding = FINDINGS[number % len(FINDINGS)]
    where = (f"p{number}", f"s{number}", "test", ())
    question = f"Does chest X-ray number {number} show {finding}?"
    report = f"There is {finding}. No pneumomediastinum. The aorta is tortuous. Mild scoliosis."
    return Sample(
        f"id{number:05}", "toy", "binary", "choice", *where, question, "A", ("Yes", "No"), report=report
    )


def prediction(one: Sample, model: str) -> Prediction:
    """A trace of four sentences and an answer."""
    trace = f"Look at the lungs. {one.report.split('.')[0]}. There is no effusion. So the answer is yes."
    text = f"<think> {trace} </think><answer> A </answer>"
    return Prediction(f"{one.id}-{model}", one.id, model, "reasoning", "think", text, trace, "A")


def tell(what: str, figure: float, limit: float) -> None:
    """One line of figures."""
    told = {"what": what, "figure": round(figure, 3), "limit": limit, "ratio": round(limit / figure, 2)}
    print(json.dumps({**told, "machine": f"{platform.machine()}, Python {platform.python_version()}"}))


def main() -> None:
    """Write a page over few samples, give it 5,000 cases, and look at it."""
    folder = Path(tempfile.mkdtemp())
    samples = [sample(number) for number in range(NUM)]
    (folder / "mine").mkdir()
    write_parquet(folder / "mine/samples.parquet", Sample, map(to_row, samples[:20]))
    for model in ("a", "b"):
        (folder / model).mkdir()
        said = [to_row(prediction(one, model)) for one in samples[:20]]
        write_parquet(folder / model / "predictions.parquet", Prediction, iter(said))
    runs = (folder / "a", folder / "b")
    score(ScoreRecipe(out=folder / "score", predictions=runs, samples=folder / "mine", bootstrap_draws=50))

    def replies(one: Sample) -> dict:
        told = {}
        for model in ("a", "b"):
            said = prediction(one, model)
            row = Score(f"{said.id}-s", said.id, one.id, one.patient_id, "toy", "binary", "accuracy", 1.0)
            told[model, "reasoning"] = Reply(said, [row], "accuracy")
        return told

    columns = [("a", "reasoning"), ("b", "reasoning")]
    started = time.perf_counter()
    write_cases(folder / "score/cases", samples, replies, columns, folder / "mine")
    tell("5,000 cases of two models written, in seconds", time.perf_counter() - started, 10.0)
    look(folder / "score/page.html")
    shutil.rmtree(folder)


def look(page: Path) -> None:
    """Open, search and jump in Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        chromium = started.chromium.launch(
            executable_path=shutil.which("chromium") or sys.exit("there is no Chromium here"),
            args=["--no-sandbox"],
        )
        window = chromium.new_page(viewport={"width": 1280, "height": 800})
        window.goto(page.as_uri())
        window.wait_for_selector("#browser[data-ready]")
        tell(
            "5,000 cases: page open and its list there, in seconds",
            window.evaluate("performance.now()") / 1e3,
            2.0,
        )
        took = min(window.evaluate(SEARCH) for _ in range(5))
        tell("5,000 cases: searched and listed anew, in seconds", took / 1e3, 0.1)
        window.fill("[name=find]", "")
        window.focus("#list")
        before = time.perf_counter()
        window.keyboard.press("End")
        window.wait_for_selector(f"#case-title:has-text('number {NUM - 1} ')")
        tell("5,000 cases: the last one shown after a key, in seconds", time.perf_counter() - before, 0.5)
        chromium.close()


if __name__ == "__main__":
    main()
