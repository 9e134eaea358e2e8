"""The page of `score`: its numbers, its floors, and its cases in a browser, thousands of them too."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_fixture import HOSTILE
from PIL import Image

from cxreason.evaluation import leaderboard, metric_names
from cxreason.evaluation.case_files import Reply, choose_cases, write_cases
from cxreason.evaluation.metrics import METRICS
from cxreason.evaluation.score import score
from cxreason.recipes import ScoreRecipe
from cxreason.records import Box, Prediction, Sample, Score, content_id, to_row
from cxreason.rows import write_parquet

MODELS = {"base": 0, "grpo": 3}
"""Model -> of every four answers so many more are right than one."""
NUM = 24
MARKUP = HOSTILE[:34]


def sample(number: int) -> Sample:
    task = ("binary", "anomaly", "grounding")[number % 3]
    kind = {"binary": "choice", "anomaly": "labels", "grounding": "boxes"}[task]
    answer = {"choice": "A", "labels": "edema", "boxes": "<|ref|>edema<|/ref|><|box|>(20,40),(60,80)<|/box|>"}
    return Sample(
        id=content_id("case", number),
        dataset="toy-a" if number % 2 else "toy-b",
        task=task,
        kind=kind,
        patient_id=f"p{number}",
        study_id=f"s{number}",
        split="test",
        images=(f"{number % 2}.png",),
        question=f"Question {number}: is there edema? {MARKUP if number == 3 else ''}",
        answer=answer[kind],
        options=("Yes", "No") if kind == "choice" else (),
        report="There is edema. No fracture.",
        reasoning="There is edema.",
        evidence=("There is edema.",),
        boxes=(Box("edema", 0.2, 0.4, 0.6, 0.8),),
        views=("PA",),
        sex="MF"[number % 2],
        age=30.0 + number,
    )


def prediction(one: Sample, model: str, number: int) -> Prediction:
    right = number % 4 <= MODELS[model]
    wrong = {"choice": "B", "labels": "fracture", "boxes": "No edema detected."}[one.kind]
    said = Prediction(
        id=content_id(one.id, model),
        sample_id=one.id,
        model=model,
        mode="reasoning",
        dialect="think",
        text=f"<think> There is edema. {HOSTILE} </think>",
        reasoning="There is edema. There is a fracture.",
        answer=one.answer if right else wrong,
    )
    if model == "base" and number == 5:
        return replace(said, answer="", problem="no readable box", finished=False)
    return said


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `score`, the run of two models on 24 samples, one image of 16 bits among them."""
    folder = tmp_path_factory.mktemp("scored")
    (folder / "mine").mkdir()
    Image.fromarray(np.full((60, 50), 90, np.uint8)).save(folder / "mine/0.png")
    Image.fromarray(np.linspace(0, 60_000, 3000).astype(np.uint16).reshape(60, 50)).save(
        folder / "mine/1.png"
    )
    samples = [sample(number) for number in range(NUM)]
    write_parquet(folder / "mine/samples.parquet", Sample, map(to_row, samples))
    for model in MODELS:
        (folder / model).mkdir()
        rows = [prediction(one, model, number) for number, one in enumerate(samples)]
        write_parquet(folder / model / "predictions.parquet", Prediction, map(to_row, rows))
    predictions = tuple(folder / model for model in MODELS)
    told: dict[str, Any] = {"samples": folder / "mine", "bootstrap_draws": 50}
    score(ScoreRecipe(out=folder / "score", predictions=predictions, **told))
    return folder


@pytest.fixture(scope="module")
def summary(made: Path) -> dict[str, Any]:
    return json.loads((made / "score/summary.json").read_text())


def cases(folder: Path) -> list[dict[str, Any]]:
    found = []
    for file in sorted(folder.glob("[0-9]*.js")):
        told = re.fullmatch(r"cxreasonCases\(\d+, (.*)\);\n", file.read_text(), re.DOTALL)
        assert told
        found += json.loads(told[1].replace("<\\/", "</"))
    return found


