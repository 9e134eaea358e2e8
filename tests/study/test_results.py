"""The figures of a study whose truth is known: what went in comes out."""

from __future__ import annotations

import csv
import json
import re
from time import monotonic

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from study_folder import HOSTILE, Client, event, opened

from cxreason.errors import UserError
from cxreason.study import store
from cxreason.study.analyse import analyse, write_results
from cxreason.study.edits import distance, edit_of
from cxreason.study.export import TABLES, write_tables
from cxreason.study.results import render

SLOW, FAST = 180.0, 60.0


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Residents take 180 s from scratch and 60 s with a draft; attendings prefer the machine's report."""
    residents = [{"name": f"r{number}", "group": "resident"} for number in (1, 2)]
    attendings = [{"name": f"a{number}", "group": "attending"} for number in (1, 2)]
    parts = [
        {"name": "one", "groups": ["resident"], "arms": ["arm-scratch", "arm-machine"], "crossing": "every"},
        {"name": "two", "groups": ["attending"], "arms": ["arm-blind"]},
        {"name": "three", "groups": ["attending"], "arms": ["arm-thoughts"]},
    ]
    folder = tmp_path_factory.mktemp("study")
    study = opened(folder, readers=[*residents, *attendings], parts=parts, title=HOSTILE)
    for reader in ("r1", "r2", "a1", "a2"):
        walk(study, Client(study).enter(reader), reader)
    return study


def walk(study, client, reader: str) -> None:
    for number, row in enumerate(study.store.readings_of(reader)):
        case = int(row["case_id"][-1])
        seconds = (
            (SLOW if row["arm"] == "arm-scratch" else FAST) + 2 * case + (5 if reader.endswith("2") else 0)
        )
        page = opened_before(client, seconds + 2)
        assert page["reading"] == row["id"]
        start = event("shown", 1000)
        if "report" in page["steps"]:
            text = page["start"].replace("small", "large") if number % 2 else page["start"]
            text = text or "Small left pleural effusion."
            sent = event("submit", 1000 + 1000 * seconds, step="report", text=text)
            assert client.tell(page, start, event("first_edit", 11_000), sent).status_code == 200
            if page["last"] == "report":
                continue
            values = {"edit_reason": "style" if number % 2 else "nothing"}
            values |= dict.fromkeys(("addresses_indication", "writing_efficiency"), "strongly agree")
            values["interpretation_efficiency"] = "not applicable"
        elif row["arm"] == "arm-blind":
            start = event("shown", 1000)
            values = {"preference": "A" if row["left_text"] == "machine" else "B"}
            values["comment"] = "=HYPERLINK(1)"
        else:
            values = {"factuality": "agree" if case % 2 else "strongly disagree", "causal_support": "neutral"}
        done = event("submit", 1000 + 1000 * seconds, step="answers", values=values)
        assert client.tell(page, start, done).status_code == 200


