"""Phantoms for tests that look at the same ones, or write them in several layouts."""

from __future__ import annotations

from functools import lru_cache

import pytest

from cxreason.phantom import generate, study
from cxreason.phantom.run import make_phantoms
from cxreason.recipes import PhantomRecipe

phantom = lru_cache(maxsize=256)(study.phantom)
"""A phantom hangs on its number alone, so it is drawn once."""


def make(recipe: PhantomRecipe) -> None:
    """A corpus of such phantoms. Images of 128 pixels are drawn anyway, for their boxes; others are not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generate, "phantom", phantom)
        make_phantoms(recipe, workers=1)
