"""Metrics that need published weights: each backend has an environment of its own and is asked over a pipe.

The packages behind these metrics want versions that no other package bears, so none of them is ever imported
here. A backend's worker only reads: it gives graphs, labels, cosines or a reply, and what that is worth is
counted on this side (`readings.py`), once, with the rules of the house. What a worker found is kept by what
it was asked and by whom, so a text is read once.

    cxreason backends list
    cxreason backends install radgraph
    cxreason score recipes/score.yaml backends=[radgraph]
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Backend:
    """One reader of reports: its packages, its weights, and what is known about them."""

    name: str
    requirements: tuple[str, ...]
    weights: tuple[str, ...]
    """Where the hub has them; they are fetched when the worker first starts."""
    pythons: tuple[str, ...] = ()
    """Interpreters that its packages work with, best first; empty = the one that runs cxreason."""
    pip: tuple[str, ...] = ()
    """Options that pip needs to install them."""
    note: str = ""
    batch: int = 16
    """Pairs of texts that the worker is handed at one time."""
    reads_nothing: bool = False
    """Whether an empty text is for the worker to read; else its score is known without asking."""


BACKENDS: dict[str, Backend] = {
    one.name: one
    for one in (
        Backend(
            "bertscore",
            ("torch>=2.1", "transformers>=4.39,<6", "numpy"),
            ("distilbert/distilroberta-base",),
            batch=64,
        ),
        Backend(
            "radgraph",
            ("radgraph==0.1.18", "transformers>=4.39,<4.45", "torch>=2.1,<2.6", "numpy<2", "huggingface_hub"),
            ("StanfordAIMI/RRG_scorers: radgraph-xl.tar.gz, radgraph.tar.gz", "microsoft/BiomedNLP-*"),
            note="the package fails beside transformers 5; about 6 texts a second on a GPU",
        ),
        Backend(
            "chexbert",
            ("torch>=2.1", "transformers>=4.39,<6", "huggingface_hub", "numpy"),
            ("StanfordAIMI/RRG_scorers: chexbert.pth", "google-bert/bert-base-uncased"),
            note="the original licence of the weights is for research only",
            batch=64,
            reads_nothing=True,
        ),
        Backend(
            "ratescore",
            (
                "RaTEScore==0.6.0",
                "medspacy>=1.3",
                "spacy>=3.8",
                "transformers>=4.39,<4.50",
                "torch",
                "pandas",
            ),
            ("Angelakeke/RaTE-NER-Deberta", "FremyCompany/BioLORD-2023-C"),
            pythons=("python3.12",),
            note="medspaCy needs Python 3.12; its NER was trained on data for non-commercial use",
        ),
        Backend(
            "green",
            ("green-score==0.0.12",),
            ("StanfordAIMI/GREEN-radllama2-7b",),
            pythons=("python3.12",),
            pip=("--ignore-requires-python",),  # it asks for 3.12.1 to the last digit
            note="7 billion parameters: a GPU with 16 GiB; the package pins torch 2.2.2",
            batch=8,
        ),
    )
}
"""Name -> backend, cheapest first."""
