"""What a folder is said to hold."""

import gzip
import json
import zipfile

from cxreason.datasets.contents import MOST_BYTES, contents
from cxreason.records import Study, to_row
from cxreason.rows import write_parquet


def test_rows_of_tables_and_lists_and_what_folders_hold_are_counted(tmp_path):
    (tmp_path / "labels.csv").write_text('name,report\na,"two\nlines"\nb,\n', encoding="utf-8")
    with gzip.open(tmp_path / "packed.csv.gz", "wt") as file:
        file.write("name\n1\n2\n3\n")
    (tmp_path / "train.json").write_text(json.dumps([{"q": 1}, {"q": 2}]), encoding="utf-8")
    (tmp_path / "rows.jsonl").write_text("{}\n{}\n\n{}\n", encoding="utf-8")
    (tmp_path / "list.txt").write_text("a\nb\n", encoding="utf-8")
    write_parquet(tmp_path / "table.parquet", Study, iter([to_row(Study("a", "d", "p", ()))]))
    (tmp_path / "images").mkdir()
    for name in ("1.png", "2.png", ".hidden"):
        (tmp_path / "images" / name).touch()
    (tmp_path / "readme.md").touch()
    (tmp_path / "boxes.csv").write_text("Image Index,Bbox [x,y,w,h],,,\n1.png,1,2,3,4,,,\n2.png,1,2,3,4\n")
    (tmp_path / "images.tar.gz").touch()
    with zipfile.ZipFile(tmp_path / "zipped.csv.zip", "w") as archive:
        archive.writestr("zipped.csv", "name\n1\n2\n")
    assert contents(tmp_path) == {
        "boxes.csv": 2,
        "images.tar.gz": None,
        "images/": 2,
        "labels.csv": 2,
        "list.txt": 2,
        "packed.csv.gz": 3,
        "rows.jsonl": 3,
        "table.parquet": 1,
        "train.json": 2,
        "zipped.csv.zip": 2,
    }


def test_what_is_damaged_or_too_large_is_named_and_not_counted(tmp_path, monkeypatch):
    (tmp_path / "broken.json").write_text("[{", encoding="utf-8")
    (tmp_path / "torn.csv.gz").write_bytes(gzip.compress(b"name\n1\n" * 500)[:20])
    (tmp_path / "large.csv").write_text("name\n1\n", encoding="utf-8")
    (tmp_path / "empty.csv").touch()
    monkeypatch.setitem(MOST_BYTES, ".csv", 3)
    found = contents(tmp_path)
    assert found["broken.json"] is None
    assert found["torn.csv.gz"] is None
    assert found["large.csv"] is None
    assert "empty.csv" in found
