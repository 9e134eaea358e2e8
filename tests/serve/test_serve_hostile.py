"""What strangers may send: damaged and huge files, slow and greedy clients, tricks in paths and texts."""

import asyncio
import json
import os
import random
import signal
import socket
import struct
import threading
import time
import zlib

import httpx
import numpy as np
import pytest

from cxreason import web
from cxreason.serve.desk import Desk
from cxreason.serve.engines import Ask
from cxreason.serve.images import Decoders, Refused
from cxreason.serve.limits import Limits
from cxreason.serve.line import Full, Line
from image_files import EIGHT, RAMP, dicom, picture
from scripted_model import YES, Scripted, running

NUM_DAMAGED = int(os.environ.get("CXREASON_DAMAGED", "150"))
"""The promise is about 2,000, which take a minute."""
NAME = "SECRET^PATIENT"


@pytest.fixture(scope="module")
def served():
    desk = Desk(Scripted())
    with running(desk) as address, httpx.Client(base_url=address, timeout=30) as client:
        yield desk, client


def upload(client, content):
    return client.post("/api/images", content=content)


def damaged(whole, chance):
    content = bytearray(whole if chance.random() < 0.75 else whole[: chance.randrange(len(whole))])
    for _ in range(chance.choice((1, 1, 2, 5, 20, 60)) if content else 0):
        content[chance.randrange(len(content))] = chance.randrange(256)
    if chance.random() < 0.1:
        at = chance.randrange(len(content) + 1)
        content[at:at] = chance.randbytes(chance.randrange(1, 300))
    return bytes(content)


@pytest.mark.timing
def test_damaged_files_are_read_or_refused_in_one_line_and_within_five_seconds(served):
    _, client = served
    files = {
        "png": picture(EIGHT),
        "png16": picture(RAMP),
        "native": dicom(WindowCenter=2000, WindowWidth=900, PixelPaddingValue=0),
        "rle": dicom(syntax="rle"),
        "jpeg2000": dicom(syntax="jpeg2000"),
        "jpeg": dicom(EIGHT, bits=8, syntax="jpeg"),
    }
    chance = random.Random(11)
    statuses = {201: 0, 422: 0, 429: 0}
    seconds = []
    for number in range(NUM_DAMAGED):
        content = damaged(list(files.values())[number % len(files)], chance)
        began = time.monotonic()
        answer = upload(client, content)
        seconds.append(time.monotonic() - began)
        assert answer.status_code in statuses, answer.text
        statuses[answer.status_code] += 1
        if answer.status_code != 201:
            error = answer.json()["error"]
            assert "\n" not in error
            assert "Traceback" not in error
            assert "/proc/" not in error
            assert len(error) < 400
    assert min(statuses[201], statuses[422]) > NUM_DAMAGED / 20, statuses
    assert statuses[429] < NUM_DAMAGED / 20, "sent one by one, hardly any has to wait for a new process"
    assert max(seconds) < 5
    assert upload(client, picture(EIGHT)).status_code == 201
    print(f"{statuses}, slowest {max(seconds):.2f} s, median {np.median(seconds):.3f} s")  # noqa: T201


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_that_says(width, height, rows=b""):
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"GIF89a", "is not a PNG, JPEG or DICOM image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "is not a PNG"),
        (b"\x89PNG\r\n\x1a\n", "is damaged"),
        (png_that_says(60_000, 60_000), "pixels"),
        (png_that_says(2**31 - 1, 1), "pixels"),
        (png_that_says(7000, 6000), "more than 30,000,000 pixels"),
        (png_that_says(0, 5), "is damaged"),
        (png_that_says(5, 5, b"\0"), "is damaged"),
        (b"\0" * 128 + b"DICM", "is damaged or cut short"),
        (dicom(syntax="deflated"), "deflated DICOM is not read"),
        (dicom(Rows=60_000, Columns=60_000), "pixels"),
        (dicom(PixelData=None), "holds no pixels"),
    ],
)
def test_what_is_no_image_is_named_in_one_line(served, content, said):
    _, client = served
    answer = upload(client, content)
    assert answer.status_code == 422
    assert said in answer.json()["error"]


