"""What GREEN's model writes about each pair of texts, by the package green-score; reading it is for others.

The package's own parser gives 0 for silence and 1 for a missing section, so only the replies are taken. They
are matched to the pairs by both texts, because the package may gather them in another order.
"""

# pyright: reportMissingImports=false

from __future__ import annotations

import sys
from typing import Any

from serving import Pair, device, fingerprint, hub_files, open_pipe, serve

MODEL = "StanfordAIMI/GREEN-radllama2-7b"


class Reader:
    """The package's scorer."""

    def __init__(self, scorer: Any):
        self.scorer = scorer

    def read(self, pairs: list[Pair]) -> list[dict[str, str]]:
        """The reply to each pair."""
        references, hypotheses = ([pair[side] for pair in pairs] for side in ("reference", "hypothesis"))
        *_, table = self.scorer(references, hypotheses)
        replies = {
            (row["reference"], row["predictions"]): str(row["green_analysis"])
            for row in table.to_dict("records")
        }
        return [{"reply": replies[pair["reference"], pair["hypothesis"]]} for pair in pairs]


def main() -> None:
    """Serve until the input ends."""
    pipe = open_pipe()
    from importlib.metadata import version

    from green_score.green import GREEN  # pyright: ignore[reportMissingImports]

    reader = Reader(GREEN(MODEL, output_dir=".", cpu=device() == "cpu", compute_summary_stats=False))
    about = {"backend": "green", "version": f"green-score {version('green-score')}"}
    serve(
        {**about, "weights": fingerprint(hub_files(MODEL)), "settings": {"model": MODEL}}, reader.read, pipe
    )


if __name__ == "__main__":
    sys.exit(main())
