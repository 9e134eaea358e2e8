"""What is quicker gives the same numbers: a tower that remembers, a head that scores replies alone."""

import pytest
import torch

from cxreason.training import models, quick


@pytest.fixture
def tower():
    return models.load_model("phantom", freeze_vision=True)


def look(model, pixels, grid):
    return model.model.visual(pixels, grid_thw=grid).pooler_output


def pictures(*numbers):
    draw = {
        number: torch.randn(64, 1176, generator=torch.Generator().manual_seed(number)) for number in numbers
    }
    return torch.cat([draw[number] for number in numbers]), torch.tensor([[1, 8, 8]] * len(numbers))


def test_remembered_or_new_the_output_is_the_same(tower):
    pixels, grid = pictures(1, 2, 1, 3)
    expected = look(tower, pixels, grid)
    assert quick.quicken_vision(tower)
    for _ in range(2):
        assert torch.allclose(look(tower, pixels, grid), expected, atol=1e-5)
    later, later_grid = pictures(3, 4)
    assert torch.allclose(look(tower, later, later_grid)[:16], expected[48:], atol=1e-5)


def test_an_image_is_looked_at_once(tower, monkeypatch):
    seen = []
    first = tower.model.visual.patch_embed.forward
    monkeypatch.setattr(tower.model.visual.patch_embed, "forward", lambda x: seen.append(len(x)) or first(x))
    quick.quicken_vision(tower)
    for numbers in ((1, 1, 2), (2, 3), (1, 2, 3)):
        look(tower, *pictures(*numbers))
    assert seen == [128, 64]


def test_the_memory_is_bounded_and_a_batch_may_be_larger(tower):
    pixels, grid = pictures(*range(6))
    expected = look(tower, pixels, grid)
    quick.quicken_vision(tower, most_bytes=2 * 16 * 192 * 4)
    assert torch.allclose(look(tower, pixels, grid), expected, atol=1e-5)
    remembering = tower.model.visual.forward
    assert len(remembering._seen) == 2
    assert remembering._num_bytes == 2 * 16 * 192 * 4


def test_shape_counts_as_well_as_pixels(tower):
    quick.quicken_vision(tower)
    pixels, _ = pictures(1)
    square = look(tower, pixels, torch.tensor([[1, 8, 8]]))
    wide = look(tower, pixels, torch.tensor([[1, 4, 16]]))
    assert not torch.allclose(square, wide, atol=1e-3)


def test_a_tower_that_learns_is_left_alone():
    model = models.load_model("phantom")
    assert not quick.quicken_vision(model)
    pixels, grid = pictures(1)
    look(model, pixels, grid).sum().backward()
    assert model.model.visual.patch_embed.proj.weight.grad is not None


def test_a_head_that_scores_replies_alone_gives_the_same_loss_and_gradients(monkeypatch):
    from trl.trainer import utils

    model = models.load_model("phantom")
    utils.add_fused_lm_head(model, outputs=("log_probs", "entropy"))
    ids = torch.randint(7, 1000, (3, 20), generator=torch.Generator().manual_seed(1))
    labels = ids.clone()
    labels[:, :12] = -100
    labels[2, 16:] = -100
    scored = []
    first = utils._ChunkedLogProbFunction.apply
    monkeypatch.setattr(
        utils._ChunkedLogProbFunction, "apply", lambda *told: scored.append(len(told[0])) or first(*told)
    )

    def results():
        model.zero_grad()
        out = model(input_ids=ids, labels=labels, fused_lm_head=True)
        out.loss.backward()
        return out.loss.detach(), out.entropy.detach(), model.lm_head.weight.grad.clone()

    monkeypatch.setattr(utils, "_use_triton", lambda device: False)  # as TRL has it on a CPU
    before = results()
    quick.score_replies_only()
    for one, other in zip(before, results(), strict=True):
        assert torch.allclose(one, other, atol=1e-5)
    assert scored == [3 * 19, 8 + 8 + 4]
