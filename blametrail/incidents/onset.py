"""When it began, from a series of checks: where the series changed, not where the third check in a row failed.

Passes and failures are two stretches of coin throws; the boundary between them is the one under which the series is most
likely, and the boundaries that are nearly as likely bound it (Hinkley 1970, "Inference about the change-point in a sequence
of random variables"). Response times are a level, then a rise that begins at some moment, with some slope, up to the newest
level; a sudden change is a steep rise (two-phase regression, Hinkley 1971). Its moment is the mean over all moments and
slopes, each weighted by its likelihood. Residuals are clipped, so that single bad checks decide nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from math import exp, log
from statistics import median

from blametrail.incidents.reports import Onset
from blametrail.incidents.states import IncidentType

MOST_CHECKS = 240
"""The newest that are looked at."""

NEARLY_AS_LIKELY = 1.92
"""How much less, in logarithms, a boundary of a 95 % interval may be likely (half the quantile of chi-squared)."""

CLEAR = 10.0
"""By how much, in squared deviations, a rise must explain response times better than none."""

LEAST_RISE = log(1.3)
LEAST_BEFORE = 5
CLIP = 9.0
COARSE, FINE, REACH = 60, 4, 3
"""How many moments are tried everywhere; then how many in each interval, and how many of the first ones on either side."""

LEAST_NOISE = 0.05
SLOPES = tuple(0.02 * 1.8**n for n in range(15))
"""Of the level before, in each interval between two checks: from 2 % to 75-fold, which is at once."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A check: whether it passed, and how long the answer took; None when there was none."""

    at: datetime
    passed: bool
    latency_ms: float | None


@dataclass(frozen=True, slots=True)
class _Fit:
    moment: float
    weight: float


def estimate_onset(samples: Sequence[Sample], of: IncidentType) -> Onset:
    """The onset of an incident that the newest of these checks opened. They are all since the monitor was last well, in any
    order; at least one has failed. What is not `latency` counts as `availability`."""
    series = sorted(samples, key=lambda sample: sample.at)[-MOST_CHECKS:]
    boundary = _boundary(series)
    if of is IncidentType.LATENCY:
        timed = [s for s in series if s.latency_ms is not None]
        return _rise(timed, "response times rose from then on") or boundary
    creeping = [s for s in series if s.passed and s.latency_ms is not None and s.at < boundary.latest]
    rise = _rise(creeping, "response times rose from then on, until checks failed")
    return rise if rise is not None and rise.at < boundary.at else boundary


def _boundary(series: Sequence[Sample]) -> Onset:
    """Between the checks that pass and those that fail."""
    likely = _likely_boundaries(series)
    clean = [place for place in likely if not any(s.passed for s in series[place:])]
    place = min(clean) if clean else likely[0]  # lone failures are commoner than outages with passes in between
    likely.sort()
    earliest, latest = series[max(likely[0] - 1, 0)].at, series[likely[-1]]
    latest_at = latest.at + timedelta(milliseconds=latest.latency_ms or 0)
    if place == 0:
        at = series[0].at
        return Onset(at, at, latest_at, "the first check that ran failed already; it may have begun before")
    at = series[place - 1].at + (series[place].at - series[place - 1].at) / 2
    basis = "it lies between the last check that passed and the first that failed"
    return Onset(
        at, earliest, latest_at, basis if clean else "checks failed far more often from then on, with some that passed"
    )


def _likely_boundaries(series: Sequence[Sample]) -> list[int]:
    """Places of first failed checks, the likeliest first, and with it all that are nearly as likely."""
    total = sum(not s.passed for s in series)
    scored, before = [], 0
    for place, sample in enumerate(series):
        if not sample.passed:
            scored.append((_throws(before, place) + _throws(total - before, len(series) - place), place))
            before += 1
    scored.sort(key=lambda pair: (-pair[0], pair[1]))
    return [place for score, place in scored if score >= scored[0][0] - NEARLY_AS_LIKELY]


def _throws(failed: int, thrown: int) -> float:
    """The logarithm of the likelihood of a stretch at its own rate of failure."""
    return sum(count * log(count / thrown) for count in (failed, thrown - failed) if count)


def _rise(series: Sequence[Sample], basis: str) -> Onset | None:
    """Where response times begin to rise to the newest level; None when they do not, or too little is known of before."""
    if len(series) <= LEAST_BEFORE:
        return None
    start, step = series[0].at, median((b.at - a.at).total_seconds() for a, b in pairwise(series))
    levels = [log(max(s.latency_ms or 0, 1.0)) for s in series]
    if step <= 0 or max(levels[-3:]) - median(levels[: max(LEAST_BEFORE, len(levels) // 3)]) < LEAST_RISE:
        return None
    fits = _fits([(s.at - start).total_seconds() / step for s in series], levels)
    if fits is None:
        return None
    total = sum(fit.weight for fit in fits)
    at = sum(fit.moment * fit.weight for fit in fits) / total
    # Nothing is known between two checks, however sure the fit is of a moment.
    earliest, latest = _quantile(fits, 0.025 * total) - 0.5, _quantile(fits, 0.975 * total) + 0.5

    def moment(time: float) -> datetime:
        return start + timedelta(seconds=time * step)

    return Onset(moment(at), moment(min(earliest, at)), moment(max(latest, at)), basis)


def _fits(times: Sequence[float], levels: Sequence[float]) -> list[_Fit] | None:
    """Moments by how likely a rise began there, in order; None when there is no clear one. First everywhere, then finely
    around the best: what lies further away weighs nothing."""
    noise = max(1.4826 * median(abs(b - a) for a, b in pairwise(levels)) / 2**0.5, LEAST_NOISE)
    flat = _misfit(levels, [median(levels)] * len(levels), noise)
    every = max(1, len(times) // COARSE)
    starts = [*times[LEAST_BEFORE - 1 :: every], times[-2]]
    best, around = min((cost, at) for at in starts for cost in _costs(times, levels, noise, at, SLOPES[::2]))
    if flat - best < CLEAR:
        return None
    fits = []
    for part in range(-REACH * every * FINE, REACH * every * FINE + 1):
        at = around + part / FINE
        if times[LEAST_BEFORE - 1] <= at < times[-1]:
            fits.append(_Fit(at, sum(exp((best - cost) / 2) for cost in _costs(times, levels, noise, at, SLOPES))))
    return fits


def _costs(times: Sequence[float], levels: Sequence[float], noise: float, at: float, slopes: Sequence[float]) -> list[float]:
    """How badly rises from this moment on explain the levels, by slope."""
    place = bisect_right(times, at)
    base, top = median(levels[:place]), max(levels[-3:])
    before = _misfit(levels[:place], [base] * place, noise)
    after = levels[place:]
    return [
        before + _misfit(after, [min(base + log(1 + slope * (t - at)), max(base, top)) for t in times[place:]], noise)
        for slope in slopes
    ]


def _misfit(levels: Sequence[float], wanted: Sequence[float], noise: float) -> float:
    """Squared deviations, each clipped."""
    return sum(min(((level - want) / noise) ** 2, CLIP) for level, want in zip(levels, wanted, strict=True))


def _quantile(fits: Sequence[_Fit], weight: float) -> float:
    seen = 0.0
    for fit in fits:
        seen += fit.weight
        if seen >= weight:
            return fit.moment
    return fits[-1].moment
