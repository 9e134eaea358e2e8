"""The page as somebody uses it who drops an image and asks, with a mouse, with keys, on a phone."""

import re

import pytest
from playwright.sync_api import expect

from cxreason.serve.desk import Desk
from cxreason.serve.examples import examples
from cxreason.serve.limits import Limits
from image_files import EIGHT, RAMP, dicom, picture
from page_checks import browser, faults_of, watched
from scripted_model import YES, Scripted, running

pytestmark = [pytest.mark.browser, pytest.mark.slow]

expect.set_options(timeout=60_000)  # a busy machine is not a fault of the page

LIMITS = Limits(at_once=1, most_waiting=0, decode_seconds=60)
NO = "<think> No pleural effusion. </think><answer> B </answer>"
SCRIPT = "<img src=x onerror=alert(1)><script>alert(2)</script>"


@pytest.fixture(scope="module")
def chromium():
    with browser() as one:
        yield one


@pytest.fixture(scope="module")
def served():
    desk = Desk(Scripted(YES), examples=examples(), limits=LIMITS, about="It is often wrong.")
    with running(desk) as address:
        yield desk, address


def file(name, content=None):
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content or picture(EIGHT)}


def opened(page, address):
    page.goto(address)
    expect(page.locator("#viewer")).to_have_attribute("data-shown", "true")
    return page


def answered(page):
    expect(page.locator("#cost")).to_contain_text("tokens")
    expect(page.locator("#go")).to_be_enabled()


DROP = """([name, base64]) => {
  const bytes = Uint8Array.from(atob(base64), (one) => one.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], name));
  const told = { dataTransfer: carried, bubbles: true, cancelable: true };
  for (const kind of ["dragenter", "dragover", "drop"])
    document.querySelector("#viewer").dispatchEvent(new DragEvent(kind, told));
}"""


def drop(page, name, content):
    import base64

    page.evaluate(DROP, [name, base64.b64encode(content).decode()])


def test_an_example_is_there_and_an_answer_is_shown_sentence_by_sentence(chromium, served):
    desk, address = served
    desk.engine = Scripted(YES, seconds=0.5)
    with watched(chromium, 1280) as page:
        opened(page, address)
        expect(page.locator("#origin")).to_contain_text("not a patient")
        page.click("#go")
        expect(page.locator(".trace li.writing").first).to_be_visible()
        expect(page.locator("#stop")).to_be_visible()
        answered(page)
        expect(page.locator(".verdict")).to_have_text("Yes")
        expect(page.locator("#about")).to_have_text("It is often wrong.")
        expect(page.locator("#replies .trace > li")).to_have_count(2)
        chip = page.locator("#replies .chip").first
        expect(chip).to_have_text("pleural effusion present, left, mild")
        expect(page.locator("#replies mark.absent")).to_have_text("pneumothorax")
        expect(page.locator("#prompt")).to_contain_text("Does this chest X-ray show pleural effusion?")
        assert faults_of(page) == []


def test_a_dropped_dicom_is_shown_and_asked_about_and_its_name_stays_here(chromium, served):
    desk, address = served
    desk.engine = Scripted(YES)
    name = f"../../etc/{SCRIPT}.dcm".replace("/", "∕")
    with watched(chromium, 1280) as page:
        opened(page, address)
        sent = []
        page.on("request", lambda request: sent.append((request.url, str(request.headers))))
        drop(page, name, dicom(RAMP, PatientName="SECRET^PATIENT", ViewPosition="PA"))
        expect(page.locator("#images .name")).to_have_text(name)
        expect(page.locator("#viewer")).to_have_attribute("data-shown", "true")
        expect(page.locator(".viewer-caption")).to_contain_text("PA")
        page.click("#go")
        answered(page)
        assert desk.engine.asked[-1].images[0].shape == RAMP.shape
        assert not any("etc" in part or "SECRET" in part for pair in sent for part in pair)
        assert page.locator("img, script:not([src])").count() == 0
        page.get_by_role("button", name=re.compile("^Remove")).click()
        page.click("#go")
        expect(page.locator("#trouble")).to_have_text("Choose an image first.")
        expect(page.locator("#files")).to_be_focused()


