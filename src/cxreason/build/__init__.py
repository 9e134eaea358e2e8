"""Datasets x tasks -> samples: balanced, split by patient, nobody on two sides, audited.

    cxreason build recipes/phantom/build.yaml --dry-run
    cxreason build recipes/chexone/build.yaml folders=[/data]

A recipe with `studies` asks all its tasks of studies that are at hand (`studies.py`). One with `feeds` reads
datasets as their owners publish them, says of each which tasks it feeds and how often, and is made for any
size (`feeds.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cxreason.build.paths import BuildError, image_path, relocate

if TYPE_CHECKING:
    from cxreason.recipes import BuildRecipe

__all__ = ["BuildError", "build", "image_path", "relocate"]


def build(recipe: BuildRecipe, *, limit: int | None = None, dry_run: bool = False) -> dict[str, Any]:
    """Write the samples of a recipe under `recipe.out`; return the counts per task and split.

    `limit` is the largest number of samples per task and split. A dry run writes nothing and returns the
    same counts and one rendered sample.
    """
    if recipe.feeds:
        from cxreason.build.feeds import build_feeds

        return build_feeds(recipe, limit=limit, dry_run=dry_run)
    from cxreason.build.studies import build_studies

    return build_studies(recipe, limit=limit, dry_run=dry_run)
