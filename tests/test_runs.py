"""A run may die anywhere and ends in the same rows; two runs never mix."""

import contextlib
import json
import multiprocessing
import os
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxreason import rows, runs
from cxreason.recipes import PhantomRecipe
from cxreason.records import Score
from cxreason.runs import Run, RunError, num_rows, read, write_json, write_text

NUM_ROWS = 8


def a_score(number: int) -> Score:
    return Score(
        f"{number:04d}", "p", "s", "patient", "d", "t", "accuracy", number / 7, "reason with ä\nline"
    )


def open_run(folder: Path, **changes) -> Run:
    recipe = PhantomRecipe(out=folder, num_studies=20, **changes)
    return Run.open(folder, verb="score", recipe=recipe, record=Score)


def work(folder: Path, num_items: int = NUM_ROWS) -> dict:
    """One start of a small stage: item 3 fails, the others give a row each."""
    with open_run(folder) as run:
        if run.finished:
            return run.counts
        for number in range(num_items):
            score = a_score(number)
            if number == 3:
                run.fail(score.id, "cannot be read")
            elif score.id not in run.done:
                run.append(score)
        return run.finish(num_patients=1)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(runs, "BATCH_ROWS", 3)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> list[Score]:
    folder = tmp_path_factory.mktemp("undisturbed")
    work(folder)
    return list(read(folder, Score))


class PowerCut(BaseException):
    """Ends the process in a test: no later disk operation succeeds either."""


class Disk:
    """Counts renames, removals and syncs, and fails from the n-th on, before or after it happened."""

    def __init__(self, dies_at: int, after: bool):
        self.dies_at, self.after, self.num_operations = dies_at, after, 0

    def watch(self, operation):
        def watched(*arguments, **named):
            self.num_operations += 1
            if self.num_operations > self.dies_at or (self.num_operations == self.dies_at and not self.after):
                raise PowerCut
            result = operation(*arguments, **named)
            if self.num_operations == self.dies_at:
                raise PowerCut
            return result

        return watched


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_power_cut_at_any_disk_operation_ends_in_the_same_rows(tmp_path, monkeypatch, undisturbed, after):
    for dies_at in range(1, 100):
        folder, disk = tmp_path / str(dies_at), Disk(dies_at, after)
        with monkeypatch.context() as patch, contextlib.suppress(PowerCut):
            patch.setattr(Path, "replace", disk.watch(Path.replace))
            patch.setattr(Path, "unlink", disk.watch(Path.unlink))
            patch.setattr(rows.os, "fsync", disk.watch(os.fsync))
            work(folder)
        state = folder / "run.json"
        if state.exists() and json.loads(state.read_text())["finished"]:
            assert list(read(folder, Score)) == undisturbed, (
                f"finished, but not whole, at operation {dies_at}"
            )
        assert work(folder) == {"rows": NUM_ROWS - 1, "failed": 1, "num_patients": 1}
        assert list(read(folder, Score)) == undisturbed, f"other rows after dying at operation {dies_at}"
        visible = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
        assert visible == {"recipe.yaml", "run.json", "scores.parquet", "failed.jsonl"}
        if disk.num_operations < dies_at:
            assert dies_at > 15, "the test watched too few operations to mean anything"
            return
    pytest.fail("the run never got to its end")


def test_a_run_that_died_between_its_rows_and_its_mark_owes_no_row_again(tmp_path, monkeypatch):
    def die_at_the_mark(path, value):
        raise PowerCut

    with contextlib.suppress(PowerCut), open_run(tmp_path) as run:
        run.append([a_score(number) for number in range(NUM_ROWS)])
        with monkeypatch.context() as patch:
            patch.setattr(runs, "write_json", die_at_the_mark)
            run.finish()
    assert (tmp_path / "scores.parquet").exists()
    assert not (tmp_path / "scores.jsonl").exists()
    with open_run(tmp_path) as run:
        assert len(run.done) == NUM_ROWS
        # Whoever looks into the folder now must not take the rows of an unfinished run for all of them.
        assert not (tmp_path / "scores.parquet").exists()
        run.append(a_score(99))
        run.finish()
    assert num_rows(tmp_path, Score) == NUM_ROWS + 1


def test_two_power_cuts_in_a_row_are_survived_as_one_is(tmp_path, monkeypatch, undisturbed):
    for first in range(8, 20, 2):
        for second in range(1, 24, 3):
            folder = tmp_path / f"{first}-{second}"
            for dies_at in (first, second):
                disk = Disk(dies_at, after=True)
                with monkeypatch.context() as patch, contextlib.suppress(PowerCut):
                    patch.setattr(Path, "replace", disk.watch(Path.replace))
                    patch.setattr(Path, "unlink", disk.watch(Path.unlink))
                    patch.setattr(rows.os, "fsync", disk.watch(os.fsync))
                    work(folder)
            work(folder)
            assert list(read(folder, Score)) == undisturbed, f"after {first} and then {second} operations"


