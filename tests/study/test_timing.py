"""Time of reading: while the images are on the screen, without pauses, never more than the server saw."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxreason.study.timing import Recorded, times_of

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(
    seconds: float, kind: str, t: float | None = None, page: str = "p1", boot: str = "b1", **data
) -> Recorded:
    """An event that the server got at `seconds` and that its page puts at `t` seconds."""
    when = (START + timedelta(seconds=seconds)).isoformat()
    milliseconds = None if t is None else t * 1000
    at.seq += 1
    return Recorded(at.seq, kind, page, milliseconds, when, 1000 + seconds, boot, data)


at.seq = 0


def test_time_runs_from_the_images_to_the_submit():
    times = times_of([at(0, "served"), at(3, "shown", 2.5), at(43, "submit", 42.5, step="report")], "report")
    assert times.seconds == 40
    assert times.server == 43
    assert not times.doubted


def test_what_was_not_shown_has_no_time_and_what_was_not_submitted_neither():
    assert times_of([at(0, "served"), at(9, "submit", 9, step="report")], "report").seconds is None
    assert times_of([at(0, "served"), at(1, "shown", 1)], "report").seconds is None
    assert (
        times_of([at(0, "served"), at(1, "shown", 1), at(2, "submit", 2, step="report")], "answers").seconds
        is None
    )


def test_hidden_tabs_and_pauses_do_not_count():
    events = [
        at(0, "served"), at(0, "shown", 0), at(10, "hidden", 10), at(30, "visible", 30), at(95, "idle", 90),
        at(120, "active", 120), at(130, "submit", 130, step="report"),
    ]  # fmt: skip
    times = times_of(events, "report")
    assert (times.seconds, times.hidden, times.idle) == (80, 20, 30)


def test_a_reload_adds_up_and_the_time_between_counts_for_nothing():
    events = [
        at(0, "served"), at(1, "shown", 1), at(16, "beat", 16), at(500, "served", page="p2"),
        at(502, "shown", 2, page="p2"), at(512, "submit", 12, page="p2", step="report"),
    ]  # fmt: skip
    times = times_of(events, "report")
    assert (times.seconds, times.pages) == (25, 2)


def test_a_page_that_claims_more_than_the_server_saw_is_not_believed():
    times = times_of([at(0, "served"), at(1, "shown", 0), at(20, "submit", 900, step="report")], "report")
    assert (times.seconds, times.active, times.doubted) == (20, 900, True)


def test_a_server_that_was_started_anew_uses_the_wall_clock():
    events = [at(0, "served"), at(1, "shown", 1), at(31, "submit", 30, boot="b2", step="report")]
    assert times_of(events, "report").server == 31


def test_the_first_edit_is_told_in_time_on_the_images():
    events = [
        at(0, "served"), at(0, "shown", 5), at(0, "hidden", 10), at(0, "visible", 20),
        at(0, "first_edit", 22), at(40, "submit", 40, step="report"),
    ]  # fmt: skip
    assert times_of(events, "report").to_first_edit == 7


def test_what_comes_after_the_first_submit_changes_nothing():
    events = [at(0, "served"), at(0, "shown", 0), at(9, "submit", 9, step="report")]
    later = [at(99, "beat", 99), at(120, "submit", 120, step="report", again=True)]
    assert times_of(events + later, "report") == times_of(events, "report")


KINDS = ("shown", "hidden", "visible", "idle", "active", "beat", "first_edit", "used", "left")


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.floats(0, 100), st.sampled_from(["p1", "p2"]))))
def test_no_order_of_events_makes_time_negative_or_longer_than_the_server_saw(story):
    events = [at(0, "served"), *(at(t, kind, t, page) for kind, t, page in story)]
    times = times_of([*events, at(100, "submit", 100, step="answers")], "answers")
    assert times.seconds is None or 0 <= times.seconds <= 100
    assert times.active >= 0
    assert times.hidden >= 0
    assert times.idle >= 0


@pytest.mark.parametrize("step", ["report", "answers"])
def test_no_events_have_no_time(step):
    assert times_of([], step).seconds is None
