"""Stage 2: GRPO with format, answer and process rewards, over TRL's GRPOTrainer.

ChestX-Reasoner, equation 9: samples asked for reasoning earn format + answer + process factuality,
samples asked for the answer alone earn format + answer.

    cxreason train grpo recipes/phantom/grpo.yaml
"""

from __future__ import annotations

from typing import Any

from cxreason.recipes import GrpoRecipe
from cxreason.training import data, loop
from cxreason.training.pixels import PreparedPixels


def train(recipe: GrpoRecipe, *, limit: int | None = None, dry_run: bool = False) -> dict[str, Any]:
    """Train `recipe.model` on rewards and leave the result in `recipe.out/model`; run again to continue."""
    prompts = data.mixture(recipe, data.reward_row, limit)
    if dry_run:
        return {"num_rows": len(prompts), "example": prompts[0]}
    with loop.opened(recipe, "train grpo", limit) as run:
        if run.finished:
            return run.counts
        from trl import GRPOConfig, GRPOTrainer

        from cxreason.rewards import REWARDS
        from cxreason.training import generation, models, quick, rollouts
        from cxreason.training.watch import parse_failure

        settings = {
            **loop.machine_settings(),
            **rollouts.rollout_settings(recipe),
            **recipe.trainer,
        }
        processor = models.load_processor(recipe.model, max_pixels=recipe.max_pixels)
        pixels = PreparedPixels(loop.pixels_folder(recipe), processor)
        rewards = [REWARDS[name] for name in recipe.rewards]
        trainer = GRPOTrainer(
            model=models.load_model(recipe.model, freeze_vision=recipe.freeze_vision),
            reward_funcs=[*rewards, parse_failure],
            args=GRPOConfig(
                output_dir=str(run.folder / "checkpoints"),
                seed=recipe.seed,
                reward_weights=[*recipe.rewards.values(), 0.0],
                **settings,
            ),
            train_dataset=data.dataset(prompts, pixels),
            processing_class=processor,
        )
        seeds = rollouts.seeds(recipe.seed, trainer)
        generation.quicken_rollouts(trainer.model, trainer.num_generations or 1, seeds)
        quick.score_replies_only()
        quick.quicken_vision(trainer.model)
        if trainer.ref_model is not None:
            quick.quicken_vision(trainer.ref_model.requires_grad_(False))
        curve = loop.run(trainer, run.folder, "grpo", [one.__name__ for one in rewards])
        return run.finish(
            num_rows=len(prompts),
            num_steps=trainer.state.global_step,
            final_reward=loop.last_value(curve, "reward"),
        )
