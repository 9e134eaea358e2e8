r"""The two protocols: prompts and targets to the letter, and what reading a reply takes for the answer."""

import pytest

from cxreason.answers import DIALECTS
from cxreason.answers.dialects import BOXED_SUFFIX

THINK, BOXED = DIALECTS["think"], DIALECTS["boxed"]
ANSWER_FIRST = DIALECTS["think-answer-first"]


def test_prompts_are_the_protocol_to_the_letter():
    question, options = "Which finding is in this chest X-ray?", ("Edema", "No finding")
    asked = {
        (name, mode): DIALECTS[name].prompt(question, options, mode)
        for name in DIALECTS
        for mode in ("reasoning", "direct")
    }
    think = f"{question}\nOptions:\nA) Edema\nB) No finding"
    boxed = f"{question}\nOptions:\nA. Edema\nB. No finding"
    reason = "Please reason step by step, and put your final answer within "
    assert asked == {
        ("think", "direct"): f"{think}\nPlease enclose the answer within <answer></answer>",
        ("think", "reasoning"): f"{think}\nPlease think step by step, and enclose the answer within "
        "<answer></answer> and the reasoning processes within <think></think>.",
        ("think-answer-first", "direct"): f"{think}\nPlease enclose the answer within <answer></answer>",
        ("think-answer-first", "reasoning"): f"{think}\nPlease enclose the answer within <answer></answer> "
        "first, and then the reasoning processes within <think></think>.",
        ("boxed", "direct"): boxed,
        ("boxed", "reasoning"): f"{boxed}\n{reason}\\boxed{{}}.",
        ("boxed-released", "direct"): boxed,
        ("boxed-released", "reasoning"): f"{boxed} {reason}\\boxed{{{{}}}}.",
    }


def test_open_questions_have_no_option_lines():
    assert "Options" not in THINK.prompt("Which findings are in this chest X-ray?", (), "direct")


def test_targets_are_the_protocol_to_the_letter():
    assert THINK.target("B", "direct") == "<answer> B </answer>"
    assert (
        THINK.target("B", "reasoning", "Small heart.") == "<think> Small heart. </think><answer> B </answer>"
    )
    assert BOXED.target("B", "direct") == "B"
    assert BOXED.target("B", "reasoning", "Small heart.") == "Small heart. \\boxed{B}"


@pytest.mark.parametrize(
    ("dialect", "mode", "answer", "reasoning"),
    [
        ("think", "reasoning", "B", ""),
        ("think", "reasoning", "", "Small heart."),
        ("think", "direct", "a </answer> b", ""),
        ("think", "reasoning", "B", "It says </think> here."),
        ("think", "reasoning", "B", "ASSISTANT: small heart."),
        ("boxed", "reasoning", "a } b", "Small heart."),
        ("boxed", "reasoning", "B", "Perhaps \\boxed{A}."),
        ("boxed", "reasoning", "B", ""),
        ("boxed", "direct", " ", ""),
    ],
)
def test_a_target_that_would_not_read_back_is_refused(dialect, mode, answer, reasoning):
    with pytest.raises(ValueError, match="no target"):
        DIALECTS[dialect].target(answer, mode, reasoning)


def test_an_unknown_mode_is_a_fault_of_the_caller():
    with pytest.raises(ValueError, match="unknown mode 'fast'"):
        THINK.read("<answer>A</answer>", "fast")  # type: ignore[arg-type]


ECHO = THINK.prompt("Is it large?", ("Yes", "No"), "reasoning")
BOX_ECHO = BOXED.prompt("Is it large?", ("Yes", "No"), "reasoning")
RELEASED_ECHO = DIALECTS["boxed-released"].prompt("Is it large?", ("Yes", "No"), "reasoning")


