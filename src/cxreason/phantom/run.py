"""`cxreason phantom`: a synthetic corpus as a run folder, from the recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cxreason.records import to_row
from cxreason.runs import Run, ticking

if TYPE_CHECKING:
    from cxreason.recipes import PhantomRecipe


def make_phantoms(
    recipe: PhantomRecipe, *, limit: int | None = None, dry_run: bool = False
) -> dict[str, Any]:
    """Draw the studies of a recipe into `recipe.out`; returns the counts, or one study where `dry_run`.

    make_phantoms(PhantomRecipe(out=Path("runs/phantom"), num_studies=20))
    """
    from cxreason.phantom.generate import generate, studies

    num_studies = min(recipe.num_studies, limit or recipe.num_studies)
    if dry_run:
        example = next(iter(studies(recipe.seed, 1)))
        return {"num_studies": num_studies, "example": to_row(example.study)}
    with Run.open(recipe.out, verb="phantom", recipe=recipe, limit=limit) as run:
        if run.finished:
            return run.counts
        with ticking(num_studies, "drawing") as tick:
            counts = generate(
                recipe.out,
                num_studies=num_studies,
                seed=recipe.seed,
                image_size=recipe.image_size,
                on_progress=lambda done, total: tick(1),
            )
        return run.finish(**counts)
