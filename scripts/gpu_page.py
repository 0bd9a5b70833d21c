"""The page and the JSON file of `gpu_check.py`.

Nothing of stitchedit is imported: the page tells what failed also where that cannot be.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LINES_SHOWN = 12  # of a part that failed

Row = dict[str, Any]


@dataclass
class Part:
    """One thing to be tried: a process of its own, its limit and what came of it."""

    name: str
    title: str
    limit: float  # seconds
    status: str = "not begun"
    seconds: float = 0.0
    rows: list[Row] = field(default_factory=list)
    said: list[str] = field(default_factory=list)  # last lines of its output, where it did not come to its end


def write(out: Path, data: Path | None, facts: Row, parts: Sequence[Part], seconds: float, *, small: bool) -> None:
    """The page at `out`, what it is made of at `data` or beside it; each whole or not at all."""
    found = {"machine": facts, "seconds": seconds, "parts": [vars(part) for part in parts]}
    text = page(facts, parts, seconds, small)
    for file, content in ((data or out.with_suffix(".json"), json.dumps(found, indent=1) + "\n"), (out, text)):
        aside = file.with_name(f"{file.name}.part")
        aside.write_text(content)
        aside.replace(file)


def page(facts: Row, parts: Sequence[Part], seconds: float, small: bool) -> str:
    told = ", ".join(f"{name} {value}" for name, value in facts.items() if name != "card")
    lines = ["# On a GPU", "", f"Card: {facts['card']} ({told}). Made by `scripts/gpu_check` in {seconds:.0f} s.", ""]
    if small:
        lines += ["**Small sizes, to try the check itself: the figures mean nothing.**", ""]
    lines += table(("part", "came to", "s"), [(part.title, part.status, f"{part.seconds:.0f}") for part in parts])
    for part in parts:
        if part.status == "not begun":
            continue
        lines += [f"## {part.title}", ""]
        if part.said:
            last = [line.replace("```", "...") for line in part.said[-LINES_SHOWN:]]
            lines += [f"{part.status.capitalize()}; last said:", "", "```", *last, "```", ""]
        if part.rows:
            lines += SHOWN[part.name.split("-")[0]](part.rows)
    return "\n".join(lines).rstrip() + "\n"


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    cells = [titles, ["---"] * len(titles), *rows]
    return [*(f"| {' | '.join(str(cell).replace('|', '/') for cell in row)} |" for row in cells), ""]


def shown_build(rows: Sequence[Row]) -> list[str]:
    return [
        f"Built for {r['arch']} in {r['seconds']:.0f} s ({r['bytes'] / 1e3:.0f} kB), {r['nvcc']}." for r in rows
    ] + [""]


def shown_tests(rows: Sequence[Row]) -> list[str]:
    kinds = ("passed", "failure", "error", "skipped")
    files = [row for row in rows if "file" in row]
    shown = [(row["file"], *(str(row.get(kind, 0)) for kind in kinds)) for row in files]
    shown.append(("all", *(str(sum(row.get(kind, 0) for row in files)) for kind in kinds)))
    failed = [f"- `{row['failed']}`: {row['why']}" for row in rows if "failed" in row]
    return [*table(("file", *kinds), shown), *failed, *([""] if failed else [])]


def shown_ops(rows: Sequence[Row]) -> list[str]:
    if "copies_gb_s" not in rows[0]:  # on the processor
        return table(tuple(rows[0]), [tuple(str(value) for value in row.values()) for row in rows])
    lines = [f"Copying moves {rows[0]['copies_gb_s']:.0f} GB/s on this card.", ""]
    lines += [f"- {row['case']}, {row['form']}: {row['why_not']}" for row in rows if "why_not" in row] + [""]
    shown = [
        (
            r["case"],
            r["pass"],
            r["form"],
            f"{r['us']:.1f}",
            f"{r['called_us']:.1f}",
            f"{r['moved_mb']:.1f}",
            f"{r['share']:.0%}",
        )
        for r in rows
        if "share" in r
    ]
    titles = (
        "op",
        "pass",
        "form",
        "us on the card",
        "us called from Python",
        "MB moved at the least",
        "share of copying",
    )
    return [*lines, *table(titles, shown)]


def shown_steps(rows: Sequence[Row]) -> list[str]:
    base = {(r["size"], r["job"]): r["ms"] for r in rows if (r["form"], r["precision"]) == ("reference", "float32")}
    shown = [
        (
            r["job"],
            f"{r['size']}",
            r["precision"],
            r["form"],
            f"{r['ms']:.1f}",
            f"{base[r['size'], r['job']] / r['ms']:.2f}x" if (r["size"], r["job"]) in base else "",
            f"{r['peak_mb']:.0f}" if "peak_mb" in r else "",
            f"{-10 * math.log10(r['mean_square']):.0f}" if r["mean_square"] else "",
            f"{r['loss']:.4f}",
        )
        for r in sorted(rows, key=lambda r: (r["job"], r["size"]))
    ]
    titles = (
        "step",
        "px",
        "precision",
        "form",
        "ms",
        "against reference, float32",
        "peak MB",
        "picture off by",
        "last loss",
    )
    told = (
        "One frame a step, median. Reference: the published network in plain torch. Half: for the default generator "
        "bfloat16 (ours: all of synthesis; reference: `torch.autocast`), for StyleGAN2 float16 (ours: its four highest "
        "resolutions, as NVIDIA trains it; reference: `torch.autocast`); weights and the optimiser stay float32. "
        "dB: how near the picture is to the reference's in float32, of its largest value."
    )
    return [told, "", *table(titles, shown)]


def shown_job(rows: Sequence[Row]) -> list[str]:
    stages = [row for row in rows if "stage" in row]
    shown = [
        (r["stage"], f"{r['seconds']:.1f}" if r["seconds"] else "kept", f"{r['seconds'] / r['frames']:.2f}")
        for r in stages
    ]
    for name, of in (("invert", False), ("edit", True)):
        took = [r["seconds"] for r in stages if r["stage"].startswith("edit: ") == of]
        if took:
            shown.append((f"**{name}**", f"{sum(took):.1f}", f"{sum(took) / stages[0]['frames']:.2f}"))
    told = f"{stages[0]['frames']} frames, crops of {stages[0]['crop_px']} px." if stages else ""
    figures = [f"- {row['figure']}: {row['is']}" for row in rows if "figure" in row]
    return [told, "", *table(("stage", "s", "s a frame"), shown), *figures, ""]


SHOWN: dict[str, Callable[[Sequence[Row]], list[str]]] = {
    "build": shown_build,
    "tests": shown_tests,
    "ops": shown_ops,
    "steps": shown_steps,
    "job": shown_job,
}
