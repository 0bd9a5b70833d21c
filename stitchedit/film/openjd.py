"""The tasks of a plan as an Open Job Description template, for farms that do not run Ray.

A step a stage, a task a shot or person; a stage begins when the one before it is done. Each task is one command,
`stitchedit film-task FOLDER TASK`, on any machine that reaches the folder. The film is put together by
`stitchedit film` afterwards, with the options that made the plan: it finds everything done.
Source: OpenJobDescription/openjd-specifications, template schemas of 2023-09.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stitchedit.files.atomic import atomic
from stitchedit.film.graph import Task

STAGES = ("learn", "solve", "tune", "edit")
AFTER = {"learn": (), "solve": ("learn",), "tune": ("learn",), "edit": ("solve", "tune")}


def template(tasks: Sequence[Task], name: str, address: str, threads: int) -> dict[str, Any]:
    """The job template.

    Args:
        name: of the job.
        address: the default of the parameter Film: the film's folder as the farm's machines have it.
        threads: processors that a task asks for.
    """
    numbers = {stage: [task.number for task in tasks if task.stage == stage] for stage in STAGES}
    steps = [_step(stage, numbers[stage], numbers, threads) for stage in STAGES if numbers[stage]]
    return {
        "specificationVersion": "jobtemplate-2023-09",
        "name": name[:64],
        "parameterDefinitions": [
            {
                "name": "Film",
                "type": "STRING",
                "default": address,
                "description": "The film's folder, or its address, as the machines of the farm have it.",
            }
        ],
        "steps": steps,
    }


def write_template(path: Path, job: dict[str, Any]) -> None:
    """Raises NotWritable, DiskFull."""
    with atomic(path) as temp:
        temp.write_text(json.dumps(job, indent=2) + "\n", encoding="utf-8")


def ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers as OpenJD writes them: 1-3,7,9-12."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


def _step(stage: str, numbers: Sequence[int], all_numbers: dict[str, list[int]], threads: int) -> dict[str, Any]:
    step: dict[str, Any] = {
        "name": stage,
        "parameterSpace": {"taskParameterDefinitions": [{"name": "Number", "type": "INT", "range": ranges(numbers)}]},
        "hostRequirements": {"amounts": [{"name": "amount.worker.vcpu", "min": threads}]},
        "script": {
            "actions": {
                "onRun": {
                    "command": "stitchedit",
                    "args": ["film-task", "{{Param.Film}}", f"{stage}/{{{{Task.Param.Number}}}}"],
                }
            }
        },
    }
    before = [{"dependsOn": other} for other in AFTER[stage] if all_numbers[other]]
    return step | ({"dependencies": before} if before else {})
