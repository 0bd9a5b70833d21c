"""What a job takes, for the benchmarks of this folder: the median of some runs after one that is not counted."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable


def timed(job: Callable[[], object], runs: int) -> dict[str, float]:
    """wall (median), low, high: seconds by the clock; cpu (median): of the processor; peak: GB of the process."""
    job()
    wall, cpu = [], []
    for _ in range(runs):
        began, began_cpu = time.perf_counter(), time.process_time()
        job()
        wall.append(time.perf_counter() - began)
        cpu.append(time.process_time() - began_cpu)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    median_wall, median_cpu = statistics.median(wall), statistics.median(cpu)
    return {"wall": median_wall, "low": min(wall), "high": max(wall), "cpu": median_cpu, "peak": peak}
