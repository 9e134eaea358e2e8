"""Write docs/rewards.md from the program: what each reward pays for honest traces and for tricks.

python docs/write_rewards.py
"""

from __future__ import annotations

from pathlib import Path

from cxreason.answers import DIALECTS
from cxreason.rewards import REWARDS
from cxreason.text.ontology import FINDINGS, NORMAL_OF

PAGE = Path(__file__).with_name("rewards.md")

REPORT = (
    "There is a moderate left pleural effusion. The heart is enlarged. There is no pneumothorax. "
    "The bones are intact."
)
QUESTION = "Which finding is in this chest X-ray?"
OPTIONS = ("Pleural effusion", "Edema", "Consolidation", "Pneumonia")
GOLD = "A"

HONEST = (
    "Look at the pleura, the heart and the bones. There is a moderate left pleural effusion. The heart is "
    "enlarged. I see no pneumothorax. The bones are intact."
)
EFFUSION = "There is a moderate left pleural effusion."
NORMALS = " ".join(f"{clause.capitalize()}." for clause in NORMAL_OF.values())
EVERYTHING = " ".join(f"There is {finding}." for finding in FINDINGS)

# What it is called, its trace, its answer.
CASES: tuple[tuple[str, str, str], ...] = (
    ("an honest trace that says it all", HONEST, "A"),
    ("an honest trace about the question only", EFFUSION, "A"),
    (
        "the same, padded with normals that the report does not mention",
        f"{EFFUSION} There is no consolidation. There is no edema. There is no pleural thickening.",
        "A",
    ),
    ("the same, said ten times", " ".join([EFFUSION] * 10), "A"),
    ("the right finding, its side left open", "There is a pleural effusion.", "A"),
    ("the right finding on the wrong side", "There is a moderate right pleural effusion.", "A"),
    ("one finding right, one made up", f"{EFFUSION} There is a consolidation.", "A"),
    ("saying nothing", "I look closely at the image and think about it.", "A"),
    (
        "only normals, and only such as the report does not mention",
        "There is no edema. There is no consolidation. There is no pneumonia.",
        "A",
    ),
    ("only normals, all that there are", NORMALS, "A"),
    ("only the normals that are true", "There is no pneumothorax. The bones are intact.", "A"),
    ("one normal, said ten times", " ".join(["There is no edema."] * 10), "A"),
    ("listing every finding", EVERYTHING, "A"),
    ("hedging about every finding", EVERYTHING.replace("There is", "There may be"), "A"),
    (
        "stating and denying every finding",
        f"{EVERYTHING} {EVERYTHING.replace('There is', 'There is no')}",
        "A",
    ),
    ("betting on every side", "There is a left pleural effusion. There is a right pleural effusion.", "A"),
    (
        "listing every option",
        " ".join(f"There is {option.lower()}." for option in OPTIONS),
        ", ".join("ABCD"),
    ),
    (
        "copying the question",
        DIALECTS["think"].prompt(QUESTION, OPTIONS, "direct").rpartition("\n")[0],
        "A",
    ),
    (
        "contradicting oneself",
        f"{EFFUSION} There is no pleural effusion. The heart is enlarged. The heart is normal in size.",
        "A",
    ),
)

HEAD = f"""# What the rewards pay

Written by `make docs` from the rewards themselves; a test compares it with the program.

A recipe of `train grpo` gives each reward a weight. The default is the paper's (ChestX-Reasoner, equation 9):

    rewards: {{format: 1, answer: 1, process: 1}}

There `process` is R_f: the share of a trace's statements that the report bears out, or leaves unmentioned
while they are normal. Nothing in it asks for the findings to be named, so saying little, and saying "no ...",
pays as much as seeing.

    rewards: {{format: 1, answer: 1, process_guarded: 1}}

`process_guarded` is max(0, right - wrong) / total. In `total` each finding of the report weighs 1, and its
normal statements together a quarter of that, or 1 where there is no finding. `right` is the weight of what
the trace says of it, one statement for one, and half of it where the trace is less exact: it leaves a side
open that the report names, or names something wider, as an opacity for a consolidation. `wrong` counts the
statements that the report contradicts, and the findings that it does not mention.
An unmentioned normal is neither paid nor punished. What the trace both says and denies is not right, and what
it copies from the prompt is not said.

It pays for describing the whole image, whatever the question was. A trace that is wrong as often as right
gets 0, so a weak model meets many zeros: start from SFT. Listing every finding pays where a report has more
than half of them, and on a report without a finding all normals earn 1, seen or not: a set of mostly healthy
patients teaches nobody to look. Both rewards read by the same rules, and misread alike.

The report: "{REPORT}"

The question, with {len(OPTIONS)} options ({", ".join(OPTIONS).lower()}), has the answer {GOLD}: "{QUESTION}"
"""


def earnings(trace: str, answer: str) -> dict[str, float | None]:
    """What each reward pays for one completion."""
    said = f"<think> {trace} </think><answer> {answer} </answer>"
    prompt = DIALECTS["think"].prompt(QUESTION, OPTIONS, "reasoning")
    columns = {
        "prompts": [{"role": "user", "content": prompt}],
        "report": REPORT,
        "kind": "choice",
        "options": list(OPTIONS),
        "answer": GOLD,
        "dialect": "think",
        "mode": "reasoning",
    }
    batch = {name: [value] for name, value in columns.items()}
    return {
        name: reward([[{"role": "assistant", "content": said}]], **batch)[0]  # pyright: ignore
        for name, reward in REWARDS.items()
    }


def page() -> str:
    """The text of docs/rewards.md."""
    rows = [
        f"| the trace | {' | '.join(f'`{name}`' for name in REWARDS)} |",
        "|---" * (len(REWARDS) + 1) + "|",
    ]
    for name, trace, answer in CASES:
        paid = (f"{worth:.2f}" for worth in earnings(trace, answer).values())
        rows.append(f"| {name} | {' | '.join(paid)} |")
    traces = [f"- {name}: {_shown(trace)}" for name, trace, _ in CASES]
    return "\n".join([HEAD, *rows, "", "## The traces", "", *traces, ""])


def _shown(trace: str) -> str:
    words = " ".join(trace.split())
    return f'"{words}"' if len(words) <= 240 else f'"{words[:240].rpartition(" ")[0]} ..."'


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
