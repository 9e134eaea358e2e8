"""The four nouns survive every way that they are stored."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxreason.records import (
    Box,
    Entity,
    Prediction,
    Question,
    Sample,
    Score,
    Study,
    content_id,
    from_row,
    schema,
    to_row,
)

RECORDS = (Study, Sample, Prediction, Score)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
fractions = st.floats(0, 1)
words = st.lists(texts, max_size=2).map(tuple)
boxes = st.builds(Box, texts, fractions, fractions, fractions, fractions, st.integers(0, 3), phrase=texts)
questions = st.builds(Question, texts, words, options=words, images=st.lists(st.integers(0, 3)).map(tuple))
entities = st.builds(Entity, texts, texts, texts, st.integers(0, 9), st.integers(0, 9), words)
fields = {
    "labels": st.dictionaries(texts, st.sampled_from([1, 0, -1]), max_size=3),
    "changes": st.dictionaries(texts, texts, max_size=3),
    "boxes": st.lists(boxes, max_size=2).map(tuple),
    "questions": st.lists(questions, max_size=2).map(tuple),
    "entities": st.lists(entities, max_size=2).map(tuple),
    "value": st.none() | fractions,
    "age": st.none() | fractions,
}
records = st.one_of(
    *(
        st.builds(record, **{name: made for name, made in fields.items() if name in schema(record).names})
        for record in RECORDS
    )
)


@given(records)
def test_a_record_comes_back_from_its_row_and_from_arrow_as_it_was(record):
    row = to_row(record)
    assert from_row(type(record), row) == record
    table = pa.Table.from_pylist([row], schema=schema(type(record)))
    assert from_row(type(record), table.to_pylist()[0]) == record


def test_a_finding_that_nobody_judged_stays_out_of_the_labels():
    judged = Study("1", "d", "p", ("1.png",), labels={"edema": 0})
    silent = Study("2", "d", "p", ("2.png",), labels={"cardiomegaly": 1})
    table = pa.Table.from_pylist([to_row(judged), to_row(silent)], schema=schema(Study))
    assert [from_row(Study, row).labels for row in table.to_pylist()] == [{"edema": 0}, {"cardiomegaly": 1}]


def test_an_id_is_the_same_in_every_version_of_cxreason():
    assert content_id("study", 1, ["ä", None]) == "95fb421e5da144071497"


@given(st.lists(st.text(max_size=3), max_size=3), st.lists(st.text(max_size=3), max_size=3))
def test_different_parts_give_different_ids(first, second):
    assert (content_id(*first) == content_id(*second)) == (first == second)


def test_a_row_from_before_a_field_was_added_is_still_read():
    row = to_row(Study("1", "d", "p", ("1.png",), boxes=(Box("edema", 0, 0, 1, 1),)))
    del row["questions"], row["age"], row["boxes"][0]["phrase"]
    assert from_row(Study, row) == Study("1", "d", "p", ("1.png",), boxes=(Box("edema", 0, 0, 1, 1),))


def test_a_report_without_sections_is_its_undivided_text():
    assert Study("1", "d", "p", (), narrative="All clear.").report == "All clear."
    assert Study("1", "d", "p", (), impression="Clear.", narrative="All clear.").report == "Clear."


def test_a_row_from_a_newer_version_is_refused_by_name():
    with pytest.raises(ValueError, match="no field 'mood'"):
        from_row(Score, {"id": "1", "mood": "good"})
