"""What is recorded: once, in order, never over something else, and never changed afterwards."""

from __future__ import annotations

import sqlite3
import threading
import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from study_folder import Client, event, opened, protocol, told, write_study

from cxreason.study.app import open_study
from cxreason.study.protocol import StudyError
from cxreason.study.store import Event
from cxreason.study.tables import events


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return opened(tmp_path_factory.mktemp("study"))


@pytest.fixture
def fresh(tmp_path):
    return opened(tmp_path)


@pytest.fixture
def client(fresh):
    return Client(fresh).enter("r1")


def rows(study, **equal):
    with study.store.database.reading() as connection:
        found = connection.execute(select(events).order_by(events.c.seq)).all()
    return [row for row in found if all(getattr(row, key) == value for key, value in equal.items())]


def save(words: str, base: int = 0, step: str = "report", **more):
    return event("save", 1.0, step=step, base=base, text=words, **more)


def test_an_event_that_is_sent_again_is_recorded_once(client, fresh):
    page, one = client.open(), save("Clear.")
    first = client.tell(page, one).json()["acks"]
    again = client.tell(page, one).json()["acks"]
    assert [ack["status"] for ack in first + again] == ["stored", "known"]
    assert first[0]["seq"] == again[0]["seq"]
    assert len(rows(fresh, kind="save")) == 1


def test_two_windows_never_overwrite_each_other(client, fresh):
    one, other = client.open(), client.open()
    stored = client.tell(one, save("Of the first window.")).json()
    late = client.tell(other, save("Of the second window.")).json()
    assert late["acks"][0]["status"] == "aside"
    assert late["state"]["report"]["text"] == "Of the first window."
    assert ["Of the second window." in row.data for row in rows(fresh, kind="aside")] == [True]
    chosen = client.tell(other, save("Of the second window.", base=stored["acks"][0]["seq"])).json()
    assert chosen["acks"][0]["status"] == "stored"
    assert client.open()["state"]["report"]["text"] == "Of the second window."


def test_a_report_is_submitted_once_whoever_sends_it(client, fresh):
    one, other = client.open(), client.open()
    first = client.tell(one, event("submit", 9, step="report", text="Mine.")).json()
    second = client.tell(other, event("submit", 9, step="report", text="Another.")).json()
    late = client.tell(other, save("Too late.", base=first["acks"][0]["seq"])).json()
    assert [answer["acks"][0]["status"] for answer in (first, second, late)] == ["stored", "closed", "closed"]
    assert second["state"]["report"] == {"base": first["acks"][0]["seq"], "closed": True, "text": "Mine."}
    assert {row.kind for row in rows(fresh)} == {"served", "submit", "aside"}


def test_a_correction_stands_beside_the_first_submit(client, fresh):
    page = client.open()
    client.finish(page, "First.")
    assert client.open()["reading"] != page["reading"]
    back = client.get(f"/read/{page['reading']}")
    assert "recorded as a correction" in back.text
    again = told(back.text)
    base = again["state"]["report"]["base"]
    sent = event("submit", 9, step="report", base=base, text="Second.", again=True)
    assert client.tell(again, sent).json()["acks"][0]["status"] == "stored"
    reading = fresh.store.reading(page["reading"])
    texts = [one.data["text"] for one in reading.events if one.kind == "submit" and "text" in one.data]
    assert texts == ["First.", "Second."]


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"step": "report", "text": " \n"}, {"text": "Write the report first."}),
        ({"step": "answers", "values": {}}, {"edit_reason": "Please answer this one."}),
        (
            {"step": "answers", "values": {"edit_reason": "all of it"}},
            {"edit_reason": "Choose one of the answers."},
        ),
        ({"step": "answers", "values": {"made_up": "x"}}, {"made_up": "This is not asked here."}),
    ],
)
def test_a_submit_that_is_not_whole_is_refused_and_nothing_of_it_recorded(client, fresh, said, problem):
    page = client.open()
    while page["last"] == "report":
        client.finish(page)
        page = client.open()
    before = len(rows(fresh))
    answer = client.tell(page, event("beat", 1), event("submit", 9, **said))
    assert answer.status_code == 422
    assert problem.items() <= answer.json()["problems"].items()
    assert len(rows(fresh)) == before