def test_beside_every_mean_stand_its_groups_and_its_floors(summary):
    accuracy = summary["grpo"]["reasoning"]["accuracy"]
    assert accuracy["value"] == 1.0
    assert accuracy["chance"] == 0.5
    assert accuracy["chance_by_task"] == {"binary": 0.5}
    # All answers are "Yes": whoever knows the other patients needs no image.
    assert accuracy["blind"]["value"] == 1.0
    assert accuracy["blind"]["n"] == accuracy["n"] == 8
    assert {group: told["n"] for group, told in accuracy["by_sex"].items()} == {"female": 4, "male": 4}
    assert list(accuracy["by_age"]) == ["18–39", "40–59"]
    assert summary["base"]["reasoning"]["accuracy"]["by_source"]["toy-b"]["value"] == pytest.approx(0.5)
    assert "blind" not in summary["grpo"]["reasoning"]["radrscore"]


def test_the_page_says_who_leads_and_what_guessing_earns(made):
    page = (made / "score/page.html").read_text()
    text = " ".join(re.sub(r"<(style|script).*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL).split())
    assert "GRPO has the highest accuracy, 1.00" in text
    assert "without the image one gets 1.00." in text
    assert "Question only, no image" in text
    assert "Random guess" in text
    assert "Base reasons" not in text  # there is one mode, so that no row needs to name it


def test_the_page_is_written_again_without_scoring(made):
    file = made / "score/page.html"
    page = file.read_text()
    file.unlink()
    predictions = tuple(made / model for model in MODELS)
    told: dict[str, Any] = {"samples": made / "mine", "bootstrap_draws": 50}
    score(ScoreRecipe(out=made / "score", predictions=predictions, **told))
    assert file.read_text() == page


def test_a_case_holds_what_was_asked_said_and_found(made):
    found = {one["question"].split(":")[0]: one for one in cases(made / "score/cases")}
    assert len(found) == NUM
    one = found["Question 5"]
    assert one["report"] == [["There is edema.", True], [" No fracture.", False]]
    base, grpo = one["replies"]
    assert (base["worth"], base["problem"], base["finished"]) == (-2, "no readable box", False)
    assert (grpo["worth"], grpo["boxes"]) == (100, [["edema", 0.2, 0.4, 0.6, 0.8, 0]])
    assert grpo["trace"] == [["There is edema.", "supported"], ["There is a fracture.", "contradicted"]]
    assert {name for name, *_ in grpo["scores"]} >= {"iou", "radrscore", "r_f"}


def test_images_are_linked_and_those_that_no_browser_shows_are_copied(made):
    sources = {one["images"][0]["src"] for one in cases(made / "score/cases")}
    assert "../mine/0.png" in sources
    (copy,) = sources - {"../mine/0.png"}
    assert copy.startswith("cases/images/")
    with Image.open(made / "score" / copy) as picture:
        assert (picture.mode, picture.size) == ("L", (50, 60))


def test_cases_take_turns_among_tasks_and_nobody_picks_them():
    samples = [
        Sample(str(n), "d", "rare" if n % 10 == 0 else "common", "choice", "p", "s", "test", (), "?", "A")
        for n in range(100)
    ]
    chosen = choose_cases(samples, 30)
    assert sum(one.task == "rare" for one in chosen) == 10
    assert len(chosen) == 30
    assert chosen == choose_cases(samples[::-1], 30)


def estimate(value: float, **more: Any) -> dict[str, Any]:
    return {"value": value, "low": value - 0.05, "high": value + 0.05, "n": 20, "num_left_out": 0, **more}


def test_less_is_better_where_it_is_and_the_axis_holds_what_lies_outside_of_it():
    told = {
        "a": {"reasoning": {"radcliq_v1": estimate(1.4)}},
        "b": {"reasoning": {"radcliq_v1": estimate(-0.3)}},
    }
    panel = leaderboard.panel(told, "radcliq_v1")
    assert [row.name for row in panel.rows] == ["b", "a"]
    assert panel.better == "less is better"
    assert panel.ticks[0][1] == "-1"
    assert all(0 <= row.at <= 1 for row in panel.rows)


def test_what_was_not_computed_is_told_with_the_reason_and_has_no_panel():
    told = {
        "a": {
            "reasoning": {"accuracy": estimate(0.5), "green": {"value": None, "n": 0, "absent": "no weights"}}
        }
    }
    assert leaderboard.absent(told) == {"green": "no weights"}
    assert [panel.metric for panels in leaderboard.sections(told, {}).values() for panel in panels] == [
        "accuracy"
    ]


def test_the_unweighted_mean_of_tasks_is_the_last_line_of_their_table():
    by_task = {"a": estimate(0.2), "b": estimate(0.4)}
    told = {"m": {"reasoning": {"accuracy": estimate(0.3, by_task=by_task, macro=estimate(0.33))}}}
    table = leaderboard.grouped(told, "accuracy", "by_task")
    assert table is not None
    assert [(group, cells[0].figure) for group, cells, *_ in table["lines"]] == [
        ("a", "0.20"),
        ("b", "0.40"),
        ("mean of tasks", "0.33"),
    ]


def test_a_direct_answer_has_no_place_among_traces():
    told = {
        "a": {
            mode: {"radrscore": estimate(0.0), "accuracy": estimate(0.5)} for mode in ("reasoning", "direct")
        }
    }
    shown = leaderboard.sections(told, {})
    assert [row.mode for row in shown["Reasoning"][0].rows] == ["reasoning"]
    assert [row.mode for row in shown["Answers"][0].rows] == ["reasoning", "direct"]


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (0.78, "b has the highest accuracy, 0.80 (0.75–0.85), and a (0.78) lies within its interval."),
        (0.70, "b has the highest accuracy, 0.80 (0.75–0.85)."),
    ],
)
def test_who_is_not_clearly_behind_is_named(other, says):
    told = {name: {"direct": {"accuracy": estimate(value)}} for name, value in (("a", other), ("b", 0.8))}
    assert leaderboard.claim(told).replace("\u2060", "") == says


