"""A reader at work, in Chromium: every mode, keys alone, reloads, two windows, a phone, a lost network."""

from __future__ import annotations

import pytest
from browser import (
    Served,
    accessible,
    case_number,
    chromium,
    focus_is_seen,
    join,
    needs_browser,
    on_case,
    saved,
    shown,
    sign_in,
    until,
    window,
)
from study_folder import PASSWORD, opened

from cxreason.study.store import main_step
from cxreason.study.timing import times_of

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_browser]

BOXES = [{"label": "nodule", "x1": 0.2, "y1": 0.2, "x2": 0.6, "y2": 0.6}]


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture
def served(tmp_path):
    from study_folder import protocol

    values = protocol()
    for case in values["cases"]:
        case["images"][0]["boxes"] = BOXES
    values["arms"]["arm-scratch"]["boxes"] = True
    study = opened(tmp_path, **values)
    found = Served(study)
    yield found
    found.stop()
    study.store.database.close()


def readings(served, name):
    return [one for one in served.study.store.all_readings() if one.reader == name]


def texts(served, name, kind="submit"):
    return [event.data["text"] for one in readings(served, name) for event in one.events if event.kind == kind
            and "text" in event.data]  # fmt: skip


def in_mode(page, served, name, mode):
    """Read on until a case of a mode is open; whether there is one."""
    for row in served.study.store.readings_of(name):
        if row["done"]:
            continue
        if served.study.protocol.arms[row["arm"]].mode == mode:
            return
        # Asked before the click: after it the next case may be there already, of another mode.
        number, questions = case_number(page), "edit" in page.get_attribute("body", "class")
        page.fill("#text", "Nothing to report.")
        page.click("#submit-report")
        if questions:
            page.wait_for_selector("#answers:not([hidden])")
            answer_all(page)
            page.click("#submit-answers")
        on_case(page, number + 1)
    raise AssertionError(f"no case of mode {mode}")


def answer_all(page):
    for box in page.query_selector_all("#answers fieldset"):
        box.query_selector("label").click()


def test_a_report_is_written_with_keys_alone(browser, served):
    with window(browser, served) as context:
        page = context.new_page()
        page.goto(served.link("r1"))
        until(page, "document.activeElement.id === 'password'")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_selector("a.main")
        until(page, "document.readyState === 'complete'")
        for _ in range(10):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.matches('a.main')"):
                break
        page.keyboard.press("Enter")
        shown(page)
        while "mode-write" not in page.get_attribute("body", "class"):
            in_mode(page, served, "r1", "write")
        number = case_number(page)
        until(page, "document.activeElement.tagName === 'CANVAS'")
        before = page.inner_text(".viewer-numbers >> nth=0")
        for key in ("i", "+", "ArrowLeft", "Shift+ArrowUp", "b", "2", "0"):
            page.keyboard.press(key)
        until(page, "document.querySelector('.viewer-numbers').textContent.includes('inverted')")
        assert page.inner_text(".viewer-numbers >> nth=0") != before
        page.keyboard.press("r")
        page.keyboard.press("?")
        page.wait_for_selector("dialog[open]")
        page.keyboard.press("Escape")
        page.keyboard.press("e")
        assert page.evaluate("document.activeElement.id") == "text"
        page.keyboard.type("The lungs are clear.")
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.tagName") == "CANVAS"
        page.keyboard.press("e")
        page.keyboard.press("Control+Enter")
        on_case(page, number + 1)
    assert "The lungs are clear." in texts(served, "r1")
    done = next(one for one in readings(served, "r1") if one.submitted("report") and one.arm == "arm-scratch")
    times = times_of(done.events, "report")
    assert times.seconds is not None
    assert times.server is not None
    assert 0 < times.seconds <= times.server
    assert times.to_first_edit is not None
    assert not times.doubted