def test_records_cannot_be_changed_or_removed(client, fresh):
    client.tell(client.open(), save("Clear."))
    for table in ("events", "audit"):
        for statement in (f"UPDATE {table} SET at = 'x'", f"DELETE FROM {table}"):
            with (
                pytest.raises(IntegrityError, match="append-only"),
                fresh.store.database.writing() as connection,
            ):
                connection.execute(text(statement))


def test_what_was_acknowledged_is_in_the_file_before_the_answer(client, fresh):
    client.tell(client.open(), save("On the disk."))
    with sqlite3.connect(fresh.folder / "study.db") as other:
        assert other.execute("SELECT count(*) FROM events WHERE data LIKE '%On the disk.%'").fetchone() == (
            1,
        )
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_start_changes_nothing_and_another_design_is_refused(fresh, client):
    client.tell(client.open(), save("Clear."))
    before = fresh.store.readings_of("r2")
    assert open_study(fresh.folder).store.readings_of("r2") == before
    write_study(fresh.folder, seed=4)
    with pytest.raises(StudyError, match="other readings than those that were begun"):
        open_study(fresh.folder)


def test_a_reader_may_be_added_while_the_study_runs(fresh, client):
    client.tell(client.open(), save("Clear."))
    readers = [*protocol()["readers"], {"name": "r9", "group": "resident"}]
    again = open_study(write_study(fresh.folder, readers=readers))
    assert len(again.store.readings_of("r9")) == 4
    assert again.store.readings_of("r1") == fresh.store.readings_of("r1")


def test_many_at_once_are_all_recorded(fresh):
    id = fresh.store.readings_of("r1")[0]["id"]
    page = fresh.store.serve(id)
    sent = [[Event(str(uuid.uuid4()), "beat", 1.0) for _ in range(5)] for _ in range(8)]
    # Each batch twice, as after a lost receipt.
    record = fresh.store.record
    threads = [threading.Thread(target=record, args=(id, page, batch)) for batch in sent * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(row.id for row in rows(fresh, kind="beat")) == sorted(
        one.id for batch in sent for one in batch
    )


STORY = st.lists(
    st.tuples(st.sampled_from(["save", "submit", "again"]), st.integers(0, 1), st.booleans()), max_size=12
)


def test_no_transaction_waits_for_another_of_its_own_request(fresh):
    with fresh.store.database.reading(), pytest.raises(RuntimeError, match="within another"):
        fresh.store.due("r1")
    database = fresh.store.database
    with database.writing(), pytest.raises(RuntimeError, match="within another"), database.writing():
        pass
    assert fresh.store.due("r1") == 0


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STORY, st.integers(0, 3))
def test_whatever_two_windows_do_nothing_is_lost_and_the_first_submit_stays(study, story, number):
    """Two windows save, submit and send again, knowing more or less of each other: every text is there."""
    store = study.store
    id = store.readings_of("r2")[number]["id"]
    standing = store.reading(id).head("report")
    known = [standing.seq if standing else 0] * 2
    sent: list[tuple[str, Event]] = []
    was = store.reading(id).submitted("report")
    for kind, window, informed in story:
        page = store.serve(id)
        if kind == "again" and sent:
            page, one = sent[-1]
        else:
            words = {"step": "report", "text": uuid.uuid4().hex, "base": known[window]}
            one = Event(str(uuid.uuid4()), "save" if kind == "again" else kind, 1.0, words)
            sent.append((page, one))
        ack = store.record(id, page, [one])[0]
        if ack.status in ("stored", "known"):
            known[window] = ack.seq
        if informed:
            known[window] = store.reading(id).head("report").seq
    reading = store.reading(id)
    texts = {event.data.get("text") for event in reading.events}
    assert {one.data["text"] for _, one in sent} <= texts
    assert len({event.seq for event in reading.events}) == len(reading.events)
    submits = [event for event in reading.events if event.kind == "submit"]
    assert len(submits) <= 1
    assert was is None or submits[0].seq == was.seq
    ids = [row.id for row in rows(study)]
    assert len(ids) == len(set(ids))