def test_a_decoder_that_hangs_or_dies_is_replaced_and_its_file_refused():
    async def free(decoders):
        """A process that waits for a file, without taking it away."""
        process = await decoders._ready.get()
        decoders._ready.put_nowait(process)
        return process

    async def work():
        decoders = Decoders(Limits(decode_seconds=20))  # for the ones that are well, on a busy machine
        await decoders.warm()
        first = await free(decoders)
        assert (await decoders.decode(picture(EIGHT))).grey.shape == EIGHT.shape
        first.send_signal(signal.SIGSTOP)
        decoders.limits = Limits(decode_seconds=0.3)
        with pytest.raises(Refused, match="could not be read in 0"):
            await decoders.decode(picture(EIGHT))
        assert first.returncode == -signal.SIGKILL
        decoders.limits = Limits(decode_seconds=20)
        assert (await decoders.decode(picture(EIGHT))).grey.shape == EIGHT.shape
        second = await free(decoders)
        assert second.pid != first.pid
        second.kill()
        await second.wait()
        assert (await decoders.decode(picture(EIGHT))).grey.shape == EIGHT.shape
        await decoders.close()

    asyncio.run(work())


def test_whoever_waits_for_the_files_of_others_hears_of_it_in_time():
    async def work():
        decoders = Decoders(Limits(decode_seconds=1))
        await asyncio.gather(decoders.warm(), decoders.warm())
        stopped = [await decoders._ready.get() for _ in range(2)]
        for process in stopped:
            process.send_signal(signal.SIGSTOP)
            decoders._ready.put_nowait(process)
        began = time.monotonic()
        told = await asyncio.gather(
            *(decoders.decode(picture(EIGHT)) for _ in range(6)), return_exceptions=True
        )
        seconds = time.monotonic() - began
        await decoders.close()
        return told, seconds

    told, seconds = asyncio.run(work())
    assert sorted(one.status for one in told) == [422, 422, 429, 429, 429, 429]
    assert seconds < 4, "each of them within its own time, and not one after the other"


def test_only_so_many_images_are_read_at_a_time():
    async def work():
        decoders = Decoders(Limits(most_decoding=3))
        results = await asyncio.gather(
            *(decoders.decode(picture(EIGHT)) for _ in range(10)), return_exceptions=True
        )
        await decoders.close()
        return results

    results = asyncio.run(work())
    refused = [result for result in results if isinstance(result, Refused)]
    assert len(refused) == 7
    assert {one.status for one in refused} == {429}


def test_nothing_of_the_header_leaves_the_server(served, capfd):
    desk, client = served
    file = dicom(PatientName=NAME, PatientID=NAME, AccessionNumber="SECRET1", ViewPosition="PA")
    told = upload(client, file)
    assert told.json()["view"] == "PA"
    pixels = client.get(f"/api/images/{told.json()['id']}/pixels")
    body = {"images": [told.json()["id"]], "type": "finding", "finding": "edema", "stream": False}
    answer = client.post("/api/ask", json=body)
    assert answer.status_code == 200
    broken = upload(client, dicom(PatientName=NAME, PixelData=None))
    written = capfd.readouterr()
    for text in (told.text, repr(pixels.content), answer.text, broken.text, written.out, written.err):
        assert "SECRET" not in text
    assert "SECRET" not in repr(desk.engine.asked[-1])


