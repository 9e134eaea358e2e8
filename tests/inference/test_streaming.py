"""A reply while it is written: the pieces are the text, and a row that nobody waits for ends."""

import numpy as np
import pytest

from cxreason.inference.transformers import TransformersEngine
from cxreason.training import generation

GREY = np.full((56, 56), 128, dtype=np.uint8)
CHAT = [{"role": "user", "content": "Does this chest X-ray show edema?\nPlease think step by step."}]
PARTS = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": CHAT[0]["content"]}]}]


class Ear:
    """Keeps what it hears; gives up row `row` when it has so many tokens."""

    def __init__(self, row=-1, after=0):
        self.row, self.after = row, after
        self.texts, self.counts = {}, {}

    def heard(self, row, text, num_tokens):
        self.texts[row] = self.texts.get(row, "") + text
        self.counts[row] = num_tokens

    def left(self):
        return {self.row} if self.counts.get(self.row, 0) >= self.after > 0 else set()


@pytest.fixture(scope="module")
def engine():
    return TransformersEngine("phantom", max_new_tokens=24)


@pytest.fixture(params=["quick", "generate"])
def way(request, monkeypatch):
    """Both loops that write: ours for small models on a CPU, and that of transformers."""
    if request.param == "generate":
        monkeypatch.setattr(generation, "can_write", lambda *told, **more: False)


def test_the_pieces_of_each_row_are_its_text(engine, way):
    ear = Ear()
    told = {"seeds": [[1, 2], [3, 4]], "temperature": 1.0}
    replies = engine.generate([CHAT, CHAT], [[GREY], [GREY]], listener=ear, **told)
    assert [ear.texts[row] for row in range(4)] == [reply.text for reply in replies]
    assert [ear.counts[row] for row in range(4)] == [reply.num_tokens for reply in replies]
    assert replies == engine.generate([CHAT, CHAT], [[GREY], [GREY]], **told)


def test_a_row_that_nobody_waits_for_ends_and_the_others_go_on(engine, way):
    told = {"seeds": [[1, 2]], "temperature": 1.0}
    whole = engine.generate([CHAT], [[GREY]], **told)
    replies = engine.generate([CHAT], [[GREY]], listener=Ear(row=0, after=3), **told)
    assert len(replies[0].text) < len(whole[0].text)
    assert whole[0].text.startswith(replies[0].text)
    assert not replies[0].finished
    assert replies[1].num_tokens == whole[1].num_tokens


def test_parts_with_images_in_their_place_ask_the_same(engine):
    assert engine.generate([PARTS], [[GREY]]) == engine.generate([CHAT], [[GREY]])


def test_a_reply_can_be_cut_earlier(engine):
    (reply,) = engine.generate([CHAT], [[GREY]], max_new_tokens=4)
    assert reply.num_tokens <= 4
