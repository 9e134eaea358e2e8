"""CheXOne's way: one prompt, in which the model sees the report and reasons as if it saw the image.

The paper shows the gold answer as well (`answer_aware`), so that the model argues for it; without, the chain
has to get there by itself. Which sentences the chain rests on is read from it by rules.
"""

from __future__ import annotations

from cxreason.endpoint.asking import Asker
from cxreason.evaluation.radrscore import facts_of
from cxreason.mining.asked import answer_of, prompt, question_of, read_chain, report_of, variety_of
from cxreason.mining.filters import Candidate
from cxreason.records import Sample
from cxreason.text.matching import decide
from cxreason.text.observations import observe
from cxreason.text.statements import statements


async def mine(sample: Sample, asker: Asker, *, answer_aware: bool) -> Candidate:
    """The chain of one sample.

    candidate = await mine(sample, Asker(pool, turn=1), answer_aware=True)
    """
    slots = {"question": question_of(sample), "report": report_of(sample)}
    if answer_aware:
        asked = prompt("one_prompt_aware").fill(**slots, answer=answer_of(sample))
    else:
        asked = prompt("one_prompt").fill(**slots)
    chain = read_chain(sample, await asker.text(asked, variety_of(sample)), ())
    return Candidate(chain.reasoning, chain.answer, supporting_sentences(chain.reasoning, sample.facts))


def supporting_sentences(reasoning: str, facts: str) -> tuple[str, ...]:
    """The sentences of the facts that bear out a statement of the reasoning, in the order of the facts.

    >>> supporting_sentences("There is an effusion.", "The heart is normal. Small left effusion.")
    ('Small left effusion.',)
    """
    known = facts_of(facts)
    found = {
        (fact.start, fact.sentence)
        for claim in statements(observe(reasoning))
        for verdict in [decide(claim, known)]
        if verdict.relation == "supported"
        for fact in verdict.evidence
    }
    return tuple(dict.fromkeys(sentence for _, sentence in sorted(found)))
