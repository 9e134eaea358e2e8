"""Reading radiology language: text in, observations out."""

from cxreason.text.labels import label
from cxreason.text.observations import Observation, observe

__all__ = ["Observation", "label", "observe"]