def test_a_body_that_is_too_large_is_refused_before_it_is_read():
    desk = Desk(Scripted(), limits=Limits(image_bytes=100_000, json_bytes=100_000))
    with running(desk) as address, httpx.Client(base_url=address, timeout=20) as client:
        assert upload(client, b"x" * 100_001).status_code == 413

        def endless():
            for _ in range(200):
                yield b"x" * 1000

        assert upload(client, endless()).status_code == 413
        for path in ("/api/ask", "/v1/chat/completions"):
            answer = client.post(path, content=b"{" + b" " * 100_001)
            assert answer.status_code == 413
        assert "100,000 bytes" in json.dumps(answer.json())
        head = b"POST /api/images HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n"
        assert b" 413 " in raw(address, head)
        assert client.get("/health").status_code == 200


def raw(address, request, seconds=5.0):
    """What a server answers to bytes, as far as it comes before it closes."""
    host, port = address.removeprefix("http://").split(":")
    said = b""
    with socket.create_connection((host, int(port)), timeout=seconds) as line:
        line.sendall(request)
        try:
            while part := line.recv(65_536):
                said += part
                if b"\r\n\r\n" in said:
                    break
        except TimeoutError:
            pass
    return said


def test_clients_that_send_slowly_are_not_waited_for(monkeypatch):
    monkeypatch.setattr(web, "HEAD_SECONDS", 0.5)
    with running(Desk(Scripted(), limits=Limits(body_seconds=0.5))) as address:
        began = time.monotonic()
        assert raw(address, b"GET / HT", seconds=60) == b""
        slow = b"POST /api/images HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc"
        assert b" 408 " in raw(address, slow, seconds=60)
        assert time.monotonic() - began < 60, "it was we who hung up"
        assert httpx.get(f"{address}/health", timeout=60).status_code == 200


def test_a_client_that_does_not_read_is_let_go(caplog, monkeypatch):
    monkeypatch.setattr(web, "SEND_SECONDS", 0.5)
    noise = np.random.default_rng(1).integers(0, 65535, (1500, 1500)).astype(np.uint16)
    limits = Limits(decode_seconds=60)
    with running(Desk(Scripted(), limits=limits)) as address:
        told = httpx.post(f"{address}/api/images", content=picture(noise, compress_level=1), timeout=60)
        host, port = address.removeprefix("http://").split(":")
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.connect((host, int(port)))
        line.sendall(f"GET /api/images/{told.json()['id']}/pixels HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        ends = time.monotonic() + 60
        while "does not read" not in caplog.text and time.monotonic() < ends:
            time.sleep(0.05)
        assert "does not read" in caplog.text
        assert httpx.get(f"{address}/health", timeout=60).status_code == 200
        line.close()


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/viewer/..%2f..%2fpixels.py",
        "/static//etc/passwd",
        "/static/%00",
        "/api/images/..%2f..%2f..%2fetc%2fpasswd/pixels",
        "/api/images/%ff/pixels",
        "/v1/models/../../etc/passwd",
        "//etc/passwd",
        "/" + "a" * 5000,
    ],
)
def test_tricks_in_paths_lead_nowhere(served, path):
    _, client = served
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    said = raw(str(client.base_url).rstrip("/"), request)
    assert said.startswith((b"HTTP/1.1 404", b"HTTP/1.1 405", b"HTTP/1.1 400", b"HTTP/1.1 422"))
    assert b"root:" not in said
    assert b"import" not in said


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
        b"POST /api/ask HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /api/ask HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n" * 1000,
    ],
)
def test_what_is_no_request_harms_nobody(served, request_):
    _, client = served
    said = raw(str(client.base_url).rstrip("/"), request_, seconds=1.0)
    assert b"Traceback" not in said
    assert client.get("/health").status_code == 200


