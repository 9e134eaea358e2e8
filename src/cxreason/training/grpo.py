"""Stage 2: GRPO with format, answer and process rewards, over TRL's GRPOTrainer.

ChestX-Reasoner, equation 9: samples asked for reasoning earn format + answer + process factuality,
samples asked for the answer alone earn format + answer. Before anything is loaded, the rewards have to show
that they pay the right answer best (`reward_check.py`).

    cxreason train grpo recipes/phantom/grpo.yaml
"""

from __future__ import annotations

from typing import Any

from cxreason.recipes import GrpoRecipe
from cxreason.rewards import functions, process_reward
from cxreason.rewards.answer import AnswerReward
from cxreason.rewards.graders import BackendGrader, chosen
from cxreason.rewards.judged import JudgedProcess
from cxreason.settings import EndpointSettings
from cxreason.training import data, data_check, loop, reward_check
from cxreason.training.configs import batch_settings, configured, one_after_another
from cxreason.training.pixels import PreparedPixels

MAY_CHANGE = ("bad_samples", "keep", "licence", "reward_check")
"""What may differ between two starts of one run: nothing that was learned depends on it."""


def train(recipe: GrpoRecipe, *, limit: int | None = None, dry_run: bool = False) -> dict[str, Any]:
    """Train `recipe.model` on rewards and leave the result in `recipe.out/model`; run again to continue."""
    rewards = reward_functions(recipe)
    by_rules = read_by_rules(rewards)
    if dry_run:
        checked = data_check.check(recipe, limit, dry_run=True)
        rows = data.mixture(recipe, data.reward_row, limit, without=checked.bad)
        earned = reward_check.check(recipe, by_rules)
        return {"num_rows": len(rows), "example": rows[0], "data": checked.counts, "rewards": earned}
    with loop.opened(recipe, "train grpo", limit, MAY_CHANGE) as run:
        if run.finished:
            return run.counts
        with one_after_another():
            reward_check.require(recipe, by_rules, run.folder)
            bad = data_check.require(recipe, run.folder, limit)
            prompts = data.mixture(recipe, data.reward_row, limit, without=bad, kept=run.folder / "rows")
        from trl import GRPOConfig, GRPOTrainer

        from cxreason.training import generation, models, quick, rollouts
        from cxreason.training.watch import parse_failure

        settings = {
            **loop.machine_settings(recipe),
            **rollouts.rollout_settings(recipe),
            "output_dir": str(run.folder / "checkpoints"),
            "seed": recipe.seed,
            "reward_weights": [*recipe.rewards.values(), 0.0],
            **batch_settings(recipe),
            **recipe.trainer,
        }
        # Before the model is loaded, because ZeRO-3 shards it on the way only where it knows of it.
        settings = configured(GRPOConfig, "trainer", settings)
        processor = models.load_processor(recipe.model, max_pixels=recipe.max_pixels)
        pixels = PreparedPixels(loop.pixels_folder(recipe), processor)
        paying: list[Any] = [*rewards.values(), parse_failure]
        trainer = GRPOTrainer(
            model=models.load_for_training(recipe),
            reward_funcs=paying,
            args=settings,
            peft_config=models.adapters(recipe),
            train_dataset=data.dataset(prompts, pixels),
            processing_class=processor,
        )
        seeds = rollouts.seeds(recipe.seed, trainer)
        generation.quicken_rollouts(trainer.model, trainer.num_generations or 1, seeds)
        quick.score_replies_only()
        quick.quicken_vision(trainer.model)
        reference: Any = trainer.ref_model
        if reference is not None:
            quick.quicken_vision(reference.requires_grad_(False))
        curve = loop.run(trainer, run.folder, "grpo", recipe, [one.__name__ for one in rewards.values()])
        return loop.finish(
            run,
            recipe,
            num_rows=len(prompts),
            num_steps=trainer.state.global_step,
            final_reward=loop.last_value(curve, "reward"),
            **_about_readers(rewards),
        )


def reward_functions(recipe: GrpoRecipe) -> dict[str, Any]:
    """The rewards of a recipe by their names."""
    judge = recipe.judge if "process" in recipe.rewards else None
    return functions(
        recipe.rewards,
        graders=chosen(recipe.graders or {}),
        variant=recipe.reward_variant or "paper",
        process=None if judge is None else _judged(recipe, judge),
    )


def read_by_rules(rewards: dict[str, Any]) -> dict[str, Any]:
    """The same rewards with the rules in the place of a judge: to check them costs no call."""
    return {name: process_reward if isinstance(one, JudgedProcess) else one for name, one in rewards.items()}


def _judged(recipe: GrpoRecipe, settings: EndpointSettings) -> JudgedProcess:
    from cxreason.endpoint.client import Endpoint
    from cxreason.evaluation.judge import Judge

    return JudgedProcess(Judge(Endpoint(settings, cache=recipe.out / "judge.jsonl")), _anywhere)


def _anywhere(keys: list[str]) -> list[str]:
    """The keys that any of the processes names: a prompt's group may be spread over several."""
    from accelerate.utils import gather_object

    return gather_object(keys)


def _about_readers(rewards: dict[str, Any]) -> dict[str, Any]:
    """What read for the rewards, where it was not the rules."""
    told: dict[str, Any] = {}
    for reward in rewards.values():
        if isinstance(reward, JudgedProcess):
            told["judge"] = reward.about()
        elif isinstance(reward, AnswerReward) and reward.graders:
            told["graders"] = {
                kind: {"metric": one.__name__, "rows": one.num_rows, "read_offline": one.num_offline}
                for kind, one in reward.graders.items()
                if isinstance(one, BackendGrader)
            }
    return told