def test_a_metric_without_a_name_and_an_empty_summary_do_no_harm():
    told = {"a": {"reasoning": {"new_metric": estimate(0.5), "parse_rate": 0.9}}}
    assert leaderboard.sections(told, {})["Other"][0].title == "New metric"
    assert leaderboard.claim({"a": {"direct": {}}}) == "Nothing was measured."


def test_every_metric_has_a_name_and_a_heading():
    named = set(metric_names.NAMES)
    assert set(METRICS) <= named
    assert all(metric_names.heading(metric) != metric_names.OTHER for metric in METRICS)


# In a browser

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


class Look:
    """A page that is open in a window, and what it complained about or fetched."""

    def __init__(self, browser: Any, file: Path, width: int, hash: str = "") -> None:
        self.page = browser.new_page(viewport={"width": width, "height": 800})
        self.faults: list[str] = []
        self.fetched: list[str] = []
        self.page.on("console", lambda message: self.faults.append(message.text))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", lambda request: self.fetched.append(request.url))
        self.page.goto(file.as_uri() + hash)
        self.page.wait_for_selector("#browser[data-ready]", timeout=60_000)

    def texts(self, query: str) -> list[str]:
        return [one.inner_text() for one in self.page.query_selector_all(query)]

    def see(self, query: str) -> bool:
        one = self.page.query_selector(query)
        return bool(one and one.is_visible())


@pytest.fixture
def look(browser: Any) -> Iterator[Any]:
    opened: list[Look] = []

    def open_page(file: Path, width: int = 1280, hash: str = "") -> Look:
        opened.append(Look(browser, file, width, hash))
        return opened[-1]

    yield open_page
    for one in opened:
        one.page.close()


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_its_window_and_needs_no_network(made, look, width):
    seen = look(made / "score/page.html", width)
    for details in seen.page.query_selector_all("details"):
        details.evaluate("one => { one.open = true; }")
    assert seen.page.evaluate("document.documentElement.scrollWidth") == width
    assert seen.faults == []
    assert all(url.startswith("file:") for url in seen.fetched)
    assert seen.texts("#shown") == ["24 cases"]