@pytest.mark.parametrize(
    ("text", "answer", "why"),
    [
        ("<think>large</think><answer>A</answer>", "A", "the plain case"),
        ("<think>large</think>\n<answer>\nA\n</answer>", "A", "line breaks inside and between the tags"),
        ("<THINK>large</THINK><Answer>A</Answer>", "A", "tags in any case"),
        ("<think>is it <answer>B</answer>?</think><answer>A</answer>", "A", "thinking aloud is no answer"),
        ("<think><answer>A</answer></think>", None, "an answer inside the thinking alone"),
        ("<think>large <answer>A</answer>", None, "thinking that never ends"),
        ("<think>x</think><think>y <answer>A</answer>", None, "thinking that begins again and never ends"),
        ("large</think><answer>A</answer>", "A", "a chat template that opened the thinking itself"),
        ("It is large. <answer>A</answer>", "A", "no tags around the trace"),
        ("<think>large</think><answer></answer>", None, "silence"),
        ("<think>large</think><answer> \n </answer>", None, "silence in blanks"),
        ("<think>large</think><answer></answer><answer>A</answer>", "A", "an empty pair is no bet"),
        ("<think>large</think><answer>A</answer><answer>B</answer>", None, "two bets are no answer"),
        ("<think>large</think><answer>A</answer><answer> a </answer>", "a", "the same answer twice is one"),
        ("<think>large</think><answer>A", None, "cut at the token limit"),
        ("<think>large</think><answer>A</answer><answer>B", "A", "the last complete answer"),
        ("<answer><answer>A</answer></answer>", "A", "nested tags"),
        ("<think>lar", None, "cut inside the thinking"),
        ("", None, "nothing"),
        (ECHO, None, "an echoed prompt"),
        (f"{ECHO} <think>large</think><answer>A</answer>", "A", "an echo, then the answer"),
        (f"<think>large</think><answer>A</answer>\n{ECHO}", "A", "the answer, then an echo"),
        ("USER: <answer>B</answer> ASSISTANT: <answer>A</answer>", "A", "a transcript"),
        (
            "<|im_start|>user\n<answer>B</answer><|im_end|>\n<|im_start|>assistant\nhm",
            None,
            "only the user's",
        ),
        ("user\n<answer>B</answer>\nassistant\n<answer>A</answer><|im_end|>", "A", "Qwen without its marks"),
        ("A", None, "no tags at all"),
    ],
)
def test_think_reads_the_last_complete_answer_after_the_thinking(text, answer, why):
    reply = THINK.read(text, "reasoning")
    assert reply.answer == answer, why
    assert bool(reply.problem) == (answer is None)


@pytest.mark.parametrize(
    ("text", "answer", "reasoning", "well_formed", "why"),
    [
        ("<answer> A </answer><think> large </think>", "A", "large", True, "the plain case"),
        ("<answer>A</answer>\n<think>large</think>\n", "A", "large", True, "line breaks"),
        ("<think>large</think><answer>A</answer>", None, "large", False, "the other order"),
        ("<answer>A</answer><think>or <answer>B</answer>?</think>", "A", None, False, "no second bet inside"),
        ("<answer>A</answer><answer>B</answer><think>x</think>", None, "x", False, "two bets"),
        ("<answer>A</answer><think>lar", "A", "lar", False, "cut inside the thinking"),
        ("<answer>A</answer> large", "A", "large", False, "a trace without its tags"),
        ("<answer></answer><think>x</think>", None, "x", False, "silence"),
        (f"{ANSWER_FIRST.prompt('Large?', (), 'reasoning')}\nassistant\n<answer>A</answer><think>x</think>",
         "A", "x", False, "an echo first, which nobody asked for"),
        ("", None, "", False, "nothing"),
    ],
)  # fmt: skip
def test_answer_first_reads_the_answer_before_the_thinking(text, answer, reasoning, well_formed, why):
    reply = ANSWER_FIRST.read(text, "reasoning")
    assert (reply.answer, reply.well_formed) == (answer, well_formed), why
    assert reasoning is None or reply.reasoning == reasoning, why
    assert bool(reply.problem) == (answer is None)


def test_answer_first_writes_what_it_reads_and_answers_directly_as_think_does():
    target = ANSWER_FIRST.target("B", "reasoning", "Small heart.")
    assert target == "<answer> B </answer><think> Small heart. </think>"
    assert ANSWER_FIRST.target("B", "direct") == THINK.target("B", "direct")
    assert ANSWER_FIRST.read("<answer>B</answer>", "direct") == THINK.read("<answer>B</answer>", "direct")


@pytest.mark.parametrize(
    ("text", "answer", "why"),
    [
        ("Large. \\boxed{A}", "A", "the plain case"),
        ("Large. $\\boxed{A}$.", "A", "in mathematics"),
        ("Not \\boxed{A} but \\boxed{B}", "B", "the last box"),
        ("\\boxed{B} then \\boxed{}", "B", "the last box that is filled"),
        ("\\boxed{} then \\boxed{B}", "B", "an empty box first"),
        ("Large. \\boxed{{A}}", "A", "the doubled braces of the released prompt"),
        ("Large. \\boxed{\\text{left {lower} lobe}}", "\\text{left {lower} lobe}", "balanced braces"),
        ("{ \\boxed{A}", "A", "an open brace before"),
        ("Large. \\boxed{A}}", "A", "a stray brace after"),
        ("Large. \\boxed{A} ... \\boxed{B", "A", "the last complete box"),
        ("Large. \\boxed{A", None, "cut at the token limit"),
        ("Large. \\boxed{}", None, "an empty box"),
        ("Large. \\boxed{{}}", None, "an empty box with doubled braces"),
        ("The answer is A", None, "no box"),
        (BOX_ECHO, None, "an echoed prompt"),
        (RELEASED_ECHO, None, "an echoed prompt with doubled braces"),
        (f"Large. \\boxed{{A}} {RELEASED_ECHO}", "A", "the answer, then an echo"),
        ("<|im_start|>user\n\\boxed{B}<|im_start|>assistant\n\\boxed{A}<|im_end|>", "A", "a transcript"),
    ],
)
def test_boxed_reads_the_last_filled_box(text, answer, why):
    assert BOXED.read(text, "reasoning").answer == answer, why


