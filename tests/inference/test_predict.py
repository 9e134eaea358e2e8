"""Asking a model: what is kept, what does not depend on the batch, and how it continues."""

import json

import numpy as np
import pytest

from cxreason.answers import understand
from cxreason.errors import UserError
from cxreason.inference import predict as room
from cxreason.inference.transformers import Generated, TransformersEngine
from cxreason.recipes import PredictRecipe, validate
from cxreason.records import Prediction, Sample, to_row
from cxreason.runs import read


@pytest.fixture
def recipe(corpus, tmp_path):
    def make(**changes):
        values = {
            "out": tmp_path / "predict",
            "model": "phantom",
            "name": "base",
            "samples": corpus / "mine",
            "max_new_tokens": 12,
            "max_pixels": 12544,
            "batch_size": 4,
        }
        return validate(PredictRecipe, {**values, **changes})

    return make


def said(recipe):
    room.predict(recipe)
    return {item.sample_id: item for item in read(recipe.out, Prediction)}


def test_every_sample_of_the_split_gets_one_prediction(corpus, recipe):
    asked = {sample.id: sample for sample in read(corpus / "mine", Sample) if sample.split == "test"}
    kept = said(recipe())
    assert kept.keys() == asked.keys()
    for id, item in kept.items():
        sample = asked[id]
        again = understand(
            item.text, dialect="think", mode="reasoning", kind=sample.kind, options=sample.options
        )
        assert (item.answer, item.problem) == (again.answer, again.problem)
        assert 0 <= item.num_tokens <= 12


def test_the_text_does_not_depend_on_the_batch(recipe, tmp_path):
    alone = said(recipe(out=tmp_path / "one", batch_size=1))
    together = said(recipe(out=tmp_path / "many", batch_size=8))
    same = sum(alone[id].text == together[id].text for id in alone)
    # Sums in another order may turn a near tie; padding that leaked would turn nearly all.
    assert same >= 0.9 * len(alone)


def test_a_stopped_run_continues_with_what_it_owes(recipe, monkeypatch):
    calls = []
    generate = TransformersEngine.generate

    def dying(engine, conversations, images):
        calls.append(len(conversations))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return generate(engine, conversations, images)

    monkeypatch.setattr(TransformersEngine, "generate", dying)
    with pytest.raises(KeyboardInterrupt):
        room.predict(recipe())
    kept = said(recipe())
    assert sum(calls) == len(kept) + 4  # only the batch that died was asked again


def test_a_finished_run_loads_no_model(recipe, monkeypatch):
    counts = room.predict(recipe())
    monkeypatch.setattr(room, "open_engine", None)
    assert room.predict(recipe()) == counts


def test_a_dry_run_shows_a_prompt_and_writes_nothing(recipe):
    shown = room.predict(recipe(), dry_run=True)
    assert "think step by step" in shown["example"][1]["content"]
    assert not recipe().out.exists()


def test_draws_differ_and_are_the_same_in_every_batch(recipe, tmp_path):
    drawn = {"num_samples": 3, "temperature": 1.0}
    for name, batch_size in (("one", 1), ("many", 8)):
        room.predict(recipe(out=tmp_path / name, batch_size=batch_size, **drawn))
    one, many = (
        {(item.sample_id, item.repeat): item.text for item in read(tmp_path / name, Prediction)}
        for name in ("one", "many")
    )
    assert one.keys() == many.keys()
    assert {draw for _, draw in one} == {0, 1, 2}
    assert sum(one[key] == many[key] for key in one) >= 0.9 * len(one)
    assert any(one[id, 0] != one[id, 1] for id, draw in one if draw == 0)


def test_several_replies_need_a_temperature(recipe):
    with pytest.raises(UserError, match="add temperature=1"):
        recipe(num_samples=8)


def test_a_stopped_run_of_draws_owes_only_the_draws_that_are_missing(recipe, tmp_path):
    told = recipe(num_samples=2, temperature=1.0)
    room.predict(told)
    whole = list(read(told.out, Prediction))
    # Half of one sample's draws is gone, as after a line that was torn.
    rows = [json.dumps(to_row(item)) for item in whole[:-1]]
    (told.out / "predictions.parquet").unlink()
    (told.out / "predictions.jsonl").write_text("\n".join(rows) + "\n")
    state = json.loads((told.out / "run.json").read_text())
    (told.out / "run.json").write_text(json.dumps({**state, "finished": None}))
    room.predict(told)
    again = {item.id: item.text for item in read(told.out, Prediction)}
    assert again == {item.id: item.text for item in whole}


def test_swapped_images_are_of_another_patient_with_as_many_images(recipe, corpus):
    samples = [one for one in read(corpus / "mine", Sample) if one.split == "test"]
    told = recipe(image="swapped")
    shown = room.shown_samples(samples, told)
    for one in samples:
        other = shown[one.id]
        assert other.patient_id != one.patient_id
        assert len(other.images) == len(one.images)
    assert shown == room.shown_samples(samples[::-1], told)
    assert room.shown_samples(samples, recipe()) == {one.id: one for one in samples}


def test_a_blank_image_says_nothing(recipe, corpus, monkeypatch):
    seen = []

    def generate(engine, conversations, images):
        seen.extend(picture for several in images for picture in several)
        return [Generated("x", 1, True)] * len(conversations)

    monkeypatch.setattr(TransformersEngine, "generate", generate)
    as_is, blank = said(recipe()), said(recipe(image="blank", out=recipe().out / "blank"))
    pixels = [picture for picture in seen if isinstance(picture, np.ndarray)]
    assert pixels
    assert {int(value) for picture in pixels for value in np.unique(picture)} == {room.GREY}
    assert not {item.id for item in as_is.values()} & {item.id for item in blank.values()}


def test_a_split_without_samples_is_told_in_one_line(recipe):
    with pytest.raises(UserError, match="no samples of the validation split"):
        room.predict(recipe(split="validation"))


def test_a_reply_goes_on_from_its_prefix(corpus):
    sample = next(one for one in read(corpus / "mine", Sample) if one.task == "binary")
    engine = TransformersEngine("phantom", max_new_tokens=48, max_pixels=12544)
    chat = room.conversation(sample, dialect="think", mode="reasoning")
    images = [corpus / "mine" / image for image in sample.images]
    (whole,) = engine.generate([chat], [images])
    # Cut behind a whole word: inside of one, the prefix would be read in other tokens than were written.
    cut = whole.text.index(" ", len(whole.text) // 2)
    other = "<think> There is a zebra. </think><answer>"  # a word that the model never says
    same, forced = engine.generate([chat, chat], [images, images], prefixes=[whole.text[:cut], other])
    assert (whole.text[:cut] + same.text).startswith(whole.text)
    assert forced.text.lstrip()[:1] in "AB"
    assert "zebra" not in forced.text
