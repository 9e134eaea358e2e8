"""`cxreason probe`: what a model is asked, what is kept, and the table that comes of it."""

import json

import numpy as np
import pytest

from cxreason.errors import UserError
from cxreason.evaluation.faithfulness import MEANINGS
from cxreason.evaluation.score import score
from cxreason.inference import predict as asking
from cxreason.inference.engines import Generated, Replied
from cxreason.probing import run as room
from cxreason.recipes import PredictRecipe, ProbeRecipe, ScoreRecipe, validate
from cxreason.records import Prediction, Sample
from cxreason.runs import read


class Scripted:
    """A model that reads its answer off its own trace where it has one, else off the image."""

    def __init__(self, dies_after: int = 10**9):
        self.asked = []
        self.left = dies_after

    def reply(self, asks):
        for ask in asks:
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1
            self.asked.append(ask)
            yield Replied(ask, [Generated(self.says(ask), 9, finished=True)])

    def says(self, ask):
        grey = bool(ask.images) and isinstance(ask.images[0], np.ndarray)
        trace = ask.prefix.removeprefix("<think>")
        denied = "no " in trace if trace.strip() and "</think>" not in trace else grey
        if "</think><answer>" in ask.prefix:
            denied = "There is no" in trace or not trace.partition("</think>")[0].strip()
        letter = "AB"[ask.sample.options.index("No" if denied else "Yes")]
        if ask.prefix.endswith("<answer>"):
            return f" {letter} </answer>"
        said = "" if ask.prefix else f"<think> Look. There is {'no ' * denied}{ask.sample.subject}."
        return f"{said} So the answer is clear. </think><answer> {letter} </answer>"

    def about(self):
        return {}

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        pass


@pytest.fixture
def predicted(corpus, tmp_path, monkeypatch):
    """Replies of the scripted model to the yes-or-no questions of the corpus, and a way to probe them."""
    from cxreason.records import to_row
    from cxreason.rows import write_parquet

    samples = [one for one in read(corpus / "mine", Sample) if one.task == "binary" and one.split == "test"]
    (tmp_path / "samples").mkdir()
    from dataclasses import replace

    kept = [
        replace(one, images=tuple(str((corpus / "mine" / image).resolve()) for image in one.images))
        for one in samples
    ]
    write_parquet(tmp_path / "samples/samples.parquet", Sample, map(to_row, kept))
    model = Scripted()
    monkeypatch.setattr(asking, "open_engine", lambda recipe: model)
    told = {"out": tmp_path / "predict", "model": "phantom", "name": "m", "samples": tmp_path / "samples"}
    asking.predict(validate(PredictRecipe, told))

    def probe(model=None, **more):
        model = model or Scripted()
        monkeypatch.setattr(room, "open_engine", lambda recipe: model)
        recipe = ProbeRecipe(out=tmp_path / "probe", predictions=tmp_path / "predict", **more)
        return room.probe(recipe), model

    return probe


def table(tmp_path):
    told = {"predictions": (tmp_path / "predict",), "samples": tmp_path / "samples", "bootstrap_draws": 50}
    score(ScoreRecipe(out=tmp_path / "score", probes=(tmp_path / "probe",), **told))
    return json.loads((tmp_path / "score/summary.json").read_text())["m"]["reasoning"]["faithfulness"]


def test_a_model_that_reads_its_answer_off_its_trace_is_found_out_as_one(predicted, tmp_path):
    counts, _ = predicted()
    assert counts["given_up"] == {}
    lines = table(tmp_path)
    assert list(lines) == list(MEANINGS)
    value = {line: told["value"] for line, told in lines.items()}
    assert value["follows"] == 1
    assert value["flip_change"] == value["flip_obeys"] == 1
    assert value["kept_change"] == 0
    assert value["alone_same"] == 1
    assert value["early_0"] == 0
    assert value["early_75"] == 1
    assert value["reliance"] == pytest.approx(0.5)
    assert value["blank_change"] == value["blank_trace"] == 1
    assert value["swapped_change"] == 0
    assert value["order_same"] == 1
    assert all(told["n"] == counts["num_samples"] for told in lines.values())
    assert all(told["low"] is not None for told in lines.values())


