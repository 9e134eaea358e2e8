"""Stage 2: GRPO with format, answer and process rewards, over TRL's GRPOTrainer.

ChestX-Reasoner, equation 9: samples asked for reasoning earn format + answer + process factuality,
samples asked for the answer alone earn format + answer.

    cxreason train grpo recipes/phantom/grpo.yaml
"""

from __future__ import annotations

from typing import Any

from cxreason.recipes import GrpoRecipe
from cxreason.runs import Run
from cxreason.training import data


def train(recipe: GrpoRecipe, *, limit: int | None = None, dry_run: bool = False) -> dict[str, Any]:
    """Train `recipe.model` on rewards and leave the result in `recipe.out/model`; run again to continue."""
    prompts = data.mixture(recipe, data.reward_row, limit)
    if dry_run:
        return {"num_rows": len(prompts), "example": prompts[0]}
    with Run.open(recipe.out, verb="train grpo", recipe=recipe, record=None, limit=limit) as run:
        if run.finished:
            return run.counts
        from trl import GRPOConfig, GRPOTrainer

        from cxreason.rewards import REWARDS
        from cxreason.training import generation, loop, models

        settings = {
            **loop.machine_settings(),
            **recipe.trainer,
        }
        trainer = GRPOTrainer(
            model=models.load_model(recipe.model, freeze_vision=recipe.freeze_vision),
            reward_funcs=[REWARDS[name] for name in recipe.rewards],
            args=GRPOConfig(
                output_dir=str(run.folder / "checkpoints"),
                seed=recipe.seed,
                reward_weights=list(recipe.rewards.values()),
                **settings,
            ),
            train_dataset=data.dataset(prompts),
            processing_class=models.load_processor(recipe.model, max_pixels=recipe.max_pixels),
        )
        generation.quicken_rollouts(trainer.model, trainer.num_generations or 1)
        curve = loop.run(trainer, run.folder, "grpo")
        return run.finish(
            num_rows=len(prompts),
            num_steps=trainer.state.global_step,
            final_reward=loop.last_value(curve, "reward"),
        )
