"""The tiny base model learns to speak of what it sees: finding by finding, of two images, and of places.

Each example is a conversation of several turns about one examination, as general vision-language models are
taught: the images are read once and asked about often, so that most tokens teach something. What is said of a
finding begins with its name, as in the chains of mining, and nothing is asked that the benchmark asks.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

from cxreason.answers import boxes
from cxreason.answers.conversation import SYSTEM_PROMPT
from cxreason.mining.rules import Evidence, Step, compare, gather, state
from cxreason.progress import progress
from cxreason.records import Study
from cxreason.tasks.radrbench import COURSES
from cxreason.text.ontology import FINDINGS, implies
from cxreason.training.tiny_drills import Lesson, Segment, Turn, batches_by_length, in_pieces

if TYPE_CHECKING:
    import torch

    from cxreason.training.tiny_seeing import Pictures

CALLS = ("Take {} in turn.", "Go through {}.", "One by one: {}.", "Say of each: {}.", "Look for {}.")
ASKED = ("What about {}?", "Tell of {}.", "How is it with {}?", "Look at the image for {}.")
COURSE = ("How has the {} changed?", "What became of the {}?", "Compare the {}.")
WHERE = ("Where is the {}?", "Point at the {}.", "Mark the {}.")


class Rota:
    """Chooses studies, and findings to call for them, so that every finding is there as often as not.

    Else a small model learns how common each finding is, says that, and never learns to look. Three studies
    in four are drawn for a finding that they have. Of what is commoner there than not, or the reverse, some
    is not called.
    """

    def __init__(self, studies: Sequence[Study], draw: random.Random) -> None:
        self.studies, self.draw = studies, draw
        self.having = {name: [one for one in studies if one.labels.get(name) == 1] for name in FINDINGS}
        self.having = {name: having for name, having in self.having.items() if having}
        self.odds = {name: self._odds(name) for name in FINDINGS}

    def _odds(self, name: str) -> float:
        there = len(self.having.get(name, ())) / len(self.studies)
        beside = [
            sum(one.labels.get(name) == 1 for one in having) / len(having) for having in self.having.values()
        ]
        there = 0.25 * there + 0.75 * sum(beside) / max(1, len(beside))
        return max(there, 0.01) / max(1 - there, 0.01)

    def _calls(self, name: str, status: int) -> bool:
        return self.draw.random() < (1 / self.odds[name] if status else self.odds[name])

    def shares(self, study: Study, status: int) -> dict[str, float]:
        """The findings that a study has, or those that it has not, and how much each should weigh for all
        to be drawn equally often over many studies."""
        known = [name for name in FINDINGS if study.labels.get(name) == status]
        return {name: 1 + (1 / self.odds[name] if status else self.odds[name]) for name in known}

    def study(self) -> Study:
        """The next study to talk about."""
        if self.having and self.draw.random() < 0.75:
            return self.draw.choice(self.having[self.draw.choice(list(self.having))])
        return self.draw.choice(self.studies)

    def findings(self, study: Study) -> list[str]:
        """The findings to call for a study, one to eight, in any order; none is uncertain."""
        known = [name for name in FINDINGS if study.labels.get(name) in (0, 1)]
        called = [name for name in known if self._calls(name, study.labels[name])] or [
            self.draw.choice(known)
        ]
        self.draw.shuffle(called)
        return called[:8]


def lesson(study: Study, prior: Study | None, rota: Rota) -> tuple[list[tuple[str, int]], list[Turn]]:
    """A conversation about one study, or about a study and its prior.

    Returns the images that are shown, each as study id and number, and the turns.
    """
    draw = rota.draw
    if prior is not None and draw.random() < 0.5:
        turns = [_compare(study, prior, finding, draw) for finding in _compared(study, prior, draw)]
        if turns:
            return [(prior.id, 0), (study.id, 0)], turns
    turns = []
    for _ in range(2):
        called = rota.findings(study)
        cut = draw.randint(1, 4)
        turns += [_call(study, part, draw) for part in (called[:cut], called[cut:]) if part]
    there = [name for name in FINDINGS if study.labels.get(name) == 1]
    if there and draw.random() < 0.35:
        turns.append(_point(study, draw.choice(there), draw))
    if draw.random() < 0.2 or not turns:
        turns.append(("Describe this chest X-ray.", study.findings or study.impression))
    draw.shuffle(turns)
    return images_of(study), turns


def glance(study: Study, prior: Study | None, rota: Rota) -> tuple[list[tuple[str, int]], list[Turn]]:
    """An image and which findings are there, half of those that are not among them; nothing is asked, and
    nothing is said of side or size: as many looks at the image as fit into as few tokens."""
    there = [name for name in FINDINGS if study.labels.get(name) == 1]
    gone = [name for name in FINDINGS if study.labels.get(name) == 0 and rota.draw.random() < 0.5]
    named = [Evidence(name, "present" if name in there else "absent") for name in there + gone]
    return images_of(study), [("", _seen(rota.draw.sample(named, len(named))))]


def look(study: Study, prior: Study | None, rota: Rota) -> tuple[list[tuple[str, int]], list[Turn]]:
    """A conversation in which findings are named without being asked for: only what is said of them is
    learnt, so that all of it hangs on the image."""
    names = rota.findings(study)
    evidence = gather([Step(name, "") for name in names], study.report)
    return images_of(study), [("Look at the image.", _seen([evidence[name] for name in names]))]


def _seen(evidence: Sequence[Evidence]) -> list[Segment]:
    """What is seen of some findings; their names are given, and what comes after them is learnt."""
    said: list[Segment] = []
    for number, one in enumerate(evidence):
        verb = " are " if " are " in state(one) else " is "
        named, _, seen = state(one).partition(verb)
        said += [(f"{' ' if number else ''}{named}", False), (verb + seen, True)]
    return said


def images_of(study: Study) -> list[tuple[str, int]]:
    """The images of a study as lessons name them: each as study id and number."""
    return [(study.id, number) for number in range(len(study.images))]


def _call(study: Study, names: Sequence[str], draw: random.Random) -> Turn:
    evidence = gather([Step(name, "") for name in names], study.report)
    question = draw.choice(ASKED if len(names) == 1 else CALLS).format(", ".join(names))
    return question, " ".join(state(evidence[name]) for name in names)


def _compared(study: Study, prior: Study, draw: random.Random) -> list[str]:
    """Up to four findings whose course is known and of which both reports are certain."""
    known = [name for name in FINDINGS if study.changes.get(name) in COURSES]
    steps = [Step(name, "") for name in known]
    both = (gather(steps, prior.report), gather(steps, study.report))
    known = [name for name in known if all(one[name].status != "uncertain" for one in both)]
    return draw.sample(known, min(4, len(known)))


def _compare(study: Study, prior: Study, finding: str, draw: random.Random) -> Turn:
    steps = [Step(finding, "")]
    before, now = gather(steps, prior.report)[finding], gather(steps, study.report)[finding]
    said = [*compare(before, now), f"The {finding} is {COURSES[study.changes[finding]]}."]
    return draw.choice(COURSE).format(finding), " ".join(said)


def _point(study: Study, finding: str, draw: random.Random) -> Turn:
    """The boxes of a finding on the first image, at most two."""
    places = [box for box in study.boxes if box.image == 0 and implies(box.label, finding)]
    places.sort(key=lambda box: (box.x1, box.y1))
    return draw.choice(WHERE).format(finding), boxes.write(places[:2], name=finding)


def render(num_images: int, turns: Sequence[Turn], num_marks: int) -> list[Segment]:
    """A conversation in the form of the chat template, with `num_marks` image tokens for each image. What
    is said unasked has no form: the image, and what is said."""
    image = f"<|vision_start|>{'<|image_pad|>' * num_marks}<|vision_end|>"
    if not turns[0][0]:
        return [(image * num_images, False), *in_pieces(turns[0][1])]
    segments: list[Segment] = [(f"<|im_start|>system\n{SYSTEM_PROMPT}<|im_end|>\n", False)]
    for number, (question, reply) in enumerate(turns):
        shown = image * num_images if number == 0 else ""
        segments.append((f"<|im_start|>user\n{shown}{question}<|im_end|>\n<|im_start|>assistant\n", False))
        segments += in_pieces(reply)
        segments.append(("<|im_end|>\n", True))
    return segments


def draw_lessons(
    make: Callable[[Study, Study | None, Rota], tuple[list[tuple[str, int]], list[Turn]]],
    rota: Rota,
    row_of: Mapping[tuple[str, int], int],
    batch_size: int,
) -> Iterator[list[Lesson]]:
    """Batches of lessons that `make` gives, without end. `row_of` says where an image stands among the
    pictures."""
    by_id = {study.id: study for study in rota.studies}
    while True:
        lessons: list[Lesson] = []
        for _ in range(4 * batch_size):
            study = rota.study()
            shown, turns = make(study, by_id.get(study.prior_id), rota)
            lessons.append(([row_of[image] for image in shown], turns))
        yield from batches_by_length(lessons, batch_size, rota.draw)


def make_batch(lessons: Sequence[Lesson], pictures: Pictures, tokenizer: Any) -> dict[str, Any]:
    """Model inputs of several conversations; `lessons` names the shown images by their row in `pictures`."""
    import torch

    side = pictures.side
    num_marks = side * side // 4
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
    shown_images = {}
    if images:
        shown_images = {
            "pixel_values": pictures.patches(images),
            "image_grid_thw": torch.tensor([[1, side, side]] * len(images)),
        }
    return {
        **shown_images,
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
        loss = model(**{name: part.to(model.device) for name, part in batch.items()}).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % 20 < 4:
            logging.info("%s step %d: loss %.4f", what, step, loss.item())
    return loss.item()


def take_turns(*sources: Iterator[Any]) -> Iterator[Any]:
    """One from each source in turn; a source that stands there twice gives twice as many.

    >>> from itertools import islice, repeat
    >>> list(islice(take_turns(repeat("a"), repeat("b")), 4))
    ['a', 'b', 'a', 'b']
    """
    return (next(source) for source in cycle(sources))
