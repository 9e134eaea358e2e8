"""Stage 1: supervised fine-tuning on answers and on reasoning, over TRL's SFTTrainer.

ChestX-Reasoner, section 5.2: one language loss over answer-only samples (direct mode) and samples with
mined reasoning (reasoning mode), taken on the reply alone.

    cxreason train sft recipes/phantom/sft.yaml
"""

from __future__ import annotations

from typing import Any

from cxreason.recipes import SftRecipe
from cxreason.training import data, loop
from cxreason.training.pixels import PreparedPixels


def train(recipe: SftRecipe, *, limit: int | None = None, dry_run: bool = False) -> dict[str, Any]:
    """Fine-tune `recipe.model` and leave the result in `recipe.out/model`; run again to continue."""
    examples = data.group_by_length(
        data.mixture(recipe, data.target_row, limit),
        recipe.trainer.get("per_device_train_batch_size", 8),
        recipe.seed,
    )
    if dry_run:
        return {"num_rows": len(examples), "example": examples[0]}
    with loop.opened(recipe, "train sft", limit) as run:
        if run.finished:
            return run.counts
        from trl import SFTConfig, SFTTrainer

        from cxreason.training import models, quick
        from cxreason.training.batches import Batches

        settings = {
            **loop.machine_settings(),
            "max_length": None,  # cutting a prompt would cut image tokens out of it
            **recipe.trainer,
        }
        processor = models.load_processor(recipe.model, max_pixels=recipe.max_pixels)
        pixels = PreparedPixels(loop.pixels_folder(recipe), processor)
        trainer = SFTTrainer(
            model=models.load_model(recipe.model, freeze_vision=recipe.freeze_vision),
            args=SFTConfig(output_dir=str(run.folder / "checkpoints"), seed=recipe.seed, **settings),
            train_dataset=data.dataset(examples),
            data_collator=Batches(processor, pixels),
            processing_class=processor,
        )
        quick.score_replies_only()
        quick.quicken_vision(trainer.model)
        curve = loop.run(trainer, run.folder, "sft")
        return run.finish(
            num_rows=len(examples),
            num_steps=trainer.state.global_step,
            final_loss=loop.last_value(curve, "loss"),
        )
