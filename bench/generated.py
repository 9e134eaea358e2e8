"""Metadata of every dataset of CheXinstruct-v2 at its real size, made up: no patient, no image file.

`register(share)` puts generators in the place of the readers of `cxreason.datasets`, under the real names,
licences and splits. A study costs some 10 microseconds to make, which counts in the figure of the build.
"""

from __future__ import annotations

import types
from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import accumulate, permutations
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from cxreason.datasets import DATASETS
from cxreason.phantom.study import record
from cxreason.phantom.visit import DEEP
from cxreason.phantom.world import draw_visit
from cxreason.records import Box, Entity, Question, Study, changed
from cxreason.text.ontology import FINDINGS, NO_FINDING
from cxreason.text.sections import headed_sentences

NUM_PHANTOMS = 300
CHEXPERT = (*FINDINGS, NO_FINDING)
NIH = ("atelectasis", "cardiomegaly", "edema", "emphysema", "fibrosis", "hernia", "mass", "nodule")
VINDR = ("aortic enlargement", "atelectasis", "calcification", "cardiomegaly", "consolidation", "nodule")
COURSES = ("worsening", "stable", "improving")
CHANGED = (
    "The left effusion has increased since the prior study.",
    "The lung opacity is unchanged.",
    "The heart is larger than on the previous study.",
    "Mediastinal widening has improved.",
    "Hilar enlargement is unchanged.",
    "The rib fractures are unchanged.",
    "The tube has been advanced since the previous study.",
)
"""Each about another region."""
MOST_NORMAL = 6
"""One of so many label sets at most is normal: with more, few texts could stand beside others."""
Maker = Callable[[Random, dict[str, Any]], None]
Thing = TypeVar("Thing")
FOUR_FINDINGS = tuple(permutations(FINDINGS, 4))


def _one(rng: Random, things: Sequence[Thing]) -> Thing:
    """One of them, at half the price of `Random.choice`."""
    return things[int(rng.random() * len(things))]


