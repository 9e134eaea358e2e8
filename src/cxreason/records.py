"""The four nouns that travel through cxreason: Study, Sample, Prediction and Score.

Each is a small frozen dataclass with one Arrow schema. Every stage reads some of them and writes others;
nothing else crosses a room's border. Fields are added along the way and never renamed.

    >>> study = Study(id="demo/1", dataset="demo", patient_id="p1", images=("1.png",), views=("PA",))
    >>> from_row(Study, to_row(study)) == study
    True
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    import pyarrow

Split = Literal["train", "validation", "test"]
Mode = Literal["reasoning", "direct"]
Kind = Literal["choice", "labels", "boxes", "report", "text"]

Record = TypeVar("Record")


def content_id(*parts: Any) -> str:
    """A stable 20-digit hexadecimal id of what the parts say, the same on every machine and in every run.

    >>> content_id("a", ("b", 1)) == content_id("a", ["b", 1])
    True
    """
    return hashlib.sha256(_compact(parts).encode()).hexdigest()[:20]


# Made once: json.dumps would make an encoder for every id, and ids are made by the ten million.
_compact = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode


def text_id(*parts: str) -> str:
    """The same of texts alone, at a quarter of the price, for what is made by the ten million.

    >>> text_id("a", "bc") == text_id("ab", "c")
    False
    """
    return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=10).hexdigest()


def short_id(text: str) -> int:
    """A number of 64 bits that belongs to a text, for what is compared by the ten million in arrays.

    >>> short_id("a") == short_id("a"), short_id("a") < 2**64
    (True, True)
    """
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


@dataclass(frozen=True)
class Box:
    """A place on an image, as fractions of its width and height, top-left corner first.

    `image` is the position in `Study.images` or `Sample.images` that the box lies on.
    """

    label: str
    x1: float
    y1: float
    x2: float
    y2: float
    image: int = 0
    phrase: str = ""
    """The words of a report that the box shows, where it grounds some."""
    reader: str = ""
    """Who drew it, where several readers did so on their own."""


@dataclass(frozen=True)
class Question:
    """A question that a dataset publishes about a study, with its answer.

    `answers` holds the parts that are the answer together (every finding of a list); it is empty where the
    answer is that there is none. `also` holds other wordings that are as good.
    """

    text: str
    answers: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    """What may be answered, without the letters in front of it."""
    kind: str = "text"
    """`choice` where one of `options` is right, `labels` where any number is, else `text`."""
    closed: bool = False
    """Whether the dataset itself calls the question closed."""
    type: str = ""
    """The dataset's own word for what is asked: presence, view, location, ..."""
    subject: str = ""
    """The finding, structure or labels that it is about, where the dataset says so."""
    context: str = ""
    """What has to be read before it: earlier questions with their answers, or a passage."""
    explanation: str = ""
    images: tuple[int, ...] = ()
    """Positions in `Study.images` that it is about; empty = all."""
    split: str = ""
    """Its own split, where a dataset splits questions and not studies; empty = that of the study."""
    id: str = ""
    """Its id in the dataset."""

    @property
    def answer(self) -> str:
        """The answer as one text.

        >>> Question("Which findings?", ("edema", "fracture")).answer
        'edema, fracture'
        """
        return ", ".join(self.answers)


@dataclass(frozen=True)
class Entity:
    """A word or phrase of the report with its kind, as RadGraph marks them."""

    id: str
    text: str
    label: str
    start: int
    """Position of its first token; `Study.narrative` is the text, its tokens parted by blanks."""
    end: int
    relations: tuple[str, ...] = ()
    """Relation and id of the other entity, as in "located_at 3"."""