def test_a_second_image_joins_the_first_and_they_can_be_earlier_and_current(chromium, served):
    desk, address = served
    desk.engine = Scripted("<think> Larger effusion. </think><answer> A </answer>")
    with watched(chromium, 1280) as page:
        opened(page, address)
        page.set_input_files("#files", file("one.png", picture(EIGHT)))
        expect(page.locator("#images li")).to_have_count(1)
        page.set_input_files("#files", file("two.png", picture(RAMP[:20])))
        expect(page.locator("#images li")).to_have_count(2)
        page.select_option("#type", "course")
        expect(page.get_by_label("Earlier and current")).to_be_checked()
        expect(page.locator(".viewer-caption").first).to_contain_text("Earlier")
        page.fill("#finding", "pleural effusion")
        page.click("#swap")
        expect(page.locator("#images .name").first).to_have_text("two.png")
        page.click("#go")
        answered(page)
        expect(page.locator(".verdict")).to_have_text("worsening")
        assert [image.shape for image in desk.engine.asked[-1].images] == [(20, 40), EIGHT.shape]
        assert faults_of(page) == []


def test_several_replies_show_whether_they_agree(chromium, served):
    desk, address = served
    desk.engine = Scripted([YES, NO, YES])
    with watched(chromium, 1280) as page:
        opened(page, address)
        page.select_option("#samples", "3")
        page.click("#go")
        answered(page)
        expect(page.locator("#agreement .verdict")).to_have_text("Yes (2 of 3)")
        expect(page.locator("#agreement .bars li")).to_have_count(2)
        page.get_by_text("Findings in the words of 3 replies").click()
        row = page.locator(".tally tbody tr").first
        expect(row).to_have_text(re.compile("pleural effusion.*2.*1"))
        page.get_by_text("Reply 2: No").click()
        expect(page.locator(".reply-fold").nth(1).locator(".trace li").first).to_be_visible()
        assert faults_of(page) == []


YELLOW = """() => {
  const canvas = document.querySelector(".viewer-canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let at = 0; at < data.length; at += 4)
    count += data[at] > 200 && data[at + 1] > 150 && data[at + 2] < 120;
  return count;
}"""


def test_boxes_of_the_answer_are_drawn_on_the_image_and_can_be_hidden(chromium, served):
    desk, address = served
    box = "<|ref|>pleural effusion<|/ref|><|box|>(20,30),(60,80)<|/box|>"
    desk.engine = Scripted(f"<think> There is an effusion. </think><answer> {box} </answer>")
    with watched(chromium, 1280) as page:
        opened(page, address)
        assert page.evaluate(YELLOW) == 0
        page.select_option("#type", "place")
        page.click("#go")
        answered(page)
        page.wait_for_timeout(300)
        assert page.evaluate(YELLOW) > 300
        page.get_by_role("button", name="Boxes").click()
        page.wait_for_timeout(300)
        assert page.evaluate(YELLOW) == 0
        page.select_option("#examples", "normal")
        expect(page.get_by_role("button", name="Boxes")).to_be_hidden()
        # Chromium minds that the test, not the page, reads the pixels several times.
        page.said[:] = [said for said in page.said if "willReadFrequently" not in said]


def test_everything_can_be_done_with_keys_alone(chromium, served):
    desk, address = served
    desk.engine = Scripted("<answer> A PA view. </answer>")
    with watched(chromium, 1280) as page:
        opened(page, address)
        page.keyboard.press("Tab")
        expect(page.locator(".skip")).to_be_focused()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        expect(page.locator("#type")).to_be_focused()
        page.keyboard.type("Your own")
        expect(page.locator("#question")).to_be_visible()
        page.keyboard.press("Tab")
        page.keyboard.type("Which view is it?")
        for _ in range(2):
            page.keyboard.press("Tab")
        expect(page.get_by_label("With reasoning")).to_be_focused()
        page.keyboard.press("ArrowRight")
        expect(page.get_by_label("Directly")).to_be_checked()
        page.keyboard.press("Control+Enter")
        answered(page)
        expect(page.locator("#replies")).to_contain_text("A PA view.")
        expect(page.locator("#answer-title")).to_be_focused()
        asked = desk.engine.asked[-1].texts[1]
        assert asked.startswith("Which view is it?")
        assert "step by step" not in asked


