"""Tables and JSON files of any shape are read as they are, or refused with what is wrong."""

import gzip
import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cxreason.datasets import encodings, tables
from cxreason.datasets.tables import (
    DatasetError,
    find_file,
    find_table,
    need,
    need_file,
    need_table,
    read_csv,
    read_json,
    read_json_lines,
    read_lines,
    read_table,
)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("tables") / "file"


@pytest.mark.parametrize("size", [1, 7, 1 << 16])
@example({"0000": False, "": 10.0}, 2)  # the window ends within the number, behind its point
@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(st.text(max_size=5), values, max_size=4) | st.lists(values, max_size=4), st.integers(0, 2)
)
def test_json_is_read_entry_by_entry_whatever_the_window(size, place, whole, indent):

    place.write_text(json.dumps(whole, indent=indent or None), encoding="utf-8")
    before, tables._Window.SIZE = tables._Window.SIZE, size
    try:
        entries = list(read_json(place))
    finally:
        tables._Window.SIZE = before
    if isinstance(whole, dict):
        assert entries == list(whole.items())
    else:
        assert entries == [(str(number), value) for number, value in enumerate(whole)]


@pytest.mark.parametrize(
    "broken", ["", "12", '{"a": 1', '{"a": 1, ', "[1, 2", "[1 2]", '{"a" 1}', "[1, nonsense]"]
)
def test_broken_json_is_refused_by_the_name_of_its_file(place, broken):
    place.write_text(broken)
    with pytest.raises(DatasetError, match="file: is not"):
        list(read_json(place))


def test_a_json_file_is_never_in_memory_as_a_whole(tmp_path):
    import tracemalloc

    path = tmp_path / "big.json"
    record = {"question": "Is there an effusion?", "options": ["yes", "no"] * 20}
    with path.open("w") as file:
        file.write("{" + ",".join(f'"{number}": {json.dumps(record)}' for number in range(6_000)) + "}")
    assert path.stat().st_size > 1_800_000
    tracemalloc.start()
    count = sum(1 for _ in read_json(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 6_000
    assert peak < 600_000


def test_json_lines_name_the_line_that_is_none(place):
    place.write_text('{"a": 1}\n\n{"a": 2}\n')
    assert list(read_json_lines(place)) == [{"a": 1}, {"a": 2}]
    place.write_text('{"a": 1}\n{"a": \n')
    with pytest.raises(DatasetError, match="line 2 is not JSON"):
        list(read_json_lines(place))


def test_headers_are_known_by_any_of_their_names_whatever_blanks_and_case(place):
    place.write_text('\ufeffImageId, EncodedPixels,Report\na,-1,"one\ntwo"\n', encoding="utf-8")
    wanted = ("ImageId", "EncodedPixels", ("text", "report"))
    assert list(read_csv(place, *wanted)) == [{"ImageId": "a", "EncodedPixels": "-1", "text": "one\ntwo"}]
    assert read_table(place, *wanted).to_pylist() == list(read_csv(place, *wanted))


def test_an_optional_column_may_be_missing_and_another_may_not(place):
    place.write_text("a,b\n1,2\n")
    assert list(read_csv(place, "a", optional=("c",))) == [{"a": "1", "b": "2"}]
    for reader in (lambda *names: list(read_csv(place, *names)), lambda *names: read_table(place, *names)):
        with pytest.raises(DatasetError, match=r"file: expected a column c \(or C1\); found a, b\."):
            reader("a", ("c", "C1"))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (b"", "expected a table with a header; found an empty file"),
        (b"a,b\n1\n", "line 2 has 1 values; expected 2"),
        (b"a,b\n1,2\n3,4,5\n", "line 3 has 3 values"),
        (b"a,b\n\xff,2\n", "cannot be read as a table near line"),
    ],
)
def test_a_table_that_is_none_is_refused_with_its_line(place, written, said):
    place.write_bytes(written)
    with pytest.raises(DatasetError, match=said):
        list(read_csv(place, "a"))


def test_a_cut_archive_is_refused(place):
    packed = place.with_suffix(".csv.gz")
    packed.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 9999)[:-20])
    with pytest.raises(DatasetError, match="cannot be read as a table"):
        list(read_csv(packed, "a"))


