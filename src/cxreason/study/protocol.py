"""What a study is, in one YAML file: cases, arms, readers, questions, the order in which all this is shown.

A study folder holds `study.yaml` and the images that it names. It is read and checked as a whole before
anybody sits down: a missing image or a draft that an arm needs is told then, with the name of the case.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from cxreason.errors import UserError
from cxreason.recipe_files import load

PROTOCOL = "study.yaml"

Mode = Literal["write", "edit", "compare", "reasoning"]
MODES: dict[Mode, str] = {
    "write": "write a report from scratch",
    "edit": "edit a draft",
    "compare": "say which of two reports is better, without knowing whose they are",
    "reasoning": "judge whether a line of reasoning is true and leads to its answer",
}
LIKERT = {"strongly agree": 10, "agree": 5, "neutral": 0, "disagree": -5, "strongly disagree": -10}
"""The paper's scale. "Not applicable" is no point of it: CheXOne counted it as neutral."""
NOT_APPLICABLE = "not applicable"
SIDES = ("A", "B", "comparable")
PREFERENCE = "preference"
"""Question that every comparison begins with."""

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Share = Annotated[float, Field(ge=0, le=1)]


class StudyError(UserError):
    """What is wrong with a study's protocol or folder, and what to do about it, in one line."""


class Part(BaseModel):
    """What all parts of a protocol share: unknown keys are refused and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StudyBox(Part):
    """A rectangle on an image, as fractions of its width and height."""

    label: str = Field(max_length=60, description="what it shows")
    x1: Share = Field(description="left")
    y1: Share = Field(description="top")
    x2: Share = Field(description="right")
    y2: Share = Field(description="bottom")


class StudyImage(Part):
    """One image of a case."""

    file: Path = Field(description="DICOM, PNG or JPEG, relative to the folder of the protocol")
    view: str = Field("", max_length=40, description="PA, AP, lateral, ...")
    prior: bool = Field(False, description="of the earlier examination; shown beside the current one")
    boxes: tuple[StudyBox, ...] = Field((), description="shown on the image, and can be switched off")


class Case(Part):
    """What is read: images, what was asked, and the texts that arms show."""

    id: Name = Field(description="never reaches a reader's browser")
    pool: Name = Field("all", description="parts of the study draw their cases from a pool")
    images: tuple[StudyImage, ...] = Field(
        min_length=1, description="the current images, then the prior ones"
    )
    indication: str = Field("", max_length=4000, description="shown beside the images")
    prior_report: str = Field(
        "", max_length=20_000, description="shown beside the images, where there is one"
    )
    reference: str = Field(
        "", max_length=20_000, description="the report that counts; never shown, for `analyse`"
    )
    texts: dict[Name, str] = Field(
        {}, description="drafts and reports by their source, as in {model: ..., resident: ...}"
    )
    question: str = Field("", max_length=4000, description="for arms of mode reasoning")
    reasoning: str = Field("", max_length=20_000, description="the trace that is judged")
    answer: str = Field("", max_length=4000, description="the answer that the trace ends with")


class QuestionItem(Part):
    """One question that is asked after the report, or about what was compared or judged."""

    id: Name = Field(description="its column in the tables")
    text: str = Field(max_length=400, description="what the reader is asked")
    kind: Literal["likert", "choice", "text"] = Field(
        "likert", description="agreement, one of `options`, or free words"
    )
    options: tuple[str, ...] = Field((), description="of a choice, in their order")
    required: bool = Field(True, description="whether it must be answered")
    not_applicable: bool = Field(
        True, description="whether a likert question may be answered `not applicable`"
    )

    @model_validator(mode="after")
    def _whole(self) -> QuestionItem:
        if (self.kind == "choice") != (len(self.options) > 1):
            raise ValueError(f"question '{self.id}': a choice needs two or more options, other kinds none")
        return self

    @property
    def values(self) -> tuple[str, ...]:
        """What may be answered; empty for free words.

        >>> QuestionItem(id="q", text="?", kind="choice", options=("a", "b")).values
        ('a', 'b')
        """
        if self.kind == "likert":
            return (*LIKERT, NOT_APPLICABLE) if self.not_applicable else tuple(LIKERT)
        return self.options


class Arm(Part):
    """One way in which a case is shown. Its name never reaches a reader's browser."""

    mode: Mode = Field(description="write, edit, compare or reasoning")
    draft: Name | None = Field(None, description="edit: which of a case's texts is the draft")
    reports: tuple[Name, ...] = Field((), description="compare: the two texts that stand side by side")
    boxes: bool = Field(
        False, description="whether the boxes of a case are on its images; they may give it away"
    )
    questions: tuple[Name, ...] | None = Field(
        None,
        description="ids of what is asked after the report is submitted; null = the usual ones of the mode",
    )

    @model_validator(mode="after")
    def _whole(self) -> Arm:
        if (self.mode == "edit") != (self.draft is not None):
            raise ValueError("an arm of mode edit needs `draft`, other modes have none")
        if (self.mode == "compare") != (len(set(self.reports)) == 2) or len(self.reports) > 2:
            raise ValueError("an arm of mode compare needs two `reports`, other modes have none")
        return self

    @property
    def needs(self) -> tuple[str, ...]:
        """The texts that a case must have to be shown in this arm."""
        return (self.draft,) if self.draft else self.reports