@given(cut=st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_a_growing_file_cut_at_any_byte_is_continued_to_the_same_rows(tmp_path_factory, undisturbed, cut):
    folder = tmp_path_factory.mktemp("cut")
    with open_run(folder) as run:
        run.append([a_score(number) for number in (0, 1, 2, 4, 5)])
    growing = folder / "scores.jsonl"
    with growing.open("rb+") as stream:
        stream.truncate(cut % (growing.stat().st_size + 1))
    work(folder)
    assert list(read(folder, Score)) == undisturbed


def stage(folder: Path) -> None:
    runs.BATCH_ROWS = 5
    with open_run(folder) as run:
        for number in range(300):
            if a_score(number).id not in run.done:
                run.append(a_score(number))
                time.sleep(0.002)
        run.finish()


def test_sigkill_loses_nothing_that_was_on_disk_and_a_new_start_finishes(tmp_path):
    # A copy of this process is killed as well as a new one, and has loaded everything.
    copies = multiprocessing.get_context("fork")
    growing = tmp_path / "run" / "scores.jsonl"
    for num_lines in (20, 90, 200):
        process = copies.Process(target=stage, args=(tmp_path / "run",))
        process.start()
        deadline = time.monotonic() + 30
        while not growing.exists() or growing.read_bytes().count(b"\n") < num_lines:
            assert process.is_alive(), "the stage ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.kill()
        process.join()
        with pytest.raises(RunError, match="not finished"):
            read(tmp_path / "run", Score)
    kept = growing.read_bytes()
    stage(tmp_path / "run")
    assert list(read(tmp_path / "run", Score)) == [a_score(number) for number in range(300)]
    assert kept.count(b"\n") >= 200
    assert json.loads((tmp_path / "run" / "run.json").read_text())["seconds"] > 0


def test_an_error_in_a_stage_keeps_the_rows_before_it(tmp_path):
    with contextlib.suppress(ZeroDivisionError), open_run(tmp_path) as run:
        run.append(a_score(0))
        raise ZeroDivisionError
    with open_run(tmp_path) as run:
        assert run.done == {"0000"}


def test_what_failed_is_tried_again_and_leaves_the_list_when_it_succeeds(tmp_path):
    with open_run(tmp_path) as run:
        run.fail("0000", "endpoint is away")
        run.append(a_score(1))
    with open_run(tmp_path) as run:
        assert run.done == {"0001"}
        run.append(a_score(0))
        assert run.finish() == {"rows": 2, "failed": 0}
    assert not (tmp_path / "failed.jsonl").exists()


def test_a_finished_run_has_nothing_to_do_and_still_knows_its_counts(tmp_path, undisturbed):
    counts = work(tmp_path)
    before = (tmp_path / "run.json").read_text()
    with open_run(tmp_path) as run:
        assert run.finished
        assert run.done == {score.id for score in undisturbed}
        assert run.finish(other=1) == run.counts == counts
        with pytest.raises(RuntimeError, match="takes no rows"):
            run.append(a_score(99))
    assert (tmp_path / "run.json").read_text() == before


def test_a_changed_recipe_is_refused_with_the_difference_and_nothing_is_touched(tmp_path):
    with open_run(tmp_path, seed=17) as run:
        run.append(a_score(0))
    with pytest.raises(RunError) as refusal:
        open_run(tmp_path, seed=18, image_size=64)
    assert "(seed: 17 -> 18; image_size: 256 -> 64)" in str(refusal.value)
    assert "\n" not in str(refusal.value)
    with open_run(tmp_path, seed=17) as run:
        assert run.done == {"0000"}


@pytest.mark.parametrize(
    ("difference", "says"),
    [
        ({"verb": "mine"}, "holds a run of `cxreason score`, and this is `cxreason mine`. Choose another"),
        ({"limit": 3}, "limit: .+ -> 3"),
    ],
)
def test_another_verb_or_limit_in_the_same_folder_is_refused(tmp_path, difference, says):
    recipe = PhantomRecipe(out=tmp_path)
    given = {"verb": "score", "recipe": recipe, "record": Score}
    with Run.open(tmp_path, **given):
        pass
    with pytest.raises(RunError, match=says):
        Run.open(tmp_path, **{**given, **difference})


def test_a_moved_folder_continues(tmp_path):
    with open_run(tmp_path / "old") as run:
        run.append(a_score(0))
    (tmp_path / "old").rename(tmp_path / "new")
    with open_run(tmp_path / "new") as run:
        assert run.done == {"0000"}


def test_two_processes_never_work_in_one_folder(tmp_path):
    with open_run(tmp_path), pytest.raises(RunError, match="another process is working in this folder"):
        open_run(tmp_path)
    with open_run(tmp_path):
        pass  # the lock was given back


def test_one_id_twice_is_a_fault(tmp_path):
    with open_run(tmp_path) as run, pytest.raises(ValueError, match="appended twice"):
        run.append([a_score(1), a_score(1)])


def test_a_damaged_line_in_the_middle_is_told_with_its_number(tmp_path):
    with open_run(tmp_path) as run:
        run.append([a_score(0), a_score(1)])
    growing = tmp_path / "scores.jsonl"
    growing.write_text(growing.read_text().replace('{"id": "0000"', '{"id" "0000"'))
    with pytest.raises(RunError, match="line 1 is damaged"):
        open_run(tmp_path)


def test_many_rows_become_several_row_groups_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "GROUP_ROWS", 10)
    monkeypatch.setattr(runs, "GROUP_ROWS", 10)
    with open_run(tmp_path) as run:
        run.append([a_score(number) for number in range(45)])
        run.finish()
    import pyarrow.parquet as pq

    assert pq.ParquetFile(tmp_path / "scores.parquet").num_row_groups == 5
    assert list(read(tmp_path, Score)) == [a_score(number) for number in range(45)]
    assert num_rows(tmp_path, Score) == 45


