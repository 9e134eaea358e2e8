"""What an honest judge says to each of RadRScore's prompts, about texts like "Effusion. No edema."."""

import re


def part(body: str, name: str) -> str:
    found = re.search(rf"<{name}>\n(.*)\n</{name}>", body, re.DOTALL)
    assert found, f"the prompt has no <{name}>"
    return found[1]


def items(body: str, name: str) -> list[tuple[str, str]]:
    return re.findall(r"^\d+\. (.+) \((\w+)\)$", part(body, name), re.MULTILINE)


def seen(text: str) -> list[dict[str, str]]:
    """A judge of few words: "No x." is absent, "x." is present."""
    said = [piece.strip(" .\n").lower() for piece in text.split(".") if piece.strip(" .\n")]
    return [
        {"observation": one.removeprefix("no "), "status": "absent" if one.startswith("no ") else "present"}
        for one in said
    ]


def verdict(claim: tuple[str, str], facts: list[tuple[str, str]]) -> tuple[str, list[int]]:
    about = [number for number, fact in enumerate(facts, start=1) if fact[0] == claim[0]]
    agreeing = [number for number in about if facts[number - 1] == claim]
    return ("supported", agreeing) if agreeing else ("contradicted", about) if about else ("unmentioned", [])


def reply(body: dict) -> dict:
    """What an honest judge says to each of the five prompts."""
    asked = body["messages"][0]["content"]
    if "<text>" in asked:
        return {"observations": seen(part(asked, "text"))}
    if "<facts>" in asked:
        claims, facts = items(asked, "claims"), items(asked, "facts")
        found = [verdict(claim, facts) for claim in claims]
        entries = [{"claim": n, "verdict": v, "facts": f} for n, (v, f) in enumerate(found, start=1)]
        return {"verdicts": entries[::-1]}
    if "<expert>" in asked and "1." in part(asked, "expert"):
        named = {name for name, _ in items(asked, "model")}
        return {"recalled": [n for n, (name, _) in enumerate(items(asked, "expert"), 1) if name in named]}
    if "<report>" in asked:
        facts = [(one["observation"], one["status"]) for one in seen(part(asked, "report"))]
        claims = items(asked, "observations")
        right = [
            n
            for n, claim in enumerate(claims, start=1)
            if verdict(claim, facts)[0] == "supported"
            or (verdict(claim, facts)[0], claim[1]) == ("unmentioned", "absent")
        ]
        return {"correct": right}
    expert = [(one["observation"], one["status"]) for one in seen(part(asked, "expert"))]
    steps = [(one["observation"], one["status"]) for one in seen(part(asked, "model"))]
    return {"steps": [{"step": step[0], "effective": step in expert} for step in steps]}
