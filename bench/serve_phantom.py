"""`transformers serve` with the tiny phantom model, to prove the wire format of mining against a real server.

    pip install fastapi uvicorn openai
    .venv/bin/python bench/serve_phantom.py --port 8377 &
    .venv/bin/cxreason mine mine.yaml engine=llm llm.model=PATH llm.json_form=text llm.max_tokens=200 ...

It is the real server; only the processor is loaded as cxreason loads it, which works without torchvision. The
model was taught to answer questions about phantoms, not to mine, so its chains fail the filters.
"""

from __future__ import annotations

import argparse

from transformers.cli.serve import Serve
from transformers.cli.serving.model_manager import ModelManager

from cxreason.training.models import BASE_MODEL, load_processor


def main() -> None:
    """Prints the name that the model goes by, then serves until it is stopped."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--port", type=int, default=8377)
    told = parser.parse_args()
    ModelManager._load_processor = lambda self, name, gguf_file=None: load_processor(name.split("@", 1)[0])
    print(BASE_MODEL, flush=True)
    Serve(force_model=str(BASE_MODEL), host="127.0.0.1", port=told.port, device="cpu", log_level="warning")


if __name__ == "__main__":
    main()