def test_an_answer_can_be_stopped_and_asked_again(chromium, served):
    desk, address = served
    desk.engine = Scripted(YES, seconds=60)
    with watched(chromium, 1280) as page:
        opened(page, address)
        page.click("#go")
        expect(page.locator("#replies pre").first).to_contain_text("think")
        page.click("#stop")
        expect(page.locator("#go")).to_be_enabled()
        expect(page.locator(".writing")).to_have_count(0)
        desk.engine = Scripted(YES)
        page.click("#go")
        answered(page)


def test_a_full_server_is_asked_again_when_it_said(chromium, served):
    desk, address = served
    desk.engine = Scripted(YES)
    place = desk.line.enter()
    try:
        with watched(chromium, 1280) as page:
            opened(page, address)
            page.click("#go")
            expect(page.locator("#progress")).to_contain_text("The server is busy")
            page.said[:] = [said for said in page.said if "429" not in said]
            place.leave()
            answered(page)
            expect(page.locator(".verdict")).to_have_text("Yes")
            page.said[:] = [said for said in page.said if "429" not in said]
    finally:
        place.leave()


def test_images_that_the_server_forgot_are_sent_again(chromium, served):
    desk, address = served
    desk.engine = Scripted(YES)
    with watched(chromium, 1280) as page:
        opened(page, address)
        page.set_input_files("#files", file("mine.png", picture(EIGHT)))
        expect(page.locator("#images")).to_contain_text("mine.png")
        for id in list(desk.shelf._kept):
            desk.shelf.drop(id)
        page.click("#go")
        answered(page)
        page.said[:] = [said for said in page.said if "404" not in said]


def test_what_a_model_or_a_user_writes_stays_text(chromium, served):
    desk, address = served
    desk.engine = Scripted(f"<think> {SCRIPT} There is edema. </think><answer> {SCRIPT} </answer>")
    with watched(chromium, 1280) as page:
        opened(page, address)
        page.select_option("#type", "own")
        page.fill("#question", SCRIPT)
        page.click("#go")
        answered(page)
        expect(page.locator("#prompt")).to_contain_text(SCRIPT)
        expect(page.locator("#replies")).to_contain_text("onerror=alert(1)")
        assert page.locator("#answer img, #answer script").count() == 0


def test_a_file_that_is_no_image_and_a_model_that_fails_are_told_in_one_line(chromium, served):
    desk, address = served
    desk.engine = Scripted(YES, fault=ZeroDivisionError())
    with watched(chromium, 1280) as page:
        opened(page, address)
        page.set_input_files("#files", file("notes.txt", b"hello"))
        expect(page.locator("#trouble")).to_have_text("The image is not a PNG, JPEG or DICOM image.")
        page.click("#go")
        expect(page.locator("#trouble")).to_have_text("The server failed; its log says why.")
        page.said[:] = [said for said in page.said if "422" not in said]


def test_a_phone_shows_everything_in_one_column(chromium, served):
    desk, address = served
    desk.engine = Scripted([YES, NO, YES])
    with watched(chromium, 390, 844, has_touch=True, is_mobile=True) as page:
        opened(page, address)
        assert faults_of(page) == []
        page.select_option("#examples", "course")
        expect(page.locator(".viewer-caption").first).to_contain_text("Earlier")
        page.select_option("#samples", "3")
        page.tap("#go")
        answered(page)
        expect(page.locator("#agreement .bars li")).to_have_count(2)
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert faults_of(page) == []


def test_a_dark_room_gets_a_dark_page_with_enough_contrast(chromium, served):
    desk, address = served
    desk.engine = Scripted([YES, NO, YES])
    with watched(chromium, 1280, color_scheme="dark") as page:
        opened(page, address)
        page.select_option("#samples", "3")
        page.click("#go")
        answered(page)
        assert faults_of(page) == []


def test_the_page_of_the_api_describes_every_address_without_help_from_elsewhere(chromium, served):
    _, address = served
    with watched(chromium, 1280) as page:
        page.goto(f"{address}/docs")
        expect(page.locator(".operation")).to_have_count(9)
        page.get_by_text("/api/ask").first.click()
        expect(page.locator("[open] .keys").first).to_be_visible()
        assert faults_of(page) == []
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") == 390
