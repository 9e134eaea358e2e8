"""Mining with a language model on servers or behind batch files: nothing is lost, nothing is done twice."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from cxreason.endpoint.pool import BudgetSpent
from cxreason.mining import asked, three_step
from cxreason.mining.asked import NAMES, question_of
from cxreason.mining.run import mine
from cxreason.recipes import MineRecipe, validate
from cxreason.records import Sample, to_row
from cxreason.rows import write_parquet
from cxreason.runs import RunError, read
from scripted_miner import reply
from serving import serving


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def invented(number: int) -> Sample:
    """A question about an invented report; every tenth has a label that its report belies."""
    there = number % 2 == 0
    effusion = "a left pleural effusion" if there else "no pleural effusion"
    report = f"There is {effusion}. The heart is normal in size. Case {number}."
    gold = there != (number % 10 == 9)
    question = "Does this chest X-ray show pleural effusion?"
    known = (f"{number:020x}", "d", "binary", "choice", f"p{number}", "s", "train", ())
    return Sample(*known, question, "A" if gold else "B", ("Yes", "No"), "pleural effusion", report)


@pytest.fixture
def source(tmp_path) -> Path:
    write_parquet(tmp_path / "samples.parquet", Sample, (to_row(invented(n)) for n in range(60)))
    return tmp_path / "samples.parquet"


def recipe(source, url, out="out", **told) -> dict:
    server = {"url": url, "concurrency": 8, "timeout_seconds": 30.0, **told.pop("server", {})}
    llm = {"model": "m", "retry_seconds": 0.01, "attempts": 8, "servers": [server], **told.pop("llm", {})}
    filters = {"most_alike": None, "min_words": 0}
    folder = source.parent / out
    return {
        "out": str(folder),
        "samples": str(source),
        "engine": "llm",
        "llm": llm,
        "filters": filters,
        **told,
    }


def start(values, **more):
    return mine(validate(MineRecipe, values), **more)


def failures(folder) -> list[dict]:
    file = Path(folder) / "failed.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.mark.parametrize("way", ["three_step", "one_prompt"])
@pytest.mark.parametrize("answer_aware", [False, True])
def test_an_honest_model_gives_chains_in_the_order_of_the_samples(source, way, answer_aware):
    with serving(reply) as (server, url):
        counts = start(recipe(source, url, way=way, answer_aware=answer_aware))
    kept = list(read(source.parent / "out", Sample))
    assert [one.id for one in kept] == [invented(n).id for n in range(60) if n % 10 != 9]
    assert counts["funnel"] == {"read": 60, "kept": 54, "answer": 6}
    assert all(one.evidence and one.evidence[0] in one.report for one in kept)
    assert list(counts["prompts"]) == list(NAMES[way, answer_aware])
    assert counts["usage"]["num_calls"] == server.counts["requests"]
    if way == "three_step" and not answer_aware:
        # One plan for all, for it needs question and options alone; and one chain for what looks alike.
        assert server.counts["requests"] == 2 + 2 * 60 + 2


def test_the_gold_answer_is_shown_only_where_the_recipe_says_so(source):
    seen = []

    def listens(body):
        seen.append(body["messages"][0]["content"])
        return reply(body)

    with serving(listens) as (_, url):
        start(recipe(source, url), limit=3)
        assert not [prompt for prompt in seen if "<answer>" in prompt]
        plans = [
            prompt
            for prompt in seen
            if "pleural effusion. The heart" in prompt and "<sentences>" not in prompt
        ]
        assert not plans, "neither plan nor chain sees the report"
        start(recipe(source, url, out="aware", answer_aware=True), limit=3)
    assert [prompt for prompt in seen if "<answer>\nA) Yes" in prompt]


def test_a_fifth_of_failing_requests_and_three_kills_lose_nothing(source):
    with serving(reply, faults=0.2, seed=5, late=1.5, latency=0.05) as (server, url):
        values = recipe(source, url, server={"timeout_seconds": 1.0}, llm={"attempts": 12})
        (source.parent / "mine.yaml").write_text(yaml.safe_dump(values))
        command = [sys.executable, "-m", "cxreason", "mine", str(source.parent / "mine.yaml"), "--quiet"]
        replies = source.parent / "out" / "replies.jsonl"
        for number in range(3):
            miner = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            enough = 9_000 * (number + 1)
            while miner.poll() is None and not (replies.exists() and replies.stat().st_size > enough):
                time.sleep(0.005)
            assert miner.poll() is None, "it was to be killed at work"
            miner.send_signal(signal.SIGKILL)
            miner.wait()
            with pytest.raises(RunError, match="not finished"):
                list(read(source.parent / "out", Sample))
        first = start(values)
        start(values)  # what failed for the moment is owed
    kept = [one.id for one in read(source.parent / "out", Sample)]
    dropped = failures(values["out"])
    assert sorted([*kept, *(line["id"] for line in dropped)]) == [invented(n).id for n in range(60)]
    assert all(line["problem"] for line in dropped)
    assert len(kept) >= 48
    assert first["funnel"]["read"] == 60
    # An answer is given twice only where a kill came between the server's sending and our reading.
    assert server.counts["answered twice"] <= 3 * 8


def test_what_a_server_failed_on_is_owed_by_a_finished_run_and_never_taken_for_a_result(source):
    bad = {"now": True}

    def moody(body):
        return "nonsense" if bad["now"] and "response_format" in body else reply(body)

    with serving(moody) as (_, url):
        values = recipe(source, url)
        assert start(values, limit=10)["funnel"] == {"read": 10, "kept": 0, "failed": 10}
        assert {line["kind"] for line in failures(values["out"])} == {"failed"}
        bad["now"] = False
        assert start(values, limit=10)["funnel"] == {"read": 10, "kept": 9, "answer": 1}
        assert {line["kind"] for line in failures(values["out"])} == {"rejected"}


def test_where_words_are_drawn_studies_that_look_alike_get_chains_of_their_own(source):
    with serving(reply) as (server, url):
        start(recipe(source, url, llm={"temperature": 0.7}))
    assert server.counts["requests"] == 2 + 3 * 60


def test_a_budget_stops_the_run_which_goes_on_when_it_is_raised(source):
    with serving(reply) as (server, url):
        priced = {"price_in": 1000.0, "price_out": 1000.0, "concurrency": 2}
        values = recipe(source, url, llm={"budget": 20.0}, server=priced)
        values["llm"]["servers"][0].update(priced)
        with pytest.raises(BudgetSpent, match=r"llm\.budget"):
            start(values)
        so_far = server.counts["requests"]
        values["llm"]["budget"] = 10_000.0
        assert start(values)["funnel"]["kept"] == 54
    assert 0 < so_far < server.counts["requests"] == 2 + 2 * 60 + 2


def test_another_model_is_another_run_but_another_server_is_not(source):
    with serving(reply) as (_, url), serving(reply) as (other, url2):
        start(recipe(source, url), limit=5)
        values = recipe(source, url2)
        assert start(values, limit=5)["funnel"]["read"] == 5
        values["llm"]["model"] = "n"
        with pytest.raises(RunError, match=r"llm\.model: m -> n"):
            start(values, limit=5)
    assert other.counts["requests"] == 0


def test_ctrl_c_lets_the_calls_under_way_come_in(source):
    seen = []

    def stops(body):
        seen.append(body)
        if len(seen) == 30:
            os.kill(os.getpid(), signal.SIGINT)
        return reply(body)

    with serving(stops, latency=0.1) as (server, url):
        values = recipe(source, url)
        with pytest.raises(KeyboardInterrupt):
            start(values)
        sent = server.counts["answers"]
        lines = (source.parent / "out" / "replies.jsonl").read_text().splitlines()
        assert len(lines) == sent > 30, "some were under way"
        assert start(values)["funnel"]["kept"] == 54
        assert server.counts["answered twice"] == 0


def answer_batches(folder: Path, number: int, fail=frozenset()) -> int:
    """What `vllm run-batch` does: an answer to each request, some of them errors."""
    answered = 0
    with (folder / f"answers-{number}.jsonl").open("w") as answers:
        for file in sorted(folder.glob("requests-*.jsonl")):
            for line in file.read_text().splitlines():
                request = json.loads(line)
                assert (request["method"], request["url"]) == ("POST", "/v1/chat/completions")
                answered += 1
                row = {"id": f"b{answered}", "custom_id": request["custom_id"], "error": None}
                if answered in fail:
                    row |= {"response": {"status_code": 500, "body": {"error": "oh"}}}
                else:
                    choice = {"message": {"content": reply(request["body"])}, "finish_reason": "stop"}
                    usage = {"prompt_tokens": 10, "completion_tokens": 5}
                    row["response"] = {"status_code": 200, "body": {"choices": [choice], "usage": usage}}
                answers.write(json.dumps(row) + "\n")
            file.unlink()
    return answered


def test_batch_files_take_a_start_for_each_step_and_end_in_the_same_chains(source):
    values = recipe(source, "http://unused")
    values["llm"] = {"model": "m", "batch": True, "attempts": 3}
    folder = source.parent / "out" / "batch"
    asked_for = []
    for number in range(1, 12):
        counts = start(values)
        if counts["funnel"].get("waiting", 0) == 0:
            break
        assert counts["finished"] is False
        asked_for.append(answer_batches(folder, number, fail={2} if number == 3 else frozenset()))
    # The third batch failed on one of its requests, which is asked again with the next.
    assert asked_for == [1, 1, 60, 60, 1 + 2]
    assert counts["funnel"] == {"read": 60, "kept": 54, "answer": 6}
    with serving(reply) as (_, url):
        start(recipe(source, url, out="served"))
    by_batch, served = (list(read(source.parent / name, Sample)) for name in ("out", "served"))
    assert by_batch == served
    assert counts["usage"]["tokens_in"] == 10 * (2 + 2 * 60 + 2)


def test_a_request_that_every_batch_fails_on_is_told_and_owed(source):
    values = recipe(source, "http://unused")
    values["llm"] = {"model": "m", "batch": True, "attempts": 2}
    folder = source.parent / "out" / "batch"
    for number in range(1, 3):
        assert start(values, limit=2)["funnel"]["waiting"] == 2
        answer_batches(folder, number, fail={1})
    counts = start(values, limit=2)
    assert counts["funnel"] == {"read": 2, "kept": 0, "failed": 2}
    assert "no usable answer in 2 batches" in failures(values["out"])[0]["problem"]
    assert start(values, limit=2)["funnel"]["waiting"] == 2


def test_a_dry_run_shows_the_prompts_and_what_it_would_cost(source):
    priced = {"price_in": 1.0, "price_out": 4.0}
    values = recipe(source, "http://unused", server=priced)
    told = start(values, dry_run=True)
    assert (told["samples"], told["calls"], told["shared plans"]) == (60, 3 * 60 + 2, 1)
    assert list(told["example"]) == list(NAMES["three_step", False])
    assert "There is a left pleural effusion." in told["example"]["evidence_think"]
    expected = (told["tokens_in"] * 1.0 + told["tokens_out"] * 4.0) / 1e6
    assert told["cost_at_least"] == pytest.approx(expected, abs=1e-3) == told["cost_at_most"]
    assert not Path(values["out"]).exists()


def test_sentences_are_numbered_with_their_spans_and_their_image():
    two = Sample(
        *("1", "d", "temporal", "choice", "p", "s", "test", (), "How?", "A"), ("stable", "improving")
    )
    two = replace(two, prior_report="Large\neffusion.", report="Small effusion. No edema.")
    told = three_step.numbered_sentences(two)
    assert [line for line, _ in told] == [
        "1. first image: Large effusion.",
        "2. second image: Small effusion.",
        "3. second image: No edema.",
    ]
    assert [two.facts[begin:end] for _, (begin, end) in told] == [
        "Large\neffusion.",
        "Small effusion.",
        "No edema.",
    ]


def test_the_prompts_are_known_by_their_words():
    for names in NAMES.values():
        for name in names:
            prompt = asked.prompt(name)
            assert len(prompt.version) == 12
            assert prompt.variables
    assert "A) Yes" in question_of(invented(1))
