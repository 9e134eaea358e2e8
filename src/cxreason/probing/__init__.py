"""Experiments on a trace: is the answer there because of it? What is changed, and what comes of it."""
