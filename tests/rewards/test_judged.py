"""A judge reads for the process reward, and the rules stand in for whole groups where it fails."""

import pytest

from cxreason.evaluation.radrscore import Judged, Tally
from cxreason.rewards.judged import JudgedProcess

REPORT = "There is edema. The heart is enlarged."


def turn(text):
    return [{"role": "assistant", "content": f"<think> {text} </think><answer> A </answer>"}]


class Endpoint:
    def map(self, function, items):
        return [function(item) for item in items]


class Judge:
    """Calls half of every trace right, and times out where the trace says "slow"."""

    endpoint = Endpoint()

    def tally(self, trace, reference, report, mode):
        assert (reference, mode) == ("", "paper")
        if "slow" in trace:
            return Tally(failed="timed out after 60 seconds")
        return Tally(judged=(Judged("a", "supported"), Judged("b", "contradicted")), num_report=2)

    def about(self):
        return {"model": "judge"}


def read(reward, texts, questions, **columns):
    return reward(
        [turn(text) for text in texts],
        report=[REPORT] * len(texts),
        dialect=["think"] * len(texts),
        mode=["reasoning"] * len(texts),
        prompts=[[{"role": "user", "content": [{"type": "text", "text": one}]}] for one in questions],
        **columns,
    )


def test_the_judge_s_word_is_the_reward():
    assert read(JudgedProcess(Judge()), ["There is edema."] * 2, ["q"] * 2) == [0.5, 0.5]


def test_a_timeout_hands_its_whole_group_to_the_rules_and_leaves_the_others_alone():
    reward, logged = JudgedProcess(Judge()), {}
    texts = ["There is edema.", "slow. There is a fracture.", "There is edema.", "There is edema."]
    earned = read(reward, texts, ["one", "one", "two", "two"], log_metric=logged.__setitem__)
    assert earned == [1.0, 0.0, 0.5, 0.5]
    assert logged == {"judge/groups_read_by_rules": 0.5}
    about = reward.about()
    assert (about["num_groups"], about["num_groups_read_by_rules"]) == (2, 1)
    assert about["last_failure"] == "timed out after 60 seconds"


def test_a_failure_in_another_process_counts_for_the_part_of_the_group_that_is_here():
    seen = []

    def everyone(keys):
        return [*keys, *seen]

    reward = JudgedProcess(Judge(), everyone)
    assert read(reward, ["There is edema."], ["one"]) == [0.5]
    other = JudgedProcess(Judge(), lambda keys: seen.extend(keys) or keys)
    read(other, ["slow"], ["one"])
    assert len(seen) == 1
    assert read(reward, ["There is edema."], ["one"]) == [1.0]


def test_where_no_reasoning_was_asked_for_nobody_is_asked():
    reward = JudgedProcess(Judge())
    columns = {"dialect": ["think"] * 2, "report": [REPORT, ""], "mode": ["direct", "reasoning"]}
    assert reward([turn("slow"), turn("slow")], **columns) == [None, None]
    assert reward.num_groups == 0


@pytest.mark.parametrize("trace", ["", "I look."])
def test_a_silent_trace_earns_nothing_and_a_silent_report_does_not_apply(trace):
    from cxreason.evaluation.radrscore import judged_factuality

    assert judged_factuality(Tally(judged=(), num_report=2)) == 0.0, trace
    assert judged_factuality(Tally(judged=(), num_report=0)) is None
