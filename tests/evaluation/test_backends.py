"""Backends: a real worker on a real pipe, with every way in which workers go wrong."""

import csv
import json
import math
import sys
from pathlib import Path

import pytest
from scored_runs import question, recipe, reply, summary
from typer.testing import CliRunner

from cxreason.cli import app
from cxreason.errors import UserError
from cxreason.evaluation.backends import BACKENDS, places
from cxreason.evaluation.backends.pipe import Failed, Pair, Worker
from cxreason.evaluation.backends.readings import worth_of
from cxreason.evaluation.metrics import TABLE
from cxreason.evaluation.radcliq import radcliq
from cxreason.evaluation.score import score
from cxreason.records import Score
from cxreason.runs import read

WORKER = Path(__file__).with_name("backend_worker.py")
TRUE = "There is edema."


@pytest.fixture
def log(tmp_path):
    return tmp_path / "read.txt"


@pytest.fixture
def installed(log, monkeypatch):
    """All backends, as workers of our own."""
    command = "cxreason.evaluation.outside.command_of"
    monkeypatch.setattr(command, lambda name: [sys.executable, str(WORKER), name, str(log)])


def worker(log, name="bertscore", **settings):
    return Worker(name, [sys.executable, str(WORKER), name, str(log)], **settings)


def pairs(*hypotheses):
    return [Pair(str(number), TRUE, text) for number, text in enumerate(hypotheses)]


def reports(*said, model="m"):
    samples = [question(number, TRUE, kind="report", options=(), report=TRUE) for number in range(len(said))]
    return samples, [
        reply(one, f"<answer>{text}</answer>", model=model) for one, text in zip(samples, said, strict=True)
    ]


def test_a_worker_says_who_it_is_and_what_packages_print_does_no_harm(log):
    with worker(log) as asked:
        assert asked.about()["version"] == "test 1"
        assert asked.ask(pairs("one", "two")) == {"0": {"f": 0.9}, "1": {"f": 0.9}}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("RAISE", "ValueError: too long for me"),
        ("KILL", "the worker ended with 3: the weights are cursed"),
        ("GARBAGE", "it wrote what is no reply: 'Loading: 100%'"),
    ],
)
def test_a_text_that_a_worker_cannot_bear_fails_alone_and_by_name(log, fault, reason):
    with worker(log) as asked:
        found = asked.ask(pairs("one", fault, "three"))
        assert found["1"] == Failed(reason)
        assert found["0"] == found["2"] == {"f": 0.9}
        assert asked.ask(pairs("again")) == {"0": {"f": 0.9}}


def test_a_worker_that_hangs_is_stopped_and_started_again(log):
    with worker(log, seconds=0.5) as asked:
        found = asked.ask(pairs("HANG"))
        assert found == {"0": Failed("no answer in 0.5 s")}
    assert "HUNG" not in log.read_text(), "it was waited for"
    with worker(log) as asked:
        assert asked.ask(pairs("one"))["0"] == {"f": 0.9}


def test_a_worker_that_dies_of_everything_is_given_up(log):
    with worker(log) as asked:
        found = asked.ask(pairs(*["KILL"] * 5))
    assert [one.reason.split(":")[0] for one in found.values()] == [
        *["the worker ended with 3"] * 3,
        *["the worker died 3 times in a row and was given up"] * 2,
    ]


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (["/no/such/python"], "cannot be run"),
        ([sys.executable, "-c", "raise SystemExit('no weights here')"], "no weights here"),
        ([sys.executable, "-c", "print('hello')"], "no reply"),
        ([sys.executable, "-c", 'print(\'{"backend": "x"}\')'], "does not say its version"),
    ],
)
def test_a_worker_that_does_not_start_is_told_in_one_line(command, reason):
    with Worker("green", command) as asked, pytest.raises(UserError, match=reason) as raised:
        asked.ask(pairs("one"))
    assert "cxreason backends check green" in str(raised.value)


def test_absent_backends_are_shown_as_absent_and_never_as_0(tmp_path):
    samples, said = reports("There is edema.")
    score(asked := recipe(tmp_path, samples, said))
    found = summary(asked)
    gives = {
        name: told.backend for name, told in TABLE.items() if told.backend and not name.startswith("sf_")
    }
    for name, backend in gives.items():
        assert (found[name]["value"], found[name]["n"]) == (None, 0)
        assert found[name]["absent"] == f"not computed: backends=[{backend}] was not asked for"
    needed = "not computed: it needs radgraph_combined, bertscore_rexrank, sembscore"
    assert found["radcliq_v1"]["absent"] == needed
    assert not {row.metric for row in read(asked.out, Score)} & gives.keys()


def test_a_backend_that_is_asked_for_and_not_installed_stops_the_run(tmp_path, monkeypatch):
    monkeypatch.setenv("CXREASON_BACKENDS", str(tmp_path / "none"))
    samples, said = reports("There is edema.")
    with pytest.raises(UserError, match="backend green is not installed: `cxreason backends install green`"):
        score(recipe(tmp_path, samples, said, backends=["green"]))
    assert not (tmp_path / "score" / "summary.json").exists()


