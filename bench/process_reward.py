"""How long the process rewards take for 2,048 completions of about 150 words, 8 for each of 256 prompts.

The traces are mining's sentences about phantom reports, with findings of other reports mixed in, so that
they are right and wrong as rollouts are. Two figures each, both beginning with empty memories: with every
sentence read anew, though rollouts share some, and as they come, where what they share is read once.

.venv/bin/python bench/process_reward.py
"""

from __future__ import annotations

import json
import os
import platform
import time
from random import Random

from cxreason.evaluation import guarded
from cxreason.evaluation.radrscore import facts_of, plain_words
from cxreason.mining.prose_words import Voice, phrase
from cxreason.mining.rules import Evidence, Step, gather, wording
from cxreason.phantom.generate import studies
from cxreason.rewards import guarded_process_reward, process_reward
from cxreason.text import clauses, observations, observe, statements, tokens
from cxreason.text.ontology import FINDINGS
from cxreason.text.sections import sentences

LIMIT_SECONDS = 1.0
NUM_ROUNDS = 5
NUM_PROMPTS, NUM_COMPLETIONS, NUM_WORDS = 256, 8, 150
MACHINE = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def phrases(known: dict[str, Evidence]) -> list[str]:
    """What is seen, as noun phrases with severity, side and zone."""
    there = [one for one in known.values() if one.status == "present"]
    return [phrase(seen, Voice("bench")).whole for one in there for seen in one.seen[:2]]


def line(own: dict[str, Evidence], other: dict[str, Evidence], rng: Random) -> str:
    """A sentence about one report, with what another report says mixed in; hardly two are alike."""
    said = wording()
    seen, strange = phrases(own), phrases(other)
    gone = [finding for finding in FINDINGS if own[finding].status == "absent"]
    shown = rng.sample(seen, min(len(seen), rng.randint(1, 2))) + rng.sample(
        strange, min(len(strange), rng.randint(0, 1))
    )
    there = rng.choice(said["evidence"]["present"]).format(phrase=" and ".join(shown)).rstrip(".")
    absent = " or ".join(rng.sample(gone, min(len(gone), rng.randint(1, 4))))
    nothing = rng.choice(said["evidence"]["absent"]).format(phrase=absent).rstrip(".")
    nothing = nothing if nothing.startswith("I ") else nothing[0].lower() + nothing[1:]
    where = f"at {said['findings'][rng.choice(FINDINGS)]['place']}"
    return f"{there}, and {where} {nothing}." if shown else f"Here {where} {nothing}."


def traces(own: dict[str, Evidence], strange: list[dict[str, Evidence]], rng: Random) -> list[str]:
    """The rollouts of one prompt: each begins alike, takes two of a few favourite sentences, and goes on."""
    said = wording()["anomaly"]
    favourites = [line(own, rng.choice(strange), rng) for _ in range(4)]
    written = []
    for _ in range(NUM_COMPLETIONS):
        lines = [rng.choice(said["problem"]), rng.choice(said["plan"]), *rng.sample(favourites, 2)]
        while sum(len(one.split()) for one in lines) < NUM_WORDS - 8:
            lines.append(line(own, rng.choice(strange), rng))
        written.append(" ".join(lines))
    return written


def batch() -> tuple[list, dict[str, list]]:
    """Completions and columns as TRL hands them over."""
    rng = Random(17)
    reports = [phantom.study.report for phantom in studies(seed=0, num_studies=NUM_PROMPTS)]
    steps = [Step(finding, "") for finding in FINDINGS]
    known = [gather(steps, report) for report in reports]
    completions, column = [], []
    for report, own in zip(reports, known, strict=True):
        for trace in traces(own, known, rng):
            text = f"<think> {trace} </think><answer> A </answer>"
            completions.append([{"role": "assistant", "content": text}])
            column.append(report)
    prompt = [{"role": "user", "content": "Which findings are in this chest X-ray?"}]
    rest = {"dialect": "think", "mode": "reasoning", "prompts": prompt}
    return completions, {"report": column, **{name: [one] * len(column) for name, one in rest.items()}}


def kinds_of_sentences(texts: list[str]) -> dict[str, int]:
    """How many sentences there are, how many differ within their prompt, and how many differ at all."""
    said = [[sentence for _, sentence in sentences(text)] for text in texts]
    groups = [said[start : start + NUM_COMPLETIONS] for start in range(0, len(said), NUM_COMPLETIONS)]
    return {
        "sentences": sum(map(len, said)),
        "distinct_in_their_prompts": sum(len({one for text in group for one in text}) for group in groups),
        "distinct": len({one for text in said for one in text}),
    }


def main() -> None:
    """Prints one JSON line per figure, the best of a few rounds; a ratio above 1 keeps the limit."""
    completions, columns = batch()
    texts = [completion[0]["content"] for completion in completions]
    words = sum(len(text.split()) for text in texts) / len(texts)
    kept = {"completions": len(texts), "mean_words": round(words), **kinds_of_sentences(texts)}
    observe(texts[0])  # the lexicon is compiled once per process, outside the figure
    read, told = observations._read, statements._told_in
    memories = (facts_of, plain_words, guarded._weights, guarded._asked, read, told, statements._told_by)
    memories += (observations._said, observations.written, clauses.clauses)
    for name, reward in (("process", process_reward), ("process_guarded", guarded_process_reward)):
        for state in ("sentences all new", "as they come"):
            seconds = float("inf")
            for _ in range(NUM_ROUNDS):
                for remembered in memories:
                    remembered.cache_clear()
                tokens._CHUNKS.clear()
                if state == "sentences all new":
                    observations._read = read.__wrapped__
                    statements._told_in = told.__wrapped__
                try:
                    start = time.perf_counter()
                    worth = reward(completions, **columns)
                    seconds = min(seconds, time.perf_counter() - start)
                finally:
                    observations._read, statements._told_in = read, told
                assert all(one is not None for one in worth)
            shown = {"what": f"seconds for 2,048 completions, {name}, {state}", "figure": round(seconds, 3)}
            shown |= {"limit": LIMIT_SECONDS, "ratio": round(LIMIT_SECONDS / seconds, 2), **kept}
            print(json.dumps({**shown, "machine": MACHINE}))


if __name__ == "__main__":
    main()
