"""Datasets as they are published -> samples in shards, with a card and an audit."""

import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cxreason.audit import audit
from cxreason.build import BuildError, build, feeds, survey, writing
from cxreason.build.export import export
from cxreason.build.feeds import list_held
from cxreason.phantom.run import make_phantoms
from cxreason.recipes import BuildRecipe, PhantomRecipe, load
from cxreason.records import Sample, schema
from cxreason.runs import num_rows, read
from cxreason.settings import AuditSettings, Feed

ROOT = Path(__file__).parents[2]
NUM_STUDIES = 300


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Phantoms in the layout of MIMIC-CXR, in the size in which they are drawn for their boxes."""
    folder = tmp_path_factory.mktemp("data")
    make_phantoms(
        PhantomRecipe(
            out=folder / "mimic", size="small", num_studies=NUM_STUDIES, image_size=128, layout="mimic-cxr"
        ),
        workers=1,
    )
    return folder / "mimic"


def recipe(data: Path, out: Path, *tasks: str, **more) -> BuildRecipe:
    fields = {
        "shard_studies": 120,
        "workers": 1,
        "audit": AuditSettings(hash_images=False, most_ratio=None),
        **more,
    }
    asked = tuple(Feed(dataset="mimic-cxr", task=task, balance="groups") for task in tasks)
    return BuildRecipe(out=out, folders=(data,), **{"feeds": asked, **fields})


@pytest.fixture(scope="module")
def radrbench(data, tmp_path_factory) -> Path:
    """RadRBench-CXR from its own recipe, of what the folder holds."""
    out = tmp_path_factory.mktemp("built") / "radrbench"
    told = [f"out={out}", f"folders=[{data}]", "workers=1", "shard_studies=120"]
    whole = load(BuildRecipe, ROOT / "recipes/chestx-reasoner/build.yaml", told)
    build(
        whole.model_copy(update={"feeds": tuple(feed for feed in whole.feeds if feed.dataset == "mimic-cxr")})
    )
    return out


def test_radrbench_of_phantoms_passes_its_own_audit(radrbench):
    counts = json.loads((radrbench / "run.json").read_text())["counts"]
    assert {row["task"]: row["train"] > 0 for row in counts["feeds"]} == dict.fromkeys(
        ("binary", "single", "multiple", "anomaly"), True
    )
    report = audit([radrbench], hash_images=False)
    assert report["failures"] == counts["audit"] == []
    assert {one["guesser"] for one in report["guesses"]} >= {"letter", "bag of words", "canonical order"}


@pytest.mark.parametrize("task", ["single", "multiple"])
def test_each_of_the_same_options_is_right_equally_often(radrbench, task):
    right: dict[tuple, Counter[str]] = {}
    for one in read(radrbench, Sample):
        if one.task == task:
            told = right.setdefault((one.split, tuple(sorted(one.options))), Counter())
            told[one.options["ABCD".index(one.answer)]] += 1
    assert right
    assert all(len(told) == 4 and len(set(told.values())) == 1 for told in right.values())


def test_the_rows_are_samples_whose_files_are_named_and_hashed_in_the_card(radrbench):
    hashes = json.loads((radrbench / "hashes.json").read_text())
    files = sorted((radrbench / "samples").iterdir())
    assert sorted(hashes) == [file.name for file in files]
    assert all(pq.read_schema(file).equals(schema(Sample)) for file in files)
    assert (
        num_rows(radrbench, Sample) == json.loads((radrbench / "run.json").read_text())["counts"]["samples"]
    )
    card = (radrbench / "README.md").read_text()
    assert "| mimic-cxr | binary |" in card
    assert "PhysioNet Credentialed" in card
    assert "## Audit" in card
    assert not (radrbench / "work").exists()


def test_images_are_found_from_the_run_folder_and_ids_are_there_once(radrbench):
    samples = list(read(radrbench, Sample))
    assert len({one.id for one in samples}) == len(samples)
    assert all((radrbench / image).is_file() for one in samples[:50] for image in one.images)
    assert all(one.report and one.groups for one in samples[:50])


def test_hugging_face_datasets_reads_the_folder(radrbench, tmp_path):
    datasets = pytest.importorskip("datasets")
    files = {"train": str(radrbench / "samples" / "train-*.parquet")}
    loaded = datasets.load_dataset("parquet", data_files=files, cache_dir=str(tmp_path))["train"]
    assert loaded.num_rows == sum(one.split == "train" for one in read(radrbench, Sample))
    assert loaded[0]["question"]


def test_the_same_bytes_come_from_any_number_of_workers(data, tmp_path):
    made = []
    for workers in (1, 2):
        run = recipe(data, tmp_path / f"w{workers}", "binary", "findings", "matching", workers=workers)
        build(run)
        made.append({file.name: file.read_bytes() for file in (run.out / "samples").iterdir()})
    assert made[0].keys() == made[1].keys()
    # Paths of images are relative to the run folder, and both lie equally deep.
    assert made[0] == made[1]


def counted(calls, real):
    def call(*arguments):
        calls.append(arguments)
        return real(*arguments)

    return call


@pytest.mark.parametrize(
    ("room", "step"), [(survey, "gather"), (survey, "choose_feed"), (feeds, "write_shard"), (writing, "take")]
)
def test_a_build_that_was_killed_goes_on_and_ends_in_the_same(data, tmp_path, monkeypatch, room, step):
    whole, broken = (recipe(data, tmp_path / name, "single", "impression") for name in ("whole", "broken"))
    build(whole)
    calls = 0
    real = getattr(room, step)

    def killed(*arguments):
        nonlocal calls
        calls += 1
        if calls > 1:
            raise KeyboardInterrupt
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(room, step, killed)
        with pytest.raises(KeyboardInterrupt):
            build(broken)
    asked = []
    monkeypatch.setattr(writing.Rows, "tables", counted(asked, writing.Rows.tables))
    build(broken)
    assert {file.name: file.read_bytes() for file in (broken.out / "samples").iterdir()} == {
        file.name: file.read_bytes() for file in (whole.out / "samples").iterdir()
    }
    if step == "write_shard":  # what was written before the kill was not written again
        assert len(asked) < len(list((whole.out / "samples").iterdir()))


def test_a_build_whose_processes_are_killed_outright_goes_on_and_ends_in_the_same_bytes(data, tmp_path):
    whole, broken = (
        recipe(data, tmp_path / name, "single", "impression", "matching", shard_studies=10)
        for name in ("whole", "broken")
    )
    build(whole)
    file, written = tmp_path / "recipe.yaml", broken.out / "samples"
    file.write_text(json.dumps({**broken.model_dump(mode="json"), "workers": 2}))
    told = [sys.executable, "-m", "cxreason", "build", str(file)]
    with subprocess.Popen(told, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not (written.is_dir() and len(list(written.iterdir())) > 3):
            time.sleep(0.01)
        process.kill()
    left = [json.loads((broken.out / "run.json").read_text())["finished"], len(list(written.iterdir()))]
    assert left[0] is None
    assert left[1] < len(list((whole.out / "samples").iterdir()))
    build(broken)
    for name in ("samples", "hashes.json"):
        assert contents(broken.out / name) == contents(whole.out / name)


def contents(path: Path) -> dict[str, bytes]:
    files = path.iterdir() if path.is_dir() else [path]
    return {file.name: file.read_bytes() for file in files}


def test_most_of_a_feed_and_a_cap_on_one_answer_are_kept(data, tmp_path):
    asked = (
        Feed(dataset="mimic-cxr", task="findings", train=31, validation=0),
        Feed(dataset="mimic-cxr", task="view", balance="values", test=0),
        Feed(dataset="mimic-cxr", task="disease", caps={"no finding": 3}),
    )
    counts = {row["task"]: row for row in build(recipe(data, tmp_path / "out", feeds=asked))["feeds"]}
    assert counts["findings"]["train"] == 31
    assert "validation" not in counts["findings"]
    views = [one for one in read(tmp_path / "out", Sample) if one.task == "view"]
    told = [one.options["ABCD".index(one.answer)] for one in views if one.split == "train"]
    assert "test" not in {one.split for one in views}
    assert len({told.count(view) for view in set(told)}) == 1
    normal = [
        one
        for one in read(tmp_path / "out", Sample)
        if one.task == "disease" and one.labels.get("no finding") == 1
    ]
    assert len([one for one in normal if one.split == "train"]) <= 3


def test_diseases_cannot_be_answered_blind_although_normals_are_capped(data, tmp_path):
    asked = (Feed(dataset="mimic-cxr", task="disease", caps={"no finding": 20}),)
    assert build(recipe(data, tmp_path / "out", feeds=asked))["audit"] == []
    samples = list(read(tmp_path / "out", Sample))
    closed = [one for one in samples if one.kind == "choice"]
    assert len(closed) > 0.2 * len(samples)
    about: dict[tuple[str, str], Counter[str]] = {}
    for one in closed:
        truth = one.options["AB".index(one.answer)]
        about.setdefault((one.split, one.subject), Counter())[truth] += 1
    assert all(told["Yes"] == told["No"] for (_, finding), told in about.items() if finding)


def test_no_summary_stands_in_the_findings_that_it_sums_up(data, tmp_path):
    counts = build(recipe(data, tmp_path / "out", "summarization"))
    assert counts["samples"] > 150
    assert counts["audit"] == []


def test_studies_without_their_images_are_left_out_and_the_card_counts_what_is_missing(data, tmp_path):
    tree = shutil.copytree(data, tmp_path / "mimic")
    images = sorted(tree.rglob("*.jpg"))
    for image in images[: len(images) // 2]:
        image.unlink()
    counts = build(recipe(tree, tmp_path / "half", "view"))
    missing = {"named": len(images), "there": len(images) - len(images) // 2}
    assert counts["missing_images"] == {"mimic-cxr": missing}
    assert counts["left_out"]["mimic-cxr"]["none of its images is there"] > NUM_STUDIES / 4
    shown = [image for one in read(tmp_path / "half", Sample) for image in one.images]
    assert shown
    assert all((tmp_path / "half" / image).is_file() for image in shown)
    gone = missing["named"] - missing["there"]
    card = (tmp_path / "half" / "README.md").read_text()
    assert f"- mimic-cxr: {gone:,} of {missing['named']:,}; those that are there are shown" in card


def test_tables_alone_are_built_with_the_paths_that_images_should_have(data, tmp_path):
    tree = shutil.copytree(data, tmp_path / "mimic", ignore=shutil.ignore_patterns("*.jpg"))
    counts = build(recipe(tree, tmp_path / "bare", "view"))
    whole = build(recipe(data, tmp_path / "whole", "view"))
    assert counts["feeds"] == whole["feeds"]
    assert counts["missing_images"]["mimic-cxr"]["there"] == 0
    assert "built from the tables alone" in (tmp_path / "bare" / "README.md").read_text()
    assert whole["missing_images"] == {}
    assert "missing" not in (tmp_path / "whole" / "README.md").read_text()


def test_a_matching_text_is_right_as_often_as_it_is_wrong(data, tmp_path):
    build(recipe(data, tmp_path / "out", "matching"))
    told: dict[str, list[str]] = {}
    for one in read(tmp_path / "out", Sample):
        told.setdefault(one.question.splitlines()[-1], []).append(one.options["AB".index(one.answer)])
    answers = [answer for group in told.values() for answer in group]
    assert answers.count("Yes") == answers.count("No") > 100


def test_a_folder_says_which_datasets_it_holds_and_what_they_feed(data):
    told = list_held([data])["mimic-cxr"]
    assert told["feeds"][0] == "Disease Classification"
    assert told["tasks"][0] == "disease"
    assert told["holds"]["mimic-cxr-2.0.0-chexpert.csv.gz"] == NUM_STUDIES
    assert told["holds"]["mimic-cxr-2.0.0-metadata.csv.gz"] > NUM_STUDIES, "some have two images"
    assert told["holds"]["files/"] == 1
    shown = build(recipe(data, Path("nowhere"), "findings"), dry_run=True)
    assert shown["held"] == {"mimic-cxr": ["findings"]}
    assert shown["holds"]["mimic-cxr"]["mimic-cxr-2.0.0-chexpert.csv.gz"] == NUM_STUDIES
    assert shown["example"]["task"] == "findings"
    assert not Path("nowhere").exists()


@pytest.mark.parametrize(
    ("feed", "said"),
    [
        (Feed(dataset="mimik", task="findings"), "unknown dataset 'mimik'"),
        (Feed(dataset="mimic-cxr", task="triple"), "unknown task 'triple'"),
        (Feed(dataset="vindr-cxr", task="grounding"), "holds none of the datasets of the recipe: vindr-cxr"),
    ],
)
def test_what_cannot_be_built_is_one_line(data, tmp_path, feed, said):
    with pytest.raises(BuildError, match=said):
        build(recipe(data, tmp_path / "out", feeds=(feed,)))


def test_ms_swift_and_verl_get_images_and_reports(radrbench, tmp_path):
    counts = export(radrbench, tmp_path / "swift", form="swift", mode="direct")
    rows = [json.loads(line) for line in (tmp_path / "swift" / "train.jsonl").read_text().splitlines()]
    assert len(rows) == counts["train"]
    first = rows[0]
    assert first["messages"][1]["content"].startswith("<image>")
    assert first["messages"][2]["content"].startswith("<answer>")
    assert all(Path(image).is_file() for image in first["images"])
    assert first["report"]
    assert first["solution"]
    datasets = pytest.importorskip("datasets")
    export(radrbench, tmp_path / "verl", form="verl")
    file = str(tmp_path / "verl" / "test.parquet")
    loaded = datasets.load_dataset("parquet", data_files={"test": file}, cache_dir=str(tmp_path))["test"]
    assert loaded[0]["reward_model"]["ground_truth"] == loaded[0]["extra_info"]["answer"]
    assert loaded[0]["extra_info"]["report"]
    assert loaded[0]["prompt"][1]["content"].count("<image>") == len(loaded[0]["images"])
    with pytest.raises(BuildError, match="Known forms: swift, verl"):
        export(radrbench, tmp_path, form="trl")


@pytest.mark.slow
def test_a_ray_cluster_writes_the_same(data, tmp_path):
    ray = pytest.importorskip("ray")
    build(recipe(data, tmp_path / "here", "binary", "impression"))
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        build(recipe(data, tmp_path / "away", "binary", "impression", on="ray", workers=2))
    finally:
        ray.shutdown()
    assert {file.name: file.read_bytes() for file in (tmp_path / "away" / "samples").iterdir()} == {
        file.name: file.read_bytes() for file in (tmp_path / "here" / "samples").iterdir()
    }
