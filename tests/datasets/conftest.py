"""Trees in the official layouts, written by the phantom world."""

import pytest

from cxreason.recipes import PhantomRecipe
from phantoms_once import make


@pytest.fixture(scope="session")
def phantom_tree(tmp_path_factory):
    """Layout -> a folder that holds it; 32 studies, drawn once. Copy it before you change it."""
    made = {}

    def tree(layout):
        if layout not in made:
            out = tmp_path_factory.mktemp(layout)
            make(PhantomRecipe(out=out, size="small", layout=layout, num_studies=32, image_size=128, seed=3))
            made[layout] = out
        return made[layout]

    return tree


@pytest.fixture(scope="session")
def mimic(tmp_path_factory):
    """A small MIMIC-CXR without images, in a folder called "mimic". Not to be changed."""
    from mimic_tree import write_mimic

    return write_mimic(tmp_path_factory.mktemp("family") / "mimic")


@pytest.fixture
def beside(mimic):
    """A new folder beside that MIMIC-CXR, for a dataset that stands on it."""
    import shutil

    folder = mimic.parent / "derived"
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
