"""Reports become reasoning: `rules` writes a chain for a sample, `run` does it for a whole build."""

from cxreason.mining import run
from cxreason.mining.rules import Mined, mine_sample

__all__ = ["Mined", "mine_sample", "run"]