def test_files_are_found_packed_or_not_up_to_two_folders_below_the_newest_first(tmp_path):
    for name in ("x/1.0/t.csv", "x/2.0/t.csv.gz", "x/2.0/deep/under/u.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert find_file(tmp_path, "t.csv") == tmp_path / "x/2.0/t.csv.gz"
    assert find_file(tmp_path / "x/1.0", "t.csv") == tmp_path / "x/1.0/t.csv"
    assert find_file(tmp_path, "u.csv") is None
    assert find_file(tmp_path, "u.csv", "t.*") == tmp_path / "x/2.0/t.csv.gz"


def test_a_key_that_is_missing_is_named_with_those_that_are_there():
    with pytest.raises(DatasetError, match=r"a\.json: expected a key 'answer'; found qid, question"):
        need({"qid": 1, "question": ""}, Path("a.json"), "qid", "answer")
    with pytest.raises(DatasetError, match="expected an object with qid; found"):
        need([1], Path("a.json"), "qid")


def test_a_label_that_is_no_label_is_refused():
    with pytest.raises(DatasetError, match="expected 1, 0, -1 or nothing under Edema; found 'yes'"):
        encodings.labels({"Edema": "yes"}, ("Edema",), Path("a.csv"))


@given(st.lists(st.sampled_from((*encodings.VIEWS, "", "ODD"))))
def test_views_sort_as_images_are_shown(views):
    ranked = sorted(views, key=encodings.view_rank)
    order = [encodings.VIEWS.index(view) for view in ranked if view in encodings.VIEWS]
    assert order == sorted(order)
    assert all(view not in encodings.VIEWS for view in ranked[len(order) :])


@given(st.text(max_size=12))
def test_any_text_has_a_view_a_sex_an_age_and_a_finding_or_none(written):
    assert encodings.view(encodings.view(written)) == encodings.view(written)
    assert encodings.sex(written) in ("M", "F", "")
    assert encodings.age(written) is None or 0 <= encodings.age(written) <= 120
    assert encodings.finding(encodings.finding(written)) == encodings.finding(written)


def test_a_table_is_known_by_its_columns_and_not_by_its_name_alone(tmp_path):
    (tmp_path / "train.csv").write_text("path,label\n1.jpg,0\n")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "train.csv").write_text("Image_Path,annotation\n1.jpg,\n")
    wanted = (("image_name", "image_path"), "annotation")
    assert find_table(tmp_path, ("train.csv",), *wanted) == tmp_path / "b" / "train.csv"
    assert need_table(tmp_path, ("dev.csv", "train.csv"), "label") == tmp_path / "train.csv"
    assert find_table(tmp_path, ("train.csv",), "views") is None
    with pytest.raises(DatasetError, match=r"train\.csv: expected a column views; found path, label"):
        need_table(tmp_path, ("train.csv",), "views")
    with pytest.raises(DatasetError, match=r"expected dev\.csv there"):
        need_table(tmp_path, ("dev.csv",), "views")


def test_a_table_that_cannot_be_read_is_not_taken_for_one(tmp_path):
    (tmp_path / "train.csv").write_bytes(b"\xff\xfe\x00label\n")
    (tmp_path / "train.csv.gz").write_bytes(gzip.compress(b"path,label\n" * 999)[:20])
    assert find_table(tmp_path, ("train.csv",), "label") is None


def zipped(path, name, content):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("__MACOSX/._" + name, b"")
        archive.writestr(f"inner/{name}", content)


def test_tables_are_read_out_of_archives_named_after_them(tmp_path):
    zipped(tmp_path / "a.csv.zip", "a.csv", "x,y\n1,2\n")
    path = find_file(tmp_path, "a.csv")
    assert list(read_csv(path, "x")) == [{"x": "1", "y": "2"}]
    assert read_table(path, "x", "y").to_pydict() == {"x": ["1"], "y": ["2"]}
    zipped(tmp_path / "b.json.zip", "b.json", '{"k": 1}')
    assert list(read_json(find_file(tmp_path, "b.json"))) == [("k", 1)]
    (tmp_path / "a.csv").write_text("x,y\n3,4\n")
    assert next(read_csv(find_file(tmp_path, "a.csv"), "x"))["x"] == "3"


