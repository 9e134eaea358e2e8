"""What goes over the wire to an OpenAI-compatible server, and how what comes back is read."""

from __future__ import annotations

import email.utils
import hashlib
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from cxreason.errors import UserError
from cxreason.settings import ModelSettings

Message = dict[str, Any]

REPAIR = Path(__file__).with_name("repair.md")
"""The prompt that sends a reply back which is not what was asked for."""
LONGEST_WAIT_SECONDS = 120.0
BUSY = {408, 409, 425, 429, 500, 502, 503, 504}
REFUSED = {401: "refuses the key", 403: "refuses the key", 404: "knows no such address or model"}


class EndpointError(UserError):
    """A server that cannot be used as asked, and what to mend."""


class CallFailed(Exception):
    """One call that got no usable reply in all its attempts."""


@dataclass
class Usage:
    """What the calls of an endpoint came to. Replies from the cache cost nothing and are counted apart."""

    num_calls: int = 0
    num_from_cache: int = 0
    num_retries: int = 0
    num_repairs: int = 0
    num_failed: int = 0
    num_uncounted: int = 0
    """Replies whose server did not say how many tokens they took; their cost is missing below."""
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0


@dataclass(frozen=True)
class Said:
    """What a model said: its words, whether they were cut at the token limit, and the tokens they took."""

    text: str
    cut: bool = False
    tokens_in: int | None = None
    tokens_out: int | None = None


def body(
    settings: ModelSettings,
    messages: list[Message],
    form: type[BaseModel] | None,
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The body of a request for words, or for an object of `form`; `extra` is added to the settings' own.

    >>> body(ModelSettings(model="m"), [{"role": "user", "content": "Say edema."}], None)["max_tokens"]
    4096
    """
    request: dict[str, Any] = {"model": settings.model, "messages": messages}
    request |= {"temperature": settings.temperature, "seed": settings.seed}
    request |= {"max_tokens": settings.max_tokens}
    if form is not None and settings.json_form == "schema":
        schema = {"name": form.__name__, "strict": True, "schema": closed(form.model_json_schema())}
        request["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif form is not None and settings.json_form == "object":
        request["response_format"] = {"type": "json_object"}
    return {**request, **settings.extra, **(extra or {})}


def key(request: dict[str, Any]) -> str:
    """The name of a request: a hash of all of it.

    >>> len(key({"model": "m"}))
    64
    """
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()


def read_completion(content: bytes | str | dict[str, Any]) -> Said:
    """What a chat completion says; ValueError where it is none.

    >>> read_completion('{"choices": [{"message": {"content": "Edema."}}]}').text
    'Edema.'
    """
    try:
        reply = content if isinstance(content, dict) else json.loads(content)
        choice = reply["choices"][0]
        text = choice["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError):
        raise ValueError("an answer that is not a chat completion") from None
    if text is not None and not isinstance(text, str):
        raise ValueError("an answer without words")
    usage = reply.get("usage") or {}
    counted = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
    tokens_in, tokens_out = (count if isinstance(count, int) else None for count in counted)
    # Thoughts alone, cut before a word was said, come as null: said, and paid for.
    return Said(text or "", choice.get("finish_reason") == "length", tokens_in, tokens_out)


def retry_after(header: str | None) -> float | None:
    """Seconds that a Retry-After header asks for: a number, or a date."""
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return None


_THINKING = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)


def without_thoughts(text: str) -> str:
    """The words behind a leading <think> block, where a server leaves it in.

    >>> without_thoughts("<think>Hm.</think>Edema.")
    'Edema.'
    """
    return _THINKING.sub("", text)


def json_in(text: str) -> str:
    """The JSON object in a reply, without what is often wrapped around it: thoughts, fences, a greeting.

    >>> json_in('Here it is: {"name": "blue"}')
    '{"name": "blue"}'
    """
    said = without_thoughts(text)
    start, end = said.find("{"), said.rfind("}")
    if not 0 <= start < end:
        raise ValueError("it holds no JSON object.")
    return said[start : end + 1]


def problem_of(error: ValueError) -> str:
    """What is wrong with a reply, in one line."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return f"{place}: {first['msg']}." if place else f"{first['msg']}."
    return str(error)


def closed(schema: Any) -> Any:
    """The schema with no room for keys that are not named, as strict servers demand."""
    if isinstance(schema, dict):
        schema = {key: closed(value) for key, value in schema.items()}
        if schema.get("type") == "object":
            schema |= {"additionalProperties": False, "required": list(schema.get("properties", {}))}
        return schema
    return [closed(value) for value in schema] if isinstance(schema, list) else schema
