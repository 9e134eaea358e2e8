"""Tables that people hand over: read as they were meant, or refused in one line that says what to do."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxreason.errors import UserError
from cxreason.tables import read_table

ROWS = [{"id": "s0", "text": "A"}, {"id": "s1", "text": 'Wet, "white"\nlungs'}]


def read(tmp_path, content, name="said.csv"):
    file = tmp_path / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_table(file, "predictions"))


CSV = 'id,text\ns0,A\ns1,"Wet, ""white""\nlungs"\n'
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)


@pytest.mark.parametrize(
    ("content", "name", "why"),
    [
        (CSV, "a.csv", "plain"),
        ("\ufeff" + CSV, "a.csv", "the mark that Excel puts at the head"),
        (CSV.replace("id,text\ns0,A\n", "id,text\r\ns0,A\r\n"), "a.CSV", "Windows line ends"),
        (CSV.replace("id,text\n", "id, text\n\n"), "a.csv", "blanks in the header, an empty line"),
        ('id;text\ns0;A\ns1;"Wet, ""white""\nlungs"\n', "a.csv", "semicolons, as a German Excel writes"),
        ('id\ttext\ns0\tA\ns1\t"Wet, ""white""\nlungs"\n', "a.tsv", "tabs"),
        (LINES, "a.jsonl", "JSON Lines"),
        ("\ufeff\r\n" + LINES.replace("\n", "\r\n\r\n"), "a.jsonl", "a mark, Windows, empty lines"),
        (json.dumps(ROWS), "a.json", "a list on one line"),
        (json.dumps(ROWS, indent=2), "a.json", "a list on many"),
    ],
)
def test_what_people_write_is_read_as_it_was_meant(tmp_path, content, name, why):
    assert read(tmp_path, content, name) == ROWS, why


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        ("id,text\ns0,Left effusion, small\n", "a.csv", r"line 2 has 3 cells.*comma in quotes"),
        ("id,text\ns0\n", "a.csv", "line 2 has 1 cells"),
        ('id,text\ns0,"never closed\ns1,B\n', "a.csv", "no row of a table"),
        ("id,text,text\ns0,a,b\n", "a.csv", "column 'text' is there twice"),
        ("id,text\ns0,Ödem\n".encode("cp1252"), "a.csv", "UTF-8"),
        ("id,text\n".encode("utf-16"), "a.csv", "UTF-8"),
        (b"PK\x03\x04\xff\xfe", "a.xlsx", "UTF-8"),
        (LINES + '{"id": "s2", "te', "a.jsonl", "line 3: is not JSON"),
        ("1\n", "a.jsonl", "line 1 is no object"),
        ("[1]\n", "a.json", "entry 1 is no object"),
        ('[{"id": "s0"},\n', "a.json", "is not JSON"),
    ],
)  # fmt: skip
def test_what_would_have_to_be_guessed_is_refused_in_one_line(tmp_path, content, name, says):
    with pytest.raises(UserError, match=says) as raised:
        read(tmp_path, content, name)
    assert "\n" not in str(raised.value)
    assert str(raised.value).count(name) == 1


def test_a_file_that_is_not_there_and_an_empty_one(tmp_path):
    with pytest.raises(UserError, match="no such file of predictions"):
        list(read_table(tmp_path / "nowhere.csv", "predictions"))
    assert read(tmp_path, "") == read(tmp_path, "", "a.jsonl") == read(tmp_path, "id,text\n") == []


cells = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=12)


@given(st.lists(st.tuples(cells, cells), max_size=5), st.sampled_from([",", ";", "\t"]))
def test_whatever_a_csv_writer_quotes_comes_back(tmp_path_factory, rows, separator):
    written = io.StringIO()
    writer = csv.writer(written, delimiter=separator)
    writer.writerows([("id", "text"), *rows])
    found = read(tmp_path_factory.mktemp("cells"), written.getvalue(), "a.csv")
    assert [(row["id"], row["text"]) for row in found] == rows