def opened_before(client, seconds: float):
    """A page that the server thinks it served so long ago: in a test no time passes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "monotonic", lambda: monotonic() - seconds)
        return client.open()


def test_the_tables_hold_every_reading_and_answer(study, tmp_path):
    counts = write_tables(study.folder, tmp_path)
    assert counts["readings"] == 2 * 8 + 2 * 8
    for name, columns in TABLES.items():
        with (tmp_path / f"{name}.csv").open(encoding="utf-8") as lines:
            as_csv = list(csv.DictReader(lines))
        table = pq.read_table(tmp_path / f"{name}.parquet")
        assert len(as_csv) == table.num_rows == counts[name]
        assert list(as_csv[0]) == table.column_names == list(columns)
    answers = (tmp_path / "answers.csv").read_text(encoding="utf-8")
    assert "'=HYPERLINK(1)" in answers
    assert "machine" in answers
    preferences = [row for row in csv.DictReader(answers.splitlines()) if row["question"] == "preference"]
    assert {row["value"] for row in preferences} == {"machine"}


def test_times_and_their_differences_are_the_ones_that_went_in(study):
    results = analyse(study)
    times = {(row["group"], row["arm"]): row for row in results["times"]}
    scratch, draft = times["resident", "arm-scratch"], times["resident", "arm-machine"]
    assert scratch["mean"] == pytest.approx(SLOW + 3 + 2.5, abs=0.01)
    assert draft["mean"] == pytest.approx(FAST + 3 + 2.5, abs=0.01)
    assert (scratch["n"], scratch["readers"]) == (8, 2)
    assert scratch["median_to_first_edit"] == pytest.approx(10)
    contrast = next(row for row in results["time_contrasts"] if row["first"] == "arm-machine")
    assert contrast["mixed_difference"] == pytest.approx(SLOW - FAST, abs=0.01)
    assert contrast["cases_in_both"] == 4
    assert contrast["p_holm"] is None or contrast["p_holm"] < 0.001
    assert contrast["p_welch"] < 1e-6
    assert results["counts"]["doubted"] == 0
    assert results["counts"]["never_shown"] == 0


def test_choices_ratings_edits_and_agreement_are_counted(study):
    results = analyse(study)
    preferred = {row["preferred"]: row for row in results["preferences"]}
    assert preferred["machine"]["share"] == 1
    assert preferred["machine"]["or_equal"] == 1
    assert preferred["comparable"]["count"] == 0
    assert preferred["machine"]["left_chosen"] == pytest.approx(0.5)
    ratings = {(row["arm"], row["question"]): row for row in results["ratings"]}
    assert ratings["arm-machine", "writing_efficiency"]["mean"] == 10
    assert ratings["arm-thoughts", "factuality"]["mean"] == -2.5
    assert ("arm-machine", "interpretation_efficiency") not in ratings, "not applicable is not neutral"
    reasons = {row["reason"]: row["share"] for row in results["edit_reasons"]}
    assert sum(reasons.values()) == pytest.approx(1)
    edits = results["edits"][0]
    assert edits["n"] == 8
    assert edits["mean_words"] == pytest.approx((edits["n"] - edits["unchanged"]) / 8)
    agreement = {row["question"]: row for row in results["agreement"]}
    assert agreement["factuality"]["icc"] == pytest.approx(1)


def test_results_are_a_page_and_tables(study, tmp_path):
    write_results(study.folder, tmp_path)
    page = (tmp_path / "results.html").read_text(encoding="utf-8")
    assert "182" in page or "185" in page
    assert "<script" not in page
    assert "http" not in re.sub(r'xmlns="[^"]*"', "", page)
    assert json.loads((tmp_path / "results.json").read_text())["counts"]["readings"] == 32
    assert (tmp_path / "time_contrasts.csv").read_text().startswith("group,first,second")
    served = render(analyse(study), served=True)
    assert "<style" not in served
    assert 'style="' not in served


def test_an_administrator_sees_the_results_and_takes_the_tables(study):
    client = Client(study).enter("admin")
    assert "Blinded preference" in client.get("/admin/results").text
    answer = client.get("/admin/export/readings.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert len(answer.text.splitlines()) > 32
    assert client.get("/admin/export/accounts.csv").status_code == 404


def test_a_study_without_answers_has_results_as_well(tmp_path):
    study = opened(tmp_path)
    page = render(analyse(study))
    assert "Nothing is submitted yet" in page
    assert "0 of 20 readings" in re.sub(r"\s+", " ", page)


def test_a_study_that_was_never_served_says_so(tmp_path):
    from study_folder import write_study

    with pytest.raises(UserError, match="nothing is recorded"):
        write_results(write_study(tmp_path / "study"), tmp_path / "out")


WORDS = st.lists(st.sampled_from("abc"), max_size=7)


@given(WORDS, WORDS, WORDS)
def test_the_distance_is_a_metric(first, second, third):
    assert distance(first, second) == distance(second, first)
    assert (distance(first, second) == 0) == (first == second)
    assert distance(first, third) <= distance(first, second) + distance(second, third)
    assert distance(first, second) >= abs(len(first) - len(second))


def test_a_swapped_side_is_one_word_and_two_observations():
    found = edit_of(
        "Small left effusion.", "Small right effusion.", "There is a small right pleural effusion."
    )
    assert (found.words, found.added, found.removed) == (1, 1, 1)
    assert found.score_draft < found.score_final
    assert edit_of("Clear.", "Clear.").score_draft is None
