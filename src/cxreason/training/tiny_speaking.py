"""The tiny base model learns to speak: to say what is there and what is not, to compare, choose and point.

Each example is a conversation of several turns about one examination, as general vision-language models are
taught: the image is read once and asked about often, so that most tokens teach something.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator, Sequence
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

from cxreason.answers import DIALECTS
from cxreason.answers.conversation import SYSTEM_PROMPT
from cxreason.mining.rules import ZONES, Evidence, Step, gather, phrase_or_none, tell
from cxreason.progress import progress
from cxreason.records import Mode, Study
from cxreason.text import observe
from cxreason.text.ontology import NO_FINDING, main_finding
from cxreason.training.tiny_drills import Lesson, Turn

if TYPE_CHECKING:
    import torch

Segment = tuple[str, bool]
"""A piece of a rendered conversation, and whether the loss is taken on it."""


def lesson(study: Study, prior: Study | None, draw: random.Random) -> tuple[list[Study], list[Turn]]:
    """A conversation about one study, or about a study and its prior: what is shown, and the turns.

    What needs the image most comes first; later turns may lean on what was said before.
    """
    if prior is not None and draw.random() < 0.6:
        turns = [_compare(study, prior, finding) for finding in sorted(study.changes)]
        draw.shuffle(turns)
        return [prior, study], turns or [_describe(study)]
    names = [name for name in study.labels if name != NO_FINDING]
    there = [name for name in names if study.labels[name]]
    first = {*draw.sample(there, min(2, len(there))), *draw.sample(names, draw.choice((2, 3, 8)))}
    rest = [name for name in names if name not in first]
    turns = [_look(study, sorted(first), draw)]
    if rest and draw.random() < 0.5:
        turns.append(_look(study, rest, draw))
    choice = _choose(study, draw) if draw.random() < 0.4 else None
    if choice:
        turns.append(choice)
    if draw.random() < 0.15:
        turns.append(_describe(study))
    return [study], turns


def roll_call(study: Study, prior: Study | None, draw: random.Random) -> tuple[list[Study], list[Turn]]:
    """A conversation about one study in which findings are called by name and answered one by one.

    Half of those called are there, where that many are, so that each answer hangs on the name and the image.
    With a prior the conversation is sometimes about what changed, as in `lesson`.
    """
    if prior is not None and draw.random() < 0.4:
        return lesson(study, prior, draw)
    names = [name for name in study.labels if name != NO_FINDING]
    there = [name for name in names if study.labels[name]]
    gone = [name for name in names if not study.labels[name]]
    turns = []
    for _ in range(2):
        called = draw.sample(there, min(3, len(there)))
        called += draw.sample(gone, min(max(2, len(called)), len(gone)))
        turns.append(_call(study, draw.sample(called, len(called)), draw))
    for _ in range(4):
        turns.append(_ask(study, draw.choice(there if there and draw.random() < 0.5 else gone), draw))
    draw.shuffle(turns)
    return [study], turns


CALLS = ("Take {} in turn.", "Go through {}.", "One by one: {}.", "Say of each: {}.")
ASKED = ("What about {}?", "Tell of {}.", "How is it with {}?", "Look at the image for {}.", "{}, yes or no?")
REPLIED = ("", "This is about {}. ", "Of {}: ", "The word is {}. ", "{} is asked for. ", "To look for: {}. ")


def _call(study: Study, names: Sequence[str], draw: random.Random) -> Turn:
    evidence = gather([Step(name, "") for name in names], study.report)
    replies = [f"{name}? {_evidence_and_verdict(study, name, evidence, draw)}" for name in names]
    return draw.choice(CALLS).format(", ".join(names)), " ".join(replies)


def _ask(study: Study, name: str, draw: random.Random) -> Turn:
    evidence = gather([Step(name, "")], study.report)
    reply = draw.choice(REPLIED).format(name) + _evidence_and_verdict(study, name, evidence, draw)
    return draw.choice(ASKED).format(name), reply


def _evidence_and_verdict(study: Study, name: str, evidence: dict[str, Evidence], draw: random.Random) -> str:
    return f"{' '.join(tell([name], evidence, draw))} {'Yes' if study.labels[name] else 'No'}."


def _describe(study: Study) -> Turn:
    return "Describe this chest X-ray.", study.findings


def _look(study: Study, names: Sequence[str], draw: random.Random) -> Turn:
    """Some findings, seen or not, in the words that mining uses: each word depends on the image."""
    order = draw.sample(names, len(names))
    evidence = gather([Step(name, "") for name in order], study.report)
    return f"Look for {', '.join(order)}.", " ".join(tell(order, evidence, draw))


def _choose(study: Study, draw: random.Random) -> Turn | None:
    """A choice about the side, size or zone of a finding, with a thought before it or without.

    It teaches tags and to answer what was just said, and asks nothing that the benchmark asks.
    """
    seen = [item for item in observe(study.findings) if item.status == "present"]
    kinds = []
    for item in seen:
        finding = main_finding(item.finding)
        if not finding:
            continue
        zone = next((word for word in ZONES if word in item.location), "")
        kinds += [
            (f"On which side is the {finding}?", finding, item.side, ["left", "right", "both"]),
            (f"How severe is the {finding}?", finding, item.severity, ["mild", "moderate", "severe"]),
            (f"In which zone is the {finding}?", finding, zone, list(ZONES)),
        ]
    kinds = [kind for kind in kinds if kind[2] in kind[3]]
    if not kinds:
        return None
    question, finding, answer, options = draw.choice(kinds)
    draw.shuffle(options)
    letter = ascii_uppercase[options.index(answer)]
    mode: Mode = draw.choice(("reasoning", "direct"))
    evidence = gather([Step(finding, "")], study.report)
    thought = f"{tell([finding], evidence, draw)[0]} So the answer is {letter}, {answer}."
    dialect = DIALECTS["think"]
    return dialect.prompt(question, options, mode), dialect.target(letter, mode, thought)


def _compare(study: Study, prior: Study, finding: str) -> Turn:
    steps = [Step(finding, "")]
    before, now = gather(steps, prior.report)[finding], gather(steps, study.report)[finding]
    said = f"First {phrase_or_none(before)}, now {phrase_or_none(now)}: {study.changes[finding]}."
    return f"How has the {finding} changed?", said


def render(num_images: int, turns: Sequence[Turn], num_marks: int) -> list[Segment]:
    """A conversation in the form of the chat template, with `num_marks` image tokens for each image."""
    image = f"<|vision_start|>{'<|image_pad|>' * num_marks}<|vision_end|>"
    segments: list[Segment] = [(f"<|im_start|>system\n{SYSTEM_PROMPT}<|im_end|>\n", False)]
    for number, (question, reply) in enumerate(turns):
        shown = image * num_images if number == 0 else ""
        segments.append((f"<|im_start|>user\n{shown}{question}<|im_end|>\n<|im_start|>assistant\n", False))
        segments.append((f"{reply}<|im_end|>\n", True))
    return segments


def draw_batches(
    make: Callable[[Study, Study | None, random.Random], tuple[list[Study], list[Turn]]],
    studies: Sequence[Study],
    batch_size: int,
    draw: random.Random,
) -> Iterator[list[Lesson]]:
    """Batches of lessons that `make` gives, without end; four batches are drawn together, and share out
    their lessons by length."""
    row_of = {study.id: number for number, study in enumerate(studies)}
    while True:
        lessons: list[Lesson] = []
        while len(lessons) < 4 * batch_size:
            study = draw.choice(studies)
            if study.labels[NO_FINDING] and draw.random() < 0.6:
                continue  # a normal image teaches what is said, and little of what is seen
            prior = studies[row_of[study.prior_id]] if study.prior_id else None
            shown, turns = make(study, prior, draw)
            lessons.append(([row_of[item.id] for item in shown], turns))
        lessons.sort(key=lambda one: sum(len(text) for turn in one[1] for text in turn))
        batches = [lessons[at : at + batch_size] for at in range(0, len(lessons), batch_size)]
        draw.shuffle(batches)
        yield from batches


def make_batch(lessons: Sequence[Lesson], pixels: torch.Tensor, tokenizer: Any) -> dict[str, Any]:
    """Model inputs of several conversations; `lessons` names the shown images by their row in `pixels`."""
    import torch

    num_marks, side = pixels.shape[1] // 4, int(pixels.shape[1] ** 0.5)
    rows, labels = [], []
    for shown, turns in lessons:
        ids: list[int] = []
        target: list[int] = []
        for text, learned in render(len(shown), turns, num_marks):
            piece = tokenizer(text, add_special_tokens=False)["input_ids"]
            ids += piece
            target += piece if learned else [-100] * len(piece)
        rows.append(torch.tensor(ids))
        labels.append(torch.tensor(target))
    pad = torch.nn.utils.rnn.pad_sequence
    input_ids = pad(rows, batch_first=True, padding_value=tokenizer.pad_token_id)
    images = [row for shown, _ in lessons for row in shown]
    image_token = tokenizer.convert_tokens_to_ids("<|image_pad|>")
    shown_images = {
        "pixel_values": pixels[images].float().flatten(0, 1),
        "image_grid_thw": torch.tensor([[1, side, side]] * len(images)),
    }
    return {
        **(shown_images if images else {}),
        "input_ids": input_ids,
        "labels": pad(labels, batch_first=True, padding_value=-100),
        "attention_mask": pad([torch.ones_like(row) for row in rows], batch_first=True),
        "mm_token_type_ids": (input_ids == image_token).long(),
    }


def train_language(
    model: Any, batches: Iterator[dict[str, torch.Tensor]], settings: dict[str, Any], what: str
) -> float:
    """Teach the language half; of the tower only the last layer moves. Returns the last loss."""
    import torch

    model.model.visual.requires_grad_(False)
    model.model.visual.merger.requires_grad_(True)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    steps, rate = settings["steps"], settings["learning_rate"]
    optimizer = torch.optim.AdamW(parameters, lr=rate, betas=(0.9, 0.95), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.05)
    model.train()
    loss = torch.zeros(())
    for step, batch in zip(progress(steps, what), batches, strict=False):
        loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % 20 < 3:
            logging.info("%s step %d: loss %.4f", what, step, loss.item())
    return loss.item()


def take_turns(first: Iterator[Any], second: Iterator[Any]) -> Iterator[Any]:
    """One from the first, one from the second, and so on.

    >>> from itertools import islice, repeat
    >>> list(islice(take_turns(repeat("a"), repeat("b")), 4))
    ['a', 'b', 'a', 'b']
    """
    while True:
        yield next(first)
        yield next(second)
