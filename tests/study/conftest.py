"""Passwords that cost nothing: what argon2 is worth is not tested here, that it is used is."""

import pytest


@pytest.fixture(autouse=True, scope="session")
def cheap_passwords():
    """A hasher with the least work, for every test of the room."""
    argon2 = pytest.importorskip("argon2")
    from cxreason.study import accounts

    hasher = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accounts, "_hasher", lambda: hasher)
        yield
