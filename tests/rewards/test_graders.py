"""Graders: what backends find becomes a reward; what they cannot read goes to the offline rule by groups."""

import pytest

from cxreason.errors import UserError
from cxreason.evaluation.backends.pipe import Failed
from cxreason.rewards.answer import AnswerReward
from cxreason.rewards.graders import BACKENDS_OF, BackendGrader, chosen, report_worth


def reader(name, calls=None):
    """A backend that finds all of a pair in "Edema." and nothing in "Clear.", and cannot read "???"."""

    def ask(pairs):
        if calls is not None:
            calls.append([(pair.hypothesis, pair.reference) for pair in pairs])
        found = {}
        for pair in pairs:
            if "???" in pair.hypothesis:
                found[pair.id] = Failed("not read")
            elif name == "bertscore":
                found[pair.id] = {"f": 1.0 if pair.hypothesis == pair.reference else 0.9}
            elif name == "chexbert":
                same = pair.hypothesis == pair.reference
                found[pair.id] = {"reference": [0] * 14, "hypothesis": [0] * 14, "cosine": float(same)}
        return found

    return ask


def turn(text):
    return [{"role": "assistant", "content": text}]


def paid(grader, kind, said, gold, options=()):
    number = len(said)
    return AnswerReward({kind: grader})(
        [turn(rf"I look. \boxed{{{one}}}") for one in said],
        kind=[kind] * number,
        options=[list(options)] * number,
        answer=gold,
        dialect=["boxed"] * number,
        mode=["reasoning"] * number,
    )


class Found(BackendGrader):
    """What the backends found, given."""

    def __init__(self, metric, values):
        super().__init__(metric, {})
        self.values = values

    def _read(self, pairs):
        return [self._worth(self.values[said], said, gold) for said, gold in pairs]


WHOLE = {"radgraph_combined": 1.0, "bertscore_rexrank": 1.0, "sembscore": 1.0}
NOTHING = dict.fromkeys(WHOLE, 0.0)


def test_a_report_earns_one_less_the_sigmoid_of_its_radcliq():
    grader = Found("radcliq", {"Edema.": WHOLE, "Clear.": NOTHING})
    earned = paid(grader, "report", ["Edema.", "Clear."], ["Edema.", "Edema."])
    assert earned == [pytest.approx(0.809, abs=1e-3), pytest.approx(0.079, abs=1e-3)]
    assert report_worth(0.0) == 0.5
    assert (grader.num_rows, grader.num_offline) == (2, 0)


def test_open_findings_earn_their_ratescore():
    grader = Found("ratescore", {"edema": {"ratescore": 0.62}, "fracture": {"ratescore": 0.1}})
    assert paid(grader, "labels", ["edema", "fracture"], ["edema", "edema"]) == [0.62, 0.1]


def test_what_a_backend_cannot_read_goes_to_the_offline_rule_with_its_whole_group():
    grader = Found("ratescore", {"edema": {"ratescore": 0.62}, "fracture": {}})
    earned = paid(grader, "labels", ["edema", "fracture", "edema"], ["edema", "edema", "edema, fracture"])
    assert earned == [1.0, 0.0, 0.62]
    assert (grader.num_rows, grader.num_offline) == (3, 2)


def test_a_part_that_is_missing_is_no_radcliq():
    grader = Found("radcliq", {"Edema.": {**WHOLE, "radgraph_combined": None}})
    assert paid(grader, "report", ["Edema."], ["Edema."]) == [1.0], "the offline rule"
    assert grader.num_offline == 1


def test_each_pair_of_texts_is_read_once_by_each_backend():
    calls = []
    names = ("bertscore", "chexbert")
    grader = BackendGrader("radcliq", {name: reader(name, calls) for name in names})
    said = ["Edema.", "Edema.", "Clear.", "???"]
    values = grader(said, ["Edema.", "Edema.", "Edema.", "Fracture."])
    assert values == [None] * 4, "without RadGraph there is no RadCliQ"
    asked = [("Edema.", "Edema."), ("Clear.", "Edema."), ("???", "Fracture.")]
    assert calls == [asked, asked]


def test_a_metric_that_is_asked_for_by_name_has_to_be_there():
    def start(metric):
        return metric

    def nothing(metric):
        return False

    assert chosen({"labels": "auto", "report": "auto"}, there=nothing) == {}
    there = chosen({"labels": "auto", "report": "offline"}, there=lambda metric: True, start=start)
    assert there == {"labels": "ratescore"}
    with pytest.raises(UserError, match="needs the backends radgraph bertscore chexbert"):
        chosen({"report": "radcliq"}, there=nothing)


def test_the_metrics_need_backends_that_there_are():
    from cxreason.evaluation.backends import BACKENDS

    assert {name for names in BACKENDS_OF.values() for name in names} <= set(BACKENDS)