class Stretch(Part):
    """A part of the study: some readers see some cases in some arms."""

    name: Name = Field("main", description="its name in the tables")
    groups: tuple[Name, ...] = Field(min_length=1, description="groups of readers who take part")
    arms: tuple[Name, ...] = Field(min_length=1, description="names of arms")
    pool: Name = Field("all", description="which cases")
    cases_per_reader: int | None = Field(
        None, ge=1, description="how many of them each reader sees; null = all"
    )
    shared: int = Field(
        0, ge=0, description="of these, so many are the same for all readers, to compare readers"
    )
    crossing: Literal["once", "every"] = Field(
        "once",
        description="once: a reader sees a case in one arm, others in the others; every: in each arm in turn",
    )
    order: Literal["mixed", "blocks"] = Field(
        "mixed", description="arms as they fall, or one arm after the other"
    )
    previous: bool = Field(
        False, description="whether a reader may go back to the case before and correct it"
    )


class Reader(Part):
    """Somebody who takes part, under a name that tells nothing about the person."""

    name: Name = Field(description="login and column in the tables, as in reader-01")
    group: Name = Field(description="resident, attending, ...")


STANDARD_QUESTIONS: tuple[QuestionItem, ...] = tuple(
    QuestionItem.model_validate({"id": id, "text": text, **more})
    for id, text, more in (
        (
            "edit_reason",
            "What did you have to change in the draft?",
            {"kind": "choice", "options": ("nothing", "content", "style", "content and style")},
        ),
        ("addresses_indication", "The draft answered what the indication asks.", {}),
        ("writing_efficiency", "The draft made writing the report quicker.", {}),
        ("interpretation_efficiency", "The draft made reading the images quicker.", {}),
        ("factuality", "What the reasoning says about the images is true.", {}),
        ("causal_support", "The reasoning, step by step, leads to its answer.", {}),
        ("comment", "Anything you want to add?", {"kind": "text", "required": False}),
        ("preference", "Which report would you rather sign?", {"kind": "choice", "options": SIDES}),
    )
)
USUAL: dict[Mode, tuple[str, ...]] = {
    "write": (),
    "edit": ("edit_reason", "addresses_indication", "writing_efficiency", "interpretation_efficiency"),
    "compare": ("comment",),
    "reasoning": ("factuality", "causal_support", "comment"),
}


