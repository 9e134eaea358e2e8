"""Stage 1: supervised fine-tuning on answers and on reasoning, over TRL's SFTTrainer.

ChestX-Reasoner, section 5.2: one language loss over answer-only samples (direct mode) and samples with
mined reasoning (reasoning mode), taken on the reply alone.

    cxreason train sft recipes/phantom/sft.yaml
"""

from __future__ import annotations

from typing import Any

from cxreason.recipes import SftRecipe
from cxreason.training import data, data_check, loop
from cxreason.training.configs import batch_settings, configured, one_after_another, step_rows
from cxreason.training.pixels import PreparedPixels

MAY_CHANGE = ("bad_samples", "keep", "licence")
"""What may differ between two starts of one run: nothing that was learned depends on it."""


def train(recipe: SftRecipe, *, limit: int | None = None, dry_run: bool = False) -> dict[str, Any]:
    """Fine-tune `recipe.model` and leave the result in `recipe.out/model`; run again to continue."""
    if dry_run:
        checked = data_check.check(recipe, limit, dry_run=True)
        rows = data.mixture(recipe, data.target_row, limit, without=checked.bad)
        return {"num_rows": len(rows), "example": rows[0], "data": checked.counts}
    with loop.opened(recipe, "train sft", limit, MAY_CHANGE) as run:
        if run.finished:
            return run.counts
        with one_after_another():
            bad = data_check.require(recipe, run.folder, limit)
            drawn = data.mixture(recipe, data.target_row, limit, without=bad, kept=run.folder / "rows")
        examples = data.by_length(drawn, recipe, step_rows(recipe))
        from trl import SFTConfig, SFTTrainer

        from cxreason.training import models, quick
        from cxreason.training.batches import Batches

        settings = {
            **loop.machine_settings(recipe),
            "max_length": None,  # cutting a prompt would cut image tokens out of it
            "output_dir": str(run.folder / "checkpoints"),
            "seed": recipe.seed,
            **batch_settings(recipe),
            **recipe.trainer,
        }
        # Before the model is loaded, because ZeRO-3 shards it on the way only where it knows of it.
        settings = configured(SFTConfig, "trainer", settings)
        processor = models.load_processor(recipe.model, max_pixels=recipe.max_pixels)
        pixels = PreparedPixels(loop.pixels_folder(recipe), processor)
        trainer = SFTTrainer(
            model=models.load_for_training(recipe),
            args=settings,
            peft_config=models.adapters(recipe),
            train_dataset=data.dataset(examples),
            data_collator=Batches(processor, pixels),
            processing_class=processor,
        )
        # Qwen's classes say that they do not take the number of tokens of a step, and TRL's loss, which does,
        # would be the mean of each micro-batch's mean: one of short answers would weigh as much as one of
        # long traces, and a step over two processes would not be the step over one.
        trainer.model_accepts_loss_kwargs = True
        quick.score_replies_only()
        quick.quicken_vision(trainer.model)
        curve = loop.run(trainer, run.folder, "sft", recipe)
        return loop.finish(
            run,
            recipe,
            num_rows=len(examples),
            num_steps=trainer.state.global_step,
            final_loss=loop.last_value(curve, "loss"),
        )
