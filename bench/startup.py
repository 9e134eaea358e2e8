"""How long `import cxreason` and `cxreason --help` take, each against its limit (a ratio above 1 keeps it).

python bench/startup.py"""

import json
import platform
import statistics
import subprocess
import sys
import time

CLAIMS = {
    "import cxreason": ([sys.executable, "-c", "import cxreason"], 0.3),
    "cxreason --help": ([sys.executable, "-m", "cxreason", "--help"], 0.6),
}


def seconds(command: list[str]) -> float:
    """Wall seconds of one whole process."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Prints one JSON line per figure."""
    for what, (command, limit) in CLAIMS.items():
        seconds(command)  # the first one reads the files from disk
        figure = statistics.median(seconds(command) for _ in range(7))
        print(
            json.dumps(
                {
                    "what": f"seconds for {what}, median of 7",
                    "figure": round(figure, 3),
                    "limit": limit,
                    "ratio": round(limit / figure, 2),
                    "machine": f"{platform.machine()}, Python {platform.python_version()}",
                }
            )
        )


if __name__ == "__main__":
    main()
