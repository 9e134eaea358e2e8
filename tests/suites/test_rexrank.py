"""Predictions in the form of ReXrank: every study of its test file, or a refusal."""

import json

import pytest
import yaml

from cxreason.errors import UserError
from cxreason.records import Prediction, Sample, to_row
from cxreason.rows import write_parquet
from cxreason.suites.rexrank import export_rexrank


@pytest.fixture
def predicted(tmp_path):
    """A run of `predict` over report samples of these studies."""

    def make(*studies: str, kind: str = "report"):
        for name in ("samples", "predict"):
            (tmp_path / name).mkdir(exist_ok=True)
        told = [
            Sample(
                f"s{n}", "open-i", "findings", kind, "p", study, "test", ("a.png",), "?", "Clear.", report="R"
            )
            for n, study in enumerate(studies)
        ]
        said = [
            Prediction(f"p{n}", f"s{n}", "m", "reasoning", "think", "...", "A trace.", f"Report {n}.")
            for n in range(len(studies))
        ]
        write_parquet(tmp_path / "samples/samples.parquet", Sample, map(to_row, told))
        write_parquet(tmp_path / "predict/predictions.parquet", Prediction, map(to_row, said))
        (tmp_path / "predict/recipe.yaml").write_text(yaml.safe_dump({"samples": str(tmp_path / "samples")}))
        return tmp_path / "predict"

    return make


def written(file):
    return json.loads(file.read_text())


def test_each_record_of_the_template_keeps_what_it_has_and_gets_the_report_without_its_trace(
    predicted, tmp_path
):
    template = tmp_path / "test.json"
    template.write_text(json.dumps({"CXR7_IM-1": {"context": "Age: 50."}, "CXR8_IM-2": {"context": ""}}))
    counts = export_rexrank(predicted("open-i/CXR8", "open-i/CXR7"), tmp_path / "out.json", template)
    assert counts == {"studies": 2, "empty": 0}
    assert written(tmp_path / "out.json") == {
        "CXR7_IM-1": {"context": "Age: 50.", "model_prediction": "Report 1."},
        "CXR8_IM-2": {"context": "", "model_prediction": "Report 0."},
    }


def test_without_a_template_the_records_hold_what_the_samples_know(predicted, tmp_path):
    export_rexrank(predicted("d/1"), tmp_path / "out.json")
    told = {"study_id": "d/1", "image_path": ["a.png"], "report": "R", "model_prediction": "Report 0."}
    assert written(tmp_path / "out.json") == {"d/1": told}


def test_a_study_without_a_report_or_with_two_is_refused(predicted, tmp_path):
    template = tmp_path / "test.json"
    template.write_text(json.dumps({"CXR7": {}, "CXR9": {}}))
    with pytest.raises(UserError, match="1 of 2 studies have no prediction, the first is 'CXR9'"):
        export_rexrank(predicted("open-i/CXR7"), tmp_path / "out.json", template)
    with pytest.raises(UserError, match="two reports were written for d/1"):
        export_rexrank(predicted("d/1", "d/1"), tmp_path / "out.json")
    with pytest.raises(UserError, match="holds no written reports"):
        export_rexrank(predicted("d/1", kind="text"), tmp_path / "out.json")


def test_a_short_name_that_two_studies_share_is_not_guessed(predicted, tmp_path):
    template = tmp_path / "test.json"
    template.write_text(json.dumps({"p_9": {}}))
    with pytest.raises(UserError, match="have no prediction"):
        export_rexrank(predicted("d/p_1", "d/p_2"), tmp_path / "out.json", template)
