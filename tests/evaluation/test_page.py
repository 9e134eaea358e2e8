"""The page of a run: true to the numbers, safe to open, whole without its optional parts."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markupsafe import escape
from page_fixture import HOSTILE, MODELS, REPORT, SUMMARY, make_demo

from cxreason.errors import UserError
from cxreason.evaluation.metrics import ALWAYS, METRICS
from cxreason.evaluation.page import claim, write_page
from cxreason.evaluation.page_charts import course, draw, nice_ticks
from cxreason.evaluation.page_gallery import answer_text, choose, highlight
from cxreason.records import Sample


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_demo(tmp_path_factory.mktemp("page") / "demo")
    write_page(folder)
    return folder


@pytest.fixture
def demo(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may break."""
    return Path(shutil.copytree(made, tmp_path / "demo"))


@pytest.fixture(scope="module")
def page(made: Path) -> str:
    return (made / "page.html").read_text(encoding="utf-8")


class Tags(HTMLParser):
    """Start tags with their attributes, and whether all that were opened were closed in order."""

    EMPTY = frozenset(("meta", "img", "input", "br"))

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def visible(page: str) -> str:
    """The text between the tags, white space made plain."""
    body = re.sub(r"<(style|script)>.*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_every_tag_is_closed(page: str) -> None:
    assert Tags(page).open == []


@pytest.mark.parametrize("model", MODELS)
def test_the_numbers_of_the_summary_stand_in_the_table(page: str, model: str) -> None:
    text = visible(page)
    for metric in ALWAYS:
        cell = SUMMARY[model]["reasoning"][metric]
        assert f"{cell['value']:.2f} {cell['low']:.2f}–{cell['high']:.2f}, n 25" in text
    assert f"{SUMMARY[model]['direct']['accuracy']['value']:.2f}" in text


def test_every_metric_has_its_definition_beside_it(page: str) -> None:
    assert all(METRICS[metric] in visible(page) for metric in ALWAYS)


def test_the_zero_of_direct_answers_is_not_shown_as_a_radrscore(page: str) -> None:
    text = visible(page)
    assert text.count("no reasoning asked for") == 1
    assert "not measured" not in text
    assert "0.00 -0.06" not in text


def test_funnel_curves_and_seconds_are_shown(page: str) -> None:
    text = visible(page)
    for part in (
        "Studies 1,234",
        "Questions 987",
        "876 of 987; leak 111",
        "sft 91.5",
        "total 123.4",
        "97.5%",
    ):
        assert part in text
    assert "loss from 2 to 0.0667" in page
    assert "answer from 0.025 to 0.75" in page


def test_what_a_model_says_never_becomes_markup(page: str) -> None:
    assert str(escape(HOSTILE)) in page
    tags = Tags(page).found
    assert [tag for tag, _ in tags].count("script") == 1
    assert not any(name.startswith("on") for _, attributes in tags for name in attributes)
    assert str(escape(REPORT.split("\n")[1])) in page


def test_nothing_is_loaded_from_anywhere(page: str) -> None:
    assert "http://" not in page
    assert "https://" not in page
    for tag, attributes in Tags(page).found:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        for name in ("src", "href"):
            value = attributes.get(name) or "#"
            assert value.startswith(("#", "data:image/jpeg;base64,")), (tag, value)
    assert "url(" not in page
    assert "@import" not in page


def test_pages_that_stages_left_are_linked_and_no_others(demo: Path) -> None:
    def linked() -> set[str]:
        tags = Tags((demo / "page.html").read_text(encoding="utf-8")).found
        places = {attributes.get("href") or "#" for _, attributes in tags}
        return {place for place in places if not place.startswith("#")}

    assert linked() == set()
    for stage in ("score", "mine"):
        (demo / stage / "page.html").write_text("a page", encoding="utf-8")
    write_page(demo)
    assert linked() == {"score/page.html", "mine/page.html"}


def test_the_page_names_its_own_script_as_the_only_one_allowed(page: str) -> None:
    import base64
    import hashlib

    script = re.search(r"<script>(.*?)</script>", page, re.DOTALL)
    assert script
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html.unescape(page)


def test_the_same_folder_gives_the_same_page(demo: Path, page: str) -> None:
    assert write_page(demo).read_text(encoding="utf-8") == page


def test_the_gallery_shows_right_and_wrong_of_every_task(page: str) -> None:
    cases = [attributes for tag, attributes in Tags(page).found if tag == "article"]
    shown = [(case["data-task"], case["data-verdict"]) for case in cases]
    assert len(shown) == 15
    assert {task for task, _ in shown} == {"binary", "single", "multiple", "anomaly", "temporal"}
    assert all((task, verdict) in shown for task, _ in shown for verdict in ("right", "wrong"))


def test_sentences_evidence_gold_and_boxes_are_marked(page: str) -> None:
    assert re.search(r'class="sentence supported"[^>]*>There is cardiomegaly\.', page)
    assert re.search(r'class="sentence contradicted"[^>]*>There is no cardiomegaly\.', page)
    assert re.search(r'class="sentence unmentioned"[^>]*>There is edema\.', page)
    assert "<mark>The heart is enlarged.</mark>" in page
    assert 'x="28.8" y="38.4" width="48.0" height="48.0"' in page
    assert "B · No" not in page  # no model said so, and it is not the gold answer
    assert "partly right, F1 0.67" in visible(page)


@pytest.mark.parametrize(
    ("gone", "text"),
    [
        ("sft/curve.json", "GRPO: reward by kind"),
        ("grpo", "SFT: loss"),
        ("mine", "No cases are shown"),
        ("score", "No cases are shown"),
        ("predict-base-direct", "Case 15"),
        ("phantom/../build", "With reasoning"),
    ],
)
def test_a_part_that_is_missing_is_left_out(demo: Path, gone: str, text: str) -> None:
    path = demo / gone
    path.unlink() if path.is_file() else shutil.rmtree(path)
    assert text in visible(write_page(demo).read_text(encoding="utf-8"))


def test_a_summary_alone_makes_a_page(made: Path, tmp_path: Path) -> None:
    shutil.copy(made / "summary.json", tmp_path)
    text = visible(write_page(tmp_path).read_text(encoding="utf-8"))
    assert "0.83" in text
    assert "Synthetic data" not in text
    assert "Not a medical device" in text


def test_a_summary_with_holes_makes_a_page(tmp_path: Path) -> None:
    estimate = {"value": None, "low": None, "high": None, "n": 0}
    models = {
        "mine": {"reasoning": {"accuracy": estimate, "r_f": {"value": 0.5, "by_task": {"x": estimate}}}}
    }
    (tmp_path / "summary.json").write_text(json.dumps({"models": models}))
    text = visible(write_page(tmp_path).read_text(encoding="utf-8"))
    assert "not measured" in text


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "is missing"), ("{", "not readable JSON"), ('{"models": {}}', "holds no scores")],
)
def test_a_folder_without_numbers_is_one_clear_line(tmp_path: Path, content: str | None, says: str) -> None:
    if content is not None:
        (tmp_path / "summary.json").write_text(content)
    with pytest.raises(UserError, match=says) as raised:
        write_page(tmp_path)
    assert "\n" not in str(raised.value)
    assert str(tmp_path / "summary.json") in str(raised.value)


