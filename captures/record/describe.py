"""The table of captures/README.md, written from the truth files."""

import json
import pathlib


def states(counts: dict) -> str:
    """`4 acknowledged (3 redelivered), 1 lost`: what is not zero."""
    words = []
    for name, number in counts.items():
        if name == "redelivered" or number == 0:
            continue
        again = counts["redelivered"] if name == "acknowledged" else 0
        shown = "at QoS 0" if name == "qos0" else name
        words.append(f"{number} {shown}" + (f" ({again} redelivered)" if again else ""))
    return ", ".join(words) or "nothing"


def table(scenarios, output: pathlib.Path) -> str:
    lines = ["| capture | what happened | what `inspect` should say | findings |",
             "|---|---|---|---|"]
    for scenario in scenarios:
        truth = json.loads((output / scenario.folder / f"{scenario.name}.truth.json").read_text())
        expected = truth["expected"]
        said = "<br>".join(
            f"`{name}`: {states(counts)}" for name, counts in expected["subscribers"].items())
        said = said or "no subscriber is known"
        findings = "<br>".join(
            f"{one['oracle']} `{one['subscriber']}`" for one in expected["findings"])
        doubt = " (doubtful)" if expected["doubtful"] else ""
        summary = truth["summary"] + (f" *{expected['notes']}*" if expected["notes"] else "")
        lines.append(f"| [{truth['file']}]({scenario.folder}/{truth['file']}) | {summary} | {said}"
                     f" | {findings or 'none'}{doubt} |")
    return "\n".join(lines)
