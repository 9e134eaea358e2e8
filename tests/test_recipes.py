"""A recipe says what it means, or the error says what to write."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxreason.recipes import RECIPES, GrpoRecipe, PhantomRecipe, RecipeError, load

WHOLE = "out: runs/grpo\nmodel: m\nsamples: s\nnum_rows: 8\n"


@pytest.fixture
def write(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "grpo.yaml"
        path.write_text(text)
        return path

    return write


def test_values_come_from_the_file_the_command_line_and_the_defaults_in_that_order(write):
    recipe = load(GrpoRecipe, write(WHOLE + "seed: 3\ntrainer: {max_steps: 9}\n"), ["num_rows=16"])
    assert (recipe.out, recipe.num_rows, recipe.seed) == (Path("runs/grpo"), 16, 3)
    assert recipe.trainer == {"max_steps": 9}
    assert recipe.dialect == "think"


@pytest.mark.parametrize(
    ("override", "trainer", "why"),
    [
        ("trainer.max_steps=20", {"max_steps": 20}, "a dotted key reaches inside"),
        ("trainer.learning_rate=1e-5", {"learning_rate": 1e-5}, "a number without a dot is a number"),
        ("trainer.learning_rate=-2E+3", {"learning_rate": -2000.0}, "in every way it is written"),
        ("trainer.run_name=1e", {"run_name": "1e"}, "what only looks like one stays text"),
        ("trainer={a: [1, x]}", {"a": [1, "x"]}, "values are YAML"),
        ("trainer.a.b=true", {"a": {"b": True}}, "missing parents are made"),
        ("trainer.name=a=b", {"name": "a=b"}, "only the first = parts"),
        ("trainer.resume=", {"resume": None}, "nothing is null"),
    ],
)
def test_an_override_means(write, override, trainer, why):
    assert load(GrpoRecipe, write(WHOLE + "trainer:\n"), [override]).trainer == trainer, why


@pytest.mark.parametrize(
    ("text", "overrides", "said"),
    [
        ("reward: {}", [], "{file}: unknown key 'reward'. Did you mean 'rewards'?"),
        ("zzz: 1", [], "{file}: unknown key 'zzz'. Known keys: out, model,"),
        (
            "seed: 99999999999999999999",
            [],
            "{file}: 'seed' is 99999999999999999999. Input should be less than",
        ),
        ("seed: -1", [], "{file}: 'seed' is -1. Input should be greater than or equal to 0"),
        ("rewards: {format: .nan}", [], "'rewards.format' is nan. Input should be a finite number"),
        ("seed: soon", [], "{file}: 'seed' is 'soon'. Input should be a valid integer"),
        ("reasoning_share: 2", [], "{file}: 'reasoning_share' is 2. Input should be less than or equal to 1"),
        (
            "dialect: loud",
            [],
            "{file}: 'dialect' is 'loud'. Input should be 'think', 'think-answer-first', 'boxed' or",
        ),
        ("seed: 1\nseed: 2", [], "line 6: the key 'seed' is given twice"),
        ("rewards: [a", [], "the YAML cannot be read at line"),
        ("", ["seed"], "command line: 'seed' is not understood. Write key=value"),
        ("", ["=3"], "command line: '=3' is not understood"),
        ("", ["trainer..a=3"], "command line: 'trainer..a=3' is not understood"),
        ("", ["seed.x=3"], "command line: 'seed.x' reaches into 'seed', which has no keys inside"),
        ("seed: 3", ["seed=[1"], "command line: the value of 'seed' is not YAML"),
    ],
)
def test_a_mistake_is_told_in_one_line_with_file_key_and_cure(write, text, overrides, said):
    path = write(WHOLE + ("seed: 1\n" if overrides == ["seed.x=3"] else "") + text)
    with pytest.raises(RecipeError) as refusal:
        load(GrpoRecipe, path, overrides)
    assert said.format(file=path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_missing_key_is_named_with_its_meaning_and_the_line_to_add(write):
    with pytest.raises(RecipeError, match=r"'num_rows' \(.+\) is missing. Add a line `num_rows: ...`."):
        load(GrpoRecipe, write("out: a\nmodel: m\nsamples: s\n"))
    with pytest.raises(RecipeError, match=r"command line: 'out' \(.+\) is missing"):
        load(PhantomRecipe, None, ["seed=3"])


def test_a_misspelt_key_is_told_before_the_one_that_it_left_missing(write):
    with pytest.raises(
        RecipeError, match=r"unknown key 'num_row'. Did you mean 'num_rows'\? \(1 more to mend.\)"
    ):
        load(GrpoRecipe, write("out: a\nmodel: m\nsamples: s\nnum_row: 8\n"))


def test_a_recipe_of_another_verb_is_recognised_by_its_keys(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("out: a\npredictions: [b]\nsamples: c\nmost_cases: 3\n")
    with pytest.raises(RecipeError, match=r"unknown key 'predictions'. All keys .* of `cxreason score`\. "):
        load(GrpoRecipe, path)
    path.write_text("out: a\nmodel: m\nsamples: c\nnum_rows: 4\npredikt: 1\n")
    with pytest.raises(RecipeError, match=r"unknown key 'predikt'. Known keys"):
        load(GrpoRecipe, path)


def test_a_split_that_there_is_not_is_told():
    with pytest.raises(RecipeError, match=r"'splits.0' is 'tset'. Input should be 'train', 'validation' or"):
        load(RECIPES["mine"], None, ["out=b", "samples=a", "splits=[tset]"])


def test_one_value_where_a_list_is_wanted_is_told_how_to_write_it():
    with pytest.raises(RecipeError, match=r"'studies' is 'runs/a'. Write a list: studies=\[runs/a\]\."):
        load(RECIPES["build"], None, ["out=b", "studies=runs/a"])


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"- a\n", "is not a recipe"), (b"\xff\xfe\x00", "cannot be read"), (None, "no such recipe file")],
)
def test_a_file_that_is_no_recipe_is_named(tmp_path, content, said):
    path = tmp_path / "sft.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RecipeError, match=said) as refusal:
        load(PhantomRecipe, path)
    assert str(path) in str(refusal.value)


def test_a_recipe_does_not_change_after_loading():
    recipe = load(PhantomRecipe, None, ["out=a"])
    with pytest.raises(ValueError, match="frozen"):
        recipe.seed = 3  # pyright: ignore[reportAttributeAccessIssue]


@given(st.lists(st.text(max_size=20), max_size=3), st.sampled_from(list(RECIPES.values())))
def test_no_override_whatever_it_is_escapes_as_another_error(overrides, recipe_type):
    said = ""
    try:
        load(recipe_type, None, overrides)
    except RecipeError as error:
        said = str(error)
    assert "\n" not in said


def test_every_key_that_is_not_self_evident_says_what_it_means():
    for name, recipe_type in RECIPES.items():
        for key, field in recipe_type.model_fields.items():
            assert field.description or key == "seed" or name == "demo", f"{name}: {key} has no description"
