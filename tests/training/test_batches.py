"""Batches are TRL's own, number by number, and the loss is on the reply alone: in each dialect and family."""

import pytest
import torch

from cxreason.answers import DIALECTS
from cxreason.records import Sample
from cxreason.runs import read
from cxreason.training.batches import NO_LOSS, Batches
from cxreason.training.data import target_row
from cxreason.training.pixels import PreparedPixels
from cxreason.training.random_models import random_processor

FAMILIES = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl")


@pytest.fixture(scope="module", params=FAMILIES)
def processor(request):
    return random_processor(request.param, max_pixels=12544)


def rows_of(corpus, dialect, mode, number=6):
    samples = [one for one in read(corpus / "mine", Sample) if one.reasoning][::7][:number]
    samples.append(next(one for one in read(corpus / "mine", Sample) if len(one.images) == 2))
    return [target_row(one, corpus / "mine", dialect=dialect, mode=mode) for one in samples]


@pytest.mark.parametrize("mode", ["direct", "reasoning"])
@pytest.mark.parametrize("dialect", list(DIALECTS))
def test_exactly_the_reply_and_its_end_carry_loss(processor, corpus, tmp_path, dialect, mode):
    rows = rows_of(corpus, dialect, mode)
    batch = Batches(processor, PreparedPixels(tmp_path, processor))(rows)
    decode = processor.tokenizer.decode
    for ids, labels, mask, row in zip(
        batch["input_ids"], batch["labels"], batch["attention_mask"], rows, strict=True
    ):
        learned = labels != NO_LOSS
        assert (ids[learned] == labels[learned]).all()
        assert decode(ids[learned]) == f"{row['completion'][0]['content']}<|im_end|>\n"
        # What has no loss is the whole prompt, up to where the model is asked to speak, and the padding.
        asked = decode(ids[~learned & (mask == 1)])
        assert asked.endswith(f"{row['prompt'][-1]['content']}<|im_end|>\n<|im_start|>assistant\n")
        assert (ids[mask == 0] == processor.tokenizer.pad_token_id).all()
        marks = ids == processor.image_token_id
        assert marks.any()
        assert not (marks & learned).any()
    seen = (batch["input_ids"] == processor.image_token_id).sum()
    assert seen == (batch["image_grid_thw"].prod(1) // 4).sum()


@pytest.mark.parametrize("dialect", list(DIALECTS))
def test_they_are_number_by_number_what_trl_makes(processor, corpus, tmp_path, dialect):
    from PIL import Image
    from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

    from cxreason.imaging.read import read_image

    rows = rows_of(corpus, dialect, "reasoning")
    own = Batches(processor, PreparedPixels(tmp_path, processor))(rows)
    shown = [{**row, "images": [Image.fromarray(read_image(path)) for path in row["images"]]} for row in rows]
    theirs = DataCollatorForVisionLanguageModeling(processor, completion_only_loss=True)(shown)
    assert set(own) == set(theirs)
    for name in own:
        assert torch.equal(own[name], theirs[name]), name
