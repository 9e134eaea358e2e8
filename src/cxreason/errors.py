"""Mistakes that a user can mend: the command line prints them as one line, everything else is a bug.

>>> raise UserError("scan.png: is empty. Copy it again.")
Traceback (most recent call last):
cxreason.errors.UserError: scan.png: is empty. Copy it again.
"""


class UserError(ValueError):
    """What is wrong and what to do about it, in one line. Rooms give it their own name by a subclass."""

    def __init__(self, message: str):
        # A path, a key or a library's own text may bring line ends along.
        super().__init__(" ".join(message.splitlines()))
