"""The drills of the tiny base model: what they tell decides the answer, and every reply can be read back."""

import random
import re
from pathlib import Path

from cxreason.answers import understand
from cxreason.mining.rules import wording
from cxreason.recipes import BaseModelRecipe, load
from cxreason.text.ontology import NO_FINDING
from cxreason.training import models, tiny, tiny_drills

ROOT = Path(__file__).parents[2]
WORDS = ["airspace", "band", "central", "defined", "fluid", "hilum", "intact", "linear", "patchy", "round"]


def puzzles(make, count=200):
    draw = random.Random(4)
    return [make(WORDS, draw) for _ in range(count)]


def there(sentences):
    """The names that the sentences of a drill call present."""
    patterns = [template.replace("{phrase}", "{}") for template in wording()["evidence"]["present"]]
    patterns += [*tiny_drills.PRESENT, "Here {} is present.", "Here {} are present."]
    absent = [template.replace("{phrase}", "{}") for template in wording()["evidence"]["absent"]]
    absent += [*tiny_drills.ABSENT, "Here {} is absent.", "Here {} are absent."]

    def named(sentence, templates):
        for template in templates:
            match = re.fullmatch(re.escape(template).replace(re.escape("{}"), "(.+)"), sentence)
            if match:
                return match[1]
        return None

    found = [
        name
        for sentence in sentences
        if named(sentence, absent) is None and (name := named(sentence, patterns)) is not None
    ]
    return ["pleural other" if name == "pleural thickening" else name for name in found]


def test_one_option_alone_holds_what_is_told_to_be_there():
    for make in (tiny_drills._one, tiny_drills._set):
        for puzzle in puzzles(make):
            names = set(there(puzzle.told))
            right = [option for option in puzzle.options if set(option.split(", ")) <= names]
            assert (right or [NO_FINDING]) == [puzzle.answer], puzzle
            retold = there(re.findall(r"[^.]+\.", puzzle.retold[0].replace(". ", ".")))
            assert retold == ([] if puzzle.answer == NO_FINDING else puzzle.answer.split(", ")), puzzle


def test_a_closed_question_is_answered_by_what_is_told():
    answers = set()
    for puzzle in puzzles(tiny_drills._closed):
        (asked,) = puzzle.names
        assert asked in puzzle.question
        assert puzzle.answer == ("Yes" if asked in there(puzzle.told) else "No")
        assert (asked in there(puzzle.retold)) == (puzzle.answer == "Yes")
        answers.add((puzzle.answer, puzzle.options[0]))
    assert len(answers) == 4  # both answers, at both places


def test_a_course_follows_from_its_two_degrees():
    degrees = ["none", "mild", "moderate", "severe"]
    seen = set()
    for puzzle in puzzles(tiny_drills._course):
        first, then = re.findall("none|mild|moderate|severe", puzzle.told[0])
        difference = degrees.index(then) - degrees.index(first)
        assert puzzle.answer == ("worsening" if difference > 0 else "improving" if difference else "stable")
        assert puzzle.retold[-1] == f"It is {puzzle.answer}."
        seen.add(puzzle.answer)
    assert len(seen) == 3


def test_an_open_question_is_answered_by_all_that_is_there():
    for puzzle in puzzles(tiny_drills._open):
        names = there(puzzle.told)
        assert sorted(puzzle.answer.split(", ")) == sorted(names or [NO_FINDING])
        assert (there(puzzle.retold) or [NO_FINDING]) == puzzle.answer.split(", ")


def test_every_reply_can_be_read_back_in_the_form_that_its_prompt_asks_for():
    draw = random.Random(9)
    forms = set()
    for _ in range(2000):
        prompt, reply = tiny_drills.drill(WORDS, draw)
        options = re.findall(r"^[A-Z][.)] (.+)$", prompt, flags=re.MULTILINE)
        first = "</answer> first" in prompt
        dialect = "think-answer-first" if first else "think" if "<answer>" in prompt else "boxed"
        mode = "reasoning" if first or "step by step" in prompt else "direct"
        kind = "choice" if options else "text"
        if kind == "choice":
            understood = understand(reply, dialect=dialect, mode=mode, kind=kind, options=options)
            assert understood.well_formed, reply
            assert understood.answer, reply
            if mode == "reasoning":
                right = options["ABCD".index(understood.answer)].casefold()
                option = re.escape(f"{right} ({understood.answer})")
                assert re.search(rf"\b{option}\?.* {option}\.", reply), reply
        forms.add((dialect, mode, kind))
    assert len(forms) == 10  # a direct answer has the same form whether a trace would come before it or after


def test_a_conclusion_follows_from_a_thought_that_is_given():
    draw = random.Random(11)
    decided = set()
    for _ in range(300):
        prompt, ((thought, given), (rest, learnt)) = tiny_drills.conclusion(WORDS, draw)
        assert (given, learnt) == (False, True)
        assert rest[0] == " " != thought[-1]  # cut where a word begins, as the tokenizer cuts
        options = re.findall(r"^[A-Z][.)] (.+)$", prompt, flags=re.MULTILINE)
        dialect = "think" if "<answer>" in prompt else "boxed"
        kind = "choice" if options else "text"
        reply = understand(thought + rest, dialect=dialect, mode="reasoning", kind=kind, options=options)
        assert reply.well_formed
        if options:
            right = options["ABCD".index(reply.answer)].casefold()
            assert f"{right} ({reply.answer})?" in thought
            decided.add(reply.answer)
    assert decided == {*"ABCD"}


def test_an_option_that_is_named_outright_is_the_answer():
    for puzzle in puzzles(tiny_drills._named):
        named = [option for option in puzzle.options if puzzle.told[0].endswith(f" {option.casefold()}.")]
        assert puzzle.answer in named
        assert puzzle.retold == puzzle.told


def test_no_name_of_a_drill_is_part_of_another():
    draw = random.Random(2)
    for _ in range(100):
        names = tiny_drills._names(WORDS, 6, draw)
        assert not [(a, b) for a in names for b in names if a != b and a in b]


def test_a_copy_asks_only_for_what_can_be_looked_up():
    batches = tiny_drills.draw_copies(range(7, 500), batch_size=3, draw=random.Random(1))
    for _, batch in zip(range(20), batches, strict=False):
        ids, labels = batch["input_ids"], batch["labels"]
        assert ids.min() >= 7
        for row, wanted in zip(ids.tolist(), labels.tolist(), strict=True):
            asked = [place for place, label in enumerate(wanted) if label != -100]
            length = len(asked) + 1
            assert row[-length:] == row[:length]
            assert [row[place] for place in asked] == row[1:length]


def test_two_heads_of_an_untrained_model_look_one_and_two_tokens_back():
    import torch

    shipped = models.load_processor("phantom").tokenizer
    model = tiny.make_model(shipped, load(BaseModelRecipe, ROOT / "recipes/phantom/base.yaml"))
    model.set_attn_implementation("eager")
    ids = torch.randint(7, 500, (1, 40), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        attention = model(input_ids=ids, output_attentions=True).attentions[0][0]
    for head, distance in ((0, 1), (1, 2)):
        for place in range(4, 40):
            assert attention[head, place].argmax() == place - distance
