"""Settings that hold for every test, and one small phantom corpus that many tests read."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from cxreason.recipes import BuildRecipe, MineRecipe, PhantomRecipe, validate

# No deadline: a busy machine is not a fault of the code under test. The same examples every time: a change is
# not refused for what chance finds elsewhere. `--hypothesis-profile explore` goes where nobody has been.
settings.register_profile("cxreason", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.load_profile("cxreason")

# `make test` runs a process of tests on each of two cores: more threads would be in each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(config, items):
    """Where workers share the files of tests, those with long tests come first, so that all end together."""
    if hasattr(config, "workerinput"):
        long = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: item.path not in long)


def pytest_ignore_collect(collection_path, config):
    """`-m timing` wants few tests: to import the files that have none would take longer than those."""
    if config.getoption("markexpr") == "timing" and collection_path.suffix == ".py":
        return True if "mark.timing" not in collection_path.read_text(encoding="utf-8") else None
    return None


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """CXREASON_DATA, or the folder of public datasets beside the repository; a test is skipped without it."""
    folder = Path(os.environ.get("CXREASON_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    return folder


@pytest.fixture(scope="session")
def corpus(tmp_path_factory) -> Path:
    """A folder with `phantom`, `build` and `mine` of 200 small studies: read it, never write to it."""
    from cxreason.build import build
    from cxreason.mining.run import mine
    from cxreason.phantom.run import make_phantoms

    folder = tmp_path_factory.mktemp("corpus")
    drawn = {"out": folder / "phantom", "num_studies": 200, "image_size": 128}
    make_phantoms(validate(PhantomRecipe, drawn))
    studies = {"out": folder / "build", "studies": [folder / "phantom"], "per_task": {"train": 8, "test": 4}}
    build(validate(BuildRecipe, studies))
    mined = {"out": folder / "mine", "samples": folder / "build", "style": "terse"}
    mine(validate(MineRecipe, mined))
    return folder