def test_text_of_users_and_models_cannot_forge_an_event(served):
    desk, client = served
    forged = "\n\nevent: done\ndata: {}\n\n<script>alert(1)</script>\r\n\r\n"
    desk.engine = Scripted(f"<think> {forged} </think><answer> {forged} </answer>")
    told = upload(client, picture(EIGHT)).json()
    body = {"images": [told["id"]], "type": "own", "question": forged, "mode": "direct"}
    answer = client.post("/api/ask", json=body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-content-type-options"] == "nosniff"
    events = [block.split("\n") for block in answer.text.split("\n\n") if block]
    assert all(len(lines) == 2 for lines in events)
    assert [lines[0] for lines in events].count("event: done") == 1
    desk.engine = Scripted()


def ask_of(desk):
    return Ask([{"role": "user", "content": [{"type": "text", "text": "Edema?"}]}], [])


def test_beyond_its_room_the_server_says_when_to_come_again_and_serves_the_others():
    desk = Desk(Scripted(YES, seconds=0.4), limits=Limits(at_once=1, most_waiting=2))
    body = {"messages": [{"role": "user", "content": "Edema?"}]}
    with running(desk) as address:
        answers = []

        def ask():
            answers.append(httpx.post(f"{address}/v1/chat/completions", json=body, timeout=30))

        threads = [threading.Thread(target=ask) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        refused = [answer for answer in answers if answer.status_code == 429]
        served = [answer for answer in answers if answer.status_code == 200]
        assert len(served) >= 3
        assert len(refused) + len(served) == 10
        assert refused
        assert all(1 <= int(answer.headers["retry-after"]) <= 120 for answer in refused)
        assert all(answer.json()["choices"][0]["message"]["content"] == YES for answer in served)
        assert (desk.line.num_served, len(desk.line.waiting)) == (0, 0)


def test_whoever_goes_away_makes_room_and_stops_the_model():
    model = Scripted(YES, seconds=60)
    desk = Desk(model, limits=Limits(at_once=1, most_waiting=0))
    body = {"messages": [{"role": "user", "content": "Edema?"}], "stream": True}
    with running(desk) as address:
        told = {"json": body, "timeout": 60}
        with httpx.stream("POST", f"{address}/v1/chat/completions", **told) as answer:
            lines = answer.iter_lines()  # kept: a reader of lines that nobody holds hangs up
            assert next(lines)
            assert desk.line.num_served == 1
        ends = time.monotonic() + 60
        while (desk.line.num_served or not model.num_given_up) and time.monotonic() < ends:
            time.sleep(0.02)
        assert (desk.line.num_served, model.num_given_up) == (0, 1)


def test_whoever_goes_away_before_a_whole_answer_stops_the_model_too():
    model = Scripted(YES, seconds=60)
    desk = Desk(model, limits=Limits(at_once=1, most_waiting=0))
    body = {"messages": [{"role": "user", "content": "Edema?"}]}
    with running(desk) as address:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{address}/v1/chat/completions", json=body, timeout=1)
        ends = time.monotonic() + 60
        while (desk.line.num_served or not model.num_given_up) and time.monotonic() < ends:
            time.sleep(0.02)
        assert (desk.line.num_served, model.num_given_up) == (0, 1)


def test_an_answer_that_takes_too_long_is_given_up(served):
    model = Scripted(YES, seconds=60)
    desk = Desk(model, limits=Limits(answer_seconds=0.2))
    body = {"messages": [{"role": "user", "content": "Edema?"}]}
    with running(desk) as address:
        answer = httpx.post(f"{address}/v1/chat/completions", json=body, timeout=20)
    assert answer.status_code == 502
    assert answer.json()["error"]["message"] == "no whole answer in 0.2 seconds"
    assert model.num_given_up == 1


def test_a_line_serves_in_order_and_forgets_nobody():
    async def work():
        line = Line(at_once=2, most_waiting=3)
        places = [line.enter() for _ in range(5)]
        assert [place.number for place in places] == [0, 0, 1, 2, 3]
        with pytest.raises(Full) as full:
            line.enter()
        assert full.value.retry_seconds >= 1
        places[3].leave()
        assert [place.number for place in (places[2], places[4])] == [1, 2]
        places[0].leave()
        places[0].leave()
        await asyncio.wait_for(places[2].turn(), 1)
        assert places[4].number == 1
        for place in places:
            place.leave()
        assert (line.num_served, len(line.waiting)) == (0, 0)

    asyncio.run(work())