def test_a_run_without_a_single_row_finishes_and_reads_as_empty(tmp_path):
    with open_run(tmp_path) as run:
        assert run.finish() == {"rows": 0, "failed": 0}
    assert list(read(tmp_path, Score)) == []


def test_a_run_without_rows_keeps_its_own_files(tmp_path):
    recipe = PhantomRecipe(out=tmp_path)
    with Run.open(tmp_path, verb="train sft", recipe=recipe) as run:
        write_text(run.folder / "checkpoint.txt", "step 4")
        assert not run.finished
    with Run.open(tmp_path, verb="train sft", recipe=recipe) as run:
        assert (run.folder / "checkpoint.txt").read_text() == "step 4"
        assert run.finish(num_steps=8) == {"num_steps": 8}
    with Run.open(tmp_path, verb="train sft", recipe=recipe) as run:
        assert run.finished


def test_run_json_says_how_the_run_was_made(tmp_path):
    work(tmp_path)
    state = json.loads((tmp_path / "run.json").read_text())
    assert state["verb"] == "score"
    assert state["seed"] == 17
    assert {"python", "cxreason", "numpy", "pyarrow"} <= set(state["versions"])
    assert state["machine"]["cores"] >= 1
    assert state["started"] <= state["finished"]
    assert state["counts"]["rows"] == NUM_ROWS - 1


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: None, "there is no such run. `cxreason score` makes one."),
        (lambda folder: folder.mkdir(), "there is no such file; the folder holds no rows"),
        (lambda folder: open_run(folder).__exit__(), "Continue it with `cxreason score {}/recipe.yaml`."),
        (lambda folder: write_json_in(folder, "run.json", "{"), "is not readable JSON"),
    ],
)
def test_reading_what_is_not_there_says_what_to_do(tmp_path, make, said):
    make(tmp_path / "run")
    with pytest.raises(RunError) as refusal:
        read(tmp_path / "run", Score)
    assert said.format(tmp_path / "run") in str(refusal.value)


def write_json_in(folder: Path, name: str, text: str) -> None:
    folder.mkdir()
    (folder / name).write_text(text)


def test_a_single_parquet_file_can_be_read(tmp_path, undisturbed):
    work(tmp_path)
    assert list(read(tmp_path / "scores.parquet", Score)) == undisturbed


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    write_json(tmp_path / "a.json", {"kept": "ä"})
    monkeypatch.setattr(Path, "replace", Disk(1, after=False).watch(Path.replace))
    with pytest.raises(PowerCut):
        write_json(tmp_path / "a.json", {"other": 1})
    assert json.loads((tmp_path / "a.json").read_text()) == {"kept": "ä"}


@pytest.mark.parametrize("items", [3, [0, 1, 2], iter(range(3))])
def test_progress_gives_every_item_and_is_silent_without_a_terminal(items, capsys):
    assert list(runs.progress(items, "counting")) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")


def test_progress_shows_what_and_how_many_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert list(runs.progress([5, 6], "counting")) == [5, 6]
    said = capsys.readouterr()
    assert "counting" in said.err
    assert "2/2" in said.err
    assert said.out == ""


def test_a_key_that_came_with_an_update_stops_nobody_who_leaves_it_alone(tmp_path):
    with open_run(tmp_path):
        pass
    recipe = (tmp_path / "recipe.yaml").read_text()
    (tmp_path / "recipe.yaml").write_text(recipe.replace("layout: ''\n", ""))
    with open_run(tmp_path):
        pass
    with pytest.raises(RunError, match="layout: none -> nih"):
        open_run(tmp_path, layout="nih")
