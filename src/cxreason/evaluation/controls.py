"""What stands beside a model's figures: a straight line through pixels, and whoever sees only the question.

A trained model that does not clearly beat `PixelProbe` has learned no more than brightness at places, and one
that does not beat `question_only` has learned to guess. Both learn from the training samples alone, and
`cxreason control` writes their answers as `predict` writes a model's, so that they are scored alike.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from cxreason.answers import DIALECTS, choice, labels, understand
from cxreason.answers import score as score_answer
from cxreason.answers.dialects import letters
from cxreason.errors import UserError
from cxreason.imaging.read import read_image
from cxreason.recipes import ControlRecipe
from cxreason.records import Prediction, Sample, content_id
from cxreason.runs import Run
from cxreason.samples import read_samples
from cxreason.settings import Control
from cxreason.text.ontology import FINDINGS, NO_FINDING

CONTROLS = get_args(Control)
"""What they are called where models have names."""
SIDE = 64
PENALTY = 0.5
"""Of the ridge, as a share of the mean squared length of a picture."""
LEAST_KNOWN = 8
"""With fewer pictures with or without a finding, nothing is learned about it."""
MOST_CANDIDATES, MOST_TRIED = 24, 200


def pixels(path: Path) -> np.ndarray:
    """An image as a row of numbers without its mean and contrast."""
    from PIL import Image

    image = Image.fromarray(read_image(path)).resize((SIDE, SIDE), Image.Resampling.BOX)
    row = np.asarray(image, dtype=np.float64).ravel()
    return (row - row.mean()) / (row.std() or 1.0)


@dataclass(frozen=True)
class _Line:
    """One finding: the weights of a picture, and how its score turns into log odds at even prevalence."""

    weights: np.ndarray
    slope: float
    middle: float
    prior: float
    """Log odds of the finding in the training images."""


class PixelProbe:
    """A ridge regression per finding on 64 x 64 pixels, which answers the questions of RadRBench by rules.

    Scores become log odds on held-out folds of the training images. A course is read off the difference
    between both images, and the open question off the findings above a threshold; both thresholds are those
    that are right most often on training questions. It says nothing about places and writes no report.

        probe = PixelProbe(train, folder)
        answers = probe.answers(test, folder)
    """

    TASKS = ("binary", "single", "multiple", "anomaly", "temporal")

    def __init__(self, train: Sequence[Sample], folder: Path, *, seed: int = 0) -> None:
        asked = [sample for sample in train if sample.task in self.TASKS]
        if not asked:
            raise UserError(
                f"The probe learns from {', '.join(self.TASKS)}; no training sample is of these tasks."
            )
        studies = {sample.study_id: sample for sample in asked}
        self._known: dict[str, np.ndarray] = {}
        first = [_current(sample) for sample in studies.values()]
        rows = np.stack([self._row(folder, image) for image in first])
        self._centre = rows.mean(0)
        rows = rows - self._centre
        gram = rows @ rows.T  # of all findings, as each judges nearly all of the pictures
        self._lines: dict[str, _Line] = {}
        # Folds go by patient: another film of the same chest is no new chest.
        patients = np.array([sample.patient_id for sample in studies.values()])
        for finding in (*FINDINGS, NO_FINDING):
            truth = np.array([sample.labels.get(finding, -1) for sample in studies.values()])
            judged = np.flatnonzero(truth >= 0)
            if min((truth == 1).sum(), (truth == 0).sum()) >= LEAST_KNOWN:
                own = gram[np.ix_(judged, judged)]
                self._lines[finding] = _line(rows[judged], own, truth[judged], patients[judged], seed)
        self._least_change = self._best_change(asked, folder)
        self._least_odds = self._best_odds(asked, folder)

    def answers(self, samples: Iterable[Sample], folder: Path) -> dict[str, str]:
        """Id -> answer, for the samples of the tasks that it can answer."""
        return {sample.id: self._answer(sample, folder) for sample in samples if sample.task in self.TASKS}

    def odds(self, folder: Path, image: str) -> dict[str, float]:
        """Log odds of each finding at even prevalence."""
        row = self._row(folder, image) - self._centre
        return {
            finding: line.slope * (float(row @ line.weights) - line.middle)
            for finding, line in self._lines.items()
        }

    def _row(self, folder: Path, image: str) -> np.ndarray:
        path = str((folder / image).resolve())
        if path not in self._known:
            self._known[path] = pixels(Path(path))
        return self._known[path]

    def _answer(self, sample: Sample, folder: Path) -> str:
        odds = self.odds(folder, _current(sample))
        if sample.task == "temporal":
            return self._course(sample, self._change(sample, folder))
        if sample.task == "anomaly":
            return self._named(odds, self._least_odds)
        if sample.task == "binary":
            return choice.write("Yes" if odds.get(sample.subject, 0.0) > 0 else "No", sample.options)
        # Of sets as of single findings: the option whose findings are together the likeliest.
        worth = [sum(odds.get(name, 0.0) for name in option.split(", ")) for option in sample.options]
        return choice.write(sample.options[int(np.argmax(worth))], sample.options)

    def _change(self, sample: Sample, folder: Path) -> float:
        prior, now = (self.odds(folder, image) for image in (sample.images[0], sample.images[-1]))
        return now.get(sample.subject, 0.0) - prior.get(sample.subject, 0.0)

    def _course(self, sample: Sample, change: float, least: float | None = None) -> str:
        least = self._least_change if least is None else least
        said = "worsening" if change > least else "improving" if change < -least else "stable"
        return choice.write(said, sample.options)

    def _named(self, odds: Mapping[str, float], least: float) -> str:
        found = [
            finding
            for finding in FINDINGS
            if finding in self._lines and odds[finding] + self._lines[finding].prior > least
        ]
        return labels.write(found or NO_FINDING)

    def _best_change(self, asked: Sequence[Sample], folder: Path) -> float:
        known = [(sample, self._change(sample, folder)) for sample in asked if sample.task == "temporal"]
        return _best_threshold(
            [abs(change) for _, change in known],
            lambda least: [self._course(sample, change, least) == sample.answer for sample, change in known],
        )

    def _best_odds(self, asked: Sequence[Sample], folder: Path) -> float:
        known = [
            (sample, self.odds(folder, _current(sample))) for sample in asked if sample.task == "anomaly"
        ]
        return _best_threshold(
            [value for _, odds in known for value in odds.values()],
            lambda least: [
                score_answer(self._named(odds, least), sample.answer, kind="labels") for sample, odds in known
            ],
        )


def _current(sample: Sample) -> str:
    """The image that the labels of a sample belong to: a comparison shows the earlier one first."""
    return sample.images[-1] if sample.task == "temporal" else sample.images[0]


def _best_threshold(values, worth) -> float:
    if not values:
        return 0.0
    tried = np.quantile(values, np.linspace(0.02, 0.98, 25))
    return float(max(tried, key=lambda least: np.mean(worth(least))))


def _line(
    rows: np.ndarray, gram: np.ndarray, truth: np.ndarray, patients: np.ndarray, seed: int, folds: int = 5
) -> _Line:
    """A ridge regression, and a logistic curve through what it says of patients it was not fitted on."""
    names = np.unique(patients)
    fold_of = dict(zip(names, np.random.default_rng(seed).permutation(len(names)) % folds, strict=True))
    fold = np.array([fold_of[name] for name in patients])
    held_out = np.zeros(len(rows))
    for number in range(folds):
        inside, outside = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        held_out[outside] = gram[np.ix_(outside, inside)] @ _ridge(
            gram[np.ix_(inside, inside)], truth[inside]
        )
    slope, middle = _logistic(held_out, truth)
    prior = float(np.log((truth == 1).sum() / (truth == 0).sum()))
    return _Line(rows.T @ _ridge(gram, truth), slope, middle, prior)


def _ridge(gram: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The weight of each picture, in the dual form, as there are fewer pictures than pixels."""
    from scipy.linalg import solve

    damped = gram + PENALTY * np.trace(gram) / len(gram) * np.eye(len(gram))
    return solve(damped, truth - truth.mean(), assume_a="pos")


