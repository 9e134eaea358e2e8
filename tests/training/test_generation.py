"""The quick loop writes what `generate` writes, draws what seeds say, and knows what it cannot do."""

import pytest
import torch
from transformers import GenerationConfig

from cxreason.answers.conversation import conversation
from cxreason.inference.transformers import TransformersEngine
from cxreason.samples import read_samples
from cxreason.training import generation
from datasets import Dataset

MOST = 24


@pytest.fixture(scope="module")
def engine():
    return TransformersEngine("phantom", max_new_tokens=MOST, max_pixels=12544)


@pytest.fixture(scope="module")
def inputs(engine, corpus):
    """Prompts of all tasks: of one image and of two, of many lengths."""
    samples = read_samples(corpus / "mine", "test")[::4]
    return prepared(engine, corpus, samples)


def prepared(engine, corpus, samples):
    from cxreason.inference.prompts import picture, render

    chats = [conversation(sample, dialect="think", mode="reasoning") for sample in samples]
    texts = [
        render(engine.processor, chat, len(one.images)) for chat, one in zip(chats, samples, strict=True)
    ]
    pictures = [[picture(corpus / "mine" / image) for image in one.images] for one in samples]
    return engine.processor(text=texts, images=pictures, padding=True, return_tensors="pt")


def generated(engine, inputs, most=MOST):
    with torch.inference_mode():
        rows = engine.model.generate(**inputs, max_new_tokens=most, do_sample=False)
    rows = rows[:, inputs["input_ids"].shape[1] :].tolist()
    end = engine.model.generation_config.eos_token_id
    return [row[: row.index(end) + 1] if end in row else row for row in rows]


def test_greedy_words_are_those_of_generate(engine, inputs):
    most = 120  # long enough that some rows end early and are cut out of the batch
    written = generation.write_tokens(engine.model, inputs, max_new_tokens=most)
    assert written == generated(engine, inputs, most)
    assert len({len(row) for row in written}) > 1


def test_prompts_without_images_of_any_length_are_continued_alike(engine):
    texts = ["Is there edema?", "Which findings are in this chest X-ray?\nOptions:\nA) Edema\nB) Fracture"]
    inputs = engine.processor.tokenizer(texts, padding=True, return_tensors="pt")
    assert generation.write_tokens(engine.model, inputs, max_new_tokens=MOST) == generated(engine, inputs)


def test_a_draw_depends_on_its_seed_and_not_on_the_batch(engine, corpus):
    samples = read_samples(corpus / "mine", "test")[:3]
    together = generation.write_tokens(
        engine.model,
        prepared(engine, corpus, samples),
        max_new_tokens=MOST,
        draws=generation.draws(range(6), MOST),
        num_draws=2,
    )
    alone = generation.write_tokens(
        engine.model,
        prepared(engine, corpus, samples[2:]),
        max_new_tokens=MOST,
        draws=generation.draws([5], MOST),
    )
    assert together[5] == alone[0]
    assert len({tuple(row) for row in together}) > 3


def test_a_suppressed_token_is_never_written(engine, inputs):
    told = generation.write_tokens(engine.model, inputs, max_new_tokens=4)
    first = told[0][0]
    rest = generation.write_tokens(engine.model, inputs, max_new_tokens=4, never=[first])
    assert first not in {token for row in rest for token in row}


def test_grpo_asks_for_rollouts_that_can_be_written_here(engine):
    from trl import GRPOConfig, GRPOTrainer

    from cxreason.rewards import format_reward

    trainer = GRPOTrainer(
        model=engine.model,
        reward_funcs=[format_reward],
        args=GRPOConfig(num_generations=2, per_device_train_batch_size=2, use_cpu=True, bf16=False),
        train_dataset=Dataset.from_list([{"prompt": [{"role": "user", "content": "?"}]}]),
        processing_class=engine.processor,
    )
    assert generation.can_write(engine.model, trainer.generation_config, sampling=True)


def test_draws_follow_the_probabilities(engine, corpus):
    inputs = prepared(engine, corpus, read_samples(corpus / "mine", "test")[:1])
    with torch.inference_mode():
        told = engine.model(**inputs, logits_to_keep=1).logits[0, -1]
    for temperature in (1.0, 3.0):
        drawn = generation.write_tokens(
            engine.model,
            inputs,
            max_new_tokens=1,
            draws=torch.linspace(0, 0.9995, 2000)[:, None],
            num_draws=2000,
            temperature=temperature,
        )
        seen = torch.bincount(torch.tensor(drawn)[:, 0], minlength=len(told)) / 2000
        assert torch.allclose(seen, (told / temperature).softmax(-1), atol=2e-3)


def test_rollouts_read_a_repeated_prompt_once_and_write_as_they_would_alone(engine, corpus):
    samples = read_samples(corpus / "mine", "test")
    chosen = [samples[0], samples[-1]]  # one image, and two
    model = engine.model
    inputs = prepared(engine, corpus, [one for one in chosen for _ in range(3)])
    settings = GenerationConfig(
        max_new_tokens=MOST, do_sample=True, top_k=0, pad_token_id=0, eos_token_id=[2], temperature=1.0
    )
    settings.suppress_tokens = [model.config.image_token_id]  # as the trainer does
    try:
        generation.quicken_rollouts(model, 3)
        torch.manual_seed(5)
        quick = model.generate(**inputs, generation_config=settings)
    finally:
        del model.generate
    torch.manual_seed(5)
    draws = torch.rand(6, MOST)
    alone = generation.write_tokens(model, inputs, max_new_tokens=MOST, draws=draws)
    length = inputs["input_ids"].shape[1]
    assert quick[:, :length].tolist() == inputs["input_ids"].tolist()
    assert [row[: len(own)] for row, own in zip(quick[:, length:].tolist(), alone, strict=True)] == alone


def test_only_runs_of_equal_prompts_and_equal_images_are_read_once(engine, corpus):
    samples = read_samples(corpus / "mine", "test")
    same_words = [one for one in samples if one.task == "anomaly"][:2]
    mark = engine.model.config.vision_start_token_id
    twice = prepared(engine, corpus, [same_words[0], same_words[0]])
    other_image = prepared(engine, corpus, same_words)
    assert generation._first_of_each(dict(twice), 2, mark)["input_ids"].shape[0] == 1
    assert generation._first_of_each(dict(other_image), 2, mark) is None


@pytest.mark.parametrize(
    ("settings", "sampling", "can", "why"),
    [
        ({}, False, True, "plain greedy"),
        ({"repetition_penalty": 1.05}, False, False, "released Qwen checkpoints ask for a penalty"),
        ({"top_k": 1, "top_p": 0.001}, False, True, "cuts do not matter to the most likely word"),
        ({"top_k": 50}, True, False, "a cut changes what is drawn"),
        ({"top_k": 0, "top_p": 1.0}, True, True, "no cut"),
        ({"num_beams": 4}, False, False, "beams"),
    ],
)
def test_what_the_loop_cannot_do_is_left_to_generate(engine, settings, sampling, can, why):
    asked = GenerationConfig(**settings)
    assert generation.can_write(engine.model, asked, sampling=sampling) is can, why


def test_a_model_in_sixteen_bits_is_left_to_generate(engine):
    from cxreason.training import models

    assert not generation.can_write(models.load_model("phantom", dtype="bfloat16"))
