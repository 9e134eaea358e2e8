"""RadGraph's graphs of each text, by the package radgraph: XL for the F1 variants, the original for RadCliQ.

The package answers by position, leaves a graph out where it thinks a text empty, and prints to stdout; so
texts go in one list without empty ones and come back by their number. Equal texts are read once.
"""

# pyright: reportMissingImports=false

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from serving import Pair, fingerprint, open_pipe, serve

MODELS = {"xl": "radgraph-xl", "original": "radgraph"}
NOTHING: dict[str, Any] = {"entities": {}}


class Reader:
    """Both models, and the graphs of the texts that they read last."""

    def __init__(self, make: Any):
        self.models = {name: make(model_type=model) for name, model in MODELS.items()}
        self.known: dict[tuple[str, str], dict[str, Any]] = {}

    def read(self, pairs: list[Pair]) -> list[dict[str, Any]]:
        """For each pair and model the graphs of both texts."""
        texts = [pair[side] for pair in pairs for side in ("reference", "hypothesis")]
        for name in self.models:
            self._learn(name, texts)
        return [
            {
                name: {side: self._graph(name, pair[side]) for side in ("reference", "hypothesis")}
                for name in self.models
            }
            for pair in pairs
        ]

    def _learn(self, name: str, texts: list[str]) -> None:
        new = [text for text in dict.fromkeys(texts) if text.strip() and (name, text) not in self.known]
        if not new:
            return
        if len(self.known) > 50_000:
            self.known.clear()
        graphs = self.models[name](new)
        if len(graphs) != len(new):
            raise ValueError(f"{len(graphs)} graphs for {len(new)} texts")
        for number, text in enumerate(new):
            entities = graphs[str(number)]["entities"]
            self.known[name, text] = {
                "entities": {
                    key: {field: one[field] for field in ("tokens", "label", "relations")}
                    for key, one in entities.items()
                }
            }

    def _graph(self, name: str, text: str) -> dict[str, Any]:
        return self.known.get((name, text), NOTHING)


def weight_files() -> list[Path]:
    """Where the package has unpacked its models."""
    from radgraph.radgraph import CACHE_DIR  # pyright: ignore[reportMissingImports]

    return [Path(CACHE_DIR) / model / "weights.th" for model in MODELS.values()]


def main() -> None:
    """Serve until the input ends."""
    pipe = open_pipe()
    from importlib.metadata import version

    from radgraph import RadGraph  # pyright: ignore[reportMissingImports, reportAttributeAccessIssue]

    reader = Reader(RadGraph)
    about = {"backend": "radgraph", "version": f"radgraph {version('radgraph')}"}
    serve({**about, "weights": fingerprint(weight_files()), "settings": MODELS}, reader.read, pipe)


if __name__ == "__main__":
    sys.exit(main())