def test_questions_come_only_after_the_edited_draft_is_submitted(browser, served):
    with window(browser, served) as context:
        page = join(context, served, "r1")
        in_mode(page, served, "r1", "edit")
        draft = page.input_value("#text")
        assert "First wording" in draft
        assert page.is_hidden("#answers")
        page.fill("#text", "")
        page.click("#submit-report")
        assert page.inner_text("#text-problem") == "Write the report first."
        page.fill("#text", f"{draft} Edited.")
        page.click("#submit-report")
        page.wait_for_selector("#answers:not([hidden])")
        assert page.is_hidden("#report")
        accessible(page)
        page.click("#submit-answers")
        assert page.inner_text("#answers .problem >> nth=0") == "Please answer this one."
        number = case_number(page)
        answer_all(page)
        page.reload()
        shown(page)
        assert page.is_hidden("#report"), "what was submitted stays so"
        assert page.locator("#answers input:checked").count() == 4
        page.click("#submit-answers")
        on_case(page, number + 1)
    assert f"{draft} Edited." in texts(served, "r1")


def test_reports_are_compared_and_reasoning_is_judged(browser, served):
    with window(browser, served) as context:
        page = join(context, served, "a1")
        for number in range(1, 5):
            on_case(page, number)
            assert page.locator(".sheet").count() == 2
            page.check(f"input[value={'A' if number % 2 else 'comparable'}]", force=True)
            page.click("#submit-answers")
        for number in (5, 6):
            on_case(page, number)
            assert "left angle is blunted" in page.inner_text(".trace")
            page.check("input[name=factuality][value=agree]", force=True)
            page.check("input[name=causal_support][value='not applicable']", force=True)
            page.fill("textarea[name=comment]", "A remark.")
            accessible(page)
            page.keyboard.press("Control+Enter")
        page.wait_for_selector("text=All done")
    for one in readings(served, "a1"):
        assert one.submitted("answers")
        times = times_of(one.events, main_step(served.study.protocol.arms[one.arm].mode))
        assert times.seconds is not None
        assert not times.doubted


@pytest.mark.parametrize("pause", [0, 1_500], ids=["before it is sent", "after it is sent"])
def test_a_reload_amid_an_edit_loses_nothing(browser, served, pause):
    with window(browser, served) as context:
        page = join(context, served, "r1")
        page.fill("#text", "This is saved.")
        saved(page)
        page.reload()
        shown(page)
        assert page.input_value("#text") == "This is saved."
        told = page.evaluate("""() => {
          document.getElementById("text").value = "This follows at once.";
          document.getElementById("text").dispatchEvent(new Event("input", { bubbles: true }));
          return document.getElementById("saved").textContent;
        }""")
        assert told == "Not saved yet"
        page.wait_for_timeout(pause)
        page.reload()
        shown(page)
        assert page.input_value("#text") == "This follows at once."
        saved(page)
    assert texts(served, "r1", "save")[-1] == "This follows at once."
    assert len(texts(served, "r1", "aside")) == 0


def test_nothing_can_be_written_before_the_page_is_ready_to_keep_it(browser, served):
    with window(browser, served) as context:
        held = []
        context.route("**/static/reading.js", lambda route: held.append(route))
        page = context.new_page()
        sign_in(context, served, "r1")
        page.goto(f"{served.base}/read", wait_until="commit")
        page.wait_for_selector("#submit-report")
        assert page.is_disabled("#text")
        assert page.is_disabled("#submit-report")
        held[0].continue_()
        shown(page)
        page.fill("#text", "Now it is kept.")
        saved(page)


def test_two_windows_ask_instead_of_overwriting(browser, served):
    with window(browser, served) as context:
        one = join(context, served, "r1")
        other = context.new_page()
        other.goto(one.url)
        shown(other)
        one.fill("#text", "Of the first window.")
        saved(one)
        other.fill("#text", "Of the second window.")
        other.wait_for_selector("#trouble:not([hidden])")
        accessible(other)
        assert "changed in another window" in other.inner_text("#trouble")
        other.click("text=This one")
        saved(other)
        one.bring_to_front()  # behind another a window is drawn once in a second
        one.fill("#text", "Of the first window again.")
        one.wait_for_selector("#trouble:not([hidden])")
        one.click("text=The other one")
        until(one, "document.getElementById('text').value === 'Of the second window.'")
        one.click("#submit-report")
        until(one, "document.querySelector('#answers:not([hidden])') || location.pathname === '/read'"
                              " || document.querySelector('.where strong')?.textContent === '2'")  # fmt: skip
        other.bring_to_front()
        other.fill("#text", "Too late.")
        other.wait_for_selector("text=submitted in another window")
    everything = texts(served, "r1", "save") + texts(served, "r1", "aside")
    for said in ("first window.", "second window.", "first window again.", "Too late."):
        assert any(said in text for text in everything), said
    assert texts(served, "r1") == ["Of the second window."]


