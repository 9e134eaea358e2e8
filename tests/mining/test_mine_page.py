"""The page of a mining run, as a file that is read without a browser."""

import re
from pathlib import Path

import pytest

from cxreason.mining.run import mine
from cxreason.recipes import MineRecipe, validate
from cxreason.records import Sample, to_row
from cxreason.rows import write_parquet


def asked(number: int, report: str, answer: str) -> Sample:
    known = (f"{number:020x}", "invented", "binary", "choice", f"p{number}", f"s{number}", "train", ())
    question = "Does this chest X-ray show pleural effusion?"
    return Sample(*known, question, answer, ("Yes", "No"), "pleural effusion", report)


def page_of(tmp_path: Path, *samples: Sample) -> str:
    write_parquet(tmp_path / "samples.parquet", Sample, map(to_row, samples))
    told = {"out": tmp_path / "out", "samples": tmp_path / "samples.parquet", "workers": 1}
    mine(validate(MineRecipe, told))
    return (tmp_path / "out" / "page.html").read_text()


@pytest.fixture
def page(tmp_path) -> str:
    there = asked(1, "There is a small left pleural effusion. No <b>edema</b>.", "A")
    amiss = asked(2, "There is no pleural effusion. The heart is normal in size.", "A")
    return page_of(tmp_path, there, amiss)


def part(page: str, name: str) -> str:
    found = re.search(rf'<section id="{name}">.*?</section>', page, re.DOTALL)
    assert found
    return found.group()


def test_what_was_kept_marks_the_sentences_that_it_rests_on(page):
    (example,) = part(page, "kept").split("<article")[1:]
    assert "<mark>There is a small left pleural effusion.</mark>" in example
    assert re.search(r"Gold answer</span> <b>A[^<]*Yes</b>", example)


def test_what_was_dropped_tells_both_answers_and_the_reason(page):
    (example,) = part(page, "dropped").split("<article")[1:]
    assert "dropped by answer" in example
    assert "the gold answer is A" in example
    assert re.search(r"the chain's</span> <b>B[^<]*No</b>", example)


def test_what_a_report_says_is_never_markup(page):
    assert "<b>edema</b>" not in page
    assert "&lt;b&gt;edema&lt;/b&gt;" in page


def test_questions_are_not_broken_at_a_hyphen_and_marks_stay_with_their_sentences(page):
    assert "<h3>Does this chest X\N{NON-BREAKING HYPHEN}ray show pleural effusion?</h3>" in page
    assert re.search(r'<span class="glued">&#8288;\s*<svg', page)


def test_where_nothing_was_kept_no_figure_is_told_of_it(tmp_path):
    page = page_of(tmp_path, asked(2, "There is no pleural effusion. The heart is normal in size.", "A"))
    assert re.search(r"<th>strict</th><td>1\.000 .*n 1</span></td><td>–</td>", page)
