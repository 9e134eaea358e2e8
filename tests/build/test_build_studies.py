from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
from scipy.stats import chisquare

from cxreason.build import BuildError, build, image_path
from cxreason.build.studies import _candidates as candidates
from cxreason.build.studies import choose_all, make_samples
from cxreason.phantom.generate import studies as phantom_studies
from cxreason.recipes import BuildRecipe
from cxreason.records import Sample, Study, to_row
from cxreason.rows import write_parquet
from cxreason.runs import read

LETTERS = "ABCD"


def write(folder: Path, studies: list[Study]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_parquet(folder / "studies.parquet", Study, map(to_row, studies))
    return folder


@pytest.fixture(scope="module")
def drawn() -> list[Study]:
    return [one.study for one in phantom_studies(5, 2000)]


@pytest.fixture(scope="module")
def asked(drawn, tmp_path_factory) -> list[Sample]:
    """Everything that can be asked about 2,000 phantoms."""
    folder = tmp_path_factory.mktemp("all")
    recipe = BuildRecipe(out=folder / "out", studies=(write(folder / "phantom", drawn),))
    return list(make_samples(choose_all(candidates(recipe), recipe.tasks, {}), recipe.out, recipe.seed))


def blind_accuracy(samples: list[Sample]) -> float:
    """What an option-prior guesser scores who has seen the answers of every second other patient.

    (Strictly leaving one out would be unfair to the guesser: with exactly balanced answers the prior then
    always points away from the item that was left out.)
    """
    shown, right = Counter(), Counter()
    hits = []
    halves = defaultdict(list)
    for sample in samples:
        halves[int(sample.id, 16) % 2].append(sample)
    for known, unknown in ((halves[0], halves[1]), (halves[1], halves[0])):
        shown.clear()
        right.clear()
        for sample in known:
            for position, option in enumerate(sample.options):
                for clue in clues(sample, position, option):
                    shown[clue] += 1
                    right[clue] += sample.answer == LETTERS[position]
        for sample in unknown:
            chance = 1 / len(sample.options)
            worth = [
                sum((right[clue] + chance) / (shown[clue] + 1) for clue in clues(sample, position, option))
                / len(clues(sample, position, option))
                for position, option in enumerate(sample.options)
            ]
            hits.append(LETTERS[worth.index(max(worth))] == sample.answer)
    return sum(hits) / len(hits)


def clues(sample: Sample, position: int, option: str) -> list[tuple]:
    if sample.subject:
        return [(sample.subject, option)]
    return [(label,) for label in option.split(", ")]


@pytest.mark.parametrize(
    ("task", "most"), [("binary", 0.56), ("single", 0.45), ("multiple", 0.40), ("temporal", 0.45)]
)
def test_who_knows_only_how_often_each_option_is_right_scores_about_chance(asked, task, most):
    assert blind_accuracy([sample for sample in asked if sample.task == task]) <= most


@pytest.mark.parametrize("task", ["binary", "single", "multiple", "temporal"])
def test_the_answer_stands_anywhere(asked, task):
    letters = Counter(sample.answer for sample in asked if sample.task == task)
    num_options = {"binary": 2, "temporal": 3}.get(task, 4)
    assert chisquare([letters[letter] for letter in LETTERS[:num_options]]).pvalue > 0.001


def test_binary_asks_for_each_finding_as_often_when_it_is_there_as_when_not(asked):
    answers = Counter(
        (one.split, one.subject, one.options[LETTERS.index(one.answer)])
        for one in asked
        if one.task == "binary"
    )
    assert all(number == answers[split, finding, "No"] for (split, finding, _), number in answers.items())


def test_every_id_is_there_once_and_no_patient_is_in_two_splits(asked):
    assert len({sample.id for sample in asked}) == len(asked)
    splits = defaultdict(set)
    for sample in asked:
        splits[sample.patient_id].add(sample.split)
    assert all(len(found) == 1 for found in splits.values())
    assert {sample.split for sample in asked} == {"train", "validation", "test"}


def test_the_order_of_the_studies_does_not_matter(drawn, tmp_path):
    written = []
    for name, studies in (("forward", drawn[:280]), ("backward", drawn[279::-1])):
        source = write(tmp_path / name / "phantom", studies)
        recipe = BuildRecipe(
            out=tmp_path / name / "out", studies=(source,), per_task={"train": 30, "test": 9}
        )
        counts = build(recipe)
        written.append(list(read(recipe.out, Sample)))
        assert counts["tasks"]["single"] == {"train": 28, "test": 8}, "four at a time"
    assert written[0] == written[1]


def test_images_are_found_from_the_folder_of_the_samples(drawn, tmp_path):
    source = write(tmp_path / "phantom", drawn[:140])
    recipe = BuildRecipe(out=tmp_path / "deep" / "out", studies=(source,), per_task={"train": 6})
    build(recipe)
    for sample in read(recipe.out, Sample):
        for image in sample.images:
            assert image_path(recipe.out, image).parent == source / "images"


def test_a_dry_run_writes_nothing_and_shows_a_sample(drawn, tmp_path):
    source = write(tmp_path / "phantom", drawn[:140])
    shown = build(BuildRecipe(out=tmp_path / "out", studies=(source,)), dry_run=True, limit=3)
    assert shown["example"]["question"]
    assert shown["tasks"]["anomaly"]["train"] == 3
    assert not (tmp_path / "out").exists()


def test_a_patient_in_two_splits_is_refused(drawn, tmp_path):
    first = drawn[0]
    other = replace(first, id="other", split="test" if first.split == "train" else "train", prior_id="")
    source = write(tmp_path / "phantom", [first, other])
    with pytest.raises(BuildError, match="same split"):
        build(BuildRecipe(out=tmp_path / "out", studies=(source,)))


def test_a_prior_of_somebody_else_is_refused(drawn, tmp_path):
    stranger = replace(drawn[1], patient_id="stranger", prior_id="")
    study = replace(drawn[0], prior_id=stranger.id)
    source = write(tmp_path / "phantom", [study, stranger])
    with pytest.raises(BuildError, match="same patient"):
        build(BuildRecipe(out=tmp_path / "out", studies=(source,)))


def test_an_unknown_task_is_named_with_those_that_exist(tmp_path):
    with pytest.raises(BuildError, match=r"'triple'.*binary, single"):
        build(BuildRecipe(out=tmp_path / "out", studies=(tmp_path,), tasks=("triple",)))
