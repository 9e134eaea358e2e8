"""What happens to a trained model afterwards: adapters become whole weights, and a folder goes to a hub.

cxreason merge runs/sft/model runs/sft/whole
cxreason push runs/sft/whole my-name/my-model
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from cxreason.errors import UserError
from cxreason.training.card import NO_LICENCE
from cxreason.training.models import is_adapter, load_model, load_processor

CARD = "README.md"


def merge(model: Path, out: Path, *, dtype: str = "bfloat16") -> dict[str, Any]:
    """Write the whole model that adapters make of their base; the card goes with it.

    merge(Path("runs/sft/model"), Path("runs/sft/whole"))
    """
    from cxreason.training.loop import save

    if not is_adapter(model):
        raise UserError(f"{model}: holds no adapters, so there is nothing to merge.")
    if out.exists():
        raise UserError(f"{out}: is there already. Name another folder, or remove it.")
    whole = load_model(model, dtype=dtype)
    card = model / CARD
    out.parent.mkdir(parents=True, exist_ok=True)
    save(whole, load_processor(model), out, card=_of_whole(card.read_text()) if card.exists() else "")
    return {"parameters": sum(weight.numel() for weight in whole.parameters()), "dtype": dtype}


def _of_whole(card: str) -> str:
    """The card of adapters as the card of what they were merged into."""
    told = card.replace("library_name: peft", "library_name: transformers", 1)
    return f"{told.rstrip()}\n\nIts adapters were merged into the weights of the base model.\n"


def push(model: Path, name: str, *, public: bool = False) -> dict[str, Any]:
    """Send a model's folder to the Hugging Face hub, private unless told otherwise.

    A card with a licence has to be there. The hub's own token is used (`hf auth login`).

    push(Path("runs/sft/model"), "my-name/my-model")
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

    licence = _licence(model)
    if licence in ("", "other", NO_LICENCE):
        raise UserError(
            f"{model / CARD}: names no licence. Say which one the base model and the data allow, in the "
            "recipe (licence: cc-by-nc-4.0) before a training, or in the first lines of the card."
        )
    api = HfApi()
    try:
        address = api.create_repo(name, private=not public, exist_ok=True)
        api.upload_folder(repo_id=name, folder_path=str(model), commit_message="Model from cxreason")
    except LocalTokenNotFoundError:
        raise UserError("the hub does not know you. Log in with `hf auth login`, then push again.") from None
    except HfHubHTTPError as error:
        said = " ".join(str(error).split())
        raise UserError(f"the hub refused {name}: {said}") from None
    return {"address": str(address), "private": not public, "licence": licence}


def _licence(model: Path) -> str:
    """The licence in the head of a model's card."""
    card = model / CARD
    if not (model / "config.json").exists() or not card.exists():
        raise UserError(f"{model}: is no model with a card ({CARD}). Name the `model` folder of a training.")
    parts = card.read_text(encoding="utf-8").split("---", 2)
    head = yaml.safe_load(parts[1]) if len(parts) == 3 and not parts[0].strip() else {}
    return str((head or {}).get("license") or "")
