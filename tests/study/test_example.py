"""The verbs, on the example that `cxreason study init` writes."""

from __future__ import annotations

import json
import socket

import pytest
from typer.testing import CliRunner

from cxreason.cli import app
from cxreason.study import example
from cxreason.study.app import open_study
from cxreason.study.design import design
from cxreason.study.protocol import load_protocol
from cxreason.study.serving import rehearse, welcome


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The example with small images."""
    place = tmp_path_factory.mktemp("example") / "study"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(example, "IMAGE_SIZE", 48)
        said = CliRunner().invoke(app, ["study", "init", str(place), "--json"])
    assert said.exit_code == 0, said.output
    assert json.loads(said.stdout)["cases"] == example.NUM_CASES + example.NUM_JUDGED
    return place


def test_the_example_shows_every_mode_and_keeps_its_wash_out(folder):
    protocol = load_protocol(folder)
    made = design(protocol)
    assert {protocol.arms[one.arm].mode for one in made} == {"write", "edit", "compare", "reasoning"}
    assert any(image.prior for case in protocol.cases for image in case.images)
    assert any(image.boxes for case in protocol.cases for image in case.images)
    assert {image.file.suffix for case in protocol.cases for image in case.images} == {".png", ".dcm"}
    assert any(case.texts["model"] != case.texts["resident"] for case in protocol.cases if case.texts)


def test_it_can_be_served_at_once_and_prints_links(folder):
    study = open_study(folder)
    assert len(list(study.pixels.glob("*.cxf"))) == sum(len(case.images) for case in study.protocol.cases)
    lines = welcome(study, "http://localhost:1", links=True)
    assert sum("/join/" in line for line in lines) == 5
    assert sum("/join/" in line for line in welcome(study, "http://localhost:1", links=False)) == 1


def test_a_rehearsal_leaves_nothing_behind(folder):
    study = open_study(folder)
    before = study.store.all_readings(), study.accounts.audited()
    rehearse(study)
    assert (study.store.all_readings(), study.accounts.audited()) == before


def test_a_second_example_is_not_written_over_the_first(folder):
    said = CliRunner().invoke(app, ["study", "init", str(folder)])
    assert said.exit_code == 1
    assert said.stderr.count("\n") == 1
    assert "is there already" in said.stderr


def test_an_example_is_not_written_into_the_folder_of_another_run(tmp_path):
    (tmp_path / "run.json").write_text("{}")
    said = CliRunner().invoke(app, ["study", "init", str(tmp_path)])
    assert said.exit_code == 1
    assert "run.json: is there already" in said.stderr
    assert [one.name for one in tmp_path.iterdir()] == ["run.json"]


def test_a_port_that_is_taken_is_told_in_one_line(folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = ["study", "serve", str(folder), "--port", str(taken.getsockname()[1])]
        said = CliRunner().invoke(app, command)
    assert said.exit_code == 1
    assert "another with --port" in said.stderr


@pytest.mark.parametrize("verb", ["export", "analyse"])
def test_a_folder_without_a_study_is_told_in_one_line(verb, tmp_path):
    said = CliRunner().invoke(app, ["study", verb, str(tmp_path), str(tmp_path / "out")])
    assert said.exit_code == 1
    assert "cxreason study init" in said.stderr
    assert said.stderr.count("\n") == 1