@pytest.mark.browser
def test_filters_find_cases_and_the_case_shows_everything_as_text(made, look):
    seen = look(made / "score/page.html")
    page = seen.page
    page.click(".filter summary")
    page.select_option("[name=outcome]", "unreadable")
    assert seen.texts("#shown") == ["1 of 24 cases"]
    page.click(".line")
    page.wait_for_selector("#case-title:has-text('Question 5')")
    assert "Not readable: no readable box." in seen.texts(".reply")[0]
    assert seen.texts(".reply .badge") == ["not readable", "right"]
    assert page.evaluate("document.querySelector('.frame img').naturalWidth") == 50
    assert len(page.query_selector_all(".place.gold")) == 1
    assert page.query_selector(".place.said.model-2").evaluate("one => one.style.left") == "20%"
    page.uncheck("#all-boxes")
    assert not page.query_selector(".place").is_visible()
    page.select_option("[name=outcome]", "differ")
    assert seen.texts("#shown") == ["18 of 24 cases"]
    page.click("[type=reset]")
    page.select_option("[name=order]", "worst")
    assert page.query_selector(".line .mark").get_attribute("title") == "Base: not readable"
    page.click("[type=reset]")
    page.fill("[name=find]", "edema ALERT")
    page.wait_for_selector("#shown:has-text('1 of 24')")
    page.click(".line")
    page.wait_for_selector("#case-title:has-text('Question 3')")
    assert MARKUP in page.inner_text("#case-title")
    assert page.query_selector_all(".browser script, .browser [onerror], .browser img[src=x]") == []
    assert seen.faults == []


@pytest.mark.browser
def test_keys_move_through_the_list_and_a_link_leads_to_a_case(made, look):
    seen = look(made / "score/page.html")
    seen.page.focus("#list")
    for _ in range(3):
        seen.page.keyboard.press("ArrowDown")
    seen.page.wait_for_selector(".count:has-text('4 of 24')")
    assert seen.page.get_attribute("#list", "aria-activedescendant") == "line-3"
    wanted = sample(7)
    linked = look(made / "score/page.html", hash=f"#case={wanted.id}")
    linked.page.wait_for_selector("#case-title:has-text('Question 7')")


@pytest.mark.browser
def test_on_a_phone_a_case_takes_the_place_of_the_list_and_gives_it_back(made, look):
    seen = look(made / "score/page.html", 390)
    assert not seen.see("#detail")
    seen.page.click(".line >> nth=2")
    seen.page.wait_for_selector("#case-title")
    assert not seen.see("#list")
    assert [one.is_visible() for one in seen.page.query_selector_all(".reply")] == [True, True]
    assert seen.page.evaluate("document.documentElement.scrollWidth") == 390
    seen.page.click(".back")
    assert seen.see("#list")
    assert not seen.see("#detail")


@pytest.mark.browser
def test_five_thousand_cases_stay_quick_because_only_what_is_seen_is_there(made, look, tmp_path):
    folder = Path(shutil.copytree(made / "score", tmp_path / "score"))
    first = sample(0)
    many = [replace(first, id=f"id{n:05}", question=f"Number {n}?", images=()) for n in range(5000)]
    said = prediction(first, "base", 0)
    scores = [Score("s", said.id, first.id, "p", "d", "binary", "accuracy", 1.0)]
    reply = {("base", "reasoning"): Reply(said, scores, "accuracy")}
    columns = [("base", "reasoning"), ("grpo", "reasoning")]
    write_cases(folder / "cases", many, lambda one: reply, columns, made / "mine")
    seen = look(folder / "page.html")
    assert seen.texts("#shown") == ["5,000 cases"]
    assert len(seen.page.query_selector_all(".line")) < 40
    assert sum("/cases/0" in url for url in seen.fetched) == 1
    # From typing to the list that fits, and from a jump to the end to the case there, in the page's own time.
    took = seen.page.evaluate(
        """() => {
          const started = performance.now(), field = document.querySelector('[name=find]');
          field.value = 'number 499'; field.dispatchEvent(new Event('input', {bubbles: true}));
          return [performance.now() - started, document.querySelector('#shown').textContent];
        }"""
    )
    assert took[1] == "15 of 5,000 cases"
    assert took[0] < 500
    seen.page.fill("[name=find]", "")
    seen.page.focus("#list")
    seen.page.keyboard.press("End")
    seen.page.wait_for_selector("#case-title:has-text('Number 4999?')")
    assert len(seen.page.query_selector_all(".line")) < 40
    assert sum("/cases/0" in url for url in seen.fetched) == 2
