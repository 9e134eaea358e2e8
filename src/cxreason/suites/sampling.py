"""The samples of one setting of a suite, from a dataset as it is published: its own test part, asked its way.

    questions   the questions that the dataset brings, of some types
    view        PA, AP or lateral, of one frontal or lateral image
    course      improving, stable or worsening, of two images
    presence    whether a finding is there, of findings that the setting names
    report      the findings section as it was written, told the indication where there is one
    progression the same of two images, of reports that compare
    boxes       where something is, of one box each

Which ones are taken is decided by a hash of the study, so the same folder gives the same samples everywhere.
"""

from __future__ import annotations

import heapq
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import NamedTuple

from cxreason import tasks
from cxreason.answers.dialects import letters
from cxreason.build.paths import relocate
from cxreason.datasets import DATASETS, read
from cxreason.datasets.images import Shelf, there
from cxreason.records import Sample, Study, content_id
from cxreason.settings import SuiteSetting
from cxreason.tasks.vqa import options_of

VIEWS = ("AP", "PA", "LATERAL")
SEEN_FROM_THE_SIDE = {"LL": "LATERAL"}
CHANGES = ("improving", "stable", "worsening")
YES_NO = ("Yes", "No")
OPTION_STYLE = "A."
"""How options are marked, as the published questions mark theirs."""
WORDING = {
    "view": "In which view was this chest X-ray taken?",
    "course": "The first chest X-ray was made before the second. How has {finding} changed?",
    "presence": "Does this chest X-ray show {finding}?",
    "report": "Write the findings section of a report on this chest X-ray.",
    "report_told": "Indication: {indication}\nWrite the findings section of a report on this chest X-ray.",
    "progression": "The first chest X-ray was made before the second. Write the findings section of a report "
    "on the second one, and say what has changed.",
}


class Offer(NamedTuple):
    """One question that a study offers; offers of a group are taken as often for each value."""

    group: str
    value: str
    sample: Sample


@dataclass
class Images:
    """How many images a setting's studies name and how many are there; without a shelf nobody looks.

    An image that is met twice, in what is labelled and as what came before, counts once.
    """

    shelf: Shelf | None = field(default_factory=Shelf)
    named: int = 0
    there: int = 0
    _met: set[str] = field(default_factory=set)

    def held(self, study: Study, folder: Path) -> Study | None:
        """A study with those of its images that are there; None where none of them is."""
        if self.shelf is None:
            return study
        for path in (f"{folder / image}" for image in study.images):
            place = os.path.normpath(path)
            if place not in self._met:
                self._met.add(place)
                self.named += 1
                self.there += bool(self.shelf.named(path))
        return there(study, folder, self.shelf)

    def lacking(self) -> dict[str, dict[str, int]]:
        """How many are named and how many are there, where some are missing; else nothing."""
        told = {"named": self.named, "there": self.there}
        return {"missing_images": told} if self.there < self.named else {}


@dataclass(frozen=True)
class Source:
    """A setting, where its dataset lies, and the folder that its images have to be found from."""

    setting: SuiteSetting
    folders: tuple[Path, ...]
    out: Path
    seed: int
    images: Images = field(default_factory=Images)

    @property
    def place(self) -> Path:
        """The folder of the dataset."""
        return self.folder_of(self.setting.dataset)

    def folder_of(self, dataset: str) -> Path:
        """The folder that holds a dataset."""
        return next(one for one in self.folders if DATASETS[dataset].find(one) is not None)


def missing(setting: SuiteSetting, folders: Sequence[Path]) -> str:
    """Which datasets of a setting the folders do not hold, as a line; empty where all are there."""
    wanted = (setting.dataset, *DATASETS[setting.dataset].STANDS_ON)
    gone = [name for name in wanted if not any(DATASETS[name].find(folder) for folder in folders)]
    return f"{', '.join(gone)}: not in the folders" if gone else ""


