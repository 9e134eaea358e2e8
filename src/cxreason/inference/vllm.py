"""The `vllm` engine: the same replies from vLLM, which fills a GPU by itself.

vLLM brings a PyTorch of its own, so it is no extra of this package: install both where a GPU is, with the
versions of PyTorch and transformers that vLLM asks for. Give it large batches (`batch_size: 512`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cxreason.errors import UserError
from cxreason.inference.engines import Conversation, Generated, Picture
from cxreason.inference.prompts import picture, render


class VllmEngine:
    """Generates with a checkpoint in vLLM; `settings` go to `vllm.LLM` as they are.

    VllmEngine("Qwen/Qwen2.5-VL-3B-Instruct", max_new_tokens=2048, settings={"tensor_parallel_size": 2})
    """

    def __init__(
        self,
        model: str,
        *,
        max_new_tokens: int,
        max_pixels: int | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        try:
            import vllm  # type: ignore[import-not-found]
        except ModuleNotFoundError:
            raise UserError(
                "vllm is not installed. Install it in an environment with a GPU (pip install vllm), or use "
                "engine=transformers."
            ) from None
        from cxreason.training import models

        path = models.resolve(model)
        told: dict[str, Any] = {"model": path, "limit_mm_per_prompt": {"image": 4}}
        if max_pixels is not None:
            told["mm_processor_kwargs"] = {"max_pixels": max_pixels}
        self._vllm = vllm
        self.model = vllm.LLM(**{**told, **(settings or {})})
        self.processor: Any = models.load_processor(model, max_pixels=max_pixels)
        self.max_new_tokens = max_new_tokens

    def generate(
        self,
        conversations: Sequence[Conversation],
        images: Sequence[Sequence[Picture]],
        *,
        seeds: Sequence[Sequence[int]] = (),
        temperature: float = 1.0,
        prefixes: Sequence[str] = (),
    ) -> list[Generated]:
        """As `TransformersEngine.generate`: each draw is a request with its own seed."""
        prompts, wanted = [], []
        for place, (chat, shown) in enumerate(zip(conversations, images, strict=True)):
            text = render(self.processor, chat, len(shown)) + (prefixes[place] if prefixes else "")
            prompt: dict[str, Any] = {"prompt": text}
            if shown:
                prompt["multi_modal_data"] = {"image": [picture(one) for one in shown]}
            for seed in seeds[place] if seeds else (None,):
                prompts.append(prompt)
                wanted.append(self._settings(seed, temperature))
        outputs = self.model.generate(prompts, wanted, use_tqdm=False)
        return [_read(output.outputs[0]) for output in outputs]

    def _settings(self, seed: int | None, temperature: float) -> Any:
        if seed is None:
            return self._vllm.SamplingParams(temperature=0.0, max_tokens=self.max_new_tokens)
        # The checkpoint's own cuts (top_k, top_p) would hide the spread that is asked for.
        drawn = {"temperature": temperature, "top_k": -1, "top_p": 1.0, "seed": seed % 2**31}
        return self._vllm.SamplingParams(max_tokens=self.max_new_tokens, **drawn)


def _read(output: Any) -> Generated:
    ended = output.finish_reason == "stop"
    return Generated(output.text, len(output.token_ids) - ended, finished=ended)
