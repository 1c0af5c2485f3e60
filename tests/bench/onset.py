"""How near the estimated onset comes to the truth, over 200 simulated outages of a fixed seed; beside it, the third failure."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import exp

from blametrail.incidents.onset import Sample, estimate_onset
from blametrail.incidents.states import IncidentType
from tests.bench.load import quantile
from tests.bench.report import Report

SEED, OUTAGES = 4, 200
TIMEOUT_MS, SLOW_MS = 10_000.0, 1_000.0
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)

Behaviour = Callable[[float], tuple[float, float]]
"""From intervals since the onset to the median response time and the share of checks that get no answer."""


@dataclass(frozen=True)
class Outage:
    """What the checks of a monitor saw until the third failure in a row."""

    kind: str
    of: IncidentType
    truth: datetime
    interval: timedelta
    samples: list[Sample]


def bench(report: Report) -> None:
    chance = random.Random(SEED)
    outages = [simulate(chance, kind) for kind in kinds(chance)]
    began = time.perf_counter()
    ours = [abs(estimate_onset(o.samples, o.of).at - o.truth) / o.interval for o in outages]
    took = (time.perf_counter() - began) / len(outages)
    inside = [e.earliest <= o.truth <= e.latest for o in outages for e in [estimate_onset(o.samples, o.of)]]
    third = [abs(o.samples[-1].at - o.truth) / o.interval for o in outages]
    for kind in dict.fromkeys(o.kind for o in outages):
        of_kind = [n for n, o in enumerate(outages) if o.kind == kind]
        name = f"onset, {kind} ({len(of_kind)}): within an interval"
        report.line(name, 100 * sum(ours[n] <= 1 for n in of_kind) / len(of_kind), "%")
    report.line("onset, within one check interval of the truth", 100 * sum(e <= 1 for e in ours) / OUTAGES, "%", at_least=95)
    report.line("onset, the third failure within one interval", 100 * sum(e <= 1 for e in third) / OUTAGES, "%")
    report.line("onset, median error", quantile(ours, 0.5), "checks")
    report.line("onset, median error of the third failure", quantile(third, 0.5), "checks")
    report.line("onset, p95 error", quantile(ours, 0.95), "checks")
    report.line("onset, p95 error of the third failure", quantile(third, 0.95), "checks")
    report.line("onset, truth inside the interval that is told", 100 * sum(inside) / OUTAGES, "%")
    report.line("onset, mean time of an estimate", took * 1e3, "ms")


def kinds(chance: random.Random) -> list[str]:
    """A third of them gradual."""
    shares = {"down at once": 70, "slow at once": 35, "flapping": 25, "ever slower": 40, "ever slower, then down": 30}
    drawn = [kind for kind, count in shares.items() for _ in range(count)]
    chance.shuffle(drawn)
    return drawn


def simulate(chance: random.Random, kind: str) -> Outage:
    """A series with noise, lone spikes, lone failures and missing checks, and an outage of the kind in it."""
    usual, noise = exp(chance.uniform(3.5, 5.7)), chance.uniform(0.05, 0.3)  # 33 to 300 ms
    interval = timedelta(seconds=chance.choice([10, 30, 60]))
    behave = behaviour(chance, kind, usual)
    onset = chance.uniform(40, 200)
    samples: list[Sample] = []
    of = IncidentType.LATENCY if "slow" in kind and "down" not in kind else IncidentType.AVAILABILITY
    number = 0
    while not is_over(samples):
        number += 1
        if chance.random() < 0.02:
            continue  # the check was missed
        level, failing = behave(number - onset) if number >= onset else (usual, 0.0)
        latency = level * exp(chance.gauss(0, noise)) * (chance.uniform(3, 8) if chance.random() < 0.01 else 1)
        answered = latency < TIMEOUT_MS and chance.random() >= max(failing, 0.003)
        passed = answered and (latency < SLOW_MS or of is not IncidentType.LATENCY)
        samples.append(Sample(EPOCH + number * interval, passed, latency if answered else None))
    return Outage(kind, of, EPOCH + onset * interval, interval, samples)


def behaviour(chance: random.Random, kind: str, usual: float) -> Behaviour:
    if kind == "down at once":
        return lambda since: (usual, 1.0)
    if kind == "slow at once":
        slow = chance.uniform(1.5, 5) * SLOW_MS
        return lambda since: (slow, 0.0)
    if kind == "flapping":
        share = chance.uniform(0.75, 0.95)
        return lambda since: (usual, share)
    end = TIMEOUT_MS * 1.5 if "down" in kind else 2 * SLOW_MS
    length = chance.uniform(4, 25)  # intervals until it is that slow
    return lambda since: (usual + (end - usual) * since / length, 0.0)


def is_over(samples: list[Sample]) -> bool:
    return len(samples) > 2 and not any(s.passed for s in samples[-3:])
