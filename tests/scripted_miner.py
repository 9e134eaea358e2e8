"""What an honest model of few words says to each of the mining prompts about short reports."""

import json
import re

from cxreason.answers.dialects import letters
from cxreason.mining.rules import conclude, gather, plan
from cxreason.records import Sample


def part(asked: str, name: str) -> str:
    found = re.search(rf"<{name}>\n(.*?)\n</{name}>", asked, re.DOTALL)
    assert found, f"the prompt has no <{name}>"
    return found[1]


def sample_of(asked: str) -> Sample:
    question, *options = part(asked, "question").splitlines()
    texts = tuple(option[3:] for option in options)
    kind = "choice" if options else "labels"
    task = "anomaly" if not options else "binary" if question.startswith("Does") else "single"
    return Sample("1", "d", task, kind, "p", "s", "test", (), question, "A", texts)


def numbered(text: str) -> list[str]:
    return [line.partition(". ")[2] for line in text.splitlines()]


def reply(body: dict) -> str:
    """What the model says to the first user turn of a request."""
    asked = body["messages"][0]["content"]
    if "<look_for>" in asked:
        return close(sample_of(asked), numbered(part(asked, "seen")))
    if "<sentences>" in asked:
        return find(asked) if "<thoughts>" in asked else "I have read all of it."
    if "<thoughts>" in asked:
        items = [{"finding": step.finding, "look_for": step.place} for step in plan(sample_of(asked))]
        return json.dumps({"items": items[:12]})
    if "<seen>" in asked and "\\boxed" in asked:
        sample = sample_of(asked)
        evidence = gather(plan(sample), part(asked, "seen"))
        seen = [
            f"{name} - {'seen' if one.status == 'present' else 'denied'}" for name, one in evidence.items()
        ]
        return close(sample, seen)
    return "One looks at the place of each finding."


def find(asked: str) -> str:
    sentences = numbered(part(asked, "sentences"))
    entries = []
    for number, item in enumerate(numbered(part(asked, "items")), start=1):
        finding = item.partition(":")[0]
        proof = gather(plan_of(finding), " ".join(sentences))[finding]
        named = [n for n, line in enumerate(sentences, 1) if any(line in one for one in proof.sentences)]
        status = proof.status if named else "unmentioned"
        seen = finding if status == "present" else ""
        entries.append({"item": number, "status": status, "seen": seen, "sentences": named})
    return json.dumps({"evidence": entries})


def plan_of(finding: str):
    from cxreason.mining.rules import Step

    return [Step(finding, "")]


def close(sample: Sample, seen: list[str]) -> str:
    """The closing step: it says what was seen and answers as the rules do."""
    words = []
    report = []
    for line in seen:
        finding, _, verdict = line.partition(" - ")
        if verdict.startswith("seen"):
            words.append(f"There is {finding} on the image.")
        elif verdict.startswith("denied"):
            words.append(f"There is no {finding}.")
        report.append(words[-1] if verdict[:4] in ("seen", "deni") else "")
    answer = conclude(sample, gather(plan(sample), " ".join(report)), {}) or "A"
    said = sample.options[letters(sample.options).index(answer)] if sample.options else answer
    return f"I have to decide what is there. {' '.join(words)} That settles it.\n\\boxed{{{said}}}"