def test_the_claim_holds_whichever_way_the_numbers_went() -> None:
    def scored(value: float) -> dict:
        return {"reasoning": {"accuracy": {"value": value}, "radrscore": {"value": value / 2}}}

    text = claim({"base": scored(0.8), "grpo": scored(0.5)})
    assert "from 0.80 (Base) to 0.50 (GRPO)" in text
    assert "from 0.40 to 0.25" in text


def test_patients_are_called_held_out_only_where_that_is_known(demo: Path, page: str) -> None:
    assert "held-out patients" in visible(page)
    shutil.rmtree(demo / "mine")
    assert "held-out patients" not in visible(write_page(demo).read_text(encoding="utf-8"))


def test_the_gallery_choice_does_not_depend_on_the_order_of_the_samples() -> None:
    samples = [Sample(str(n), "d", "binary", "choice", "p", "s", "test", (), "?", "A") for n in range(20)]
    judged = {sample.id: "right" if int(sample.id) % 3 else "wrong" for sample in samples}
    assert choose(samples, judged) == choose(samples[::-1], judged)
    assert sorted(judged[sample.id] for sample in choose(samples, judged)) == ["right", "right", "wrong"]
    assert len(choose(samples, dict.fromkeys(judged, "wrong"))) == 3
    assert len(choose(samples, dict.fromkeys(judged, "right"))) == 3


def test_evidence_is_found_across_line_breaks_and_lost_evidence_harms_nothing() -> None:
    assert highlight("No\nfracture. Clear.", ["No fracture."]) == [
        ("No\nfracture.", True),
        (" Clear.", False),
    ]
    assert highlight("Clear.", ["Edema (mild)."]) == [("Clear.", False)]


def test_an_answer_that_is_no_letter_of_the_options_stays_as_it_is() -> None:
    sample = Sample("1", "d", "binary", "choice", "p", "s", "test", (), "?", "A", ("Yes", "No"))
    assert [answer_text(said, sample) for said in ("B", "Z", "edema", "")] == ["B · No", "Z", "edema", ""]


def test_a_curve_skips_what_is_not_a_number() -> None:
    log = [
        {"step": 1, "loss": 2},
        {"loss": float("nan")},
        {"step": 3, "eval": 1},
        {"step": 4, "loss": "1"},
        {"loss": 1.0},
    ]
    assert course(log, "loss") == [(1.0, 2.0), (5.0, 1.0)]
    assert draw("nothing", log, {"kl": "kl"}) is None


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (0.001, 0.0011), (-3, 7), (60, 76), (5, 5), (0, 0), (-2, -2)]
)
def test_ticks_are_few_round_and_cover_the_range(low: float, high: float) -> None:
    ticks = nice_ticks(low, high)
    assert 2 <= len(ticks) <= 7
    assert ticks[0] <= low
    assert ticks[-1] >= high


