"""Make the tiny base model that ships in the package: a real Qwen2.5-VL of 3 million parameters.

ChestX-Reasoner starts from Qwen2-VL and CheXOne from Qwen2.5-VL: models that see, speak and think aloud
when asked, and were never taught to reason about chest X-rays. This makes such a start for phantoms:

1. seeing    the vision tower learns the findings from labels and reports, because a language loss alone
             hardly teaches a model of this size to see (`tiny_seeing`)
2. copying   the language half learns to look up what stood in its context before (`tiny_drills`)
3. weighing  from texts without images it learns to weigh options against what it was told (`tiny_drills`)
4. glancing  both halves meet: it learns to look at the image for whether a finding is there, on many short
             lessons in which nothing else can be learnt (`tiny_speaking`); from here on some of the texts
             are always among them, to keep in practice
5. looking   and for side, place and size; among these are lessons in which it is asked, compares and points
6. choosing  of several findings it learns to say which are there, and of two images what became of one, by
             holding them against each other (`tiny_weighing`)
7. concluding  it learns to choose and to compare when it is asked, and to conclude: to find the letter of
               what was decided

Its weights never meet mined reasoning or a question of RadRBench-CXR. The words for what is seen, and those
in which options are weighed, are mining's; its vocabulary is made of both.

    python -m cxreason.training.tiny recipes/phantom/base.yaml
"""

from __future__ import annotations

import logging
import math
import random
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxreason import rows
from cxreason.answers import DIALECTS
from cxreason.answers.conversation import SYSTEM_PROMPT
from cxreason.build import build
from cxreason.mining.run import mine
from cxreason.phantom.run import make_phantoms
from cxreason.recipes import BaseModelRecipe, BuildRecipe, MineRecipe, PhantomRecipe, load, validate
from cxreason.records import Sample, Study
from cxreason.runs import Run, read
from cxreason.training import loop
from cxreason.training.models import load_model
from cxreason.training.tiny_drills import (
    Lesson,
    conclusion,
    corpus_words,
    draw_copies,
    draw_drills,
    drill,
)
from cxreason.training.tiny_seeing import Pictures, read_pictures, train_vision
from cxreason.training.tiny_speaking import (
    Rota,
    draw_lessons,
    glance,
    lesson,
    look,
    make_batch,
    take_turns,
    train_language,
)
from cxreason.training.tiny_weighing import follow, follow_asked, pick, pick_asked, tell_apart

if TYPE_CHECKING:
    from transformers import ProcessorMixin

SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)

CHAT_TEMPLATE = Path(__file__).with_name("tiny_chat.jinja")


def train_tokenizer(texts: Iterator[str], vocabulary_size: int) -> Any:
    """A byte-level BPE tokenizer with the special tokens of the Qwen family."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|endoftext|>",
        eos_token="<|im_end|>",
        additional_special_tokens=list(SPECIAL_TOKENS[1:]),
        chat_template=CHAT_TEMPLATE.read_text(),
        padding_side="left",
        model_max_length=2048,
    )


def make_model(tokenizer: Any, recipe: BaseModelRecipe) -> Any:
    """An untrained Qwen2.5-VL of the recipe's size around a tokenizer."""
    import torch
    from transformers import GenerationConfig, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    def token(text: str) -> int:
        return tokenizer.convert_tokens_to_ids(text)

    size = recipe.size
    head = size["hidden_size"] // size["num_attention_heads"]
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": size["hidden_size"],
            "intermediate_size": size["intermediate_size"],
            "num_hidden_layers": size["num_hidden_layers"],
            "num_attention_heads": size["num_attention_heads"],
            "num_key_value_heads": size["num_key_value_heads"],
            "max_position_embeddings": 2048,
            # Time, height and width share the rotary half of a head as 1 : 1.5 : 1.5, as in the large models.
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10_000.0,
                "mrope_section": [head // 8, head * 3 // 16, head * 3 // 16],
            },
            "bos_token_id": None,
            "eos_token_id": token("<|im_end|>"),
            "pad_token_id": token("<|endoftext|>"),
        },
        vision_config={
            "depth": size["vision_depth"],
            "hidden_size": size["vision_hidden_size"],
            "intermediate_size": size["vision_intermediate_size"],
            "num_heads": size["vision_heads"],
            "out_hidden_size": size["hidden_size"],
            "fullatt_block_indexes": list(range(size["vision_depth"])),
        },
        image_token_id=token("<|image_pad|>"),
        video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
        tie_word_embeddings=True,
    )
    torch.manual_seed(recipe.seed)
    model = Qwen2_5_VLForConditionalGeneration(config)
    look_back(model)
    model.generation_config = GenerationConfig(
        eos_token_id=token("<|im_end|>"), pad_token_id=token("<|endoftext|>"), do_sample=False
    )
    return model


