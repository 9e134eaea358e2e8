"""BERTScore's forward pass: raw precision, recall and F of each pair of texts (Zhang et al. 2020).

The package bert-score fails on an empty text beside newer tokenizers and overflows on those without a limit;
it is one forward pass, so it stands here. Tokens of one layer, unit length; [CLS] and [SEP] are matched but
carry no weight; no idf. Equal texts are embedded once in a batch.
"""

# pyright: reportMissingImports=false

from __future__ import annotations

import sys

from serving import Pair, device, fingerprint, hub_files, open_pipe, serve

MODEL, LAYER, LONGEST = "distilbert/distilroberta-base", 5, 512


class Reader:
    """The model, cut off above the layer that is read."""

    def __init__(self, model: str = MODEL, layer: int = LAYER):
        from transformers import AutoModel, AutoTokenizer  # pyright: ignore[reportMissingImports]

        self.tokenizer = AutoTokenizer.from_pretrained(model, add_prefix_space=True)
        self.model = AutoModel.from_pretrained(model).eval().to(device())
        self.model.encoder.layer = self.model.encoder.layer[:layer]

    def read(self, pairs: list[Pair]) -> list[dict[str, float]]:
        """Precision, recall and F of each pair."""
        texts = sorted(
            {" ".join(pair[side].split()) for pair in pairs for side in ("reference", "hypothesis")}
        )
        vectors = dict(zip(texts, self.embed(texts), strict=True))
        return [
            compare(*(vectors[" ".join(pair[side].split())] for side in ("hypothesis", "reference")))
            for pair in pairs
        ]

    def embed(self, texts: list[str]) -> list:
        """For each text its tokens' unit vectors, those of [CLS] and [SEP] first and last."""
        import torch  # pyright: ignore[reportMissingImports]

        inputs = self.tokenizer(
            texts, padding=True, truncation=True, max_length=LONGEST, return_tensors="pt"
        ).to(self.model.device)
        with torch.no_grad():
            states = self.model(**inputs).last_hidden_state
        states = torch.nn.functional.normalize(states.float(), dim=-1).cpu()
        lengths = inputs["attention_mask"].sum(dim=1).tolist()
        return [row[:length] for row, length in zip(states, lengths, strict=True)]


def compare(said, true) -> dict[str, float]:
    """The match of two texts' vectors: each token takes the nearest of the other's, of any kind."""
    cosines = said @ true.T
    precision = float(cosines[1:-1].max(dim=1).values.mean())
    recall = float(cosines[:, 1:-1].max(dim=0).values.mean())
    return {"precision": precision, "recall": recall, "f": 2 * precision * recall / (precision + recall)}


def main() -> None:
    """Serve until the input ends."""
    pipe = open_pipe()
    import transformers  # pyright: ignore[reportMissingImports]

    reader = Reader()
    settings = {"model": MODEL, "layer": LAYER, "idf": False}
    weights = fingerprint(hub_files(MODEL))
    about = {"backend": "bertscore", "version": f"transformers {transformers.__version__}"}
    serve({**about, "weights": weights, "settings": settings}, reader.read, pipe)


if __name__ == "__main__":
    sys.exit(main())
