"""Write the contact sheets docs/phantoms.png and docs/phantoms-views.png, and the table in docs/phantoms.md.

python docs/write_phantoms.py
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice, pairwise
from pathlib import Path

import numpy as np
from PIL import Image

from cxreason.phantom.clinic import names
from cxreason.phantom.radiograph import radiographs
from cxreason.phantom.visit import DEEP, Visit, generator
from cxreason.phantom.world import draw_visit
from cxreason.text.ontology import main_finding

HERE = Path(__file__).parent
SEED, SIZE, GAP = 7, 224, 6
TOLD_APART = ("pleural effusion", "pneumothorax", "cardiomegaly")
NUM_COUNTED = 20_000
MARKS = ("<!-- shares: written by write_phantoms.py -->", "<!-- end of shares -->")
SHADES = 96
"""Grey values that the sheets keep: fewer make a smaller file, and nobody sees it."""


def visits() -> Iterator[Visit]:
    """The last visit of each patient, in order."""
    drawn = (draw_visit(SEED, index, DEEP) for index in count())
    for one, following in pairwise(drawn):
        if following.patient != one.patient:
            yield one


def chosen() -> list[Visit]:
    """Ten with a large finding to be told apart, ten without one of any size, in mixed order."""

    def largest(visit: Visit) -> int:
        return max((one.level for one in visit.findings if one.name in TOLD_APART), default=0)

    having = islice((visit for visit in visits() if largest(visit) == 3), 10)
    lacking = islice((visit for visit in visits() if largest(visit) == 0), 10)
    both = [*having, *lacking]
    return [both[position] for position in generator(SEED).permutation(len(both))]


def key() -> list[int]:
    """Which pictures of the sheet, counted from 1 row by row, show a large one."""
    return [
        number
        for number, visit in enumerate(chosen(), 1)
        if any(one.name in TOLD_APART for one in visit.findings)
    ]


def sheet(pictures: list[np.ndarray], columns: int) -> Image.Image:
    """The pictures row by row on black."""
    rows = -(-len(pictures) // columns)
    page = np.zeros((rows * (SIZE + GAP) - GAP, columns * (SIZE + GAP) - GAP), np.uint8)
    for number, picture in enumerate(pictures):
        top, left = number // columns * (SIZE + GAP), number % columns * (SIZE + GAP)
        page[top : top + SIZE, left : left + SIZE] = picture
    return Image.fromarray(page).quantize(SHADES, dither=Image.Dither.NONE)


def views() -> list[np.ndarray]:
    """Five patients from the front and from the side, and five at the visit before and now."""
    beside = (one for one in visits() if one.exam.lateral and any(find.level == 3 for find in one.findings))
    films = [radiographs(visit, SIZE) for visit in islice(beside, 5)]
    changed = (
        one for one in visits() if one.prior and {"worsening", "improving"} & set(one.changes.values())
    )
    pairs = [(radiographs(one.prior, SIZE)[0], radiographs(one, SIZE)[0]) for one in islice(changed, 5)]
    rows = [*zip(*films, strict=True), *zip(*pairs, strict=True)]
    return [film.pixels for row in rows for film in row]


def shares() -> str:
    """How often each finding is, in all patients and in those in intensive care, as a table."""
    drawn = [draw_visit(SEED, index, DEEP) for index in range(NUM_COUNTED)]
    intensive = [visit for visit in drawn if visit.exam.setting == "intensive care"]

    def percent(name: str, among: list[Visit]) -> str:
        having = sum(any(finding.name == name for finding in visit.findings) for visit in among)
        return f"{100 * having / len(among):.1f}"

    rows = [
        f"| {name} | {main_finding(name) or '-'} | {percent(name, drawn)} | {percent(name, intensive)} |"
        for name in names()
    ]
    none = [f"{100 * np.mean([not one.findings for one in among]):.1f}" for among in (drawn, intensive)]
    rows.append(f"| nothing | no finding | {none[0]} | {none[1]} |")
    head = "| finding | label | % of all | % in intensive care |\n|---|---|---|---|"
    return "\n".join([head, *rows])


def main() -> None:
    """Writes the sheets and the table."""
    page = HERE / "phantoms.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    page.write_text(f"{before}{MARKS[0]}\n{shares()}\n{MARKS[1]}{after}", encoding="utf-8")
    sheet([radiographs(visit, SIZE)[0].pixels for visit in chosen()], 5).save(
        HERE / "phantoms.png", optimize=True
    )
    sheet(views(), 5).save(HERE / "phantoms-views.png", optimize=True)


if __name__ == "__main__":
    main()
