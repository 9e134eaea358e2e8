"""Asking a model: engines that turn conversations into text, and the verb that writes predictions."""