@dataclass(frozen=True)
class Study:
    """One examination: its images, its report and what is known about it.

    `labels` maps a finding to 1 (present), 0 (absent) or -1 (uncertain); a finding that nobody judged is
    not in it, because "unknown" is not "absent". Image paths are relative to the folder of the record file.
    """

    id: str
    dataset: str
    patient_id: str
    images: tuple[str, ...]
    views: tuple[str, ...] = ()
    split: str = "train"
    indication: str = ""
    comparison: str = ""
    findings: str = ""
    impression: str = ""
    labels: dict[str, int] = field(default_factory=dict)
    boxes: tuple[Box, ...] = ()
    prior_id: str = ""
    """Id of the earlier study of the same patient that the report compares with, or empty."""
    changes: dict[str, str] = field(default_factory=dict)
    """Finding -> "worsening", "stable" or "improving" since the prior study, where that is known."""
    sex: str = ""
    """M or F; empty where it is not known or another."""
    age: float | None = None
    """In years."""
    order: str = ""
    """Sorts the studies of one patient in time: a shifted date and time, or a number with leading zeros."""
    history: str = ""
    technique: str = ""
    narrative: str = ""
    """Text that stands in no section: an undivided report, a caption, MIMIC's last paragraph."""
    language: str = "en"
    """Of the report."""
    widths: tuple[int, ...] = ()
    """Of the images in pixels, where the dataset says so; 0 = this one is not known."""
    heights: tuple[int, ...] = ()
    questions: tuple[Question, ...] = ()
    entities: tuple[Entity, ...] = ()
    other_labels: dict[str, int] = field(default_factory=dict)
    """What another labeller made of the study, as in "negbio/edema"."""
    own_split: str = ""
    """The split that a derived dataset publishes itself, where `split` is that of the images' first home."""
    groups: tuple[str, ...] = ()
    """Keys of patients, studies or images that other datasets hold as well, as in "mimic-cxr/p10000032".
    Studies that have a key in common belong on one side of every split."""

    @property
    def report(self) -> str:
        """Findings and impression as one text, the part of a report that observations are read from.

        A report without these sections is its undivided text.
        """
        if self.findings and self.impression:
            return f"{self.findings}\n{self.impression}"
        return self.findings or self.impression or self.narrative

    @property
    def keys(self) -> tuple[str, ...]:
        """Its patient, and `groups`: what decides its side of a split.

        >>> Study("ms-cxr/1", "ms-cxr", "p1", (), groups=("mimic-cxr/p1",)).keys
        ('ms-cxr/p1', 'mimic-cxr/p1')
        """
        own = f"{self.dataset}/{self.patient_id}"
        return tuple(dict.fromkeys((own, *self.groups))) if self.groups else (own,)


@dataclass(frozen=True)
class Sample:
    """A question about a study with its answer, and the reasoning that leads there where it was mined.

    `answer` is the gold answer as the answer kind writes it: the option letter for a choice, comma-joined
    labels for a label set. Images are in the order in which a model sees them: prior first, then current.
    """

    id: str
    dataset: str
    task: str
    kind: str
    patient_id: str
    study_id: str
    split: str
    images: tuple[str, ...]
    question: str
    answer: str
    options: tuple[str, ...] = ()
    subject: str = ""
    """The finding that the question is about, where it is about one."""
    report: str = ""
    prior_report: str = ""
    boxes: tuple[Box, ...] = ()
    labels: dict[str, int] = field(default_factory=dict)
    reasoning: str = ""
    evidence: tuple[str, ...] = ()
    """Sentences of the report that the reasoning rests on, in the order of its steps."""
    views: tuple[str, ...] = ()
    """Of the images, in their order; empty where they are not known or would answer the question."""
    sex: str = ""
    age: float | None = None
    groups: tuple[str, ...] = ()
    """`Study.keys` of its study."""
    official_id: str = ""
    """Id of the question in the dataset that published it; empty where it was asked here."""
    option_style: str = ""
    """How the options are marked, as in "(a)", where the sample says so; empty leaves it to the dialect."""

    @property
    def facts(self) -> str:
        """The text that reasoning is checked against: both reports, prior first, where two are compared."""
        return "\n".join(part for part in (self.prior_report, self.report) if part)


@dataclass(frozen=True)
class Prediction:
    """What a model said to one sample in one mode, and what the one parser understood of it."""

    id: str
    sample_id: str
    model: str
    mode: str
    dialect: str
    text: str
    reasoning: str = ""
    answer: str = ""
    """The understood answer in the form of `Sample.answer`; empty where nothing could be understood."""
    problem: str = ""
    """Why the answer could not be understood; empty where it was."""
    finished: bool = True
    """False where the text was cut at the token limit."""
    num_tokens: int = 0
    seconds: float = 0.0
    repeat: int = 0
    """Number of this draw among several of one prompt (self-consistency); 0 for greedy output."""
    probe: str = ""
    """What was changed before the model said this (`probing/`); empty for what it says by itself."""