def test_boxed_takes_the_whole_direct_reply_or_its_box():
    assert BOXED.read(" No effusion. <|im_end|>", "direct").answer == "No effusion."
    assert BOXED.read("The answer is \\boxed{B}", "direct").answer == "B"
    assert BOXED.read(f"No effusion. {BOXED_SUFFIX}", "direct").answer == "No effusion."
    assert BOXED.read(BOX_ECHO, "direct").answer == BOXED.prompt("Is it large?", ("Yes", "No"), "direct")
    assert BOXED.read("\\boxed{B", "direct").answer is None
    assert BOXED.read("  ", "direct").answer is None


@pytest.mark.parametrize(
    ("dialect", "text", "reasoning"),
    [
        ("think", "<think> a <think> b </think> c <answer>A</answer>", "a <think> b"),
        ("think", "a b </think><answer>A</answer>", "a b"),
        ("think", "<think> a b", "a b"),
        ("think", "a b <answer>A</answer>", "a b"),
        ("think", "a b", "a b"),
        ("boxed", "a \\boxed{A} b \\boxed{B}", "a \\boxed{A} b"),
        ("boxed", "a b", "a b"),
    ],
)
def test_the_reasoning_is_what_stands_before_the_answer(dialect, text, reasoning):
    assert DIALECTS[dialect].read(text, "reasoning").reasoning == reasoning


@pytest.mark.parametrize(
    ("dialect", "mode", "text", "well_formed"),
    [
        ("think", "reasoning", " <think> a </think> \n <answer> B </answer>\n", True),
        ("think", "reasoning", "<think> </think><answer>B</answer>", False),
        ("think", "reasoning", "<think>a</think><answer> </answer>", False),
        ("think", "reasoning", "<think>a</think><answer>B</answer> Done.", False),
        ("think", "reasoning", "So: <think>a</think><answer>B</answer>", False),
        ("think", "reasoning", "<think>a</think> so <answer>B</answer>", False),
        ("think", "reasoning", "<think>a</think><answer>B</answer><answer>B</answer>", False),
        ("think", "reasoning", "<think>a<think>b</think><answer>B</answer>", False),
        ("think", "reasoning", "<Think>a</Think><Answer>B</Answer>", False),
        ("think", "reasoning", "<answer>B</answer>", False),
        ("think", "direct", "<answer> B </answer>", True),
        ("think", "reasoning", "<think>\u200b\u2060</think><answer>B</answer>", False),
        ("think", "reasoning", "<think>a</think><answer>\u200b</answer>", False),
        ("think", "reasoning", "I try. Assistant: <think>a</think><answer>B</answer>", False),
        ("think", "direct", "<answer></answer>", False),
        ("think", "direct", "The heart is large. <answer>B</answer>", False),
        ("think", "direct", "<answer>B</answer> since it is large", False),
        ("think", "direct", "\n<answer>B</answer>\n", True),
        ("think", "direct", "<think>a</think><answer>B</answer>", False),
        ("think", "direct", "<answer>B</answer><answer>B</answer>", False),
        ("boxed", "reasoning", "a \\boxed{B}", True),
        ("boxed", "reasoning", "a $\\boxed{B {c}}$.\n", True),
        ("boxed", "reasoning", "\\boxed{B}", False),
        ("boxed", "reasoning", "a \\boxed{}", False),
        ("boxed", "reasoning", "a \\boxed{B} because", False),
        ("boxed", "reasoning", "a \\boxed{A} b \\boxed{B}", False),
        ("boxed", "reasoning", "a \\boxed{B", False),
        ("boxed", "reasoning", "\u200b \\boxed{B}", False),
        ("boxed", "reasoning", "Hm. ASSISTANT: a \\boxed{B}", False),
        ("boxed", "direct", "B", True),
        ("boxed", "direct", "\\boxed{B}", False),
        ("boxed", "direct", " ", False),
    ],
)
def test_well_formed_is_exactly_the_form_that_was_asked_for(dialect, mode, text, well_formed):
    assert DIALECTS[dialect].read(text, mode).well_formed is well_formed
