"""RadGraph F1 of two reports from their graphs, in every variant that tables print, each by its own name.

A graph is radgraph's: {"entities": {id: {"tokens", "label", "relations": [[type, id]]}}}.
All variants are F1 of two sets:

    simple    (tokens, label)
    partial   the same, marked where the entity has a relation: RG_ER, which most papers mean
    complete  (tokens, label) without a relation, else one element for each relation with its target's tokens
    combined  the mean of two F1s, of entities and of relations, from the original model: RadCliQ's input

The package compares capital and small letters as different, except inside the relations of `complete`; that
is `cased`. `casefold` treats them as the same everywhere.

>>> graph = {"entities": {"1": {"tokens": "edema", "label": "OBS-DP", "relations": []}}}
>>> radgraph_f1(graph, graph, "partial"), combined(graph, graph)
(1.0, 0.5)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Variant = Literal["simple", "partial", "complete"]
VARIANTS: tuple[Variant, ...] = ("simple", "partial", "complete")
Graph = Mapping[str, Any]


def num_entities(graph: Graph) -> int:
    """How many entities a graph has.

    >>> num_entities({"entities": {}})
    0
    """
    return len(graph["entities"])


def radgraph_f1(hypothesis: Graph, reference: Graph, variant: Variant, *, casefold: bool = False) -> float:
    """F1 of one variant; 0 where either graph is empty.

    >>> one = {"entities": {"1": {"tokens": "Edema", "label": "OBS-DP", "relations": []}}}
    >>> two = {"entities": {"1": {"tokens": "edema", "label": "OBS-DP", "relations": []}}}
    >>> radgraph_f1(one, two, "simple"), radgraph_f1(one, two, "simple", casefold=True)
    (0.0, 1.0)
    """
    return _f1(_elements(hypothesis, variant, casefold), _elements(reference, variant, casefold))


def combined(hypothesis: Graph, reference: Graph, *, fixed: bool = False) -> float:
    """Mean F1 of entities and of relations, cased, as RadCliQ was fitted.

    Two reports without relations share none, so identical ones score 0.5; `fixed` takes the entities alone
    there, which is sounder and must not go into RadCliQ.
    """
    entities = _f1(_elements(hypothesis, "simple", False), _elements(reference, "simple", False))
    said, true = _relations(hypothesis), _relations(reference)
    if fixed and not said and not true:
        return entities
    return (entities + _f1(said, true)) / 2


def entity_set(graph: Graph, *, labelled: bool = True) -> set:
    """The entities of a graph for CheXOne's S_f: (tokens, label) without regard to case, or tokens alone.

    >>> entity_set({"entities": {"1": {"tokens": "Edema", "label": "OBS-DP", "relations": []}}})
    {('edema', 'OBS-DP')}
    """
    found = ((one["tokens"].casefold(), one["label"]) for one in graph["entities"].values())
    return {one if labelled else one[0] for one in found}


def _elements(graph: Graph, variant: Variant, casefold: bool) -> set:
    found = set()
    entities = graph["entities"]
    for one in entities.values():
        tokens = one["tokens"].casefold() if casefold else one["tokens"]
        if not one["relations"] or variant == "simple":
            found.add((tokens, one["label"]))
        elif variant == "partial":
            found.add((tokens, one["label"], True))
        else:  # the package lowers both ends of a relation, whatever the case rule
            lowered = one["tokens"].lower()
            found |= {
                (lowered, one["label"], kind, entities[target]["tokens"].lower())
                for kind, target in one["relations"]
            }
    return found


def _relations(graph: Graph) -> set:
    entities = graph["entities"]
    return {
        ((one["tokens"], one["label"]), (entities[target]["tokens"], entities[target]["label"]), kind)
        for one in entities.values()
        for kind, target in one["relations"]
    }


def _f1(said: set, true: set) -> float:
    shared = len(said & true)
    return 2 * shared / (len(said) + len(true)) if shared else 0.0
