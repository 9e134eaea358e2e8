"""`cxreason phantom`: a synthetic corpus as a run folder, from the recipe."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from cxreason.phantom.visit import DEEP, TINY, World
from cxreason.records import Study, to_row
from cxreason.runs import Run, ticking

if TYPE_CHECKING:
    from cxreason.recipes import PhantomRecipe


def world_of(recipe: PhantomRecipe) -> World:
    """The world of a size: tiny has a plain one of its own."""
    return TINY if recipe.size == "tiny" else DEEP


def make_phantoms(
    recipe: PhantomRecipe, *, limit: int | None = None, dry_run: bool = False, workers: int | None = None
) -> dict[str, Any]:
    """Draw the studies of a recipe into `recipe.out`; returns the counts, or one study where `dry_run`.

    Killed and started again it goes on where it was; in a dataset's layout it draws the same files again.

    make_phantoms(PhantomRecipe(out=Path("runs/phantom"), num_studies=20))
    """
    from cxreason.phantom.generate import phantom

    num_studies = min(recipe.num_studies, limit or recipe.num_studies)
    if dry_run:
        example = phantom(recipe.seed, 0, world_of(recipe))
        return {"num_studies": num_studies, "example": to_row(example.study)}
    if recipe.layout:
        return _in_layout(recipe, num_studies, limit, workers)
    return _as_studies(recipe, num_studies, limit, workers)


def _as_studies(
    recipe: PhantomRecipe, num_studies: int, limit: int | None, workers: int | None
) -> dict[str, Any]:
    from cxreason.phantom.generate import Job, count, drawn
    from cxreason.phantom.study import record, study_id
    from cxreason.phantom.world import draw_visit

    world, counts, patients = world_of(recipe), Counter(), set()
    with Run.open(recipe.out, verb="phantom", recipe=recipe, record=Study, limit=limit) as run:
        if run.finished:
            return run.counts
        (recipe.out / "images").mkdir(exist_ok=True)
        owed = []
        for index in range(num_studies):
            if study_id(world, recipe.seed, index) in run.done:
                study = record(draw_visit(recipe.seed, index, world))
                count(counts, study)
                patients.add(study.patient_id)
            else:
                owed.append(index)
        job = Job(recipe.out, recipe.seed, recipe.image_size, world)
        with ticking(len(owed), "drawing") as tick:
            for study, _ in drawn(job, owed, workers):
                run.append(study)
                count(counts, study)
                patients.add(study.patient_id)
                tick(1)
        return run.finish(**counts, patients=len(patients))


def _in_layout(
    recipe: PhantomRecipe, num_studies: int, limit: int | None, workers: int | None
) -> dict[str, Any]:
    from cxreason.phantom import layouts
    from cxreason.phantom.generate import Job, count, drawn

    counts, patients = Counter(), set()
    with Run.open(recipe.out, verb="phantom", recipe=recipe, limit=limit) as run:
        if run.finished:
            return run.counts
        layouts.check(recipe.layout)
        job = Job(recipe.out, recipe.seed, recipe.image_size, world_of(recipe), recipe.layout)
        with ticking(num_studies, "drawing") as tick, layouts.Tables(recipe.out, recipe.layout) as tables:
            for study, rows in drawn(job, range(num_studies), workers):
                tables.add(rows)
                count(counts, study)
                patients.add(study.patient_id)
                tick(1)
            tables.finish()
        return run.finish(**counts, patients=len(patients))
