"""Somebody's predictions from a file: found by id, read by the one parser, refused where one would guess."""

import json
from pathlib import Path

import pytest

from cxreason.errors import UserError
from cxreason.inference.predict import predict
from cxreason.recipes import PredictRecipe, validate
from cxreason.records import Prediction, Sample, to_row
from cxreason.rows import write_parquet
from cxreason.runs import read

OPTIONS = ("Yes", "No")


def sample(number: int, **more) -> Sample:
    told = {
        "id": f"s{number}",
        "dataset": "toy",
        "task": "binary",
        "kind": "choice",
        "patient_id": f"p{number}",
        "study_id": f"study-{number}",
        "split": "test",
        "images": (),
        "question": "Is there edema?",
        "answer": "A",
        "options": OPTIONS,
        "official_id": f"q{number}",
    }
    return Sample(**{**told, **more})


@pytest.fixture
def said(tmp_path):
    """What is kept of a file of predictions about three samples."""
    folder = tmp_path / "samples"
    folder.mkdir()
    kept = [sample(number) for number in range(3)]
    write_parquet(folder / "samples.parquet", Sample, map(to_row, kept))

    def ask(lines: str, name: str = "said.jsonl", **more) -> list[Prediction]:
        (tmp_path / name).write_text(lines, encoding="utf-8")
        told = {"out": tmp_path / "run", "name": "theirs", "samples": folder, "engine": "file"}
        recipe = validate(PredictRecipe, {**told, "file": tmp_path / name, **more})
        predict(recipe)
        return sorted(read(recipe.out, Prediction), key=lambda one: (one.sample_id, one.repeat))

    return ask


def lines(*rows: dict) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


REPLY = "<think> Wet lungs. </think><answer> {} </answer>"


@pytest.mark.parametrize("key", ["s", "q", "study-"])
def test_whole_replies_are_read_by_the_dialect_and_found_by_any_id_of_the_sample(said, key):
    texts = (REPLY.format("B"), REPLY.format("A"), "I cannot say.")
    rows = [{"id": f"{key}{number}", "response": text} for number, text in enumerate(texts)]
    found = said(lines(*rows[::-1]))
    assert [(one.sample_id, one.answer, one.reasoning) for one in found[:2]] == [
        ("s0", "B", "Wet lungs."),
        ("s1", "A", "Wet lungs."),
    ]
    assert found[2].problem
    assert not found[2].answer


def test_a_table_may_hold_the_two_parts_of_a_reply(said):
    table = 'id,reasoning,answer\ns0,"Wet, ""white"" lungs.",yes\ns1,,(B)\ns2,Clear.,perhaps\n'
    found = said(table, "said.csv")
    assert [(one.reasoning, one.answer) for one in found] == [
        ('Wet, "white" lungs.', "A"),
        ("", "B"),
        ("Clear.", ""),
    ]
    assert found[2].problem == "no option is named"


def test_what_is_missing_is_wrong_and_counted_and_an_empty_cell_is_silence(said, tmp_path):
    found = said("id,text\ns0,\ns1,<answer>A</answer>\n", "said.csv")
    assert [one.answer for one in found] == ["", "A", ""]
    assert found[2].problem == "the file holds nothing for this sample"
    assert "nan" not in found[0].text
    counts = json.loads((tmp_path / "run/run.json").read_text())["counts"]
    assert counts["missing"] == 1


def test_several_draws_are_kept_in_their_order_and_those_that_lack_are_empty(said):
    rows = [{"id": "s0", "answer": letter} for letter in "AB"] + [{"id": "s1", "answer": "A"}]
    found = said(lines(*rows), num_samples=2, temperature=1.0)
    assert [(one.sample_id, one.repeat, one.answer) for one in found] == [
        ("s0", 0, "A"),
        ("s0", 1, "B"),
        ("s1", 0, "A"),
        ("s1", 1, ""),
        ("s2", 0, ""),
        ("s2", 1, ""),
    ]


@pytest.mark.parametrize(
    ("text", "name", "more", "says"),
    [
        (lines({"id": "s0", "text": "A"}, {"id": "x9", "text": "A"}), "a.jsonl", {}, "1 of 2 ids.*'x9'"),
        (lines({"id": "s0", "text": "A"}, {"id": "s0", "text": "B"}), "a.jsonl", {}, "'s0' comes again"),
        (lines({"number": "s0", "text": "A"}), "a.jsonl", {}, "known as an id; it has number, text"),
        (lines({"id": "s0", "words": "A"}), "a.jsonl", {}, "a text or an answer; it has id, words"),
        (lines({"id": "s0", "words": "A"}), "a.jsonl", {"columns": {"text": "word"}}, "mean 'words'"),
        ("id,text\ns0,Left effusion, small\n", "a.csv", {}, "has 3 cells"),
        ("", "a.jsonl", {}, "holds no predictions"),
        (lines({"id": "", "text": "A"}), "a.jsonl", {}, "prediction 1 has no id"),
    ],
)
def test_what_would_have_to_be_guessed_is_one_clear_line(said, text, name, more, says):
    with pytest.raises(UserError, match=says) as raised:
        said(text, name, **more)
    assert "\n" not in str(raised.value)


def test_columns_that_only_some_lines_have_are_found(said):
    found = said(lines({"id": "s0", "answer": "A"}, {"id": "s1", "answer": "B", "reasoning": "Clear."}))
    assert [(one.reasoning, one.answer) for one in found[:2]] == [("", "A"), ("Clear.", "B")]


def test_replies_in_another_form_are_counted_with_a_hint_and_not_left_to_an_accuracy_of_0(said, tmp_path):
    said(lines(*({"id": f"s{number}", "text": "B"} for number in range(3))))
    counts = json.loads((tmp_path / "run/run.json").read_text())["counts"]
    assert counts["num_unread"] == 3
    assert counts["unread"] == {"no filled <answer></answer> after the reasoning": 3}
    assert "columns.answer=COLUMN" in counts["note"]


def test_readable_replies_need_no_hint(said, tmp_path):
    said(lines(*({"id": f"s{number}", "text": REPLY.format("B")} for number in range(3))))
    counts = json.loads((tmp_path / "run/run.json").read_text())["counts"]
    assert counts["num_unread"] == 0
    assert not {"unread", "note"} & counts.keys()


def test_half_a_character_where_a_reply_was_cut_stops_nothing(said):
    cut, whole = r"<answer>B</answer> \ud83d", r"<think>\ud83d\ude00</think><answer>A</answer>"
    found = said(f'{{"id": "s0", "text": "{cut}"}}\n{{"id": "s1", "text": "{whole}"}}\n')
    assert (found[0].text, found[0].answer) == ("<answer>B</answer> \N{REPLACEMENT CHARACTER}", "B")
    assert (found[1].reasoning, found[1].answer) == ("\N{GRINNING FACE}", "A")


def test_a_file_that_is_not_there_and_one_that_is_not_named(said, tmp_path):
    with pytest.raises(UserError, match="no such file of predictions"):
        said("", file=Path("nowhere.jsonl"))
    with pytest.raises(UserError, match=r"engine file needs `file: predictions\.jsonl`"):
        said("", file=None)
    with pytest.raises(UserError, match="cannot be shown another image"):
        said("", image="blank")