def test_a_server_that_goes_away_amid_an_edit_gets_everything_when_it_is_back(browser, served):
    with window(browser, served) as context:
        context.expected += ["ERR_CONNECTION", "Failed to load resource"]
        page = join(context, served, "r1")
        page.fill("#text", "Before.")
        saved(page)
        served.stop()
        page.fill("#text", "Before. Meanwhile.")
        page.wait_for_selector("text=Trying again")
        page.click("#submit-report")
        served.start()
        until(page, "!document.getElementById('report') || document.getElementById('report').hidden"
                               " || document.querySelector('.where strong').textContent === '2'")  # fmt: skip
    assert texts(served, "r1") == ["Before. Meanwhile."]


def test_after_a_logout_elsewhere_the_text_is_still_there(browser, served):
    with window(browser, served) as context:
        context.expected += ["401"]
        page = join(context, served, "r1")
        served.study.accounts.end_session(
            next(one["value"] for one in context.cookies() if one["name"] == "cxreason_session")
        )
        page.fill("#text", "Written while logged out.")
        page.wait_for_selector("text=You are logged out")
        page.click("#trouble button")
        page.fill("#name", "r1")
        page.fill("#password", PASSWORD)
        page.click("button.main")
        page.click("a.main")
        shown(page)
        assert page.input_value("#text") == "Written while logged out."
        saved(page)
    assert texts(served, "r1", "save") == ["Written while logged out."]


def test_a_case_is_read_on_a_phone(browser, served):
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    with window(browser, served, **phone, device_scale_factor=2) as context:
        page = join(context, served, "r1")
        accessible(page)
        assert page.locator(".viewer-pane:visible").count() == 1, "one view at a time"
        assert page.get_attribute(".viewer-button:has-text('Move')", "aria-pressed") == "true"
        pinch(context, page)
        until(page, "!document.querySelector('.viewer-numbers').textContent.includes('×1.0')")
        page.tap(".viewer-button:has-text('Prior')")
        assert page.locator(".viewer-pane:visible").count() == 1
        page.fill("#text", "From a phone.")
        page.tap("#submit-report")
        until(page, "document.querySelector('#answers:not([hidden])') || "
                               "document.querySelector('.where strong')?.textContent === '2'")  # fmt: skip
    assert texts(served, "r1") == ["From a phone."]


def pinch(context, page):
    """Two fingers that move apart on the image."""
    box = page.locator(".viewer-canvas >> nth=0").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session = context.new_cdp_session(page)
    for kind, gap in (("touchStart", 30), ("touchMove", 60), ("touchMove", 110), ("touchEnd", 0)):
        fingers = [{"x": x - gap, "y": y, "id": 0}, {"x": x + gap, "y": y, "id": 1}] if gap else []
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})


GREY = """() => {
  const canvas = document.createElement("canvas"), shown = document.querySelector(".viewer-canvas");
  const { width, height } = Object.assign(canvas, { width: shown.width, height: shown.height });
  canvas.getContext("2d", { willReadFrequently: true }).drawImage(shown, 0, 0);
  return [...canvas.getContext("2d").getImageData(width / 2, height / 2, 1, 1).data.slice(0, 3)];
}"""