def samples_of(source: Source) -> list[Sample]:
    """The samples of a setting, in the order of their hashes.

    They are of images that are there, as in a build; where none is there, of tables alone. `source.images`
    counts them.
    """
    found = _sampled(source)
    if source.images.named and not source.images.there:
        return _sampled(replace(source, images=Images(shelf=None)))
    return found


def _sampled(source: Source) -> list[Sample]:
    setting = source.setting
    most = setting.per_value or setting.most
    queues: dict[tuple[str, str], list[_Taken]] = defaultdict(list)
    for offer in WAYS[setting.how](source):
        key = (offer.group, offer.value) if setting.per_value else ("", "")
        one = _Taken(int(content_id(source.seed, setting.name, offer.sample.id), 16), offer.sample)
        queue = queues[key]
        if most is None or len(queue) < most:
            heapq.heappush(queue, one)
        elif queue[0] < one:
            heapq.heapreplace(queue, one)
    taken = sorted((one for queue in queues.values() for one in queue), reverse=True)
    return [one.sample for one in taken]


@dataclass(frozen=True)
class _Taken:
    """A sample in a heap whose first is the one to give up: that of the highest hash."""

    place: int
    sample: Sample

    def __lt__(self, other: _Taken) -> bool:
        return (self.place, self.sample.id) > (other.place, other.sample.id)


def _studies(source: Source) -> Iterator[Study]:
    """The studies of the setting's split. A derived set with a split of its own is tested on both tests."""
    for study in read(source.setting.dataset, source.folders):
        tested = study.split == source.setting.split and study.own_split in ("", source.setting.split)
        if tested and (held := source.images.held(study, source.place)):
            yield held


def _questions(source: Source) -> Iterator[Offer]:
    wanted = {name.casefold() for name in source.setting.types}
    for study in _studies(source):
        for question in study.questions:
            options = options_of(question)
            if not options or question.kind == "labels" or (question.split and question.split != study.split):
                continue
            if wanted and question.type.casefold() not in wanted:
                continue
            answer = letters(options)[options.index(question.answers[0])]
            text = f"{question.context}\n{question.text}" if question.context else question.text
            shown = tuple(study.images[place] for place in question.images) or study.images
            yield Offer(
                "",
                "",
                _sample(
                    source,
                    study,
                    text,
                    options,
                    answer,
                    images=shown,
                    subject=question.subject,
                    official_id=question.id,
                ),
            )


def _view(source: Source) -> Iterator[Offer]:
    for study in _studies(source):
        for place, view in enumerate(study.views):
            truth = SEEN_FROM_THE_SIDE.get(view, view)
            if truth in VIEWS:
                options, answer = _shuffled(source, f"{study.id}/{place}", VIEWS, truth)
                shown = study.images[place : place + 1]
                asked = _sample(source, study, WORDING["view"], options, answer, images=shown)
                yield Offer("view", truth, replace(asked, views=()))


def _presence(source: Source) -> Iterator[Offer]:
    for study in _studies(source):
        for finding in source.setting.subjects:
            value = study.labels.get(finding)
            if value in (0, 1) and study.images:
                text = WORDING["presence"].format(finding=finding)
                answer = "A" if value else "B"
                yield Offer(
                    finding, str(value), _sample(source, study, text, YES_NO, answer, subject=finding)
                )


def _course(source: Source) -> Iterator[Offer]:
    """Two frontal images of one patient: the one that is labelled, and one of the study before."""
    earlier = _priors(source)
    for study in _studies(source):
        prior = next((earlier[key] for key in study.groups if key in earlier), None)
        if prior is None or not study.images:
            continue
        for finding in source.setting.subjects or tuple(sorted(study.changes)):
            course = study.changes.get(finding)
            if course in CHANGES:
                text = WORDING["course"].format(finding=finding)
                options, answer = _shuffled(source, f"{study.id}/{finding}", CHANGES, course)
                asked = _sample(source, study, text, options, answer, subject=finding)
                images = (_moved(source, prior, "mimic-cxr"), *asked.images[:1])
                yield Offer(
                    course, course, replace(asked, images=images, prior_report=prior.report, views=())
                )