def test_every_metric_of_a_report_comes_out_where_all_backends_answer(tmp_path, installed):
    samples, said = reports("There is edema.", "no")
    score(asked := recipe(tmp_path, samples, said, backends=list(BACKENDS)))
    found = summary(asked)
    measured = [name for name in TABLE if name in found and found[name]["value"] is not None]
    expected = [name for name, told in TABLE.items() if told.backend and not name.startswith("sf_")]
    assert set(expected) | {"radcliq_v0", "radcliq_v1", "radcliq_v1_inverse"} <= set(measured)
    assert found["green"]["value"] == 0.75
    assert found["radgraph_xl_simple_cased"]["value"] == 0.5
    assert found["chexbert_f1_micro_5"]["value"] == pytest.approx(2 / 3)
    rows = {(row.metric, row.sample_id): row for row in read(asked.out, Score)}
    of_first = [rows[name, "s0000"].value for name in ("radgraph_combined", "bertscore_rexrank", "sembscore")]
    assert rows["radcliq_v1", "s0000"].value == pytest.approx(radcliq(*of_first, 1.0))
    assert set(json.loads((asked.out / "run.json").read_text())["counts"]["backends"]) == set(BACKENDS)


def test_a_failed_item_has_no_value_but_a_reason_and_is_owed(tmp_path, installed, log):
    samples, said = reports("There is edema.", "KILL", "STRANGER")
    counts = score(asked := recipe(tmp_path, samples, said, backends=["green"]))
    found = summary(asked)
    assert (found["green"]["value"], found["green"]["n"], found["green"]["num_left_out"]) == (0.75, 1, 2)
    assert (found["backend_failed"], counts["num_owed"]) == ({"green": 2}, 2)
    reasons = [row.reason for row in read(asked.out, Score) if row.metric == "green" and row.value is None]
    assert reasons[0] == "backend green failed: the worker ended with 3: the weights are cursed"
    assert reasons[1].startswith("backend green failed: not understood (KeyError: 'reply')")
    before = log.read_text().splitlines().count("There is edema.")
    score(asked)  # asks again for what is owed, and for nothing else
    assert log.read_text().splitlines().count("There is edema.") == before
    assert log.read_text().splitlines().count("KILL") >= 2


def test_an_empty_report_is_the_worst_without_asking(tmp_path, installed, log):
    samples, said = reports("There is edema.", "")
    score(asked := recipe(tmp_path, samples, said, backends=["bertscore", "radgraph", "chexbert", "green"]))
    rows = {row.metric: row for row in read(asked.out, Score) if row.sample_id == "s0001"}
    for name in ("bertscore_rexrank", "radgraph_combined", "sembscore", "green"):
        assert (rows[name].value, rows[name].flagged) == (0.0, True)
    assert rows["radcliq_v1"].value == pytest.approx(2.4501430833)
    assert log.read_text().splitlines().count("") == 1  # the labels of nothing are CheXbert's to say


def test_traces_and_open_answers_are_read_too(tmp_path, installed):
    samples = [
        question(0, "edema", kind="labels", options=(), report="edema effusion", reasoning="There is edema.")
    ]
    said = [reply(samples[0], "<think>edema nodule</think><answer>edema</answer>", mode="reasoning")]
    score(asked := recipe(tmp_path, samples, said, backends=["radgraph", "ratescore"]))
    found = summary(asked, mode="reasoning")
    assert (found["sf_labelled"]["value"], found["sf_tokens"]["value"]) == (0.5, 0.5)
    assert found["ratescore"]["value"] == pytest.approx(1.0)


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_scores_that_were_computed_before_come_from_a_file(tmp_path, form):
    samples, said = reports("There is edema.", "No edema.", "Edema.")
    lines = [
        {
            "id": "s0000",
            "radgraph_combined": 0.25,
            "bertscore_rexrank": 0.4,
            "sembscore": 0.6,
            "bleu2_rexrank": 9,
        },
        {
            "id": said[1].id,
            "radgraph_combined": 0.2,
            "bertscore_rexrank": 0.35,
            "sembscore": 0.45,
            "bleu2_rexrank": 9,
        },
        {
            "id": "s0002",
            "radgraph_combined": 0.5,
            "bertscore_rexrank": 0.5,
            "sembscore": "nan",
            "bleu2_rexrank": 9,
        },
    ]
    file = tmp_path / f"scores.{form}"
    if form == "jsonl":
        file.write_text(
            "".join(json.dumps(line | {"sembscore": float(line["sembscore"])}) + "\n" for line in lines)
        )
    else:
        with file.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(lines[0]))
            writer.writeheader()
            writer.writerows(lines)
    score(asked := recipe(tmp_path, samples, said, subscores=file))
    found = summary(asked)
    expected = [radcliq(0.25, 0.4, 0.6, 1.0), radcliq(0.2, 0.35, 0.45, 0.5)]
    assert (found["radcliq_v1"]["n"], found["radcliq_v1"]["num_left_out"]) == (2, 1)
    assert found["radcliq_v1"]["value"] == pytest.approx(math.fsum(expected) / 2, abs=1e-6)
    assert found["backend_failed"] == {str(file): 1}
    failed = next(row for row in read(asked.out, Score) if row.metric == "sembscore" and row.value is None)
    assert failed.reason == f"{file.name} holds no sembscore"


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ([{"id": "s0000", "radgraf": 1}], "'radgraf' is no metric"),
        ([{"id": "elsewhere", "green": 1}], "none of its ids"),
        ([{"id": "s0000", "green": "good"}], "'good' is no score"),
        ([{"id": "s0000", "green": 1}] * 2, "s0000 is there twice"),
        ([{"green": 1}], "needs lines with an `id`"),
        ([{"id": "s0000", "green": 1}, {"green": 0.5}], "row 2 of scores has no id"),
        ([{"id": "s0000", "green": 57.3}], "57.3 is more than any score.*per cent"),
        ([{"id": "s0000", "green": float("inf")}], "inf is more than any score"),
    ],
)
def test_a_file_of_scores_that_would_have_to_be_guessed_at_is_refused(tmp_path, lines, complaint):
    file = tmp_path / "scores.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    samples, said = reports("There is edema.")
    with pytest.raises(UserError, match=complaint):
        score(recipe(tmp_path, samples, said, subscores=file))


