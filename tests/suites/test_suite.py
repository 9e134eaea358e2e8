"""Suites: the samples of published benchmarks from small trees in official layouts, and what is absent."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cxreason.cli import app
from cxreason.errors import UserError
from cxreason.inference import predict as asking
from cxreason.inference.engines import Generated, Replied
from cxreason.recipes import SuiteRecipe, load
from cxreason.records import Sample, Study
from cxreason.runs import read
from cxreason.suites import run as room
from cxreason.suites.sampling import Images

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "datasets"))
RECIPES = sorted((ROOT / "recipes/suites").glob("*.yaml"))
TYPES = {
    "Presence Assessment": 3,
    "Location and Distribution Assessment": 2,
    "Negation Assessment": 2,
    "Differential Diagnosis": 1,
    "Geometric Information Assessment": 1,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """ReXGradient, ReXVQA with nine questions in the test part, MIMIC-CXR with two visits of one patient."""
    from mimic_tree import write_mimic
    from test_rexgradient import PARTS
    from test_rexgradient import record as study
    from test_rexvqa import IMAGE, record

    from dataset_files import write_json, write_picture

    folder = tmp_path_factory.mktemp("data")
    for number, part in enumerate(PARTS):
        told = {f"{part}_study": study(f"P{number}", Findings=f"Edema number {number} is new.\nNo fracture.")}
        write_json(folder / "rexgradient/metadata" / f"{part}_metadata_view_position.json", told)
    questions = {}
    for kind, number in TYPES.items():
        for one in range(number):
            text = f"{kind} {one}?"
            questions[f"{kind}-{one}"] = record(f"S{one}", f"P{one + 5}", task_name=kind, question=text)
    metadata = folder / "rexvqa/metadata"
    write_json(metadata / "train_vqa_data.json", {"t1": record()})
    write_json(metadata / "valid_vqa_data.json", {"v1": record("S80", "P80")})
    write_json(metadata / "test_vqa_data.json", questions)
    write_picture(folder / "rexgradient" / IMAGE)
    visits = (
        ("10000898", "50000004", "test", ("d4-a", "PA"), ("d4-b", "LATERAL")),
        ("10000898", "50000005", "test", ("d5-a", "AP"), ("d5-b", "LL")),
        ("10000032", "50000001", "train", ("d1-a", "PA")),
    )
    report = " FINAL REPORT\n INDICATION:  Cough.\n\n FINDINGS:\n\n The effusion has increased.\n\n"
    write_mimic(folder / "mimic", visits, report)
    return folder


@pytest.fixture(scope="module")
def made(data, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("made") / "suite"
    folders = [str(data / name) for name in ("rexgradient", "rexvqa", "mimic")]
    room.suite(load(SuiteRecipe, ROOT / "recipes/suites/suite-chexone.yaml", told(out, folders)))
    return out


def told(out: Path, folders: list[str], *more: str) -> list[str]:
    return [f"out={json.dumps(str(out))}", f"folders={json.dumps(folders)}", "part_each=1", *more]


def by_task(folder: Path) -> dict[str, list[Sample]]:
    found: dict[str, list[Sample]] = {}
    for one in read(folder, Sample):
        found.setdefault(one.task, []).append(one)
    return found


def test_every_setting_of_the_paper_is_there_and_says_what_it_is_judged_by():
    recipe = load(SuiteRecipe, ROOT / "recipes/suites/suite-chexone.yaml", [])
    assert len(recipe.settings) == 15  # and two more on a part of the first five
    assert sum(one.published for one in recipe.settings if one.dataset == "rexvqa") == 40_858
    assert len(recipe.part) == 5
    assert [one.metrics[0] for one in recipe.settings].count("accuracy") == 8
    assert [one.metrics[0] for one in recipe.settings].count("radcliq_v1") == 5
    radrbench = load(SuiteRecipe, ROOT / "recipes/suites/suite-radrbench.yaml", [])
    assert {one.task for one in radrbench.settings} == {"binary", "single", "multiple", "anomaly", "temporal"}


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_every_suite_knows_its_datasets_and_tasks(file):
    from cxreason.datasets import DATASETS
    from cxreason.tasks import TASKS

    recipe = load(SuiteRecipe, file, [])
    assert {one.dataset for one in recipe.settings} <= set(DATASETS)
    assert {one.task for one in recipe.settings if one.how in ("boxes", "build")} <= set(TASKS)
    assert len({one.name for one in recipe.settings}) == len(recipe.settings)


def test_questions_go_to_the_setting_of_their_type_and_are_asked_as_published(made):
    found = by_task(made)
    sizes = {
        name: len(found[name]) for name in ("presence", "location", "negation", "differential", "geometric")
    }
    assert list(sizes.values()) == list(TYPES.values())
    one = next(one for one in found["presence"] if one.question == "Presence Assessment 0?")
    assert one.options == ("Edema", "Fracture", "Mass", "None of these")
    assert (one.answer, one.kind, one.split, one.option_style) == ("B", "choice", "test", "A.")
    assert one.official_id == "Presence Assessment-0"
    assert (made / one.images[0]).is_file()


def test_reports_are_whole_and_tell_the_indication(made):
    (one,) = by_task(made)["findings_rexgradient"]
    assert one.answer.endswith("No fracture.")
    assert "is new" in one.answer  # nothing is cut out: the published references compare
    assert one.question.startswith("Indication: Cough.\n")
    assert one.kind == "report"


def test_a_comparison_shows_the_earlier_image_first(made):
    (one,) = by_task(made)["progression_mimic"]
    assert [Path(image).stem for image in one.images] == ["d4-a", "d5-a"]
    assert one.prior_report


def test_views_are_balanced_over_what_there_is_and_never_told(made):
    found = by_task(made)["view"]
    truths = sorted(one.options["ABC".index(one.answer)] for one in found)
    assert truths == ["AP", "LATERAL", "LATERAL", "PA"]
    assert not any(one.views for one in found)
    assert all(len(one.images) == 1 for one in found)


def test_what_no_folder_holds_is_said_to_be_absent_with_the_reason(made):
    told = {one["name"]: one for one in json.loads((made / "suite.json").read_text())["settings"]}
    assert told["presence"] == {
        "name": "presence", "title": "Presence", "dataset": "rexvqa", "metrics": ["accuracy"],
        "published": 14698, "n": 3, "absent": "",
    }  # fmt: skip
    assert told["long_tail"]["absent"] == "cxr-lt: not in the folders"
    assert told["findings_iu"]["n"] == 0


def test_what_shows_an_image_that_is_not_there_is_left_out_and_counted(data, made, tmp_path):
    from dataset_files import write_picture

    mimic = shutil.copytree(data / "mimic", tmp_path / "mimic")
    paths = {
        Path(image)
        for name in ("view", "findings_mimic")
        for one in by_task(made)[name]
        for image in one.images
    }
    # Of tables alone, as none is there.
    assert {path.stem for path in paths} == {"d4-a", "d4-b", "d5-a", "d5-b"}
    for path in paths:
        if path.stem != "d5-a":
            write_picture(mimic / (made / path).resolve().relative_to((data / "mimic").resolve()))
    only = 'only=["view", "findings_mimic", "progression_mimic"]'
    recipe = load(
        SuiteRecipe, ROOT / "recipes/suites/suite-chexone.yaml", told(tmp_path / "suite", [str(mimic)], only)
    )
    result = room.suite(recipe)
    found = by_task(tmp_path / "suite")
    assert all(
        (tmp_path / "suite" / image).is_file()
        for name in found
        for one in found[name]
        for image in one.images
    )
    assert {Path(one.images[0]).stem for one in found["view"]} == {"d4-a", "d4-b", "d5-b"}
    assert sorted(len(one.images) for one in found["findings_mimic"]) == [1, 2]
    assert all(one["missing_images"] == {"named": 4, "there": 3} for one in result["settings"] if one["n"])
    assert "1 of 4 images are missing" in room.describe(result)


def test_an_image_that_is_labelled_and_came_before_counts_once(tmp_path):
    from dataset_files import write_picture

    (tmp_path / "labels").mkdir()
    write_picture(tmp_path / "mimic" / "there.png")
    images = Images()
    labelled = Study("l/1", "l", "p", images=("../mimic/there.png", "../mimic/gone.png"))
    before = Study("m/1", "m", "p", images=("there.png", "gone.png"))
    assert images.held(labelled, tmp_path / "labels").images == ("../mimic/there.png",)
    assert images.held(before, tmp_path / "mimic").images == ("there.png",)
    assert images.lacking() == {"missing_images": {"named": 2, "there": 1}}


def test_the_part_for_reasoning_holds_so_many_of_each_kind_and_finds_its_images(made):
    part = list(read(made / "reasoning", Sample))
    assert [one.task for one in part] == ["presence", "location", "negation", "differential", "geometric"]
    assert all((made / "reasoning" / one.images[0]).is_file() for one in part)


def test_the_same_folders_give_the_same_samples(made, data, tmp_path):
    folders = [str(data / name) for name in ("mimic", "rexvqa", "rexgradient")]
    recipe = load(SuiteRecipe, ROOT / "recipes/suites/suite-chexone.yaml", told(tmp_path / "again", folders))
    room.suite(recipe)
    assert [one.id for one in read(tmp_path / "again", Sample)] == [one.id for one in read(made, Sample)]


def test_a_dry_run_lists_settings_and_a_wrong_name_or_an_empty_folder_is_one_line(data, tmp_path):
    file = str(ROOT / "recipes/suites/suite-chexone.yaml")
    args = told(tmp_path / "x", [str(data / "rexgradient")])
    shown = CliRunner().invoke(app, ["suite", file, *args, "--dry-run"])
    assert shown.exit_code == 0, shown.output
    lines = shown.output.splitlines()
    assert len(lines) == 15
    assert "rexvqa: not in the folders" in lines[0]
    assert "published with 10,000" in next(line for line in lines if line.startswith("findings_rexgradient"))
    assert not (tmp_path / "x").exists()
    with pytest.raises(UserError, match="unknown setting 'presense'"):
        room.suite(load(SuiteRecipe, Path(file), [*args, "only=[presense]"]))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no dataset of this suite"):
        room.suite(load(SuiteRecipe, Path(file), told(tmp_path / "x", [str(tmp_path / "empty")])))


def test_what_build_balances_is_asked_for_as_test_samples_alone(data, tmp_path, monkeypatch):
    from cxreason.rows import write_records

    asked = []

    def build(recipe, limit=None):
        asked.append(recipe)
        recipe.out.mkdir()
        where = ("p", "s", "validation", ("../../images/1.png",))
        made = [
            Sample(f"{dataset}-{task}", dataset, task, "choice", *where, "?", "A", ("Yes", "No"))
            for dataset in ("mimic-cxr", "other")
            for task in ("binary", "single")
        ]
        write_records(recipe.out / "samples.parquet", Sample, made)

    monkeypatch.setattr(room, "build", build)
    file = ROOT / "recipes/suites/suite-radrbench.yaml"
    args = told(tmp_path / "suite", [str(data / "mimic")], "only=[binary-mimic, binary-chexpert]")
    counts = room.suite(load(SuiteRecipe, file, args))
    (feed,) = asked[0].feeds
    assert (feed.dataset, feed.task, feed.balance) == ("mimic-cxr", "binary", "groups")
    assert (feed.train, feed.validation, feed.test) == (0, 0, 300)
    (one,) = read(tmp_path / "suite", Sample)
    assert (one.id, one.task, one.split) == ("mimic-cxr-binary", "binary", "test")
    assert one.images == ("../images/1.png",)  # as seen from the suite's folder, one above
    assert counts["settings"][1]["absent"].startswith("chexpert-plus")


def test_a_model_is_asked_and_scored_at_once(data, tmp_path, monkeypatch):
    class AlwaysB:
        def reply(self, asks):
            for ask in asks:
                yield Replied(ask, [Generated(r"It is so. \boxed{B}", 5, True)] * max(1, len(ask.seeds)))

        def about(self):
            return {}

        def __enter__(self):
            return self

        def __exit__(self, *problem):
            pass

    monkeypatch.setattr(asking, "open_engine", lambda recipe: AlwaysB())
    folders = [str(data / "rexgradient"), str(data / "rexvqa")]
    model = ["predict.model=phantom", "predict.name=b", "predict.dialect=boxed", "score.bootstrap_draws=20"]
    questions = "only=[presence, location, negation, differential, geometric]"
    args = told(tmp_path / "suite", folders, *model, questions)
    counts = room.suite(load(SuiteRecipe, ROOT / "recipes/suites/suite-chexone.yaml", args))
    assert counts["score"]["b"]["reasoning"]["accuracy"]["value"] == 1.0
    page = (tmp_path / "suite/score/b-reasoning/page.html").read_text()
    assert "CheXOne 0.95 (0.93–0.97)" in page  # published for presence
    assert "14,698" in page
    assert "cxr-lt" not in page  # not asked for
    draws = json.loads((tmp_path / "suite/draws/b/run.json").read_text())["counts"]
    assert draws["rows"] == 5 * room.DRAWS
