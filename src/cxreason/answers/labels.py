"""A set of finding names. The answer is the names in the order of the ontology, joined by ", ".

The vocabulary is the options where there are any, else the ontology's findings and "no finding". Names are
separated by commas, semicolons, line breaks or "and". A name outside the vocabulary stays in the answer and
counts as a wrong extra name, so that padding an answer never pays; an answer without a single known name is
not understood. "no finding" beside another finding contradicts itself and is not understood either.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from cxreason.answers.parsed import Parsed

_SEPARATOR = re.compile(r"[,;\n]")
_AND = re.compile(r"\s+and\s+|^and\s+|\s*&\s*", re.IGNORECASE)
_LIST_MARK = re.compile(r"^(?:[-*•]+|\d+[.)])\s+")
_DRESS = " \t\r\n.:!*_`$\"'“”‘’()[]{}"


def write(names: str | Iterable[str], options: Sequence[str] = ()) -> str:
    """The canonical answer for known names, given as one text or one by one.

    >>> write(["pleural effusion", "Edema"])
    'edema, pleural effusion'
    """
    known = _vocabulary(options)
    plain = [_name(name) for name in ([names] if isinstance(names, str) else names)]
    if len(plain) == 1 and plain[0] not in known:
        plain = [_name(part) for part in _SEPARATOR.split(plain[0])]
    unknown = sorted(set(plain) - set(known))
    if unknown or not plain:
        raise ValueError(f"not among the known labels: {', '.join(unknown) or 'an empty set'}")
    if _no_finding() in plain and len(set(plain)) > 1:
        raise ValueError(f"{_no_finding()!r} stands beside other findings: {sorted(set(plain))}")
    return ", ".join(name for name in known if name in plain)


def parse(text: str, options: Sequence[str] = ()) -> Parsed:
    """The set of names in the text.

    >>> parse("Pleural effusion and edema.").value, parse("No finding, edema").problem
    ('edema, pleural effusion', "'no finding' stands beside other findings")
    """
    known = _vocabulary(options)
    if not text.strip(_DRESS):
        return Parsed("", "the answer is empty")
    names: set[str] = set()
    for item in _SEPARATOR.split(text):
        name = _name(item)
        names |= {name} if name in known else {_name(part) for part in _AND.split(item)}
    names.discard("")
    found = [name for name in known if name in names]
    if not found:
        return Parsed("", "no known label is named")
    if _no_finding() in found and len(names) > 1:
        return Parsed("", f"{_no_finding()!r} stands beside other findings")
    extra = sorted(names - set(found))
    return Parsed(", ".join(found + extra), note=f"unknown labels: {', '.join(extra)}" if extra else "")


def score(value: str, gold: str, options: Sequence[str] = ()) -> float:
    """F1 of the two sets of names; a gold name outside the vocabulary raises.

    >>> score("edema, pneumonia", "edema"), score("no finding", "edema")
    (0.6666666666666666, 0.0)
    """
    true = set(write(gold, options).split(", "))
    said = set(value.split(", ")) - {""}
    return 2 * len(said & true) / (len(said) + len(true))


def _no_finding() -> str:
    from cxreason.text.ontology import NO_FINDING

    return NO_FINDING


def _vocabulary(options: Sequence[str]) -> tuple[str, ...]:
    if options:
        names = tuple(map(_name, options))
        if not all(map(_can_be_listed, names)):
            raise ValueError(f"label names must not be empty or hold a separator: {tuple(options)}")
        return names
    from cxreason.text.ontology import FINDINGS, NO_FINDING

    return (*FINDINGS, NO_FINDING)


@lru_cache(maxsize=65_536)
def _can_be_listed(name: str) -> bool:
    return bool(name) and _SEPARATOR.search(name) is None


@lru_cache(maxsize=65_536)
def _name(text: str) -> str:
    name = " ".join(_LIST_MARK.sub("", text.strip()).strip(_DRESS).replace("-", " ").casefold().split())
    return "no finding" if name == "no findings" else name