def _priors(source: Source) -> dict[str, Study]:
    """Key of a MIMIC-CXR study -> the study before it of the same patient, where it has an image."""
    home = source.folder_of("mimic-cxr")
    studies = {
        one.id: one
        for every in read("mimic-cxr", source.folders)
        if every.split == source.setting.split and (one := source.images.held(every, home))
    }
    return {
        id: studies[one.prior_id]
        for id, one in studies.items()
        if one.prior_id in studies and studies[one.prior_id].images
    }


def _report(source: Source) -> Iterator[Offer]:
    for study in _studies(source):
        if study.findings.strip() and study.images:
            told = " ".join(study.indication.split())
            text = WORDING["report_told"].format(indication=told) if told else WORDING["report"]
            asked = _sample(source, study, text, (), study.findings.strip(), kind="report")
            yield Offer("", "", asked)


def _progression(source: Source) -> Iterator[Offer]:
    from cxreason.text.comparisons import compares

    studies = {study.id: study for study in _studies(source)}
    for study in studies.values():
        prior = studies.get(study.prior_id)
        if prior is None or not prior.images or not study.images or not compares(study.findings):
            continue
        asked = _sample(source, study, WORDING["progression"], (), study.findings.strip(), kind="report")
        images = (_moved(source, prior, source.setting.dataset), *asked.images[:1])
        yield Offer("", "", replace(asked, images=images, prior_report=prior.report, views=()))


def _boxes(source: Source) -> Iterator[Offer]:
    setting = source.setting
    for study in _studies(source):
        rng = Random(content_id(source.seed, setting.name, study.id))
        for asked in tasks.samples(study, None, setting.task, rng):
            if asked.answer.count("<|box|>") == 1:
                moved = tuple(relocate(image, source.place, source.out) for image in asked.images)
                yield Offer("", "", replace(asked, task=setting.name, split="test", images=moved))


WAYS: dict[str, Callable[[Source], Iterator[Offer]]] = {
    "questions": _questions,
    "view": _view,
    "course": _course,
    "presence": _presence,
    "report": _report,
    "progression": _progression,
    "boxes": _boxes,
}
"""Way of asking -> what makes its offers."""


def _shuffled(source: Source, name: str, options: Sequence[str], truth: str) -> tuple[tuple[str, ...], str]:
    """The options in an order that belongs to the question, and the letter of the truth."""
    order = list(options)
    Random(content_id(source.seed, source.setting.name, name)).shuffle(order)
    return tuple(order), letters(order)[order.index(truth)]


def _sample(
    source: Source,
    study: Study,
    question: str,
    options: Sequence[str],
    answer: str,
    *,
    kind: str = "choice",
    images: tuple[str, ...] | None = None,
    subject: str = "",
    official_id: str = "",
) -> Sample:
    setting = source.setting
    shown = study.images if images is None else images
    moved = tuple(relocate(image, source.place, source.out) for image in shown)
    view_of = dict(zip(study.images, study.views, strict=False))
    views = tuple(view_of.get(image, "") for image in shown)
    return Sample(
        id=content_id(setting.name, study.id, question, tuple(options), answer, shown),
        task=setting.name,
        kind=kind,
        question=question,
        answer=answer,
        options=tuple(options),
        option_style=OPTION_STYLE if options else "",
        images=moved,
        views=views if all(views) else (),
        split="test",
        subject=subject,
        official_id=official_id,
        **tasks.of_study(study),
    )


def _moved(source: Source, study: Study, dataset: str) -> str:
    """The first image of a study, as seen from the run folder."""
    return relocate(study.images[0], source.folder_of(dataset), source.out)
