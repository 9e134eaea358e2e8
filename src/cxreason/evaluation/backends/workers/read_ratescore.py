"""RaTEScore's entities of both texts with the cosines of all pairs, by the package RaTEScore.

The package drops texts without a sentence from its list and pairs up what is left, so all later pairs are
wrong; it gives 0.5 where a text has no entity; and it takes a GPU for granted. Here each text is read alone,
and what the entities are worth is for others to say.
"""

# pyright: reportMissingImports=false

from __future__ import annotations

import sys
from typing import Any

from serving import Pair, device, fingerprint, hub_files, open_pipe, serve

NER, EMBEDDING = "Angelakeke/RaTE-NER-Deberta", "FremyCompany/BioLORD-2023-C"
MOST_KNOWN = 50_000


class Reader:
    """The package's models, with its own functions for entities and their vectors."""

    def __init__(self, scorer: Any, run_ner: Any, embed: Any):
        self.scorer, self.run_ner, self.embed = scorer, run_ner, embed
        self.known: dict[str, tuple[Any, list[str]]] = {}

    def read(self, pairs: list[Pair]) -> list[dict[str, Any]]:
        """The types of both texts' entities, and a row of cosines for each of the reference's."""
        return [
            self._pair(self._entities(one["reference"]), self._entities(one["hypothesis"])) for one in pairs
        ]

    def _entities(self, text: str) -> tuple[Any, list[str]]:
        if text not in self.known:
            if len(self.known) > MOST_KNOWN:
                self.known.clear()
            scorer = self.scorer
            named = self.run_ner(
                [text], scorer.idx2label, scorer.tokenizer, scorer.model, scorer.device, scorer.batch_size
            )
            # One list for each text that has a sentence: none, where it has none.
            entities = named[0] if named else []
            vectors, types = self.embed(entities, scorer.eval_tokenizer, scorer.eval_model, scorer.device)
            self.known[text] = (vectors, list(types))
        return self.known[text]

    def _pair(self, true: tuple[Any, list[str]], said: tuple[Any, list[str]]) -> dict[str, Any]:
        from torch.nn.functional import normalize  # pyright: ignore[reportMissingImports]

        found = {"reference": true[1], "hypothesis": said[1], "cosines": []}
        if true[1] and said[1]:
            cosines = normalize(true[0].float(), dim=1) @ normalize(said[0].float(), dim=1).T
            found["cosines"] = cosines.tolist()
        return found


def main() -> None:
    """Serve until the input ends."""
    pipe = open_pipe()
    from importlib.metadata import version

    from RaTEScore import RaTEScore  # pyright: ignore[reportMissingImports]
    from RaTEScore.score import process_embedding, run_ner  # pyright: ignore[reportMissingImports]

    scorer = RaTEScore(bert_model=NER, eval_model=EMBEDDING, batch_size=32, use_gpu=device() == "cuda")
    reader = Reader(scorer, run_ner, process_embedding)
    weights = fingerprint(hub_files(NER) + hub_files(EMBEDDING))
    about = {"backend": "ratescore", "version": f"RaTEScore {version('RaTEScore')}"}
    serve({**about, "weights": weights, "settings": {"ner": NER, "embedding": EMBEDDING}}, reader.read, pipe)


if __name__ == "__main__":
    sys.exit(main())
