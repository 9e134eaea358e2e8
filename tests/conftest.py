"""Settings that hold for every test."""

from hypothesis import settings

# No deadline: a busy machine is not a fault of the code under test.
settings.register_profile("cxreason", deadline=None)
settings.load_profile("cxreason")
