"""Trees in the official layouts, written by the phantom world."""

import pytest

from cxreason.phantom.run import make_phantoms
from cxreason.recipes import PhantomRecipe


@pytest.fixture(scope="session")
def phantom_tree(tmp_path_factory):
    """Layout -> a folder that holds it; 32 studies, drawn once. Copy it before you change it."""
    made = {}

    def tree(layout):
        if layout not in made:
            out = tmp_path_factory.mktemp(layout)
            make_phantoms(
                PhantomRecipe(out=out, size="small", layout=layout, num_studies=32, image_size=32, seed=3)
            )
            made[layout] = out
        return made[layout]

    return tree
