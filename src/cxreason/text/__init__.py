"""Reading radiology language: text in, observations out."""

from cxreason.text.observations import Observation, observe

__all__ = ["Observation", "observe"]
