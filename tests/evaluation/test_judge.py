"""The engine `llm`: a scripted judge behind a real server, and what it gets wrong."""

import json

import pytest

from cxreason.endpoint.client import Endpoint, EndpointError
from cxreason.evaluation import radrscore
from cxreason.evaluation.judge import NAMES, PROMPTS, Judge, prompt, versions
from cxreason.evaluation.radrscore import score_traces
from cxreason.evaluation.totals import total
from cxreason.settings import EndpointSettings
from fake_server import FakeServer
from scripted_judge import items, reply

REPORT = "Effusion. Cardiomegaly. Edema. No pneumothorax."
# Five statements: 2 supported, 1 contradicted, 1 unmentioned normal, 1 unmentioned abnormal; 2 of 4 recalled.
MODEL = "Effusion. Cardiomegaly. No edema. No fracture. Nodule."
REFERENCE = "Effusion. Cardiomegaly. Edema. No pneumothorax."


@pytest.fixture
def judge_by(monkeypatch):
    """A judge whose server answers as `script(body, honest reply)` says."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    servers = []

    def start(script=lambda body, honest: honest, cache=None, **settings):
        def answer(body):
            said = script(body, reply(body))
            return said if isinstance(said, str) or {"status", "wait"} & set(said) else json.dumps(said)

        servers.append(FakeServer(answer))
        known = {"url": servers[-1].url, "model": "judge", "attempts": 2, "retry_seconds": 0.0, **settings}
        judge = Judge(Endpoint(EndpointSettings(**known), cache=cache))
        return judge, servers[-1]

    yield start
    for server in servers:
        server.close()


def parts(found):
    return found.factuality, found.completeness, found.effectiveness


@pytest.mark.parametrize(
    ("mode", "expected", "num_calls"),
    [
        ("paper", (0.6, 0.5, 0.4), 6),
        ("released", (0.6, 0.75, 0.4), 5),
        ("strict", (0.4, 0.5, 0.4), 6),
    ],
)
def test_the_golden_example_comes_out_as_with_rules(judge_by, mode, expected, num_calls):
    judge, server = judge_by()
    found = radrscore(MODEL, REFERENCE, REPORT + " Atelectasis.", mode, "llm", judge=judge)
    assert parts(found) == pytest.approx(expected)
    assert found.counts["model"] == 5
    assert found.failed == ""
    assert len(server.bodies) == num_calls


def test_each_verdict_carries_the_facts_that_the_judge_named(judge_by):
    judge, _ = judge_by()
    found = radrscore(MODEL, REFERENCE, REPORT, engine="llm", judge=judge)
    assert {one.claim: (one.relation, one.evidence) for one in found.judged} == {
        "effusion": ("supported", ("effusion",)),
        "cardiomegaly": ("supported", ("cardiomegaly",)),
        "edema": ("contradicted", ("edema",)),
        "fracture": ("unmentioned_normal", ()),
        "nodule": ("unmentioned_abnormal", ()),
    }


@pytest.mark.parametrize(
    ("trace", "reference", "report", "mode", "expected"),
    [
        ("", REFERENCE, REPORT, "paper", (0, 0, 0)),
        ("", REFERENCE, REPORT, "strict", (0, 0, 0)),
        ("", REFERENCE, REPORT, "released", (0, 0, 0)),
        (MODEL, "", REPORT, "paper", (None, None, None)),
        (MODEL, "", REPORT, "released", (0.6, 0, 0)),
        (MODEL, REFERENCE, "", "strict", (None, None, None)),
        (MODEL, REFERENCE, "", "released", (0.4, 0.75, 0.4)),
    ],
)
def test_empty_texts_mean_what_they_mean_with_rules(judge_by, trace, reference, report, mode, expected):
    judge, _ = judge_by()
    found = radrscore(trace, reference, report, mode, "llm", judge=judge)
    assert parts(found) == expected
    assert parts(radrscore(trace, reference, report, mode)) == expected


@pytest.mark.parametrize("mode", ["paper", "strict"])
def test_what_the_judge_lists_twice_counts_once(judge_by, mode):
    judge, _ = judge_by()
    once = radrscore(MODEL, REFERENCE, REPORT, mode, "llm", judge=judge)
    for texts in ((MODEL * 2, REFERENCE, REPORT), (MODEL, REFERENCE + " Edema.", REPORT * 2)):
        twice = radrscore(*texts, mode, "llm", judge=judge)
        assert parts(twice) == parts(once)
        assert twice.counts == once.counts


def test_one_to_one_is_counted_here_and_not_by_the_judge(judge_by):
    def vague(body, honest):
        asked = body["messages"][0]["content"]
        if "<facts>" in asked:  # one "effusion" is taken for both
            numbers = range(1, len(items(asked, "claims")) + 1)
            return {"verdicts": [{"claim": n, "verdict": "supported", "facts": [1]} for n in numbers]}
        return honest

    judge, _ = judge_by(vague)
    texts = ("Effusion.", "Left effusion. Right effusion.", "Effusion.")
    assert radrscore(*texts, "paper", "llm", judge=judge).completeness == 1
    assert radrscore(*texts, "strict", "llm", judge=judge).completeness == 0.5


@pytest.mark.parametrize("mode", ["paper", "released", "strict"])
def test_counts_that_the_judge_states_are_not_trusted(judge_by, mode):
    judge, _ = judge_by(
        lambda body, honest: {**honest, "correct_count": 99, "recalled_count": 99, "count": 99}
    )
    found = radrscore(MODEL, REFERENCE, REPORT, mode, "llm", judge=judge)
    assert parts(found) == parts(radrscore(MODEL, REFERENCE, REPORT, mode))


def renumbered(honest, change):
    changed = ("verdicts", "recalled", "correct")
    return {key: change(value) if key in changed else value for key, value in honest.items()}


def number_too_high(entries):
    return [*entries, 99 if isinstance(entries[0], int) else {**entries[0], "claim": 99}]


def number_zero(entries):
    return [0] if isinstance(entries[0], int) else [{**one, "claim": 0} for one in entries]


WRONG = {
    "a number too high": lambda body, honest: renumbered(honest, number_too_high),
    "zero": lambda body, honest: renumbered(honest, number_zero),
    "twice the same": lambda body, honest: renumbered(honest, lambda entries: [*entries, entries[0]]),
    "broken JSON": lambda body, honest: json.dumps(honest)[:-2],
    "another form": lambda body, honest: {"result": "fine"},
    "prose": lambda body, honest: "I cannot say.",
}


@pytest.mark.parametrize("mode", ["paper", "released"])
@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_reply_is_repaired_and_one_that_stays_wrong_is_a_failure(judge_by, wrong, mode):
    def once(body, honest):
        return honest if len(body["messages"]) > 1 else WRONG[wrong](body, honest)

    judge, _ = judge_by(once)
    assert parts(radrscore(MODEL, REFERENCE, REPORT, mode, "llm", judge=judge)) == parts(
        radrscore(MODEL, REFERENCE, REPORT, mode)
    )
    assert judge.endpoint.usage.num_repairs >= 1
    stubborn, _ = judge_by(WRONG[wrong])
    found = radrscore(MODEL, REFERENCE, REPORT, mode, "llm", judge=stubborn)
    assert found.value is None
    assert "nor its repair" in found.failed


@pytest.mark.parametrize(
    ("facts", "verdict", "problem"),
    [
        ([99], "supported", "no number 99"),
        ([], "contradicted", "no fact is named"),
        ([1, 1], "supported", "twice"),
    ],
)
def test_a_verdict_must_name_facts_that_exist(judge_by, facts, verdict, problem):
    def script(body, honest):
        if "verdicts" in honest:
            return {"verdicts": [{**one, "verdict": verdict, "facts": facts} for one in honest["verdicts"]]}
        return honest

    judge, _ = judge_by(script)
    assert problem in radrscore(MODEL, REFERENCE, REPORT, engine="llm", judge=judge).failed


def failing_on(mark):
    def script(body, honest):
        return {"status": 500} if mark in body["messages"][0]["content"] else honest

    return script


def test_a_failed_call_is_counted_and_dropped_by_nobody(judge_by):
    judge, _ = judge_by(failing_on("nodule (present)"))  # only the traces that speak of a nodule
    traces = [REFERENCE, MODEL, REFERENCE]
    found = score_traces(traces, [REFERENCE] * 3, [REPORT] * 3, "paper", "llm", judge=judge)
    assert [score.value for score in found] == [1, None, 1]
    assert "status 500, after 2 attempts" in found[1].failed
    sums = total(found)
    assert (sums.num_items, sums.num_scored, sums.num_failed, sums.value) == (3, 2, 1, 1)


@pytest.mark.parametrize("mode", ["paper", "strict"])
def test_one_failed_call_leaves_no_part_of_the_score(judge_by, mode):
    def last(body, honest):
        asked = body["messages"][0]["content"]
        against_reference = "<facts>" in asked and len(items(asked, "facts")) == 4
        return {"status": 500} if against_reference else honest

    judge, _ = judge_by(last)
    found = radrscore(MODEL, REFERENCE, REPORT + " Tube.", mode, "llm", judge=judge)
    assert "status 500" in found.failed
    assert found.counts["recalled"] == 2
    assert parts(found) == (None, None, None)


def test_the_released_mode_keeps_what_was_known_before_the_failure_as_the_authors_do(judge_by):
    judge, _ = judge_by(failing_on("into its steps"))
    broken = radrscore(MODEL, REFERENCE, REPORT, "released", "llm", judge=judge)
    assert parts(broken) == (0.6, 0.75, None)
    whole = radrscore(MODEL, REFERENCE, REPORT, "released")
    assert total([whole, broken], "released").factuality == pytest.approx(1.2)
    assert total([whole, broken], "strict").factuality == pytest.approx(0.6)


def test_a_slow_judge_fails_the_item_only(judge_by):
    judge, _ = judge_by(
        lambda body, honest: {"wait": 1.0} if "nodule" in str(body) else honest, timeout_seconds=0.3
    )
    assert radrscore(REFERENCE, REFERENCE, REPORT, engine="llm", judge=judge).value == 1
    assert "timed out" in radrscore(MODEL, REFERENCE, REPORT, engine="llm", judge=judge).failed


def test_a_server_that_refuses_stops_the_batch(judge_by):
    judge, _ = judge_by(lambda body, honest: {"status": 401})
    with pytest.raises(EndpointError, match="refuses the key"):
        score_traces([MODEL] * 3, [REFERENCE] * 3, [REPORT] * 3, engine="llm", judge=judge)


def test_references_and_reports_are_read_once_for_every_model(judge_by, tmp_path):
    judge, server = judge_by(cache=tmp_path / "judge.jsonl")
    traces = [f"Effusion. Finding {number}." for number in range(6)]
    first = score_traces(traces, [REFERENCE] * 6, [REPORT + " Tube."] * 6, engine="llm", judge=judge)
    extracted = [body for body in server.bodies if "<text>" in body["messages"][0]["content"]]
    assert len(extracted) == 6 + 2
    before = len(server.bodies)
    again = Judge(Endpoint(judge.endpoint.settings, cache=tmp_path / "judge.jsonl"))
    assert score_traces(traces, [REFERENCE] * 6, [REPORT + " Tube."] * 6, engine="llm", judge=again) == first
    assert len(server.bodies) == before
    assert again.endpoint.spent()["num_calls"] == 0


def test_prompts_are_files_with_named_variables_known_by_their_hash():
    assert {path.stem for path in PROMPTS.glob("*.md")} == set(NAMES)
    assert len(set(versions().values())) == len(NAMES)
    with pytest.raises(ValueError, match="wants"):
        prompt("match").fill(claims="x")


def test_what_stands_in_a_text_is_not_read_as_a_variable(judge_by):
    judge, server = judge_by()
    radrscore("$text costs $5.", "Edema.", "Edema.", engine="llm", judge=judge)
    assert any("$text costs $5." in body["messages"][0]["content"] for body in server.bodies)
