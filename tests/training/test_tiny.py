"""The tiny base model: what it is taught is true, in the form in which it will be asked; it can be made."""

import random
import re

import numpy as np
import pytest

from cxreason.answers import understand
from cxreason.recipes import BaseModelRecipe, load, validate
from cxreason.records import Study
from cxreason.runs import read
from cxreason.text import observe
from cxreason.text.ontology import FINDINGS, main_finding
from cxreason.training import models, tiny, tiny_seeing, tiny_speaking


@pytest.fixture(scope="module")
def studies(corpus):
    return list(read(corpus / "phantom", Study))


def lessons(studies, num_lessons=300):
    by_id = {study.id: study for study in studies}
    draw = random.Random(3)
    for _ in range(num_lessons):
        study = draw.choice(studies)
        yield study, *tiny_speaking.lesson(study, by_id.get(study.prior_id), draw)


def test_a_lesson_reads_like_the_chat_template():
    processor = models.load_processor("phantom")
    turns = [("Look for edema.", "I see no edema."), ("Is it there?", "A, yes.")]
    content = [{"type": "image"}, {"type": "image"}, {"type": "text", "text": turns[0][0]}]
    chat = [
        {"role": "system", "content": tiny_speaking.SYSTEM_PROMPT},
        {"role": "user", "content": content},
        {"role": "assistant", "content": turns[0][1]},
        {"role": "user", "content": turns[1][0]},
        {"role": "assistant", "content": turns[1][1]},
    ]
    rendered = "".join(text for text, _ in tiny_speaking.render(2, turns, num_marks=1))
    assert rendered == processor.apply_chat_template(chat, tokenize=False)


def test_what_a_lesson_says_of_an_image_is_true(studies):
    checked = 0
    for study, shown, turns in lessons(studies):
        for question, reply in turns:
            if question.startswith("Look for"):
                asked = question.removeprefix("Look for ").removesuffix(".").split(", ")
                seen = {main_finding(item.finding) for item in observe(reply) if item.status == "present"}
                assert seen == {name for name in asked if study.labels[name]}, (question, reply)
                checked += 1
            if question.startswith("How has"):
                finding = re.match(r"How has the (.+) changed", question)[1]
                assert reply.endswith(f"{study.changes[finding]}.")
                assert len(shown) == 2
    assert checked > 100


def test_the_letter_of_a_lesson_is_the_letter_of_the_right_option(studies):
    num_chosen = 0
    for _, _, turns in lessons(studies):
        for question, reply in turns:
            options = re.findall(r"^[A-Z]\) (.+)$", question, flags=re.MULTILINE)
            if options:
                mode = "reasoning" if "step by step" in question else "direct"
                understood = understand(reply, dialect="think", mode=mode, kind="choice", options=options)
                assert understood.well_formed
                if mode == "reasoning":
                    assert f"{understood.answer}, {options['ABC'.index(understood.answer)]}." in reply
                num_chosen += 1
    assert num_chosen > 50


def test_what_a_roll_call_says_of_each_finding_is_true(studies):
    draw = random.Random(8)
    verdicts = {"Yes": 0, "No": 0}
    for study in draw.sample(studies, 60):
        for question, reply in tiny_speaking.roll_call(study, None, draw)[1]:
            called = re.findall(r"([a-z ]+)\? ([^?]+?) (Yes|No)\.(?= |$)", reply)
            if not called:  # one finding, named in the question
                (name,) = [name for name in FINDINGS if name in question]
                said = re.fullmatch(r"(?:.*?[.:] )??((?:I see|The image|There is).+) (Yes|No)\.", reply)
                called = [(name, *said.groups())]
            for name, told, verdict in called:
                assert (verdict == "Yes") == bool(study.labels[name.strip()]), (question, reply)
                present = {main_finding(seen.finding) for seen in observe(told) if seen.status == "present"}
                assert present == ({name.strip()} if verdict == "Yes" else set()), told
                verdicts[verdict] += 1
    assert min(verdicts.values()) > 100


def test_no_lesson_asks_what_the_benchmark_asks(studies):
    asked = " ".join(question for _, _, turns in lessons(studies) for question, _ in turns)
    for words in ("Does this chest X-ray show", "Which finding", "What is the progression"):
        assert words not in asked


def test_the_tower_is_taught_presence_always_and_a_place_only_where_it_is_told():
    told = {"edema": 0, "pleural effusion": 1, "cardiomegaly": 1}
    study = Study("1", "d", "p", ("x.png",), findings="Large left effusion. Cardiomegaly.", labels=told)
    target, known = tiny_seeing.vision_targets([study], ["edema", "pleural effusion", "cardiomegaly"])
    width = 1 + len(tiny_seeing.ATTRIBUTES)
    edema, effusion, heart = (slice(at * width, (at + 1) * width) for at in range(3))
    names = np.array(("present", *tiny_seeing.ATTRIBUTES))
    assert set(names[known[0, edema] > 0]) == {"present"}
    assert set(names[known[0, effusion] > 0]) == {"present", "left", "right", "mild", "moderate", "severe"}
    assert set(names[target[0, effusion] > 0]) == {"present", "left", "severe"}
    assert set(names[known[0, heart] > 0]) == {"present"}


def test_the_loss_of_a_lesson_is_on_the_replies(studies):
    import torch

    processor = models.load_processor("phantom")
    pixels = torch.zeros(1, 64, 1176)
    turns = [("Look for edema.", "I see no edema."), ("Is it there?", "A, yes.")]
    batch = tiny_speaking.make_batch([([0], turns)], pixels, processor.tokenizer)
    learned = processor.tokenizer.decode(batch["input_ids"][0][batch["labels"][0] != -100])
    assert learned == "I see no edema.<|im_end|>\nA, yes.<|im_end|>\n"
    assert int(batch["mm_token_type_ids"].sum()) == 16


@pytest.mark.slow
def test_a_base_model_can_be_made_and_speaks(tmp_path, corpus):
    shipped = load(BaseModelRecipe, None, [f"out={tmp_path}", *SMALL])
    counts = tiny.make(validate(BaseModelRecipe, shipped.model_dump()))
    assert counts["num_studies"] == 120
    assert tiny.make(shipped) == counts
    from cxreason.inference.transformers import TransformersEngine

    image = next((corpus / "phantom" / "images").glob("*.png"))
    engine = TransformersEngine(str(tmp_path / "model"), max_new_tokens=4)
    assert engine.generate([[{"role": "user", "content": "Look for edema."}]], [[image]])[0].num_tokens > 0


SMALL = [
    "num_studies=120",
    "vocabulary_size=600",
    "size={hidden_size: 64, intermediate_size: 64, num_hidden_layers: 1, num_attention_heads: 2,"
    " num_key_value_heads: 1, vision_depth: 1, vision_hidden_size: 64, vision_intermediate_size: 64,"
    " vision_heads: 2}",
    "vision={steps: 2, batch_size: 8, learning_rate: 1e-3}",
    "language={steps: 3, batch_size: 4, learning_rate: 1e-3}",
    "copying={steps: 2, batch_size: 4, learning_rate: 1e-3}",
    "choosing={steps: 2, batch_size: 4, learning_rate: 1e-3}",
]
