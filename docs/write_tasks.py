"""Write docs/tasks.md from the program: every task with an example, asked about invented studies.

python docs/write_tasks.py
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cxreason.answers.conversation import reply
from cxreason.answers.dialects import DIALECTS
from cxreason.records import Box, Entity, Question, Sample, Study
from cxreason.tasks import TASKS, by_title, questions, random_for, sample
from cxreason.tasks.chexbench import QUESTIONS

PAGE = Path(__file__).with_name("tasks.md")

PRIOR = Study(
    "toy/1",
    "toy",
    "p1",
    ("1.png",),
    ("PA",),
    findings="There is a small left pleural effusion. The heart is normal in size.",
    impression="Small left pleural effusion.",
)
STUDY = Study(
    "toy/2",
    "toy",
    "p1",
    ("2.png", "2-lateral.png"),
    ("PA", "LATERAL"),
    indication="Shortness of breath.",
    findings="There is a large left pleural effusion, increased since the prior study. "
    "The heart is enlarged. There is a small calcified nodule in the right upper lung. "
    "The right hemidiaphragm is elevated.",
    impression="Large left pleural effusion, increased since the prior study. Mild cardiomegaly.",
    narrative="Frontal chest radiograph of an invented patient with a large effusion on the left.",
    labels={
        "cardiomegaly": 1,
        "pleural effusion": 1,
        "lung opacity": -1,
        **dict.fromkeys(
            ("edema", "pneumothorax", "pneumonia", "fracture", "support devices", "no finding"), 0
        ),
    },
    boxes=(
        Box("pleural effusion", 0.6, 0.5, 0.9, 0.9, phrase="large left pleural effusion"),
        Box("cardiomegaly", 0.35, 0.45, 0.75, 0.75, phrase="The heart is enlarged"),
    ),
    prior_id="toy/1",
    changes={"pleural effusion": "worsening"},
    questions=(
        Question("Which side is the effusion on?", ("left",), type="location", subject="pleural effusion"),
        Question("Is the heart enlarged?", ("yes",), closed=True, type="presence", subject="cardiomegaly"),
        Question("What has changed?", ("the effusion is larger",), type="difference"),
        Question(
            "Where is the nodule?",
            ("in the right upper lung",),
            context="There is a small calcified nodule in the right upper lung.",
            type="span",
        ),
        Question(
            "",
            ("Blunting of the left angle suggests an effusion.",),
            type="explanation",
            subject="pleural effusion",
        ),
    ),
    entities=(Entity("1", "effusion", "OBS-DP", 9, 9), Entity("2", "chest", "ANAT-DP", 1, 1)),
)
DEVICES = Study(
    "toy/3",
    "toy",
    "p2",
    ("3.png",),
    ("AP",),
    labels={"rib fracture": 1, "chest tube": 1, "pneumothorax": 1, "foreign object": 0},
    boxes=(
        Box("rib fracture", 0.2, 0.3, 0.25, 0.36),
        Box("chest tube", 0.1, 0.4, 0.4, 0.7),
        Box("pneumothorax", 0.1, 0.1, 0.4, 0.5),
    ),
)
OTHERS = tuple(
    Study(
        f"toy/{number}",
        "toy",
        f"p{number}",
        (f"{number}.png", f"{number}-lateral.png"),
        ("PA", "LATERAL"),
        findings=text,
        impression=text,
        labels={label: 1, "pleural effusion": 0, "cardiomegaly": 0},
    )
    for number, label, text in (
        (4, "pneumothorax", "Small right apical pneumothorax."),
        (5, "fracture", "Fracture of a left rib."),
        (6, "no finding", "The lungs are clear. Normal heart size."),
    )
)


def examples() -> Iterator[tuple[str, Sample]]:
    """(task, sample) for every task: the first topic that one of the studies offers."""
    for name, task in TASKS.items():
        for study in (STUDY, DEVICES):
            topics = task.topics(study)
            if topics:
                topic, prior = topics[0], PRIOR if task.prior else None
                beside = [one for one in OTHERS if topic.group in {other.group for other in task.topics(one)}]
                yield (
                    name,
                    sample(
                        study,
                        prior,
                        name,
                        topic,
                        random_for(study, name, topic),
                        others=beside[: task.company],
                    ),
                )
                break
        else:
            raise ValueError(f"no example for the task {name!r}: add to the studies above")


def shown(one: Sample) -> str:
    """Question and gold answer as one block."""
    text = DIALECTS["boxed"].prompt(one.question, one.options, "direct", one.option_style)
    images = ", ".join(one.images) or "none"
    return f"```text\nimages: {images}\n\n{text}\n\n-> {reply(one)}\n```"


def page() -> str:
    """The whole page."""
    titles = {short: title for title, short in by_title().items()}
    lines = [
        "# Tasks",
        "",
        "Every task that `cxreason build` knows, with an example about an invented study. `make docs` writes",
        "this page. Questions are drawn from templates in `src/cxreason/tasks/questions/`, and so are the",
        "order and the marks of the options. Where a question is made with other studies, wrong texts, views",
        "and findings come from patients who say something else, and each is right as often as it is wrong.",
        "",
        "| task | in CheXinstruct | answer | templates | images of | made with |",
        "|---|---|---|---|---|---|",
    ]
    wordings = {name: _wordings(name) for name in TASKS}
    for name, task in TASKS.items():
        of = "two examinations" if task.prior else "one examination"
        company = f"{task.company} other{'s' if task.company > 1 else ''}" if task.company else ""
        count = sum(len(questions()[wording]) for wording in wordings[name]) or "its own"
        lines.append(f"| `{name}` | {titles.get(name, '')} | {task.kind} | {count} | {of} | {company} |")
    lines += ["", "CheXbench asks " + _listed(QUESTIONS) + ".", ""]
    for name, one in examples():
        lines += [f"## {name}", "", shown(one), ""]
    return "\n".join(lines)


def _wordings(task: str) -> list[str]:
    if TASKS[task].kind == "boxes" and task not in questions():
        return ["grounding"]
    return [task] if task in questions() else [name for name in questions() if name.startswith(f"{task}_")]


def _listed(names: dict[str, str]) -> str:
    return ", ".join(f"{name} (`{task}`)" for name, task in names.items())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
