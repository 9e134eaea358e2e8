"""Who writes GRPO's replies: `model.generate`, the quick loop of `generation.py`, or a vLLM server."""

from __future__ import annotations

import importlib.util
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from cxreason.errors import UserError
from cxreason.recipes import GrpoRecipe


def rollout_settings(recipe: GrpoRecipe) -> dict[str, Any]:
    """What TRL is told of rollouts unless the recipe says otherwise; a server has to be there and answer.

    TRL would load vLLM into the training's own GPUs by default, where image tokens can be garbled in silence.

    >>> from cxreason.recipes import validate
    >>> told = {"out": "a", "model": "phantom", "samples": "b", "num_rows": 1}
    >>> rollout_settings(validate(GrpoRecipe, told))
    {}
    """
    if not recipe.trainer.get("use_vllm"):
        return {}
    if importlib.util.find_spec("vllm") is None:
        raise UserError(
            "trainer.use_vllm: vllm is not installed. Install it where the GPUs are (pip install vllm), or "
            "write trainer.use_vllm=false to let transformers write the replies."
        )
    settings = {"vllm_mode": "server"}
    told = {**settings, **recipe.trainer}
    if told["vllm_mode"] == "server":
        _require_server(told, recipe.model)
    return settings


def _require_server(told: dict[str, Any], model: str) -> None:
    """TRL waits for minutes and then fails with a trace; here the missing command is said at once."""
    host, port = told.get("vllm_server_host", "0.0.0.0"), told.get("vllm_server_port", 8000)
    base = told.get("vllm_server_base_url") or f"http://{host}:{port}"
    try:
        urllib.request.urlopen(f"{base}/health/", timeout=10).close()
    except urllib.error.HTTPError:
        return  # it answers; what it serves is TRL's to ask
    except OSError as error:
        raise UserError(
            f"no vLLM server answers at {base} ({error}). Start one on GPUs of its own: "
            f"trl vllm-serve --model {model}"
        ) from None


def seeds(seed: int, trainer: Any) -> Callable[[int], list[tuple[int, int, int]]]:
    """Seeds of the replies that are drawn now: of the reply alone, whichever process writes it."""

    def of(number: int) -> list[tuple[int, int, int]]:
        first = trainer.args.process_index * number
        return [(seed, trainer._step, first + row) for row in range(number)]

    return of