def _logistic(scores: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Slope and middle of the log odds between two bells of one width, at even prevalence."""
    yes, no = scores[truth == 1], scores[truth == 0]
    spread = (yes.var() * len(yes) + no.var() * len(no)) / len(scores)
    return float((yes.mean() - no.mean()) / max(spread, 1e-12)), float((yes.mean() + no.mean()) / 2)


def control(recipe: ControlRecipe, *, limit: int | None = None, dry_run: bool = False) -> dict[str, Any]:
    """Predictions of a control, in the form of a model's direct answers.

    control(load(ControlRecipe, Path("recipes/phantom/control.yaml")))
    """
    asked = read_samples(recipe.samples, recipe.split, limit)
    if dry_run:
        return {"num_samples": len(asked), "example": asked[0].question}
    with Run.open(recipe.out, verb="control", recipe=recipe, record=Prediction, limit=limit) as run:
        if run.finished:
            return run.counts
        train = read_samples(recipe.train, "train")
        if recipe.what == "probe":
            train = _of_studies(train, recipe.most, recipe.seed)
            answers = PixelProbe(train, recipe.train, seed=recipe.seed).answers(asked, recipe.samples)
        else:
            answers = question_only(train, asked)
        said = [_said(recipe.what, one, answers[one.id]) for one in asked if one.id in answers]
        run.append([row for row in said if row.id not in run.done])
        return run.finish(num_samples=len(said))


def _of_studies(samples: Sequence[Sample], most: int, seed: int) -> list[Sample]:
    """The samples of so many studies: a ridge over more pictures takes memory by their square."""
    studies = sorted({sample.study_id for sample in samples}, key=lambda id: content_id(seed, "probe", id))
    kept = set(studies[:most])
    return [sample for sample in samples if sample.study_id in kept]


def _said(what: str, sample: Sample, answer: str) -> Prediction:
    text = DIALECTS["think"].target(answer, "direct")
    told = understand(text, dialect="think", mode="direct", kind=sample.kind, options=sample.options)
    return Prediction(
        id=content_id(sample.id, what),
        sample_id=sample.id,
        model=what,
        mode="direct",
        dialect="think",
        text=text,
        answer=told.answer,
        problem=told.problem,
    )


def question_only(train: Sequence[Sample], test: Sequence[Sample]) -> dict[str, str]:
    """Id -> the best answer of somebody who sees neither image nor report.

    Of a choice it is the option that is right most often when it is offered, else the constant answer of the
    training samples with the same question that would have earned most there.
    """
    offered: Counter[tuple[str, str]] = Counter()
    right: Counter[tuple[str, str]] = Counter()
    # Of open questions alone; of a task and of a question once, for whole test sets have no two alike.
    alike: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    of_task: dict[str, list[Sample]] = defaultdict(list)
    for sample in train:
        if sample.kind != "choice":
            alike[sample.task, sample.question].append(sample)
            of_task[sample.task].append(sample)
            continue
        for letter, option in zip(letters(sample.options), sample.options, strict=True):
            is_right = letter == sample.answer
            for asked in (_asked(sample), sample.task):
                offered[asked, option] += 1
                right[asked, option] += is_right
    constant = {key: _best_constant(samples) for key, samples in alike.items()}
    fallback = {task: _best_constant(samples) for task, samples in of_task.items()}

    def worth(sample: Sample, option: str) -> float:
        """How often it is right where it is offered; of a question that was seldom asked, in its task."""
        anywhere = (right[sample.task, option] + 0.25) / (offered[sample.task, option] + 1)
        return (right[_asked(sample), option] + anywhere) / (offered[_asked(sample), option] + 1)

    answers = {}
    for sample in test:
        if sample.kind == "choice":
            best = max(sample.options, key=lambda option: worth(sample, option))
            answers[sample.id] = letters(sample.options)[sample.options.index(best)]
        else:
            answers[sample.id] = constant.get((sample.task, sample.question), fallback.get(sample.task, ""))
    return answers


def _asked(sample: Sample) -> str:
    return f"{sample.task}: {sample.question}"


def _best_constant(samples: Sequence[Sample]) -> str:
    common = [answer for answer, _ in Counter(one.answer for one in samples).most_common(MOST_CANDIDATES)]
    tried = samples[:MOST_TRIED]
    return max(
        common,
        key=lambda said: sum(
            score_answer(said, one.answer, kind=one.kind, options=one.options) for one in tried
        ),
    )
