"""Started by `accelerate launch` in two processes: both stages on the small model, and a sharded step.

accelerate launch --config_file 2-cpus.yaml two_processes.py FOLDER CORPUS
"""

import json
import sys
from pathlib import Path

import torch
from small_training import halved, recipe, train


def sharded_step(model_folder: Path) -> dict[str, float]:
    """How far the weights after a step under `fully_shard` are from those of one process, at most."""
    import torch.distributed as distributed
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    from cxreason.training import models

    rank, ids = distributed.get_rank(), torch.arange(7, 7 + 8 * 12).view(8, 12)

    def step(model, rows):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        loss = model(input_ids=rows, labels=rows).loss
        loss.backward()
        optimizer.step()
        return loss.item()

    plain, spread = (models.load_model(model_folder, freeze_vision=True) for _ in range(2))
    start = {name: weight.detach().clone() for name, weight in plain.named_parameters()}
    step(plain, ids)
    mesh = init_device_mesh("cpu", (2,))
    for layer in spread.model.language_model.layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(spread, mesh=mesh)
    step(spread, ids.chunk(2)[rank])
    whole = {name: weight.full_tensor() for name, weight in spread.named_parameters()}
    held = sum(weight.to_local().numel() for weight in spread.parameters())
    apart = max((whole[name] - weight).abs().max().item() for name, weight in plain.named_parameters())
    moved = max((start[name] - weight).abs().max().item() for name, weight in plain.named_parameters())
    return {"apart": apart, "moved": moved, "share": held / sum(one.numel() for one in plain.parameters())}


def main() -> None:
    folder, corpus = Path(sys.argv[1]), Path(sys.argv[2])
    torch.set_num_threads(1)
    for stage in ("sft", "grpo"):
        train(stage, recipe(stage, folder / "two" / stage, corpus, folder / "model", halved(stage)))
    told = sharded_step(folder / "model")
    if torch.distributed.get_rank() == 0:
        (folder / "sharded.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main()
