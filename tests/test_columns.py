"""Records through Arrow and back, column by column."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxreason.columns import from_table, to_table
from cxreason.records import Box, Entity, Question, Sample, Study, schema, to_row

boxes = st.builds(Box, st.text(max_size=3), *[st.floats(0, 1)] * 4, image=st.integers(0, 3))
labels = st.dictionaries(st.text(max_size=4), st.sampled_from([1, 0, -1]), max_size=4)
texts = st.lists(st.text(max_size=4), max_size=3).map(tuple)
questions = st.builds(Question, st.text(max_size=5), answers=texts, options=texts, images=st.just((1, 2)))
studies = st.builds(
    Study,
    id=st.text(max_size=4),
    dataset=st.text(max_size=4),
    patient_id=st.text(max_size=4),
    images=texts,
    labels=labels,
    boxes=st.lists(boxes, max_size=2).map(tuple),
    age=st.none() | st.floats(0, 99),
    questions=st.lists(questions, max_size=2).map(tuple),
    entities=st.just((Entity("1", "lung", "ANAT-DP", 0, 0, ("modify 2",)),)) | st.just(()),
    changes=st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2),
)


@given(st.lists(studies, max_size=6), st.booleans())
def test_records_come_back_as_they_were(records, twice):
    """Also where many of them share one object, which is written once."""
    if twice and records:
        records = [*records, *(replace(records[0], id=str(number)) for number in range(9))]
    table = to_table(Study, records)
    assert table.schema == schema(Study)
    assert table.to_pylist() == [to_row(record) for record in records]
    assert list(from_table(Study, table)) == records
    assert list(from_table(Study, table.slice(1))) == records[1:]


def test_columns_that_are_missing_take_their_defaults_and_unknown_ones_raise():
    one = Sample("1", "d", "single", "choice", "p", "s", "test", (), "Which?", "A", ("a", "b"))
    table = to_table(Sample, [one])
    assert list(from_table(Sample, table.drop_columns(["options", "labels"]))) == [replace(one, options=())]
    with pytest.raises(ValueError, match="no field 'colour'"):
        list(from_table(Sample, table.append_column("colour", [["red"]])))