def test_one_line_of_scores_is_not_given_to_two_models(tmp_path):
    (tmp_path / "scores.jsonl").write_text('{"id": "s0000", "green": 1}\n')
    samples, said = reports("There is edema.")
    others = reports("No.", model="other")[1]
    with pytest.raises(UserError, match="cannot be of two models"):
        score(recipe(tmp_path, samples, said, others, subscores=tmp_path / "scores.jsonl"))


@pytest.mark.parametrize("name", BACKENDS)
def test_nonsense_from_a_worker_is_a_problem_and_no_exception(name):
    for found in (
        None,
        {},
        {"f": "x"},
        {"reference": [1], "hypothesis": [], "cosine": 0},
        [],
        "text",
        {"xl": 1},
    ):
        assert worth_of(name, found).problem


def test_a_reference_without_an_entity_has_no_radgraph_and_a_report_without_one_has_0():
    full = {"entities": {"1": {"tokens": "edema", "label": "OBS-DP", "relations": []}}}
    bare = {"entities": {}}

    def values(reference, hypothesis):
        both = {"reference": reference, "hypothesis": hypothesis}
        return worth_of("radgraph", {"xl": both, "original": both})

    assert set(values(bare, full).values.values()) == {None}
    assert set(values(full, bare).values.values()) == {0.0}
    assert values(full, bare).flagged
    assert worth_of("ratescore", {"reference": ["ANATOMY"], "hypothesis": [], "cosines": []}).values == {
        "ratescore": 0.0
    }


def test_an_environment_is_made_once_and_started_from(tmp_path, monkeypatch):
    monkeypatch.setenv("CXREASON_BACKENDS", str(tmp_path))
    ran = []

    def run(command, complaint):
        ran.append(command)
        if command[2] == "venv":
            Path(command[3]).mkdir()
        return "torch==2.1\n"

    monkeypatch.setattr(places, "_run", run)
    (tmp_path / "bertscore").mkdir()
    (tmp_path / "bertscore" / "half made").touch()
    told = CliRunner().invoke(app, ["backends", "install", "bertscore", "--json"])
    assert json.loads(told.stdout)["packages"] == 1
    assert not (tmp_path / "bertscore" / "half made").exists()
    assert ran[1][1:4] == ["-m", "pip", "install"]
    assert ran[1][-3:] == list(BACKENDS["bertscore"].requirements)
    assert places.command_of("bertscore")[0] == str(tmp_path / "bertscore" / "bin" / "python")
    assert all(Path(places.WORKERS / f"read_{name}.py").exists() for name in BACKENDS)


def test_what_pip_complains_of_is_the_users_to_mend(tmp_path, monkeypatch):
    monkeypatch.setenv("CXREASON_BACKENDS", str(tmp_path))
    with pytest.raises(UserError, match="could not: no luck"):
        places._run([sys.executable, "-c", "import sys; sys.exit('no luck')"], "could not")
    monkeypatch.setattr(places.shutil, "which", lambda name: None)
    with pytest.raises(UserError, match=r"green: needs python3.12"):
        places.install("green")


def test_the_list_tells_what_there_is(tmp_path, monkeypatch):
    monkeypatch.setenv("CXREASON_BACKENDS", str(tmp_path))
    told = CliRunner().invoke(app, ["backends", "list"])
    assert "not installed: cxreason backends install radgraph" in told.stdout
    found = json.loads(CliRunner().invoke(app, ["backends", "list", "--json"]).stdout)
    assert {one["backend"] for one in found} == set(BACKENDS)
    wrong = CliRunner().invoke(app, ["backends", "check", "radgraf"])
    assert wrong.exit_code == 1
    assert "There are bertscore, radgraph" in wrong.output
