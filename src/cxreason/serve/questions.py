"""The types of question that the page offers, and how each is put to a model.

Wordings are those of the tasks (`tasks/questions/`), the form is that of the dialect, and what comes back is
understood as an answer of the type's kind: a model is asked here as it was trained and tested.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cxreason.answers.conversation import SYSTEM_PROMPT
from cxreason.answers.dialects import DIALECTS
from cxreason.records import Kind, Mode
from cxreason.serve.images import Refused
from cxreason.tasks import questions
from cxreason.tasks.radrbench import CHANGES

TypeName = Literal["finding", "findings", "choice", "course", "place", "report", "own"]
MOST_OPTIONS = 8


@dataclass(frozen=True)
class Type:
    """A type of question: what it needs and what kind of answer it gets."""

    title: str
    kind: Kind
    wording: str = ""
    """Name of its templates; empty where the question is written by whoever asks."""
    needs: tuple[str, ...] = ()
    """What has to be given beside the images: finding, options, question, prior (two images)."""
    takes: tuple[str, ...] = ()
    """What may be given."""
    options: tuple[str, ...] = ()
    help: str = ""


TYPES: dict[TypeName, Type] = {
    "finding": Type(
        "Is a finding present?",
        "choice",
        "binary",
        needs=("finding",),
        options=("Yes", "No"),
        help="Yes or no for one finding.",
    ),
    "findings": Type("Which findings are there?", "labels", "anomaly", help="All findings, by name."),
    "choice": Type(
        "Which of these findings?",
        "choice",
        "single",
        needs=("options",),
        help="One of the options that you give.",
    ),
    "course": Type(
        "How did a finding change?",
        "choice",
        "temporal",
        needs=("finding", "prior"),
        options=CHANGES,
        help="Compares two examinations. The earlier image comes first.",
    ),
    "place": Type(
        "Where is a finding?",
        "boxes",
        "grounding",
        needs=("finding",),
        help="Boxes on the image, from models that were taught to give them.",
    ),
    "report": Type(
        "Write the findings", "report", "findings", takes=("indication",), help="A findings section."
    ),
    "own": Type(
        "Your own question",
        "text",
        needs=("question",),
        takes=("options",),
        help="In your own words, with options or without.",
    ),
}


@dataclass(frozen=True)
class Question:
    """A question as it is put to a model, and what is needed to understand the reply."""

    text: str
    kind: Kind
    options: tuple[str, ...]
    mode: Mode
    dialect: str

    @property
    def prompt(self) -> str:
        """The text of the user's turn.

        >>> Question("Edema?", "choice", ("Yes", "No"), "direct", "think").prompt.splitlines()[2]
        'A) Yes'
        """
        return DIALECTS[self.dialect].prompt(self.text, self.options, self.mode)

    def messages(self, num_images: int) -> list[dict]:
        """The chat, with a mark for each image in front of the text."""
        parts = [{"type": "image", "image": number} for number in range(num_images)]
        return [
            {"role": "system", "content": [{"type": "text", "text": SYSTEM_PROMPT}]},
            {"role": "user", "content": [*parts, {"type": "text", "text": self.prompt}]},
        ]


def make(
    type: TypeName,
    *,
    dialect: str,
    mode: Mode,
    num_images: int,
    finding: str = "",
    options: Sequence[str] = (),
    question: str = "",
    indication: str = "",
) -> Question:
    """The question of a type; Refused where something that it needs is missing.

    >>> make("finding", dialect="think", mode="direct", num_images=1, finding="edema").text
    'Does this chest X-ray show edema?'
    """
    way = TYPES[type]
    given = {"finding": finding, "question": question, "indication": indication}
    given = {name: " ".join(text.split()) for name, text in given.items()}
    listed = tuple(" ".join(option.split()) for option in options)
    if not num_images:
        raise Refused("give an image to ask about")
    if "prior" in way.needs and num_images != 2:
        raise Refused(f"'{way.title}' compares two images, the earlier one first; {num_images} given")
    for name in ("finding", "question"):
        if name in way.needs and not given[name]:
            raise Refused(f"'{way.title}' needs a {name}")
    if "options" not in (*way.needs, *way.takes):
        listed = way.options
    elif listed or "options" in way.needs:
        _check(listed)
    wording = way.wording
    if wording == "findings" and given["indication"]:
        wording = "findings_with_indication"
    text = questions()[wording][0].format_map(given) if wording else given["question"]
    kind = "choice" if type == "own" and listed else way.kind
    return Question(text, kind, listed, mode, dialect)


def _check(options: Sequence[str]) -> None:
    if not 2 <= len(options) <= MOST_OPTIONS:
        raise Refused(f"give 2 to {MOST_OPTIONS} options, one in each line")
    if not all(options):
        raise Refused("an option is empty")
    if len({option.casefold() for option in options}) < len(options):
        raise Refused("two options are the same")
