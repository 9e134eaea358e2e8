"""The reader against reports whose truth is known."""

from cxreason.phantom.generate import studies
from cxreason.text import observe
from cxreason.text.ontology import FINDINGS, main_finding


def test_what_is_read_from_phantom_reports_is_what_they_were_written_from():
    wrong = []
    for phantom in studies(seed=11, num_studies=200):
        study = phantom.study
        seen = observe(study.report)
        present = {main_finding(one.finding) for one in seen if one.status == "present"}
        denied = {main_finding(one.finding) for one in seen if one.status == "absent"}
        truth = {finding for finding in FINDINGS if study.labels.get(finding) == 1}
        if present != truth or denied & truth:
            wrong.append((study.report, present ^ truth, denied & truth))
    assert len(wrong) <= 1, wrong[:3]  # 99.5%
