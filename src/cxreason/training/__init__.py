"""Training: supervised fine-tuning and GRPO as short scripts over TRL, and the models they start from."""
