"""Writing tokens with a small Qwen vision-language model on a CPU: what `model.generate` writes, sooner.

For a model of a few million parameters `generate` spends most of its time in Python, on padding and on rows
that ended long ago. Here a step is some ten tensor operations per layer on joined weights, a prompt is read
once for all of its draws, and rows that have ended leave the batch. What such a loop cannot do, because a
model has another architecture or asks for penalties, `can_write` says beforehand, and `generate` does it.

A draw takes its random numbers from outside, one per token: whoever seeds them by the sample gets the same
text whatever else is in the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

MODEL_TYPES = ("qwen2_vl", "qwen2_5_vl")
MOST_PARAMETERS = 300_000_000
"""Joined weights are a second copy of the language half, and a larger model gains little from this loop."""
STEPS_BETWEEN_CUTS = 8
WORTH_CUTTING = 0.75
"""Rows that have ended leave once the living are less than this share: moving the cache costs as well."""

# Settings of a checkpoint's generation config that change which token is taken, with what leaves it alone.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "repetition_penalty": (None, 1.0),
    "encoder_repetition_penalty": (None, 1.0),
    "no_repeat_ngram_size": (None, 0),
    "encoder_no_repeat_ngram_size": (None, 0),
    "min_length": (None, 0),
    "min_new_tokens": (None, 0),
    "bad_words_ids": (None,),
    "begin_suppress_tokens": (None,),
    "forced_bos_token_id": (None,),
    "forced_eos_token_id": (None,),
    "sequence_bias": (None,),
    "exponential_decay_length_penalty": (None,),
    "guidance_scale": (None, 1.0),
    "num_beams": (None, 1),
}
_NEUTRAL_WHEN_SAMPLING: dict[str, tuple[Any, ...]] = {
    "top_k": (None, 0),
    "top_p": (None, 1.0),
    "min_p": (None, 0.0),
    "typical_p": (None, 1.0),
    "epsilon_cutoff": (None, 0.0),
    "eta_cutoff": (None, 0.0),
}


Heard = Callable[[list[int], list[int]], Collection[int]]
"""Told at every step which rows have got which tokens; what it returns are the rows that may end there."""

_BY_ROW = {"input_ids", "attention_mask", "mm_token_type_ids"}


def can_write(model: Any, settings: Any = None, *, sampling: bool = False) -> bool:
    """Whether `write_tokens` writes what `model.generate` would with these generation settings.

    `settings` is a GenerationConfig, by default the model's own. When sampling, its cuts (top_k, top_p)
    count as well: pass False in `sampling` where they are to be left aside.
    """
    config = model.config
    if config.model_type not in MODEL_TYPES or model.dtype != torch.float32 or model.device.type != "cpu":
        return False
    text = config.text_config
    layer_types = set(getattr(text, "layer_types", None) or ["full_attention"])
    if layer_types != {"full_attention"} or text.hidden_act != "silu":
        return False
    if model.num_parameters() > MOST_PARAMETERS or _is_wrapped(model):
        return False
    wanted = {**_NEUTRAL, **(_NEUTRAL_WHEN_SAMPLING if sampling else {})}
    chosen = model.generation_config if settings is None else settings
    return all(getattr(chosen, name, None) in neutral for name, neutral in wanted.items())


def _is_wrapped(model: Any) -> bool:
    """Adapters and quantised layers compute with more than a weight: the weights are not the model."""
    if hasattr(model, "get_base_model"):
        return True
    layers = model.model.language_model.layers
    linear = (layers[0].self_attn.q_proj, layers[0].mlp.gate_proj, model.lm_head)
    return any(type(layer) is not torch.nn.Linear for layer in linear)


@torch.no_grad()
def write_tokens(
    model: Any,
    inputs: dict[str, torch.Tensor],
    *,
    max_new_tokens: int,
    draws: torch.Tensor | None = None,
    num_draws: int = 1,
    temperature: float = 1.0,
    ends: int | list[int] | None = None,
    never: Sequence[int] | None = None,
    heard: Heard | None = None,
) -> list[list[int]]:
    """The tokens written after each left-padded prompt, its end token included where there is one.

    Greedy without `draws`. With them, shape (prompts x num_draws, max_new_tokens) and uniform in [0, 1), row
    i * num_draws + j is draw j of prompt i: token t is where the cumulated probabilities pass draws[row, t].
    `ends` and `never` (tokens that are not written) are by default those of the model's generation config.
    """
    weights = Weights.of(model)
    # Training mode must not matter, and asking for it must not leave it changed.
    was_training = model.training
    model.eval()
    mask, with_images = inputs["attention_mask"], "image_grid_thw" in inputs
    # With images the model finds the positions itself; without, it would count the padding.
    told = {} if with_images else {"position_ids": (mask.cumsum(-1) - 1).clamp(min=0).expand(3, -1, -1)}
    try:
        read = model(**inputs, **told, use_cache=True, logits_to_keep=1)
    finally:
        model.train(was_training)
    ends = model.generation_config.eos_token_id if ends is None else ends
    never = list((model.generation_config.suppress_tokens if never is None else never) or ())
    ending = torch.tensor(ends if isinstance(ends, list) else [ends])
    positions = mask.sum(-1) + (model.model.rope_deltas.reshape(-1) if with_images else 0)
    batch = _Batch.start(read.past_key_values, mask, positions, num_draws, max_new_tokens)
    logits = read.logits[:, -1].float().repeat_interleave(num_draws, dim=0)
    written = torch.zeros(len(logits), max_new_tokens, dtype=torch.long)
    lengths = torch.full((len(logits),), max_new_tokens)
    for step in range(max_new_tokens):
        logits[:, never] = float("-inf")
        tokens = _next(logits, None if draws is None else draws[batch.rows, step], temperature)
        written[batch.rows, step] = tokens
        ended = torch.isin(tokens, ending) & batch.alive
        if heard is not None:
            left = heard(batch.rows[batch.alive].tolist(), tokens[batch.alive].tolist())
            if left:
                ended |= torch.isin(batch.rows, torch.tensor(sorted(left))) & batch.alive
        lengths[batch.rows[ended]] = step + 1
        batch.alive &= ~ended
        if not batch.alive.any() or step + 1 == max_new_tokens:
            break
        if step % STEPS_BETWEEN_CUTS == 0 and batch.alive.float().mean() < WORTH_CUTTING:
            tokens = tokens[batch.alive]
            batch.cut()
        logits = weights.step(tokens, batch)
    return [row[:length].tolist() for row, length in zip(written, lengths.tolist(), strict=True)]


def draws(seeds: Sequence[int | Sequence[int]], num_tokens: int) -> torch.Tensor:
    """One row of uniform numbers for each seed, for `write_tokens`; a row depends on its seed alone.

    A seed is one number or several.

    >>> bool((draws([3, 4], 2)[1] == draws([4], 2)[0]).all())
    True
    """
    rows = [np.random.default_rng(seed).random(num_tokens, dtype=np.float32) for seed in seeds]
    return torch.from_numpy(np.stack(rows))


def quicken_rollouts(
    model: Any, num_generations: int, seeds: Callable[[int], Sequence[Sequence[int]]] | None = None
) -> None:
    """Let GRPO's rollouts of `model` be written here where that changes nothing but the time they take.

    The trainer asks `model.generate` for a batch in which each prompt stands `num_generations` times; each is
    read once. `seeds` gives as many seeds as there are rows, so that a reply does not depend on how many
    processes share a batch; without it the random numbers come from torch's own stream.
    """
    generate = model.generate

    def rollouts(**asked: Any) -> torch.Tensor:
        settings = asked.get("generation_config")
        inputs = {name: value for name, value in asked.items() if name != "generation_config"}
        if settings is None or not settings.do_sample or not can_write(model, settings, sampling=True):
            return generate(**asked)
        prompts = inputs["input_ids"]
        distinct = _first_of_each(inputs, num_generations, model.config.vision_start_token_id)
        written = write_tokens(
            model,
            inputs if distinct is None else distinct,
            max_new_tokens=settings.max_new_tokens,
            draws=torch.rand(len(prompts), settings.max_new_tokens)
            if seeds is None
            else draws(seeds(len(prompts)), settings.max_new_tokens),
            num_draws=1 if distinct is None else num_generations,
            temperature=settings.temperature,
            ends=settings.eos_token_id,
            never=settings.suppress_tokens or (),
        )
        room = max(map(len, written))
        padded = [row + [settings.pad_token_id] * (room - len(row)) for row in written]
        return torch.cat([prompts, torch.tensor(padded, dtype=prompts.dtype)], dim=1)

    model.generate = rollouts


def _first_of_each(
    inputs: dict[str, torch.Tensor], repeats: int, image_mark: int
) -> dict[str, torch.Tensor] | None:
    """The inputs with one row for each run of `repeats` equal ones; None where the rows are not such runs."""
    tokens = inputs["input_ids"]
    if len(tokens) % repeats or set(inputs) - _BY_ROW - {"pixel_values", "image_grid_thw"}:
        return None
    kept = {}
    for name in inputs.keys() & _BY_ROW:
        groups = inputs[name].unflatten(0, (-1, repeats))
        if not bool((groups == groups[:, :1]).all()):
            return None
        kept[name] = groups[:, 0]
    if "pixel_values" not in inputs:
        return kept
    grids = inputs["image_grid_thw"].split((tokens == image_mark).sum(1).tolist())
    pixels = inputs["pixel_values"].split([int(grid.prod(-1).sum()) for grid in grids])
    for row in range(len(tokens)):
        first = row - row % repeats
        if not (torch.equal(grids[row], grids[first]) and torch.equal(pixels[row], pixels[first])):
            return None
    return kept | {
        "image_grid_thw": torch.cat(grids[::repeats]),
        "pixel_values": torch.cat(pixels[::repeats]),
    }


def _next(logits: torch.Tensor, draws: torch.Tensor | None, temperature: float) -> torch.Tensor:
    if draws is None:
        return logits.argmax(-1)
    cumulated = (logits / temperature).softmax(-1).cumsum(-1)
    # The last sum is 1 only up to rounding: a draw beside it must still find a token.
    return torch.searchsorted(cumulated, (draws * cumulated[:, -1])[:, None], right=True)[:, 0].clamp_(
        max=logits.shape[1] - 1
    )


@dataclass
class _Batch:
    """The rows under way: what each has read and written as keys and values, and where it stands."""

    rows: torch.Tensor
    """Which row of the output each row of the batch is."""
    alive: torch.Tensor
    positions: torch.Tensor
    keys: list[torch.Tensor]
    values: list[torch.Tensor]
    mask: torch.Tensor
    """0 where a row may look, minus infinity at the padding."""
    length: int

    @classmethod
    def start(
        cls, cache: Any, attention_mask: torch.Tensor, positions: torch.Tensor, num_draws: int, room: int
    ) -> _Batch:
        num_rows, length = len(attention_mask) * num_draws, attention_mask.shape[1]

        def roomy(read: torch.Tensor) -> torch.Tensor:
            wide = torch.empty(num_rows, read.shape[1], length + room, read.shape[3])
            wide[:, :, :length] = read.repeat_interleave(num_draws, dim=0)
            return wide

        hidden = torch.zeros(num_rows, 1, 1, length + room)
        hidden[:, 0, 0, :length].masked_fill_(
            attention_mask.repeat_interleave(num_draws, dim=0) == 0, float("-inf")
        )
        return cls(
            rows=torch.arange(num_rows),
            alive=torch.ones(num_rows, dtype=torch.bool),
            positions=positions.repeat_interleave(num_draws),
            keys=[roomy(layer.keys) for layer in cache.layers],
            values=[roomy(layer.values) for layer in cache.layers],
            mask=hidden,
            length=length,
        )

    def cut(self) -> None:
        """Only the living stay."""
        keep = self.alive
        self.rows, self.positions, self.mask = self.rows[keep], self.positions[keep], self.mask[keep]
        self.keys = [cache[keep] for cache in self.keys]
        self.values = [cache[keep] for cache in self.values]
        self.alive = torch.ones(len(self.rows), dtype=torch.bool)


@dataclass
class Weights:
    """The weights of a Qwen language half, joined so that a layer is few operations."""

    embedding: torch.Tensor
    head: torch.Tensor
    norm: torch.Tensor
    layers: list[dict[str, torch.Tensor]]
    epsilon: float
    num_heads: int
    num_key_heads: int
    frequencies: torch.Tensor
    scaling: float

    @classmethod
    def of(cls, model: Any) -> Weights:
        half, text = model.model.language_model, model.config.text_config
        layers = []
        for layer in half.layers:
            seeing, thinking = layer.self_attn, layer.mlp
            looks = (seeing.q_proj, seeing.k_proj, seeing.v_proj)
            layers.append(
                {
                    "before": layer.input_layernorm.weight,
                    "look": torch.cat([one.weight for one in looks]),
                    "look_bias": torch.cat([one.bias for one in looks]),
                    "out": seeing.o_proj.weight,
                    "after": layer.post_attention_layernorm.weight,
                    "up": torch.cat([thinking.gate_proj.weight, thinking.up_proj.weight]),
                    "down": thinking.down_proj.weight,
                }
            )
        return cls(
            embedding=half.embed_tokens.weight,
            head=model.lm_head.weight,
            norm=half.norm.weight,
            layers=layers,
            epsilon=text.rms_norm_eps,
            num_heads=text.num_attention_heads,
            num_key_heads=text.num_key_value_heads,
            frequencies=half.rotary_emb.inv_freq.float(),
            scaling=half.rotary_emb.attention_scaling,
        )

    def step(self, tokens: torch.Tensor, batch: _Batch) -> torch.Tensor:
        """One more token in each row: the cache grows by it, and the logits of the next one come out."""
        at, seen = batch.length, batch.length + 1
        # Written tokens are text, whose three positions (time, height, width) are one.
        angles = batch.positions[:, None].float() * self.frequencies
        angles = torch.cat((angles, angles), dim=-1)[:, None]
        cosine, sine = angles.cos() * self.scaling, angles.sin() * self.scaling
        mask = batch.mask[..., :seen]
        hidden = functional.embedding(tokens, self.embedding)
        for number, layer in enumerate(self.layers):
            normed = functional.rms_norm(hidden, hidden.shape[-1:], layer["before"], self.epsilon)
            looks = functional.linear(normed, layer["look"], layer["look_bias"])
            looks = looks.view(len(tokens), self.num_heads + 2 * self.num_key_heads, -1)
            turning = looks[:, : self.num_heads + self.num_key_heads]
            half = turning.shape[-1] // 2
            turned = torch.cat((-turning[..., half:], turning[..., :half]), dim=-1)
            turning = turning * cosine + turned * sine
            keys, values = batch.keys[number], batch.values[number]
            keys[:, :, at] = turning[:, self.num_heads :]
            values[:, :, at] = looks[:, self.num_heads + self.num_key_heads :]
            # The heads that share a key look at the same places, so they can be queries of one head.
            queries = turning[:, : self.num_heads].view(len(tokens), self.num_key_heads, -1, 2 * half)
            seen_there = functional.scaled_dot_product_attention(
                queries, keys[:, :, :seen], values[:, :, :seen], attn_mask=mask
            )
            hidden = hidden + functional.linear(seen_there.reshape(len(tokens), -1), layer["out"])
            normed = functional.rms_norm(hidden, hidden.shape[-1:], layer["after"], self.epsilon)
            gate, up = functional.linear(normed, layer["up"]).chunk(2, dim=-1)
            hidden = hidden + functional.linear(functional.silu(gate) * up, layer["down"])
        batch.length = seen
        batch.positions = batch.positions + 1
        normed = functional.rms_norm(hidden, hidden.shape[-1:], self.norm, self.epsilon)
        return functional.linear(normed, self.head)
