"""The scripts of bench/: each can still be started, which a rename elsewhere could spoil unseen."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parents[1] / "bench").glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_finds_all_that_it_imports(script):
    # In a process of its own: some put datasets of their own among those that there are.
    call = [sys.executable, "-c", f"import runpy; runpy.run_path({str(script)!r}, run_name='bench')"]
    done = subprocess.run(call, cwd=script.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
