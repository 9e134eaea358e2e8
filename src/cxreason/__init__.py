"""cxreason: from chest X-ray reports to a reasoning model, and to a measure of its reasoning."""

__version__ = "0.1.0"