@cache
def _pool() -> tuple[list[str], list[str], list[dict[str, int]]]:
    """Sentences, indications and label sets of a few hundred deep phantoms."""
    drawn = [record(draw_visit(7, number, DEEP)) for number in range(NUM_PHANTOMS)]
    said = sorted({text for one in drawn for _, told in headed_sentences(one.findings) for text in told})
    why = sorted({one.indication for one in drawn if one.indication}) or ["Cough."]
    abnormal = [one.labels for one in drawn if 1 in one.labels.values() and one.labels.get(NO_FINDING) != 1]
    normal = [one.labels for one in drawn if one.labels.get(NO_FINDING) == 1]
    return said, why, [*abnormal, *normal[: len(abnormal) // MOST_NORMAL]]


def _text(rng: Random, least: int, most: int) -> str:
    pool, chance = _pool()[0], rng.random
    number = least + int(chance() * (most - least + 1))
    return " ".join([pool[int(chance() * len(pool))] for _ in range(number)])


def report(findings: float = 1.0, changed: float = 0.35, length: int = 9, changes: int = 1) -> Maker:
    """Findings with this chance, an impression always, an indication mostly, words of change sometimes."""

    def make(rng: Random, fields: dict[str, Any]) -> None:
        if rng.random() < findings:
            fields["findings"] = _text(rng, length - 3, length + 3)
        fields["impression"] = _text(rng, length // 2, length)
        if rng.random() < 0.97:
            fields["indication"] = _one(rng, _pool()[1])
        if rng.random() < changed:
            for part in ("findings", "impression"):
                if part in fields:
                    fields[part] += " " + " ".join(rng.sample(CHANGED, changes))

    return make


def labelled(*names: str, normal: float = 0.0) -> Maker:
    """Labels of a phantom, or two of the names present and the others absent."""
    pairs = tuple(permutations(names, min(2, len(names))))

    def make(rng: Random, fields: dict[str, Any]) -> None:
        if not names:
            fields["labels"] = _one(rng, _pool()[2])
            return
        there = () if rng.random() < normal else _one(rng, pairs)
        fields["labels"] = {name: int(name in there) for name in names}
        if not there and len(names) > 1:
            fields["labels"][NO_FINDING] = 1

    return make


def views(*shares: tuple[tuple[str, ...], float]) -> Maker:
    """Which views a study has."""
    choices, weights = zip(*shares, strict=True)
    ends = list(accumulate(weights))

    def make(rng: Random, fields: dict[str, Any]) -> None:
        fields["views"] = choices[min(bisect(ends, rng.random() * ends[-1]), len(ends) - 1)]

    return make


def boxed(*names: str, chance: float = 0.5) -> Maker:
    """One box on the image where a finding is there."""

    def make(rng: Random, fields: dict[str, Any]) -> None:
        name = _one(rng, names)
        seen = rng.random() < chance
        fields["labels"] = {**dict.fromkeys(names, 0), name: int(seen)}
        x, y = rng.uniform(0, 0.5), rng.uniform(0, 0.5)
        phrase = _one(rng, _pool()[0])
        fields["boxes"] = (Box(name, x, y, x + 0.3, y + 0.3, phrase=phrase),) if seen else ()
        fields["widths"], fields["heights"] = (1024,), (1024,)
        fields["findings"] = f"{_text(rng, 2, 4)} {phrase}"

    return make


def asked(number: int, *types_: str, closed: bool = True, context: str = "") -> Maker:
    """Questions about the study; yes and no, or four options."""
    blank = Question("", kind="choice", closed=closed, context=context)

    def make(rng: Random, fields: dict[str, Any]) -> None:
        found = []
        for place in range(number):
            subject = _one(rng, CHEXPERT)
            options = ("yes", "no") if place % 2 else _one(rng, FOUR_FINDINGS)
            text = f"Is there {subject}?" if place % 2 else f"Which finding is near the {subject}?"
            told, kind = (_one(rng, options),), _one(rng, types_) if types_ else "presence"
            found.append(changed(blank, text=text, answers=told, options=options, type=kind, subject=subject))
        fields["questions"] = tuple(found)

    return make


def explained(rng: Random, fields: dict[str, Any]) -> None:
    fields["questions"] = (
        Question("", (_text(rng, 1, 1),), type="explanation", subject=_one(rng, FINDINGS)),
    )


def narrated(least: int, most: int, language: str = "en") -> Maker:
    def make(rng: Random, fields: dict[str, Any]) -> None:
        fields["narrative"], fields["language"] = _text(rng, least, most), language

    return make


def marked(rng: Random, fields: dict[str, Any]) -> None:
    fields["narrative"] = _text(rng, 4, 8)
    words = fields["narrative"].split()
    fields["entities"] = tuple(
        Entity(str(place), word, "OBS-DP", place, place) for place, word in enumerate(words[:40:3])
    )


def compared(rng: Random, fields: dict[str, Any]) -> None:
    fields["changes"] = {_one(rng, FINDINGS[3:9]): _one(rng, COURSES)}


ONE, FRONTAL = (("PA",), 0.5), (("AP",), 0.5)
MIMIC_VIEWS = views((("PA", "LATERAL"), 0.45), (("AP",), 0.4), (("PA", "LL", "LATERAL"), 0.15))
CHEXPERT_VIEWS = views((("AP",), 0.6), (("PA", "LATERAL"), 0.2), (("PA",), 0.2))
# Name -> studies, studies of one patient, what they hold. Sizes: those of the owners, or a little above.
WORLD: dict[str, tuple[int, int, tuple[Maker, ...]]] = {
    "mimic-cxr": (227_835, 4, (MIMIC_VIEWS, report(0.96, 0.5, 16, 2), labelled())),
    "chexpert": (196_000, 3, (CHEXPERT_VIEWS, labelled())),
    "chexpert-plus": (196_000, 3, (CHEXPERT_VIEWS, report(0.34, 0.95, 18, 5), labelled())),
    "rexgradient": (160_000, 2, (views(ONE, FRONTAL), report(1.0, 0.1))),
    "rexvqa": (150_000, 2, (views(ONE, FRONTAL), asked(5))),
    "chestx-ray14": (112_120, 4, (views(ONE, FRONTAL), labelled(*NIH, normal=0.5))),
    "padchest": (113_000, 2, (views(ONE), narrated(2, 5, "es"), labelled(*CHEXPERT[:12]))),
    "rsna": (26_684, 1, (views(ONE), labelled("pneumonia", normal=0.5))),
    "covidx": (31_200, 2, (views(ONE), labelled("covid-19", normal=0.5))),
    "brax": (24_959, 2, (views(ONE), labelled())),
    "nlm-tb": (900, 1, (views(ONE), labelled("tuberculosis", normal=0.5))),
    "mimic-cxr-vqa": (120_000, 2, (views(ONE), asked(3))),
    "mimic-diff-vqa": (164_000, 2, (views(ONE), asked(2, "location", "level", "type"))),
    "rad-restruct": (2_950, 1, (views(ONE), asked(50))),
    "vqa-rad": (150, 1, (views(ONE), asked(8))),
    "slake": (160, 1, (views(ONE), asked(8))),
    "vqa-med-2019": (120, 1, (views(ONE), asked(1, closed=False))),
    "pmc-vqa": (800, 1, (views(ONE), asked(1))),
    "radqa": (1_300, 1, (narrated(4, 8), asked(5, context="The lungs are clear. The heart is large."))),
    "ms-cxr-t": (2_800, 2, (views(ONE), compared)),
    "ms-cxr": (1_300, 1, (views(ONE), boxed(*FINDINGS[:8], chance=1.0))),
    "vindr-cxr": (34_000, 1, (views(ONE), boxed(*VINDR, chance=0.6))),
    "vindr-pcxr": (17_500, 1, (views(ONE), boxed(*VINDR, chance=0.55))),
    "candid-ptx": (
        19_237,
        1,
        (views(ONE), boxed("pneumothorax", "rib fracture", "chest tube", chance=0.55), narrated(3, 6)),
    ),
    "siim-acr": (12_047, 1, (views(ONE), boxed("pneumothorax", chance=0.3))),
    "object-cxr": (10_000, 1, (views(ONE), boxed("foreign object"))),
    "mimic-iii": (59_652, 2, (views(((), 1.0)), report(1.0, 0.1))),
    "bimcv-covid19": (48_500, 2, (views(ONE), narrated(2, 5, "es"))),
    "roco": (3_000, 1, (views(ONE), narrated(1, 2))),
    "mimic-nle": (38_003, 2, (views(ONE), explained)),
    "radgraph": (600, 1, (views(((), 1.0)), marked)),
}


def _reader(name: str, share: float) -> Callable[..., Iterator[Study]]:
    number, of_patient, makers = WORLD[name]

    def read(folder: Path, *parents: Path) -> Iterator[Study]:
        rng = Random(name)
        blank = Study("", name, "", ())
        for index in range(max(of_patient * 4, round(number * share))):
            patient, visit = divmod(index, of_patient)
            fields: dict[str, Any] = {}
            for make in makers:
                make(rng, fields)
            shown = fields.get("views", ())
            first = patient % 1000
            yield changed(
                blank,
                id=f"{name}/s{index:08d}",
                patient_id=f"p{patient:08d}",
                images=tuple(
                    f"files/p{first:03d}/p{patient}/s{index}/{place}.jpg" for place in range(len(shown))
                ),
                split="train" if patient % 50 else ("validation", "test")[patient % 100 // 50],
                prior_id=f"{name}/s{index - 1:08d}" if visit else "",
                order=f"{visit:04d}",
                **fields,
            )

    return read


def register(share: float = 1.0) -> None:
    """Generators in the place of readers, for this process and for those that import the script."""
    for name in WORLD:
        real = DATASETS[name]
        known = {key: getattr(real, key) for key in ("NAME", "TITLE", "LICENCE", "CITATION", "TASKS")}
        known |= {
            "OFFICIAL_SPLITS": ("train", "validation", "test"),
            "EVALUATION_ONLY": False,
            "STANDS_ON": (),
        }
        made: Any = types.SimpleNamespace(**known, find=lambda folder: folder, read=_reader(name, share))
        DATASETS[name] = made
