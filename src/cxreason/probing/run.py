"""`cxreason probe`: change something before a model answers, and keep what it says then.

    follow              what the findings of its trace lead to, by rules; no model is asked
    flip, kept          it goes on from its trace with the decisive finding turned around; and from the same
                        place without the edit, to tell what comes of going on alone
    early-0 ... early-75   it has to answer after so many hundredths of its trace
    alone               it goes on from the last finding of its trace, and sees grey instead of the image
    blank, swapped      it is asked anew with grey, or with the images of another patient
    order               it is asked anew with the options from the last to the first

What is probed are the greedy replies of a `predict` run, with that run's model and settings. What it comes to
is for `cxreason score` (`probes: [...]`), which needs no model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from cxreason.answers import DIALECTS
from cxreason.answers.conversation import conversation
from cxreason.errors import UserError
from cxreason.evaluation.case_files import choose_cases
from cxreason.imaging.read import read_image
from cxreason.inference.engines import Ask, Picture, Replied, open_engine
from cxreason.inference.predict import GREY, prediction_of, shown_samples
from cxreason.probing import edits
from cxreason.recipes import PredictRecipe, ProbeRecipe, validate
from cxreason.records import Prediction, Sample, content_id
from cxreason.runs import Run, read

EARLY = tuple(f"early-{round(100 * share)}" for share in edits.SHARES)
KINDS = {
    "follow": ("follow",),
    "flip": ("flip", "kept"),
    "early": EARLY,
    "alone": ("alone",),
    "blank": ("blank",),
    "swapped": ("swapped",),
    "order": ("order",),
}
"""Probe as recipes name it -> what is kept of it."""


@dataclass(frozen=True)
class Probed:
    """One sample under one probe: how it is asked, and what turns the reply into an answer to the sample."""

    kind: str
    sample: Sample
    said: Prediction
    images: tuple[Path, ...]
    grey: bool = False
    prefix: str = ""
    options: tuple[str, ...] | None = None
    """In the order in which they are listed, where it is another than the sample's."""
    meaning: dict[str, str] = field(default_factory=dict)
    """Letter of the answer -> the letter it has in the sample; empty where they are the same."""
    leads_to: str = ""
    """The answer that an edited trace leads to, where it leads to one."""

    @property
    def id(self) -> str:
        return id_of(self.said, self.kind)

    def ask(self, dialect: str) -> Ask:
        """The question as the model is asked it. Made when it is needed: pictures in grey take memory."""
        shown = self.sample if self.options is None else replace(self.sample, options=self.options)
        pictures: list[Picture] = list(self.images)
        if self.grey:
            pictures = [np.full_like(read_image(path), GREY) for path in self.images]
        chat = conversation(shown, dialect=dialect, mode="reasoning")
        return Ask(shown, chat, pictures, prefix=self.prefix)


def id_of(said: Prediction, kind: str) -> str:
    """The id of what a model says under a probe."""
    return content_id(said.id, "probe", kind)


def probe(recipe: ProbeRecipe, *, limit: int | None = None, dry_run: bool = False) -> dict[str, Any]:
    """Probe the replies of a `predict` run; run again to continue."""
    asked = recipe_of(recipe)
    pairs = _pairs(recipe, asked, limit)
    if dry_run:
        return {"num_samples": len(pairs), "probes": list(recipe.probes), "model": asked.model or asked.name}
    given_up: Counter[str] = Counter()
    with Run.open(recipe.out, verb="probe", recipe=recipe, record=Prediction, limit=limit) as run:
        if run.finished:
            return run.counts
        if "follow" in recipe.probes:
            for sample, said in pairs:
                one = _follow(sample, said)
                if one.id not in run.done:
                    run.append(one)
        todo = [one for one in _all(recipe, asked, pairs, given_up) if one.id not in run.done]
        if todo:
            _ask(run, asked, todo)
        owed = sum(one.id not in run.done for one in todo)
        if owed:
            raise UserError(f"{recipe.out}: {owed} calls failed. Run the same command again to ask again.")
        return run.finish(num_samples=len(pairs), given_up=dict(given_up), model=asked.name)


def recipe_of(recipe: ProbeRecipe) -> PredictRecipe:
    """The settings of the predictions that are probed; UserError where they cannot be."""
    file = recipe.predictions / "recipe.yaml"
    if not file.exists():
        raise UserError(f"{recipe.predictions}: is no run of `cxreason predict`.")
    told = yaml.safe_load(file.read_text(encoding="utf-8"))
    changes = {"out": recipe.out, **({"model": recipe.model} if recipe.model else {})}
    asked = validate(PredictRecipe, {**told, **changes}, file)
    problems = {
        "was read from a file; a probe has to ask the model": asked.engine == "file",
        "has no reasoning; probe a run with mode=reasoning": asked.mode != "reasoning",
        "was drawn; probe a run with temperature=0": asked.temperature > 0,
        "was shown another image already": asked.image != "as_is",
        "answers before it reasons, so nothing hangs on its traces": asked.dialect == "think-answer-first",
    }
    for problem, is_so in problems.items():
        if is_so:
            raise UserError(f"{recipe.predictions}: {problem}.")
    return asked