# In a browser

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")

WATCH = "<script>window.faults = []; addEventListener('error', event => faults.push(event.message));</script>"
# Chromium opens no window below 500 px, so the page is looked at through a frame of the wanted width.
FRAME = """<!doctype html><body style="margin:0">
<iframe id="frame" style="border:0;width:{width}px;height:2000px" srcdoc="{page}"></iframe><script>
document.getElementById("frame").addEventListener("load", event => {{
  const inner = event.target.contentWindow, root = inner.document.documentElement;
  const query = text => [...inner.document.querySelectorAll(text)];
  {act}
  const seen = {{
    width: root.scrollWidth, script: root.classList.contains("js"), faults: inner.faults,
    cases: query(".case").filter(one => one.offsetHeight).length,
    replies: query(".case:not([hidden])").slice(0, 1).flatMap(one => [...one.querySelectorAll(".reply")])
     .filter(one => one.offsetHeight).map(one => one.dataset.model),
    boxes: query(".boxes").filter(one => inner.getComputedStyle(one).display !== "none").length,
    status: inner.document.getElementById("shown").textContent,
  }};
  document.body.dataset.seen = JSON.stringify(seen);
}});
</script></body>"""


def look(page: str, folder: Path, *, width: int, act: str = "", script: bool = True) -> dict:
    """What a browser shows of a page at a width, after `act` was done to it."""
    page = page.replace("<head>", f"<head>{WATCH}")
    page = re.sub(r"<meta http-equiv=\"Content-Security-Policy\"[^>]*>", "", page)
    if not script:
        page = re.sub(
            r"<script>\"use strict.*?</script>|<script>// Filters.*?</script>", "", page, flags=re.DOTALL
        )
    file = folder / "look.html"
    file.write_text(FRAME.format(width=width, page=html.escape(page), act=act), encoding="utf-8")
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--hide-scrollbars",
    ]
    flags += [
        f"--user-data-dir={folder / 'profile'}",
        "--window-size=1400,2000",
        "--virtual-time-budget=3000",
    ]
    done = subprocess.run(
        [str(CHROMIUM), *flags, "--enable-logging=stderr", "--dump-dom", file.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env={**os.environ, "HOME": str(folder)},
    )
    assert "CONSOLE" not in done.stderr, done.stderr
    found = re.search(r'data-seen="([^"]*)"', done.stdout)
    assert found, done.stdout[-500:]
    return json.loads(html.unescape(found[1]))


@pytest.mark.browser
@needs_browser
@pytest.mark.parametrize(("width", "replies"), [(1280, list(MODELS)), (390, ["grpo"])])
def test_the_page_fits_its_window(page: str, tmp_path: Path, width: int, replies: list[str]) -> None:
    everything_open = "query('details').forEach(one => { one.open = true; });"
    seen = look(page, tmp_path, width=width, act=everything_open)
    assert seen["width"] == width
    assert seen["faults"] == []
    assert seen["script"] is True
    assert seen["cases"] == 15
    assert seen["replies"] == replies


@pytest.mark.browser
@needs_browser
def test_buttons_filter_switch_model_and_hide_boxes(page: str, tmp_path: Path) -> None:
    act = """
      inner.document.querySelector('[data-value="wrong"]').click();
      inner.document.querySelector('[data-value="binary"]').click();
      const shown = query(".case").find(one => one.offsetHeight);
      shown.querySelector('.tabs [data-model="sft"]').click();
      inner.document.querySelector('#all-boxes').click();
    """
    seen = look(page, tmp_path, width=390, act=act)
    assert seen["faults"] == []
    assert seen["status"] == "1 of 15 cases"
    assert seen["cases"] == 1
    assert seen["boxes"] == 0
    assert seen["replies"] == ["sft"]


@pytest.mark.browser
@needs_browser
def test_without_its_script_the_page_shows_everything(page: str, tmp_path: Path) -> None:
    seen = look(page, tmp_path, width=390, script=False)
    assert seen["script"] is False
    assert seen["width"] == 390
    assert seen["cases"] == 15
    assert seen["replies"] == list(MODELS)
    assert seen["boxes"] == 18


def test_controls_stand_below_the_models_and_are_no_models(tmp_path: Path) -> None:
    folder = make_demo(tmp_path / "demo")
    summary = json.loads((folder / "summary.json").read_text())
    control = {"accuracy": {"value": 0.91, "low": 0.9, "high": 0.92, "n": 7}}
    summary["models"] |= {"probe": {"direct": control}}
    (folder / "summary.json").write_text(json.dumps(summary))
    page = write_page(folder).read_text()
    claimed = re.search(r"<h1>(.*?)</h1>", page)
    assert claimed is not None
    assert "GRPO" in claimed.group(1)
    assert "0.91" not in claimed.group(1)
    table = page[page.index('<table class="headline"') : page.index("</table>")]
    assert table.index("Pixels only") > table.rindex("GRPO")
    assert "<b>0.91</b>" in table
    assert "Pixels only" not in page[page.index('<section id="cases"') :]
