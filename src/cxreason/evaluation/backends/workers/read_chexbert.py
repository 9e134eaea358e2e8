"""CheXbert's fourteen labels of each text, and the cosine of what its BERT makes of both (SembScore).

The model is BERT-base with a linear head for each label on the raw last-layer [CLS]; 13 have four classes
(blank, positive, negative, uncertain), "No Finding" has two. Keys of the checkpoint begin with `module.`.
"""

# pyright: reportMissingImports=false

from __future__ import annotations

import sys
from typing import Any

from serving import Pair, device, fingerprint, hub_files, open_pipe, serve

REPOSITORY, FILE, BASE = "StanfordAIMI/RRG_scorers", "chexbert.pth", "google-bert/bert-base-uncased"
CLASSES = (4,) * 13 + (2,)
LONGEST = 512


class Reader:
    """The labeller."""

    def __init__(self, state: dict[str, Any], config: Any, tokenizer: Any):
        import torch  # pyright: ignore[reportMissingImports]
        from transformers import BertModel  # pyright: ignore[reportMissingImports]

        self.tokenizer = tokenizer
        self.bert = BertModel(config)
        self.heads = torch.nn.ModuleList(torch.nn.Linear(config.hidden_size, size) for size in CLASSES)
        own = {name.removeprefix("module."): value for name, value in state.items()}
        bert = {name.removeprefix("bert."): value for name, value in own.items() if name.startswith("bert.")}
        heads = {
            name.removeprefix("linear_heads."): value
            for name, value in own.items()
            if name.startswith("linear_heads.")
        }
        # Old checkpoints hold the positions as a buffer, which newer models make themselves.
        bert.pop("embeddings.position_ids", None)
        self.bert.load_state_dict(bert)
        self.heads.load_state_dict(heads)
        self.bert, self.heads = self.bert.eval().to(device()), self.heads.eval().to(device())

    def read(self, pairs: list[Pair]) -> list[dict[str, Any]]:
        """Labels of both texts of each pair, and the cosine of their vectors."""
        texts = sorted({_plain(pair[side]) for pair in pairs for side in ("reference", "hypothesis")})
        found = dict(zip(texts, self.label(texts), strict=True))
        return [self._pair(found, _plain(pair["reference"]), _plain(pair["hypothesis"])) for pair in pairs]

    def _pair(self, found: dict[str, Any], true: str, said: str) -> dict[str, Any]:
        (one, first), (other, second) = found[true], found[said]
        return {"reference": first, "hypothesis": second if said else [0] * 14, "cosine": float(one @ other)}

    def label(self, texts: list[str]) -> list[tuple[Any, list[int]]]:
        """For each text its vector of unit length and its fourteen classes."""
        import torch  # pyright: ignore[reportMissingImports]

        inputs = self.tokenizer(
            texts, padding=True, truncation=True, max_length=LONGEST, return_tensors="pt"
        ).to(self.bert.device)
        with torch.no_grad():
            states = self.bert(
                inputs["input_ids"], attention_mask=inputs["attention_mask"]
            ).last_hidden_state[:, 0]
            classes = [head(states).argmax(dim=1).tolist() for head in self.heads]
        vectors = torch.nn.functional.normalize(states.double(), dim=1).cpu()
        return list(zip(vectors, map(list, zip(*classes, strict=True)), strict=True))


def _plain(text: str) -> str:
    return " ".join(text.split())


def main() -> None:
    """Serve until the input ends."""
    pipe = open_pipe()
    import torch  # pyright: ignore[reportMissingImports]
    import transformers  # pyright: ignore[reportMissingImports]
    from huggingface_hub import hf_hub_download  # pyright: ignore[reportMissingImports]

    file = hf_hub_download(REPOSITORY, FILE)
    state = torch.load(file, map_location="cpu", weights_only=True)["model_state_dict"]
    config = transformers.AutoConfig.from_pretrained(BASE)
    reader = Reader(state, config, transformers.AutoTokenizer.from_pretrained(BASE))
    weights = fingerprint([one for one in hub_files(REPOSITORY) if one.name == FILE])
    about = {"backend": "chexbert", "version": f"transformers {transformers.__version__}"}
    serve({**about, "weights": weights, "settings": {"checkpoint": FILE}}, reader.read, pipe)


if __name__ == "__main__":
    sys.exit(main())
