"""The parts of recipes: how a model is asked and paid, feeds, audits, what mining keeps, what suites ask."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""What every generator of random numbers takes, numpy's and torch's too."""

Dialect = Literal["think", "think-answer-first", "boxed", "boxed-released"]
DIALECT = (
    "how the model is asked and answers; think-answer-first has the answer before the trace, boxed-released "
    "doubles the braces of boxed"
)
RewardWeights = dict[Literal["format", "answer", "process", "process_guarded"], FiniteFloat]
REWARDS = (
    "weight of each reward; 0 = logged only; `process` is the paper's, `process_guarded` is not gamed by "
    "padding or listing, but for two exceptions (docs/rewards.md)"
)
Graders = dict[Literal["labels", "report"], Literal["offline", "auto", "ratescore", "radcliq"]]
GRADERS = (
    "what reads answers of a kind: offline = the rule of the evaluation; ratescore, radcliq = that metric, "
    "whose backend has to be installed; auto = it where it is installed; null = offline for all"
)
Control = Literal["probe", "question-only"]
RewardVariant = Literal["paper", "released"]
VARIANT = (
    "rules of format and answer: null = paper; released = as CheXOne's trainer was released, faults included"
)


class ModelSettings(BaseModel):
    """What a model on an OpenAI-compatible server is asked, whichever server it is on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(description="the model's name on that server")
    temperature: float = Field(0.0, ge=0, description="0 = the most likely words")
    max_tokens: int = Field(4096, ge=1, description="a reply is cut here")
    json_form: Literal["schema", "object", "text"] = Field(
        "schema", description="what the server can be held to: a JSON schema, a JSON object, or words only"
    )
    attempts: int = Field(5, ge=1, description="how often one call is made before it counts as failed")
    retry_seconds: float = Field(1.0, ge=0, description="first wait between attempts; doubles each time")
    extra: dict[str, Any] = Field({}, description="added to each request as it is")
    seed: Seed = 17


class ServerSettings(BaseModel):
    """Where a server is and how much it bears. The key is never in a recipe, only its name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(pattern="^https?://", description="base address, as in http://localhost:8000/v1")
    api_key_variable: str = Field("OPENAI_API_KEY", description="environment variable that holds the key")
    concurrency: int = Field(8, ge=1, description="calls under way at a time")
    requests_per_minute: float | None = Field(None, gt=0, description="most calls a minute; null = no limit")
    timeout_seconds: float = Field(120.0, gt=0, description="a slower answer is asked for again")
    price_in: float = Field(0.0, ge=0, description="price of a million tokens read")
    price_out: float = Field(0.0, ge=0, description="price of a million tokens written")


class EndpointSettings(ModelSettings, ServerSettings):
    """How a model on an OpenAI-compatible server is asked. The key is never in a recipe, only its name."""


class PoolServer(ServerSettings):
    """One of several servers with the same model. All but `model` as for an endpoint."""

    model: str = Field("", description="the model's name on this server, where it has another there")
    concurrency: int = Field(64, ge=1, description="most calls at a time; halved where it says 429 or 503")


class PoolSettings(ModelSettings):
    """A model on one or several servers, or behind batch files."""

    servers: tuple[PoolServer, ...] = Field(
        (), description="where the model is; calls go where there is room"
    )
    batch: bool = Field(False, description="write requests as batch files, and read what answered them")
    free_extra: dict[str, Any] = Field(
        {}, description="added to the calls for free text alone, such as a switch for thinking"
    )
    budget: float | None = Field(None, gt=0, description="money to spend at most; may be raised later")
    budget_tokens: int | None = Field(None, gt=0, description="tokens read and written at most")
    patience_seconds: float = Field(
        900.0, ge=0, description="how long to wait for servers that went away before stopping"
    )

    @model_validator(mode="after")
    def _reachable(self) -> PoolSettings:
        if bool(self.servers) == self.batch:
            raise ValueError("name `servers` to ask them, or `batch: true` for batch files, one of the two")
        return self


class Feed(BaseModel, extra="forbid", frozen=True):
    """One task that is asked of one dataset, and how often."""

    dataset: str = Field(description="name of a dataset: `cxreason build --list` shows them")
    task: str = Field(description="name of a task")
    train: int | None = Field(None, ge=0, description="most samples to train on; null = all, 0 = none")
    validation: int | None = Field(None, ge=0, description="the same for validation")
    test: int | None = Field(None, ge=0, description="the same for test")
    balance: Literal["natural", "groups", "values"] = Field(
        "natural",
        description="natural: as the dataset has them; groups: each finding in turn, each answer to it "
        "equally often; values: each answer as often as the rarest",
    )
    caps: dict[str, int] = Field(
        {}, description="most offers with a finding or answer, as in {no finding: 50000}"
    )
    reasoning: bool = Field(False, description="whether reasoning is to be mined for it")
    grpo: bool = Field(False, description="whether reinforcement learning uses it")


class SuiteSetting(BaseModel, extra="forbid", frozen=True):
    """One setting of a suite: what is asked of which dataset, and by what it is judged."""

    name: str = Field(description="its name; the task of its samples, unless `build` makes them")
    title: str = Field(description="its name on pages")
    dataset: str = Field(description="name of a dataset: `cxreason build --list` shows them")
    how: Literal["questions", "view", "course", "presence", "report", "progression", "boxes", "build"] = (
        Field(
            description="where its questions come from; build = the task of `cxreason build` with its balance"
        )
    )
    metrics: tuple[str, ...] = Field(min_length=1, description="what it is judged by, the main one first")
    task: str = Field("", description="for boxes and build: name of a task")
    split: Literal["test", "validation"] = Field("test", description="the dataset's part that is asked about")
    types: tuple[str, ...] = Field((), description="for questions: the dataset's own words for what is asked")
    subjects: tuple[str, ...] = Field((), description="for presence and course: the findings asked about")
    most: int | None = Field(None, ge=1, description="most samples, taken by hash; null = all")
    per_value: int | None = Field(
        None, ge=1, description="so many of each answer to each subject, instead of `most`"
    )
    balance: Literal["natural", "groups", "values"] = Field("groups", description="for build: as in a feed")
    published: int = Field(0, ge=0, description="samples that the paper scored; 0 = not told")


class MineFilters(BaseModel, extra="forbid", frozen=True):
    """What a mined chain must be like to be kept."""

    factuality: float = Field(1.0, ge=0, le=1, description="share of its statements that must follow (R_f)")
    reading: Literal["strict", "paper"] = Field(
        "strict", description="paper: what the report leaves unmentioned may be called normal; strict: not"
    )
    evidence: bool = Field(True, description="it must point at a sentence of the report")
    min_words: int = Field(12, ge=0, description="fewest words")
    max_words: int = Field(320, ge=1, description="most words")
    most_alike: int | None = Field(
        20, ge=1, le=255, description="nearly equal chains that are kept at most; null = any number"
    )


TERSE_FILTERS = {"reading": "paper", "evidence": False, "min_words": 0, "max_words": 130, "most_alike": None}
"""Chains for the tiny model repeat themselves by design, and say what is unmentioned as well."""


class AuditSettings(BaseModel, extra="forbid", frozen=True):
    """How strict the audit of a build is."""

    margin: float = Field(default=0.02, ge=0, description="so far above chance a blind guesser is harmless")
    most: int = Field(
        default=5000, ge=1, description="samples of each dataset, task and side that are guessed"
    )
    most_ratio: float | None = Field(
        default=2.0, ge=1, description="most frequent label to the rarest; null = labels as they come"
    )
    hash_images: bool = Field(
        default=True, description="compare images by their pixels too, which takes a while"
    )