def _pairs(recipe: ProbeRecipe, asked: PredictRecipe, limit: int | None) -> list[tuple[Sample, Prediction]]:
    """The samples that are probed, the tasks in turn, with what the model said; unread replies are left."""
    said = {one.sample_id: one for one in read(recipe.predictions, Prediction) if not one.problem}
    samples = [one for one in read(asked.samples, Sample) if one.id in said]
    if not samples:
        raise UserError(f"{recipe.predictions}: holds no reply with a readable answer to probe.")
    chosen = choose_cases(samples, min(recipe.most, limit or recipe.most))
    return [(one, said[one.id]) for one in chosen]


def _follow(sample: Sample, said: Prediction) -> Prediction:
    answer, problem = edits.leads_to(said.reasoning, sample)
    return replace(
        said, id=id_of(said, "follow"), probe="follow", answer=answer, problem=problem, text=said.reasoning
    )


def _all(
    recipe: ProbeRecipe,
    asked: PredictRecipe,
    pairs: list[tuple[Sample, Prediction]],
    given_up: Counter[str],
) -> Iterator[Probed]:
    """Everything that the model is asked, one probe after the other."""
    for probe in recipe.probes:
        if probe == "follow":
            continue
        others: dict[str, Sample] = {}
        if probe == "swapped":
            samples = [one for one in read(asked.samples, Sample) if one.split == asked.split]
            others = shown_samples(samples, asked.model_copy(update={"image": "swapped"}))
        for sample, said in pairs:
            made = _of_sample(probe, asked, sample, said, others)
            if isinstance(made, str):
                given_up[f"{probe}: {made}"] += 1
            else:
                yield from made


def _of_sample(
    probe: str, asked: PredictRecipe, sample: Sample, said: Prediction, others: dict[str, Sample]
) -> list[Probed] | str:
    dialect = DIALECTS[asked.dialect]
    told: dict[str, Any] = {"sample": sample, "said": said}
    told["images"] = tuple(asked.samples / image for image in sample.images)
    if probe == "flip":
        made = edits.flipped(said.reasoning, sample, said.answer)
        if isinstance(made, str):
            return made
        edited = dialect.opening(made.edited, answering=False)
        return [
            Probed("flip", **told, prefix=edited, leads_to=made.leads_to),
            Probed("kept", **told, prefix=dialect.opening(made.kept, answering=False)),
        ]
    if probe == "early":
        begun = zip(EARLY, edits.beginnings(said.reasoning), strict=True)
        return [Probed(kind, **told, prefix=dialect.opening(start, answering=True)) for kind, start in begun]
    if probe == "order":
        if sample.kind != "choice":
            return "there are no options to turn around"
        options, meaning = edits.turned_options(sample)
        return [Probed("order", **told, options=options, meaning=meaning)]
    if not sample.images:
        return "there is no image to take away"
    if probe == "swapped":
        shown = tuple(asked.samples / image for image in others[sample.id].images)
        return [Probed("swapped", **{**told, "images": shown})]
    prefix = ""
    if probe == "alone":
        findings = edits.findings_of(said.reasoning)
        if not findings:
            return "the trace states nothing"
        prefix = dialect.opening(findings, answering=False)
    return [Probed(probe, **told, grey=True, prefix=prefix)]


def _ask(run: Run, asked: PredictRecipe, todo: list[Probed]) -> None:
    """Ask everything; replies come in the order of the questions."""
    with open_engine(asked) as engine:
        replies: Iterable[Replied] = engine.reply(one.ask(asked.dialect) for one in todo)
        told = run.progress(zip(todo, replies, strict=True), f"probing {asked.name}", len(todo))
        for one, replied in told:
            if replied.problem:
                run.fail(one.id, replied.problem)
            else:
                rows = [*_led(one), _kept(asked, one, replied)]
                run.append([row for row in rows if row.id not in run.done])


def _led(one: Probed) -> Iterator[Prediction]:
    """What an edited trace leads to by rules, kept as if somebody had said it."""
    if one.leads_to:
        told = {"answer": one.leads_to, "text": one.prefix, "problem": "", "probe": "flip-leads"}
        yield replace(one.said, id=id_of(one.said, "flip-leads"), **told)


def _kept(asked: PredictRecipe, one: Probed, replied: Replied) -> Prediction:
    (reply,) = replied.replies
    whole = replace(reply, text=one.prefix + reply.text)
    understood = prediction_of(asked, replied.ask.sample, whole, 0)
    answer = one.meaning.get(understood.answer, understood.answer)
    return replace(understood, id=one.id, answer=answer, probe=one.kind)
