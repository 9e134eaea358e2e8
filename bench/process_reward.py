"""How long the process rewards take for 2,048 completions of about 150 words, 8 for each of 256 prompts.

The traces are mining's sentences about phantom reports, with findings of other reports mixed in, so that
they are right and wrong as rollouts are. Two figures each: with every sentence read anew, as in a process
that has never met any of them, and as they come, where what rollouts share is read once.

.venv/bin/python bench/process_reward.py
"""

from __future__ import annotations

import json
import os
import platform
import time
from random import Random

from cxreason.evaluation.radrscore import facts_of
from cxreason.mining.rules import Evidence, Step, gather, phrases, wording
from cxreason.phantom.generate import studies
from cxreason.rewards import guarded_process_reward, process_reward
from cxreason.text import observations, observe
from cxreason.text.ontology import FINDINGS
from cxreason.text.sections import sentences

LIMIT_SECONDS = 1.0
NUM_ROUNDS = 5
NUM_PROMPTS, NUM_COMPLETIONS, NUM_WORDS = 256, 8, 150
MACHINE = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def trace(own: dict[str, Evidence], other: dict[str, Evidence], rng: Random) -> str:
    """About 150 words on one report, with findings of another among them; no two are alike."""
    said = wording()
    seen = [phrase for one in own.values() if one.status == "present" for phrase in phrases(one)]
    strange = [phrase for one in other.values() if one.status == "present" for phrase in phrases(one)]
    gone = [finding for finding in FINDINGS if own[finding].status == "absent"]
    places = [said["findings"][finding]["place"] for finding in FINDINGS]
    lines = [rng.choice(said["anomaly"]["problem"]), rng.choice(said["anomaly"]["plan"])]
    while sum(len(line.split()) for line in lines) < NUM_WORDS - 4:
        shown = rng.sample(seen, min(len(seen), rng.randint(1, 2))) + rng.sample(
            strange, min(len(strange), rng.randint(0, 1))
        )
        absent = rng.sample(gone, min(len(gone), rng.randint(1, 3)))
        there = rng.choice(said["evidence"]["present"]).format(phrase=" and ".join(shown))
        nothing = rng.choice(said["evidence"]["absent"]).format(phrase=" or ".join(absent))
        where = f"Look at {rng.choice(places)} and then at {rng.choice(places)}."
        line = rng.choice([there, there, nothing, where]) if shown else rng.choice([nothing, where])
        lines.append(line.replace("Look", rng.choice(["Look", "Look again", "Look closely"])))
    return " ".join(lines)


def batch() -> tuple[list, dict[str, list]]:
    """Completions and columns as TRL hands them over."""
    rng = Random(17)
    reports = [phantom.study.report for phantom in studies(seed=0, num_studies=NUM_PROMPTS)]
    steps = [Step(finding, "") for finding in FINDINGS]
    known = [gather(steps, report) for report in reports]
    completions, column = [], []
    for report, own in zip(reports, known, strict=True):
        for _ in range(NUM_COMPLETIONS):
            text = f"<think> {trace(own, rng.choice(known), rng)} </think><answer> A </answer>"
            completions.append([{"role": "assistant", "content": text}])
            column.append(report)
    prompt = [{"role": "user", "content": "Which findings are in this chest X-ray?"}]
    rest = {"dialect": "think", "mode": "reasoning", "prompts": prompt}
    return completions, {"report": column, **{name: [one] * len(column) for name, one in rest.items()}}


def main() -> None:
    """Prints one JSON line per figure, the best of a few rounds; a ratio above 1 keeps the limit."""
    completions, columns = batch()
    texts = [completion[0]["content"] for completion in completions]
    every = [sentence for text in texts for _, sentence in sentences(text)]
    words = sum(len(text.split()) for text in texts) / len(texts)
    kept = {"completions": len(texts), "mean_words": round(words), "sentences": len(every)}
    observe(texts[0])  # the lexicon is compiled once per process, outside the figure
    read = observations._observe_sentence
    for name, reward in (("process", process_reward), ("process_guarded", guarded_process_reward)):
        for state in ("sentences all new", "as they come"):
            seconds = float("inf")
            for _ in range(NUM_ROUNDS):
                facts_of.cache_clear()
                read.cache_clear()
                observations._observe_sentence = read.__wrapped__ if state == "sentences all new" else read
                try:
                    start = time.perf_counter()
                    worth = reward(completions, **columns)
                    seconds = min(seconds, time.perf_counter() - start)
                finally:
                    observations._observe_sentence = read
                assert all(one is not None for one in worth)
            line = {"what": f"seconds for 2,048 completions, {name}, {state}", "figure": round(seconds, 3)}
            line |= {"limit": LIMIT_SECONDS, "ratio": round(LIMIT_SECONDS / seconds, 2), **kept}
            print(json.dumps({**line, "distinct_sentences": len(set(every)), "machine": MACHINE}))


if __name__ == "__main__":
    main()