def test_the_window_works_on_all_sixteen_bits(browser, served):
    with window(browser, served) as context:
        page = join(context, served, "a1")
        middle = page.evaluate(GREY)[0]
        numbers = page.inner_text(".viewer-numbers >> nth=0")
        assert "W " in numbers
        assert int(numbers.split("W ")[1].split()[0]) > 50_000
        page.focus(".viewer-canvas >> nth=0")
        page.keyboard.press("i")
        until(page, "document.querySelector('.viewer-numbers').textContent.includes('inverted')")
        page.wait_for_timeout(100)
        assert abs(page.evaluate(GREY)[0] - (255 - middle)) <= 1
        page.keyboard.press("r")
        for _ in range(60):  # a window of a few hundred of 65,536 values tells apart what 8 bits cannot
            page.keyboard.press("Shift+ArrowRight")
        page.wait_for_timeout(200)
        narrow = int(page.inner_text(".viewer-numbers >> nth=0").split("W ")[1].split()[0])
        assert narrow < 2000
        canvas = page.locator(".viewer-canvas >> nth=0").bounding_box()
        page.mouse.move(canvas["x"] + 50, canvas["y"] + 50)
        page.mouse.down()
        page.mouse.move(canvas["x"] - 10, canvas["y"] + 90)
        page.mouse.up()
        page.wait_for_timeout(100)
        assert int(page.inner_text(".viewer-numbers >> nth=0").split("W ")[1].split()[0]) > narrow
        page.mouse.move(canvas["x"] + 90, canvas["y"] + 90)
        page.mouse.wheel(0, -300)
        until(page, "!document.querySelector('.viewer-numbers').textContent.includes('×1.0')")
        page.dblclick(".viewer-canvas >> nth=0")
        assert page.locator(".viewer-pane:visible").count() == 1


YELLOW = """() => {
  const canvas = document.createElement("canvas"), shown = document.querySelector(".viewer-canvas");
  const { width, height } = Object.assign(canvas, { width: shown.width, height: shown.height });
  canvas.getContext("2d", { willReadFrequently: true }).drawImage(shown, 0, 0);
  const data = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  let count = 0;
  for (let at = 0; at < data.length; at += 4) count += data[at] > 200 && data[at + 2] < 120 ? 1 : 0;
  return count;
}"""


def test_boxes_are_drawn_and_hidden_and_only_where_the_arm_shows_them(browser, served):
    with window(browser, served) as context:
        page = join(context, served, "r1")
        in_mode(page, served, "r1", "write")
        assert page.evaluate(YELLOW) > 50
        page.click(".viewer-button:has-text('Boxes')")
        page.wait_for_timeout(150)
        assert page.evaluate(YELLOW) == 0
        in_mode_edit = context.new_page()
        in_mode_edit.goto(page.url)
        page.bring_to_front()
        page.fill("#text", "Done.")
        page.click("#submit-report")
        on_case(page, case_number(in_mode_edit) + 1)


def test_a_hidden_window_and_a_pause_are_recorded(browser, served):
    with window(browser, served) as context:
        page = join(context, served, "r1")
        page.evaluate("""() => {
          Object.defineProperty(document, "hidden", { value: true, configurable: true });
          document.dispatchEvent(new Event("visibilitychange"));
        }""")
        page.wait_for_timeout(300)
        page.evaluate("""() => {
          Object.defineProperty(document, "hidden", { value: false, configurable: true });
          document.dispatchEvent(new Event("visibilitychange"));
        }""")
        page.fill("#text", "After a while.")
        saved(page)
    kinds = [event.kind for one in readings(served, "r1") for event in one.events]
    assert kinds.index("shown") < kinds.index("hidden") < kinds.index("visible")
    assert {"served", "first_edit", "save"} <= set(kinds)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_every_page_can_be_used_by_everybody(browser, served, width, scheme):
    with window(browser, served, color_scheme=scheme, viewport={"width": width, "height": 800}) as context:
        # 401: a reading that is still open tells of itself after its session has been taken away below.
        context.expected += ["404", "401"]
        page = context.new_page()
        page.goto(served.base)
        accessible(page)
        page.goto(served.link("admin"))
        accessible(page)
        page.fill("#password", PASSWORD)
        page.fill("#again", PASSWORD)
        page.click("button.main")
        page.wait_for_selector("text=Progress")
        accessible(page)
        assert "New link for r1" in focus_is_seen(page)
        page.click("[aria-label='New link for r2']")
        accessible(page)
        for path in ("/admin/audit", "/admin/results", "/nothing"):
            page.goto(f"{served.base}{path}")
            accessible(page)
        page.goto(f"{served.base}/admin")
        page.click("text=Log out")
        for name in ("r1", "a1"):
            page = join(context, served, name)
            accessible(page)
            stops = focus_is_seen(page)
            assert any("X-ray" in stop for stop in stops)
            assert "text" in stops or "preference" in stops
            context.clear_cookies()