class Protocol(Part):
    """A reader study, the whole of `study.yaml`."""

    title: str = Field(max_length=120, description="what readers see at the top")
    welcome: str = Field("", max_length=4000, description="shown before the first case")
    seed: int = Field(17, description="of every order that is drawn")
    washout: int = Field(
        0, ge=0, description="other cases that lie between two readings of one case by one reader"
    )
    idle_seconds: float = Field(60.0, gt=0, description="so long without a sign of life counts as a pause")
    administrators: tuple[Name, ...] = Field(
        ("admin",), min_length=1, description="who sees progress and links"
    )
    readers: tuple[Reader, ...] = Field(min_length=1, description="the readers: name and group")
    questions: tuple[QuestionItem, ...] = Field(
        (), description="beside the usual ones, or instead of one of the same id"
    )
    arms: dict[Name, Arm] = Field(min_length=1, description="the ways in which cases are shown, by name")
    parts: tuple[Stretch, ...] = Field(min_length=1, description="who sees what; in this order")
    cases: tuple[Case, ...] = Field(min_length=1, description="the cases")

    @model_validator(mode="after")
    def _whole(self) -> Protocol:
        check(self)
        return self

    @property
    def all_questions(self) -> dict[str, QuestionItem]:
        """The usual questions and those of the protocol, which win."""
        return {question.id: question for question in (*STANDARD_QUESTIONS, *self.questions)}

    def asked(self, arm: str) -> list[QuestionItem]:
        """What is asked in an arm, in its order."""
        mode, chosen = self.arms[arm].mode, self.arms[arm].questions
        ids = list(USUAL[mode] if chosen is None else chosen)
        if mode == "compare" and PREFERENCE not in ids:
            ids.insert(0, PREFERENCE)
        return [self.all_questions[id] for id in ids]

    def case(self, id: str) -> Case:
        """A case by its id."""
        return next(case for case in self.cases if case.id == id)


def check(protocol: Protocol) -> None:
    """Raises ValueError with the name of the first thing that does not fit together."""
    _unique("case", [case.id for case in protocol.cases])
    _unique("reader", [*(reader.name for reader in protocol.readers), *protocol.administrators])
    _unique("part", [part.name for part in protocol.parts])
    groups = {reader.group for reader in protocol.readers}
    for name, arm in protocol.arms.items():
        for id in arm.questions or ():
            if id not in protocol.all_questions:
                raise ValueError(
                    f"arm '{name}' asks '{id}', which is no question; write it under `questions`"
                )
    for part in protocol.parts:
        for kind, wanted, known in (("arm", part.arms, protocol.arms), ("group", part.groups, groups)):
            if unknown := set(wanted) - set(known):
                raise ValueError(f"part '{part.name}' names the {kind} '{min(unknown)}', which is not there")
        _check_cases(protocol, part)


def _check_cases(protocol: Protocol, part: Stretch) -> None:
    cases = [case for case in protocol.cases if case.pool == part.pool]
    if len(cases) < max(part.cases_per_reader or 1, part.shared):
        raise ValueError(f"part '{part.name}' wants more cases than pool '{part.pool}' has ({len(cases)})")
    if part.shared > (part.cases_per_reader or len(cases)):
        raise ValueError(f"part '{part.name}' shares more cases than a reader sees")
    for arm in (protocol.arms[name] for name in part.arms):
        for case in cases:
            missing = [name for name in arm.needs if not case.texts.get(name, "").strip()]
            if missing:
                raise ValueError(
                    f"case '{case.id}' has no text '{missing[0]}', which part '{part.name}' shows"
                )
            if arm.mode == "reasoning" and not (case.reasoning.strip() and case.question.strip()):
                raise ValueError(f"case '{case.id}' needs `question` and `reasoning` for part '{part.name}'")


def _unique(what: str, names: list[str]) -> None:
    lower = [name.casefold() for name in names]
    for name in names:
        if lower.count(name.casefold()) > 1:
            raise ValueError(f"the {what} '{name}' is there twice")


def load_protocol(folder: Path) -> Protocol:
    """The protocol of a study folder; RecipeError or StudyError says what to mend.

    protocol = load_protocol(Path("runs/study"))
    """
    file = folder / PROTOCOL
    if not file.exists():
        raise StudyError(f"{file}: is missing. `cxreason study init {folder}` writes an example.")
    return load(Protocol, file)


def image_path(folder: Path, image: StudyImage) -> Path:
    """Where an image of the protocol lies; StudyError where that is outside of the study folder."""
    path = (folder / image.file).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise StudyError(f"{image.file}: lies outside of the study folder. Copy it there.")
    return path


def resolved(protocol: Protocol) -> dict[str, Any]:
    """The protocol as plain values, to store and to compare."""
    return protocol.model_dump(mode="json")
