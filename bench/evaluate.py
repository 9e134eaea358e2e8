"""How long scoring takes, each figure against its limit, beside reference implementations in the same run.

Figures are seconds of one core (process time), so that a busy machine does not change what they say.
Texts are reports of phantoms; a reply is another phantom's report with some sentences of the true one. Closed
questions are as many as the largest published set has: 40,858, of five tasks and four sources.

.venv/bin/python bench/evaluate.py                             every figure
.venv/bin/python bench/evaluate.py choice report radrscore tests    only those that are named
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from cxreason.evaluation.asked import read_asked
from cxreason.evaluation.item_scores import score_item
from cxreason.evaluation.overlap import bleu2_rexrank, bleu4_parts, bleu_corpus, rouge_l
from cxreason.evaluation.radrscore import facts_of, score_traces
from cxreason.evaluation.statistics import bootstrap, randomisation
from cxreason.evaluation.summary import summarise
from cxreason.phantom.study import record
from cxreason.phantom.visit import DEEP
from cxreason.phantom.world import draw_visit
from cxreason.recipes import ScoreRecipe
from cxreason.records import Prediction, Sample, Score
from cxreason.rows import write_groups, write_records
from cxreason.text.sections import sentences

MACHINE = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
NUM_CHOICES, NUM_REPORTS, NUM_REASONED = 40_858, 10_000, 1_608
TASKS, SOURCES = ("binary", "single", "multiple", "anomaly", "temporal"), ("a", "b", "c", "d")
NUM_PEER = 400
"""Reports that the slow references read."""


def say(what: str, figure: float, **more: Any) -> None:
    """One line of the result."""
    rounded = {key: round(one, 9) if isinstance(one, float) else one for key, one in more.items()}
    print(json.dumps({"what": what, "figure": round(figure, 4), **rounded, "machine": MACHINE}), flush=True)


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """How long something takes, and what comes of it: seconds of one core, whatever else the machine does."""
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def sample(number: int, kind: str, answer: str, **fields: Any) -> Sample:
    """One question; about every third patient is asked more than once."""
    return Sample(
        id=f"s{number}",
        dataset=SOURCES[number % 4],
        task=TASKS[number % 5],
        kind=kind,
        patient_id=f"p{number * 2 // 3}",
        study_id=f"t{number}",
        split="test",
        images=(),
        question="?",
        answer=answer,
        **fields,
    )


def said(one: Sample, answer: str, **fields: Any) -> Prediction:
    """A reply that was understood."""
    return Prediction(f"p{one.id}", one.id, "m", "direct", "think", answer, answer=answer, **fields)


def choices() -> None:
    """All closed questions: from files to files, with intervals over patients for every task and for all."""
    random = Random(1)
    asked = [
        sample(number, "choice", "AB"[number % 2], options=("Yes", "No")) for number in range(NUM_CHOICES)
    ]
    other = {"A": "B", "B": "A"}
    told = [said(one, one.answer if random.random() < 0.7 else other[one.answer]) for one in asked]
    with tempfile.TemporaryDirectory() as folder:
        for name, record, rows in (("samples", Sample, asked), ("predictions", Prediction, told)):
            (Path(folder) / name).mkdir()
            write_records(Path(folder) / name / f"{name}.parquet", record, rows)
        recipe = ScoreRecipe(
            out=Path(folder), predictions=(Path(folder) / "predictions",), samples=Path(folder) / "samples"
        )

        def score() -> tuple[list[Score], dict[str, Any]]:
            run = read_asked(recipe.predictions[0], {one.id: one for one in asked}, recipe, None)
            rows = [row for pair in run.pairs for row in score_item(*pair, None)]
            summary = summarise(rows, run.predictions, recipe)
            write_groups(Path(folder) / "scores.parquet", Score, iter([rows]))
            return rows, summary

        took, (rows, summary) = seconds(score)
    accuracy = summary["accuracy"]
    assert accuracy["n"] == NUM_CHOICES
    assert len(accuracy["by_task"]) == 5
    say("seconds for 40,858 choice items with 1,000 resamples of patients for every task", took, limit=3.0,
        ratio=3.0 / took, intervals=2 + len(accuracy["by_task"]))  # fmt: skip
    values = [row.value or 0.0 for row in rows]
    ours, _ = seconds(lambda: bootstrap(values, [row.patient_id for row in rows]))
    peer, _ = seconds(lambda: scipy_bootstrap(values))
    say("seconds for one interval of right and wrong, patients drawn", ours, peer=peer, ratio=peer / ours,
        peer_is="scipy.stats.bootstrap, percentile, items drawn")  # fmt: skip
    parts = np.random.default_rng(0).random(NUM_CHOICES).tolist()
    ours, found = seconds(lambda: bootstrap(parts))
    peer, (low, high) = seconds(lambda: scipy_bootstrap(parts))
    say("seconds for one interval of 40,858 shares", ours, peer=peer, ratio=peer / ours,
        peer_is="scipy.stats.bootstrap, percentile",
        difference=max(abs((found.low or 0) - low), abs((found.high or 0) - high)))  # fmt: skip


def scipy_bootstrap(values: list[float]) -> tuple[float, float]:
    """The percentile interval of a mean as scipy makes it, in batches that fit."""
    from scipy.stats import bootstrap as theirs

    found = theirs((np.asarray(values),), np.mean, n_resamples=1000, batch=50, method="percentile", rng=1)
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def texts(number: int) -> list[tuple[str, str]]:
    """(true report, reply): another report with a third of the true one's sentences."""
    drawn = (record(draw_visit(5, place, DEEP)).report for place in range(2 * number))
    reports = list(islice((one for one in drawn if one.count(".") > 1), number))
    random = Random(2)
    pairs = []
    for place, true in enumerate(reports):
        own = [one for _, one in sentences(true)]
        other = [one for _, one in sentences(reports[place - 1])]
        kept = random.sample(own, max(1, len(own) // 3)) + random.sample(other, max(1, len(other) // 2))
        pairs.append((true, " ".join(kept)))
    return pairs


def reports(pairs: list[tuple[str, str]]) -> None:
    """Native report metrics on one core, and the references' BLEU and ROUGE beside ours."""
    asked = [sample(n, "report", true, report=true) for n, (true, _) in enumerate(pairs)]
    told = [said(one, text) for one, (_, text) in zip(asked, pairs, strict=True)]
    facts_of.cache_clear()
    took, rows = seconds(
        lambda: [row for pair in zip(told, asked, strict=True) for row in score_item(*pair, None)]
    )
    metrics = sorted({row.metric for row in rows})
    say("seconds for 10,000 reports through the native report metrics, one core", took, limit=20.0,
        ratio=20.0 / took, metrics=metrics)  # fmt: skip
    few = pairs[:NUM_PEER]
    compare("BLEU-2 of a report", few, bleu2_rexrank, nltk_bleu2, "nltk sentence_bleu, method 1")
    compare("ROUGE-L of a report", few, rouge_l, rouge_score_l(), "rouge_score, Porter stems")
    ours, found = seconds(
        lambda: float(bleu_corpus(np.sum([bleu4_parts(text, true) for true, text in few], axis=0)[None])[0])
    )
    peer, theirs = seconds(lambda: nltk_bleu4(few))
    say(f"milliseconds a report of BLEU-4 of {NUM_PEER}", 1000 * ours / len(few), peer=1000 * peer / len(few),
        ratio=peer / ours, peer_is="nltk corpus_bleu", difference=abs(found - theirs))  # fmt: skip


def compare(what: str, pairs: list, ours: Callable, theirs: Callable, name: str) -> None:
    """One metric of reports beside its reference: speed, and the largest difference."""
    own, found = seconds(lambda: [ours(text, true) for true, text in pairs])
    peer, expected = seconds(lambda: [theirs(text, true) for true, text in pairs])
    gap = max(abs(a - b) for a, b in zip(found, expected, strict=True))
    say(f"milliseconds for {what}", 1000 * own / len(pairs), peer=1000 * peer / len(pairs), ratio=peer / own,
        peer_is=name, difference=gap)  # fmt: skip


def nltk_bleu2(hypothesis: str, reference: str) -> float:
    """BLEU-2 of one report by nltk, with words cut as ReXrank cuts them."""
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    said, true = ([w for w in t.lower().replace(".", " .").split(" ") if w] for t in (hypothesis, reference))
    return float(sentence_bleu([true], said, (0.5, 0.5), SmoothingFunction().method1))  # type: ignore[arg-type]


def nltk_bleu4(pairs: list[tuple[str, str]]) -> float:
    """BLEU-4 of a set by nltk."""
    from nltk.translate.bleu_score import corpus_bleu

    return float(corpus_bleu([[t.lower().split()] for t, _ in pairs], [s.lower().split() for _, s in pairs]))  # type: ignore[arg-type]


def rouge_score_l() -> Callable[[str, str], float]:
    """ROUGE-L by the package rouge_score."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeL"], use_stemmer=True)
    return lambda hypothesis, reference: scorer.score(reference, hypothesis)["rougeL"].fmeasure


def reasoning(pairs: list[tuple[str, str]]) -> None:
    """RadRScore with rules, empty memories."""
    few = pairs[:NUM_REASONED]
    facts_of.cache_clear()
    references = [" ".join(one for _, one in islice(sentences(true), 4)) for true, _ in few]
    took, found = seconds(lambda: score_traces([t for _, t in few], references, [true for true, _ in few]))
    assert len(found) == NUM_REASONED
    say("seconds for RadRScore with rules over 1,608 items", took, limit=2.0, ratio=2.0 / took)


def tests() -> None:
    """The randomisation test beside a plain matrix of signs."""
    random = np.random.default_rng(3)
    for number in (1000, NUM_CHOICES):
        first, second = random.random(number), random.random(number)
        ours, _ = seconds(lambda first=first, second=second: randomisation(first.tolist(), second.tolist()))
        few = 10_000 if number == 1000 else 1000
        peer, _ = seconds(lambda d=first - second, few=few: plain_flips(d, few))
        peer *= 10_000 / few
        say(f"seconds for 10,000 randomisations of {number:,} pairs", ours, peer=peer, ratio=peer / ours,
            peer_is="a matrix of signs in numpy")  # fmt: skip


def plain_flips(differences: np.ndarray, draws: int) -> float:
    """The same test, a row of signs for each draw."""
    random = np.random.default_rng(0)
    least, hits = abs(differences.sum()), 0
    for _ in range(draws // 100):
        signs = random.choice((-1.0, 1.0), (100, differences.size))
        hits += int((np.abs(signs @ differences) >= least).sum())
    return (1 + hits) / (1 + draws)


def main() -> None:
    """Print the figures that were asked for."""
    wanted = set(sys.argv[1:]) or {"choice", "report", "radrscore", "tests"}
    if "choice" in wanted:
        choices()
    if wanted & {"report", "radrscore"}:
        pairs = texts(NUM_REPORTS if "report" in wanted else NUM_REASONED)
        if "report" in wanted:
            reports(pairs)
        if "radrscore" in wanted:
            reasoning(pairs)
    if "tests" in wanted:
        tests()


if __name__ == "__main__":
    main()
