"""Training: supervised fine-tuning and GRPO as short scripts over TRL, and the models they start from."""

import os

# TRL and the hub's client report what is trained to their makers, unless they are told not to before that.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
