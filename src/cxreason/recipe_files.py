"""How a recipe file is read, changed from the command line, and told what is wrong with it in one line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cxreason.errors import UserError

AnyRecipe = TypeVar("AnyRecipe", bound=BaseModel)


class RecipeError(UserError):
    """What is wrong with a recipe: file, key, fault and what to write, in one line."""


class Recipe(BaseModel):
    """What all recipes share: unknown keys are refused and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    out: Path = Field(description="folder that the run writes; its rows, recipe.yaml and run.json")


def load(recipe_type: type[AnyRecipe], path: Path | None, overrides: Sequence[str] = ()) -> AnyRecipe:
    """The recipe in a YAML file, with `key=value` overrides on top; RecipeError says what to mend.

    recipe = load(PhantomRecipe, None, ["out=runs/phantom", "num_studies=20"])
    """
    values = {} if path is None else _read(Path(path))
    for override in overrides:
        _override(values, override)
    return validate(recipe_type, values, path)


def validate(
    recipe_type: type[AnyRecipe], values: dict[str, Any], where: Path | str | None = None
) -> AnyRecipe:
    """The recipe that the values make; RecipeError names `where` they came from and what to mend."""
    try:
        return recipe_type.model_validate(values)
    except ValidationError as error:
        raise RecipeError(_explain(error, where, recipe_type, _verbs_of(values))) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except FileNotFoundError:
        raise RecipeError(f"{path}: there is no such recipe file.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: cannot be read as a text file ({error}).") from None
    except yaml.YAMLError as error:
        raise RecipeError(f"{path}: {_yaml_fault(error)}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise RecipeError(f"{path}: is not a recipe. Write lines of the form `key: value`.")
    return values


def _override(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not all(key.split(".")):
        raise RecipeError(f"command line: {override!r} is not understood. Write key=value, as in seed=18.")
    try:
        value = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise RecipeError(f"command line: the value of '{key}' is not YAML: {_yaml_fault(error)}") from None
    *parents, last = key.split(".")
    for parent in parents:
        # A file may say `trainer:` with nothing below it, which YAML reads as null.
        values[parent] = {} if values.get(parent) is None else values[parent]
        values = values[parent]
        if not isinstance(values, dict):
            message = f"command line: '{key}' reaches into '{parent}', which has no keys inside."
            raise RecipeError(f"{message} Write {parent}=value.")
    values[last] = value


def _explain(
    error: ValidationError, path: Path | str | None, recipe_type: type[BaseModel], verbs: Sequence[str]
) -> str:
    """File, key, what is wrong, what to write: `grpo.yaml: unknown key 'reward'. Did you mean 'rewards'?`"""
    # A misspelt key often makes another one missing; the misspelling is what to mend.
    faults = sorted(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
    fault, more = faults[0], len(faults) - 1
    where = path or "command line"
    key = ".".join(str(part) for part in fault["loc"])
    known = recipe_type.model_fields
    rest = f" ({more} more to mend.)" if more else ""
    if not key:
        return f"{where}: {fault['msg'].removeprefix('Value error, ')}.{rest}"
    if fault["type"] == "missing":
        described = known[key].description if key in known else None
        meaning = f" ({described})" if described else ""
        add = f"Add {key}=..." if path is None else f"Add a line `{key}: ...`"
        return f"{where}: '{key}'{meaning} is missing. {add}.{rest}"
    if fault["type"] == "extra_forbidden":
        close = difflib.get_close_matches(key, known, n=1)
        hint = f"Known keys: {', '.join(known)}."
        if verbs:
            hint = f"All keys together are those of a recipe of {' or '.join(verbs)}."
        if close:
            hint = f"Did you mean '{close[0]}'?"
        return f"{where}: unknown key '{key}'. {hint}{rest}"
    if fault["type"] == "tuple_type":
        return f"{where}: '{key}' is {fault['input']!r}. Write a list: {key}=[{fault['input']}].{rest}"
    return f"{where}: '{key}' is {fault['input']!r}. {fault['msg']}.{rest}"


def _verbs_of(values: dict[str, Any]) -> list[str]:
    """The verbs whose recipes know all of these keys."""
    told = ((re.match(r"Settings of (`.+?`)", kind.__doc__ or ""), kind) for kind in _kinds(Recipe))
    return [verb[1] for verb, kind in told if verb and values and values.keys() <= kind.model_fields.keys()]


def _kinds(recipe_type: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for kind in recipe_type.__subclasses__():
        yield kind
        yield from _kinds(kind)


def _yaml_fault(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    line = f" at line {mark.line + 1}" if mark else ""
    problem = getattr(error, "problem", None) or " ".join(str(error).split())
    return f"the YAML cannot be read{line}: {problem.rstrip('.')}."


# libyaml reads a study's protocol ten times as fast, and readers wait for that after a crash.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):
    """YAML as people mean it: 1e-5 is a number, and a key that is given twice is a mistake."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key) for key, _ in node.value]
        for number, key in enumerate(keys):
            if key in keys[:number]:
                mark = node.value[number][0].start_mark
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} is given twice", mark)
        return super().construct_mapping(node, deep)


# YAML 1.1, which PyYAML reads, takes 1e-5 for a text because it has no dot.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)