def look_back(model: Any) -> None:
    """Let two heads of the first layer begin by looking one and two tokens back.

    To copy is to look for what stood behind the same words before. Small models learn it late, because two
    layers have to find each other; with the first half given, they do within minutes. The rotary position
    turns each pair of a key and a query with the distance, at a pace of its own: a constant query that is
    turned back by one token's worth meets a constant key best one token back.
    """
    import torch

    config = model.config.text_config
    width = config.hidden_size // config.num_attention_heads
    attention = model.model.language_model.layers[0].self_attn
    strength = 6.0  # enough to put nearly all attention on one token
    with torch.no_grad():
        for pair in range(width // 5):  # the fast pairs: the slow ones tell neighbours hardly apart
            pace = config.rope_parameters["rope_theta"] ** (-2 * pair / width)
            attention.k_proj.bias[pair] = strength
            for head, distance in enumerate((1, 2)):
                start = head * width + pair
                attention.q_proj.bias[start] = strength * math.cos(pace * distance)
                attention.q_proj.bias[start + width // 2] = -strength * math.sin(pace * distance)


def make_processor(tokenizer: Any, image_size: int) -> ProcessorMixin:
    """The processor around a tokenizer; every image becomes `image_size` squared pixels."""
    from transformers import Qwen2_5_VLProcessor, Qwen2VLImageProcessorPil

    from cxreason.training.models import processor_without_video

    pixels = image_size * image_size
    image_processor = Qwen2VLImageProcessorPil(min_pixels=pixels, max_pixels=pixels)
    return processor_without_video(Qwen2_5_VLProcessor)(
        image_processor, tokenizer, chat_template=tokenizer.chat_template
    )


def make(recipe: BaseModelRecipe) -> dict[str, Any]:
    """Make the base model of a recipe in `recipe.out/model`, in 16 bits; a restart keeps whole stages."""
    import torch

    folder = recipe.out
    with Run.open(folder, verb="base-model", recipe=recipe, record=None) as run:
        if run.finished:
            return run.counts
        world = folder / "phantom"
        size = "small" if recipe.image_size <= 128 else "large"
        drawn = {"size": size, "num_studies": recipe.num_studies, "seed": recipe.seed, "out": world}
        make_phantoms(validate(PhantomRecipe, drawn))
        studies = list(read(world / "studies.parquet", Study))
        tokenizer = train_tokenizer(vocabulary_texts(studies, folder, recipe.seed), recipe.vocabulary_size)
        processor = make_processor(tokenizer, recipe.image_size)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        model: Any = make_model(tokenizer, recipe)
        model.to(device)
        pictures = read_pictures(studies, world, processor)
        tower = folder / "vision.pt"
        if not tower.exists():
            figures = train_vision(model, pictures, studies, recipe)
            torch.save({"figures": figures, "tower": model.model.visual.state_dict()}, rows.partial(tower))
            rows.replace_whole(rows.partial(tower), tower)
        kept = torch.load(tower, map_location=device)
        logging.info("vision, held out: %s", kept["figures"])
        model, loss = teach_language(model, kept["tower"], studies, pictures, processor, recipe)
        loop.save(model.to(torch.float16), processor, folder / "model")
        return run.finish(num_studies=len(studies), vision=kept["figures"], final_loss=loss)


def teach_language(
    model: Any, tower: Any, studies: list[Study], pictures: Pictures, processor: Any, recipe: BaseModelRecipe
) -> tuple[Any, float]:
    """The model after all stages of language, and the last loss. `tower` is the state of one that sees."""
    device, tokenizer = model.device, processor.tokenizer

    def stage(name: str, model: Any, batches: Iterator[dict[str, Any]]) -> Any:
        """The model after one stage; one that was done before is loaded."""
        done = recipe.out / name
        if not done.exists():
            train_language(model, batches, getattr(recipe, name), name)
            loop.save(model, processor, done)
        after: Any = load_model(done)
        return after.to(device)

    def turns(*sources: Iterator[list[Lesson]]) -> Iterator[dict[str, Any]]:
        return (make_batch(one, pictures, tokenizer) for one in take_turns(*sources))

    ordinary = range(len(SPECIAL_TOKENS), len(tokenizer))
    copies = draw_copies(ordinary, recipe.copying["batch_size"], random.Random(recipe.seed))
    model = stage("copying", model, copies)

    words = corpus_words(studies)
    told = draw_drills(drill, words, recipe.weighing["batch_size"], random.Random(recipe.seed + 1))
    model = stage("weighing", model, turns(told))

    rota = Rota(studies, random.Random(recipe.seed + 2))
    lessons = partial(draw_lessons, rota=rota, row_of=pictures.row_of)
    size = recipe.glancing["batch_size"]
    glances, told = lessons(glance, batch_size=size), draw_drills(drill, words, size // 8, rota.draw)
    model.model.visual.load_state_dict(tower)
    model = stage("glancing", model, turns(glances, glances, glances, glances, told))

    size = recipe.looking["batch_size"]
    looks, asked = lessons(look, batch_size=size), lessons(lesson, batch_size=size // 2)  # longer than a look
    told = draw_drills(drill, words, size // 4, rota.draw)
    model = stage("looking", model, turns(looks, looks, told, looks, asked, told))

    size = recipe.choosing["batch_size"]
    picks, pairs = lessons(pick, batch_size=size), lessons(tell_apart, batch_size=size)
    courses, told = lessons(follow, batch_size=size // 2), draw_drills(drill, words, size // 4, rota.draw)
    model = stage("choosing", model, turns(picks, pairs, picks, pairs, picks, courses, told))

    size = recipe.concluding["batch_size"]
    picks, courses = lessons(pick_asked, batch_size=size * 3 // 2), lessons(follow_asked, batch_size=size)
    asked, told = lessons(lesson, batch_size=size), draw_drills(drill, words, size // 2, rota.draw)
    given = draw_drills(conclusion, words, size, rota.draw)
    batches = turns(picks, given, picks, courses, picks, asked, picks, courses, told)
    return model, train_language(model, batches, recipe.concluding, "concluding")


def vocabulary_texts(studies: list[Study], folder: Path, seed: int) -> Iterator[str]:
    """What the tokenizer is trained on: reports, lessons, and questions and chains as later stages will
    write them."""
    ask = {"out": folder / "build", "studies": [folder / "phantom"], "per_task": {"train": 400}}
    build(validate(BuildRecipe, ask))
    mine(validate(MineRecipe, {"out": folder / "mine", "samples": folder / "build", "style": "terse"}))
    rota, by_id = Rota(studies, random.Random(seed)), {study.id: study for study in studies}
    for study in studies[:4000]:
        yield study.report
        for question, reply in lesson(study, by_id.get(study.prior_id), rota)[1]:
            yield f"{question} {reply}"
    for sample in read(folder / "mine", Sample):
        yield SYSTEM_PROMPT
        for dialect in DIALECTS.values():
            for mode in ("reasoning", "direct"):
                yield dialect.prompt(sample.question, sample.options, mode)
                yield dialect.target(sample.answer, mode, sample.reasoning)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.info("%s", make(load(BaseModelRecipe, Path(sys.argv[1]), sys.argv[2:])))