def test_an_archive_that_is_torn_or_holds_another_file_is_named(tmp_path):
    zipped(tmp_path / "a.csv.zip", "b.csv", "x\n1\n")
    assert list(read_csv(tmp_path / "a.csv.zip", "x")) == [{"x": "1"}]  # its only file, whatever it is called
    with zipfile.ZipFile(tmp_path / "a.csv.zip", "a") as archive:
        archive.writestr("inner/c.csv", "x\n1\n")
    with pytest.raises(
        DatasetError, match=r"a\.csv\.zip: expected a\.csv in it; found inner/b\.csv, inner/c\.csv"
    ):
        list(read_csv(tmp_path / "a.csv.zip", "x"))
    (tmp_path / "a.csv.zip").write_bytes(b"PK")
    with pytest.raises(DatasetError, match=r"a\.csv\.zip: cannot be read"):
        list(read_csv(tmp_path / "a.csv.zip", "x"))
    with pytest.raises(DatasetError, match=r"a\.csv\.zip: cannot be read"):
        read_table(tmp_path / "a.csv.zip", "x")


def test_accents_of_windows_are_read_as_what_they_are(tmp_path):
    (tmp_path / "a.csv").write_bytes("x\nS\xe3o Paulo \u2013 caf\xe9\n".encode("cp1252") + "é\n".encode())
    assert [row["x"] for row in read_csv(tmp_path / "a.csv", "x")] == ["S\xe3o Paulo \u2013 caf\xe9", "é"]


def test_folders_of_versions_of_physionet_do_not_count_as_a_step_down(tmp_path):
    table = tmp_path / "mimic" / "mimic-cxr-jpg" / "2.1.0" / "a.csv"
    table.parent.mkdir(parents=True)
    table.write_text("x\n1\n")
    assert find_file(tmp_path, "a.csv") == table
    deep = tmp_path / "other" / "project" / "2.1.0" / "b.csv"
    deep.parent.mkdir(parents=True)
    deep.touch()
    assert find_file(tmp_path, "b.csv") is None


def test_archives_that_were_not_unpacked_are_named(tmp_path):
    for name in ("images_01.tar.gz", "tables.zip", "readme.txt"):
        (tmp_path / name).touch()
    with pytest.raises(
        DatasetError, match=r"expected a\.csv .* Unpack images_01\.tar\.gz, tables\.zip first\."
    ):
        need_file(tmp_path, "a.csv")


def test_lists_may_be_written_as_numpy_does_and_have_gaps():
    assert encodings.literals("['C1' 'C2'\n 'C3']") == ("C1", "C2", "C3")
    assert encodings.literals("['a', nan, '', ' ', 'nan, b', \"it's\"]") == ("a", "nan, b", "it's")
    with pytest.raises(DatasetError, match="expected a list of texts"):
        encodings.literals("['a', b]")


def test_answers_keep_the_word_none_and_lose_the_letter_of_their_choice():
    assert encodings.answer("None") == "None"
    assert encodings.question("How many?", 4).answers == ("4",)
    assert encodings.question("Is there any?", " YES ", closed=True).answers == ("yes",)
    assert encodings.question("Which side?", "Left", closed=True).kind == "text"
    assert encodings.question("What?", " ").answers == ()
    assert encodings.choice("(C) Calcium", "C") == "Calcium"
    assert encodings.choice("Cardiac", "C") == "Cardiac"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("file", b"\xff\xfe\x00"),
        ("file.gz", gzip.compress(b'{"a": [1, 2, 3]}' * 200, mtime=0)[:40]),
        ("file.gz", b"no gzip at all"),
    ],
)
@pytest.mark.parametrize("reader", [read_json, read_json_lines, read_lines, lambda path: read_csv(path, "a")])
def test_a_damaged_file_is_named_whatever_is_read_from_it(tmp_path, reader, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError, match=rf"{name}: cannot be read"):
        list(reader(tmp_path / name))


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path):
    (tmp_path / "train.csv").mkdir()
    with pytest.raises(DatasetError, match=r"train\.csv: cannot be read \(.*Is a directory"):
        list(read_csv(tmp_path / "train.csv", "a"))


def test_folders_of_very_many_patients_are_not_searched_for_tables(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "MOST_FOLDERS", 3)
    for number in range(4):
        (tmp_path / "train" / f"patient{number}").mkdir(parents=True)
    (tmp_path / "train" / "patient0" / "table.csv").write_text("a\n")
    assert tables.find_file(tmp_path, "table.csv") is None
    (tmp_path / "train" / "patient3").rmdir()
    assert tables.find_file(tmp_path, "table.csv") == tmp_path / "train" / "patient0" / "table.csv"