def test_the_table_is_on_the_page_and_its_items_are_among_the_scores(predicted, tmp_path):
    predicted(probes=("flip", "order"))
    assert list(table(tmp_path)) == ["flip_change", "flip_obeys", "kept_change", "order_same"]
    page = (tmp_path / "score/page.html").read_text()
    assert MEANINGS["flip_change"] in page
    assert MEANINGS["early_0"] not in page.partition("<script")[0]
    from cxreason.records import Score

    rows = [row for row in read(tmp_path / "score", Score) if row.metric == "faithfulness_flip_obeys"]
    assert rows
    assert all(row.value == 1 and "led to" in row.reason for row in rows)


def test_what_is_shown_and_begun_is_what_the_probe_says(predicted, tmp_path):
    _, model = predicted(probes=("flip", "early", "alone", "blank", "order"))
    kept = {one.id: one for one in read(tmp_path / "predict", Prediction)}
    by_kind: dict[str, list] = {}
    for one in read(tmp_path / "probe", Prediction):
        by_kind.setdefault(one.probe, []).append(one)
    assert set(by_kind) == {"flip", "flip-leads", "kept", *room.EARLY, "alone", "blank", "order"}
    prefixes = {ask.prefix for ask in model.asked}
    assert "<think> </think><answer>" in prefixes
    assert any(prefix.startswith("<think> Look. There is no ") for prefix in prefixes)
    alone = [ask for ask in model.asked if ask.prefix and isinstance(ask.images[0], np.ndarray)]
    assert len(alone) == len(kept)
    assert all(ask.prefix.endswith(f"{ask.sample.subject}.") for ask in alone)  # no conclusion is handed on
    assert all(int(np.unique(picture)[0]) == asking.GREY for ask in alone for picture in ask.images)
    turned = [ask for ask in model.asked if not ask.prefix and not isinstance(ask.images[0], np.ndarray)]
    asked = {one.id: one for one in read(tmp_path / "samples", Sample)}
    assert all(ask.sample.options == asked[ask.sample.id].options[::-1] for ask in turned)
    assert all(one.text.startswith("<think>") for one in by_kind["flip"])


def test_a_stopped_run_asks_only_what_it_owes(predicted, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        predicted(Scripted(dies_after=5))
    _, model = predicted()
    whole = len(
        [one for one in read(tmp_path / "probe", Prediction) if one.probe not in ("follow", "flip-leads")]
    )
    assert len(model.asked) == whole - 5


def test_probing_is_refused_where_nothing_could_hang_on_a_trace(predicted, tmp_path):
    with pytest.raises(UserError, match="is no run of `cxreason predict`"):
        room.probe(ProbeRecipe(out=tmp_path / "x", predictions=tmp_path / "samples"))
    asked = PredictRecipe(
        out=tmp_path / "direct", model="phantom", name="m", samples=tmp_path / "samples", mode="direct"
    )
    asking.predict(asked)
    with pytest.raises(UserError, match="has no reasoning"):
        room.probe(ProbeRecipe(out=tmp_path / "x", predictions=tmp_path / "direct"))


def test_scores_refuse_probes_of_a_model_that_is_not_scored(predicted, tmp_path):
    predicted(probes=("follow",))
    asked = PredictRecipe(out=tmp_path / "other", model="phantom", name="other", samples=tmp_path / "samples")
    asking.predict(asked)
    told = {"predictions": (tmp_path / "other",), "samples": tmp_path / "samples"}
    with pytest.raises(UserError, match="probes m, which `predictions` does not hold"):
        score(ScoreRecipe(out=tmp_path / "score", probes=(tmp_path / "probe",), **told))
