"""`cxreason score`: the numbers of a run, with rules and with a judge."""

import json

import pytest

from cxreason.evaluation.metrics import ALWAYS, METRICS
from cxreason.evaluation.radrscore import radrscore
from cxreason.evaluation.score import score, score_item
from cxreason.recipes import ScoreRecipe
from cxreason.records import Prediction, Sample, Score, to_row
from cxreason.rows import write_parquet
from cxreason.runs import read
from fake_server import FakeServer
from scripted_judge import reply

REPORT = "Effusion. Cardiomegaly. Edema. No pneumothorax."
TRACES = ["Effusion. Cardiomegaly. No edema. No fracture. Nodule.", REPORT]


@pytest.fixture
def recipe(tmp_path):
    """A sample of each of two patients and sources, and what a model said to them."""
    samples, predictions = [], []
    for number, trace in enumerate(TRACES):
        name = f"s{number}"
        samples.append(
            Sample(
                id=name,
                dataset=f"d{number}",
                task="binary",
                kind="choice",
                patient_id=name,
                study_id=name,
                split="test",
                images=(),
                question="Is there edema?",
                answer="A",
                options=("Yes", "No"),
                report=REPORT,
                reasoning=REPORT,
            )
        )
        predictions.append(
            Prediction(
                id=f"p{number}",
                sample_id=name,
                model="m",
                mode="reasoning",
                dialect="think",
                text=trace,
                reasoning=trace,
                answer="A",
            )
        )
    for folder, record, rows in (("mine", Sample, samples), ("predict", Prediction, predictions)):
        (tmp_path / folder).mkdir()
        write_parquet(tmp_path / folder / f"{record.__name__.lower()}s.parquet", record, map(to_row, rows))

    def make(**settings) -> ScoreRecipe:
        kept = {"predictions": [tmp_path / "predict"], "samples": tmp_path / "mine", **settings}
        return ScoreRecipe(out=tmp_path / "score", **kept)

    return make


def summary(recipe):
    return json.loads((recipe.out / "summary.json").read_text())["m"]["reasoning"]


@pytest.mark.parametrize(
    ("mode", "r_f", "r_c", "r_e"),
    [("paper", 0.8, 0.75, 0.7), ("released", 0.8, 0.875, 0.7), ("strict", 0.7, 0.75, 0.7)],
)
def test_a_run_holds_every_metric_pooled_and_as_the_papers_add_it_up(recipe, mode, r_f, r_c, r_e):
    asked = recipe(radrscore=mode)
    score(asked)
    found = summary(asked)
    assert set(ALWAYS) <= set(found)
    means = {"r_f": r_f, "r_c": r_c, "r_e": r_e, "radrscore": (r_f + r_c + r_e) / 3}
    assert found["mean_of_tasks"] == pytest.approx(means)
    assert {name: found[name]["value"] for name in means} == pytest.approx(means)
    assert found["s_f"]["value"] == pytest.approx((2 / 5 + 1) / 2)
    assert found["judge_failed"] == 0


def test_the_reason_of_s_f_says_what_it_is_without_the_findings_of_the_question(recipe):
    score(asked := recipe())
    reasons = [row.reason for row in read(asked.out, Score) if row.metric == "s_f"]
    assert reasons == ["0.5 without what stands in the question", "1.0 without what stands in the question"]


def test_a_judge_reads_instead_and_what_it_failed_on_is_counted(recipe, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def answer(body):
        about_the_first = "<text>\nEffusion. Cardiomegaly. No" in body["messages"][0]["content"]
        return {"status": 500} if about_the_first else json.dumps(reply(body))

    server = FakeServer(answer)
    try:
        settings = {"url": server.url, "model": "j", "attempts": 2, "retry_seconds": 0.0, "price_in": 1.0}
        counts = score(asked := recipe(judge=settings))
    finally:
        server.close()
    found = summary(asked)
    assert (found["radrscore"]["value"], found["radrscore"]["n"], found["radrscore"]["num_left_out"]) == (
        1,
        1,
        1,
    )
    assert found["judge_failed"] == 1
    failed = [row for row in read(asked.out, Score) if row.reason.startswith("judge failed: status 500")]
    assert {row.metric for row in failed} == {"radrscore", "r_f", "r_c", "r_e"}
    assert all(row.value is None for row in failed)
    assert counts["judge"]["model"] == "j"
    assert counts["judge"]["num_failed"] == 1
    assert counts["judge"]["cost"] == pytest.approx(counts["judge"]["num_calls"] * 100 / 1e6)
    assert (asked.out / "judge.jsonl").exists()


@pytest.mark.parametrize(
    ("kind", "gold", "said", "expected"),
    [
        (
            "boxes",
            "<|box|>(0,0),(40,40)<|/box|>",
            "<|box|>(0,0),(40,20)<|/box|>",
            {"iou": 0.5, "iou_accuracy": 1.0},
        ),
        (
            "boxes",
            "<|box|>(0,0),(40,40)<|/box|>",
            "<|box|>(0,0),(40,10)<|/box|>",
            {"iou": 0.25, "iou_accuracy": 0.0},
        ),
        ("boxes", "No nodule detected.", "No nodule detected.", {"iou": 1.0, "iou_accuracy": 1.0}),
        ("report", REPORT, REPORT, {"report_f1": 1.0, "report_radrscore": 1.0}),
        (
            "report",
            "Edema. Effusion.",
            "Edema.",
            {"report_f1": 2 / 3, "report_radrscore": (1 + 1 / 2 + 1) / 3},
        ),
        ("report", "Edema.", "", {"report_f1": 0.0, "report_radrscore": 0.0}),
        ("labels", "edema", "edema", {"anomaly_f1": 1.0}),
        ("choice", "A", "B", {"accuracy": 0.0}),
    ],
)
def test_each_kind_of_answer_has_its_own_measures(kind, gold, said, expected):
    options = ("Yes", "No") if kind == "choice" else ()
    sample = Sample("s", "d", "t", kind, "p", "s", "test", (), "?", gold, options, report=gold)
    prediction = Prediction("p", "s", "m", "direct", "think", said, answer=said)
    found = {row.metric: row.value for row in score_item(prediction, sample, None)}
    assert {metric: found[metric] for metric in expected} == pytest.approx(expected)
    assert found.keys() <= METRICS.keys()


def test_a_direct_answer_has_no_trace_and_so_no_s_f():
    sample = Sample("s", "d", "t", "choice", "p", "s", "test", (), "?", "A", ("Yes", "No"), report="Edema.")
    parts = radrscore("", "There is edema.", "Edema.")
    metrics = {
        mode: {
            row.metric
            for row in score_item(Prediction("p", "s", "m", mode, "think", "A", answer="A"), sample, parts)
        }
        for mode in ("direct", "reasoning")
    }
    assert metrics["reasoning"] - metrics["direct"] == {"s_f"}