@dataclass(frozen=True)
class Score:
    """What one prediction was worth by one metric, with the reason.

    `value` is None where the metric does not apply to this item (it is then left out of every mean, and
    counted as left out); a bad answer is worth 0, not None.
    """

    id: str
    prediction_id: str
    sample_id: str
    patient_id: str
    dataset: str
    task: str
    metric: str
    value: float | None
    reason: str = ""
    flagged: bool = False
    """True where the model itself caused the worst value: nothing parsed, nothing said."""
    model: str = ""
    mode: str = ""
    parts: tuple[float, ...] = ()
    """What the item adds to a metric of the whole set, such as its matching words; `value` is then None."""
    group: str = ""
    """What such a metric keeps apart, such as the finding whose boxes are counted."""


def score_of(
    prediction: Prediction, sample: Sample, *, metric: str, value: float | None, **more: Any
) -> Score:
    """A score of a prediction: whose it is follows from its sample. `more` are the other fields, with `id`.

    score_of(prediction, sample, id=..., metric="accuracy", value=1.0)
    """
    return Score(
        prediction_id=prediction.id,
        sample_id=sample.id,
        patient_id=sample.patient_id,
        dataset=sample.dataset,
        task=sample.task,
        metric=metric,
        value=value,
        **more,
    )


def changed(record: Record, **fields: Any) -> Record:
    """A record with other values in some fields: `dataclasses.replace` at a tenth of its price.

    >>> changed(Box("line", 0.1, 0.1, 0.2, 0.2), image=1).image
    1
    """
    made = object.__new__(type(record))
    object.__setattr__(made, "__dict__", {**record.__dict__, **fields})
    return made


@cache
def _hints(record: type) -> dict[str, Any]:
    return typing.get_type_hints(record)


@cache
def _names(record: type) -> tuple[str, ...]:
    return tuple(item.name for item in dataclasses.fields(record))


def to_row(record: Any) -> dict[str, Any]:
    """A record as plain JSON-ready values. Mappings become sorted lists of [key, value] pairs.

    Pairs, not objects: Arrow would otherwise give every row the union of all keys, and "not judged" would
    come back as "null".
    """
    row = {}
    for name in _names(type(record)):
        value = getattr(record, name)
        if isinstance(value, dict):
            value = [{"key": key, "value": value[key]} for key in sorted(value)]
        elif isinstance(value, tuple):
            value = [to_row(item) if dataclasses.is_dataclass(item) else item for item in value]
        row[name] = value
    return row


def from_row(record: type[Record], row: dict[str, Any]) -> Record:
    """The record that `to_row` or Arrow wrote; missing fields take their defaults, unknown ones raise."""
    readers = _readers(record)
    values = {}
    for name, value in row.items():
        if name not in readers:
            raise ValueError(f"{record.__name__} has no field {name!r}; it was written by a newer version")
        read = readers[name]
        values[name] = value if read is None else read(value or ())
    return record(**values)


@cache
def _readers(record: type) -> dict[str, Callable[[Any], Any] | None]:
    """Field -> what makes its value of a row's; None where it is taken as it is."""

    def reader(hint: Any) -> Callable[[Any], Any] | None:
        if typing.get_origin(hint) is dict:
            return lambda pairs: {pair["key"]: pair["value"] for pair in pairs}
        if typing.get_origin(hint) is tuple:
            item: type = typing.get_args(hint)[0]
            nested = dataclasses.is_dataclass(item)
            return (lambda entries: tuple(from_row(item, entry) for entry in entries)) if nested else tuple
        return None

    return {name: reader(_hints(record)[name]) for name in _names(record)}


@cache
def schema(record: type) -> pyarrow.Schema:
    """The Arrow schema of a record type, from its type hints.

    >>> schema(Score).field("value").nullable
    True
    """
    import pyarrow as pa

    plain = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}

    def arrow(hint: Any) -> pa.DataType:
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if dataclasses.is_dataclass(hint):
            return pa.struct([(name, arrow(_hints(hint)[name])) for name in _names(hint)])
        if origin is dict:
            return pa.list_(pa.struct([("key", plain[arguments[0]]), ("value", plain[arguments[1]])]))
        if origin is tuple:
            return pa.list_(arrow(arguments[0]))
        return plain[next(part for part in arguments if part is not type(None))] if arguments else plain[hint]

    return pa.schema([(name, arrow(_hints(record)[name])) for name in _names(record)])
