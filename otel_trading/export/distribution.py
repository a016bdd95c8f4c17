"""What a histogram's points say, whatever their form: quantiles, sums over series, and counts below other bounds."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Bucket = tuple[float, float, int]
"""Lower bound, upper bound (inclusive), measurements."""

_NARROW = 1.2
"""Buckets up to this ratio of their bounds are narrow: their middle is a good estimate."""

_ROUNDING = 1e-9
"""Relative difference of two bounds that are the same but for the rounding of a conversion."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """The measurements of one or several series.

    ``low`` and ``high`` are the least and the greatest measurement, ``None`` where the source does not tell.
    ``buckets`` ascend and leave out empty ones; the outer bounds of explicit histograms are infinite.

    >>> waits = Distribution.of_values([0.1, 0.2, 0.3, 0.4])
    >>> waits.quantile(0.5), waits.mean
    (0.2, 0.25)
    """

    count: int
    total: float
    low: float | None
    high: float | None
    buckets: tuple[Bucket, ...]
    exponential: bool

    @classmethod
    def of_point(cls, point: Any) -> Distribution:  # noqa: ANN401 - of the SDK or of any engine: told by its fields
        """The measurements of one histogram point, explicit or exponential."""
        low, high = (point.min, point.max) if point.count else (None, None)
        exponential = hasattr(point, "scale")
        buckets = _exponential(point) if exponential else _explicit(point.explicit_bounds, point.bucket_counts)
        total = math.nan if point.sum is None else point.sum
        return cls(point.count, total, _finite(low), _finite(high), tuple(buckets), exponential)

    @classmethod
    def of_values(cls, values: Iterable[float]) -> Distribution:
        """Exactly these measurements."""
        ordered = sorted(values)
        buckets = [(value, value, 1) for value in ordered]
        low, high = (ordered[0], ordered[-1]) if ordered else (None, None)
        return cls(len(ordered), math.fsum(ordered), low, high, tuple(buckets), exponential=True)

    @classmethod
    def merged(cls, parts: Sequence[Distribution]) -> Distribution:
        """The measurements of several series together."""
        if len(parts) == 1:
            return parts[0]
        counts: defaultdict[tuple[float, float], int] = defaultdict(int)
        for part in parts:
            for lower, upper, count in part.buckets:
                counts[upper, lower] += count
        return cls(
            sum(part.count for part in parts),
            math.fsum(part.total for part in parts),
            min((part.low for part in parts if part.low is not None), default=None),
            max((part.high for part in parts if part.high is not None), default=None),
            tuple((lower, upper, count) for (upper, lower), count in sorted(counts.items())),
            all(part.exponential for part in parts),
        )

    @property
    def mean(self) -> float:
        """The arithmetic mean; NaN without measurements."""
        return self.total / self.count if self.count else math.nan

    def quantile(self, q: float) -> float:
        """The measurement below which the share ``q`` of all lies (nearest rank); NaN without measurements.

        Off by at most half a bucket's width where buckets are narrow, as those of exponential histograms of scale 6
        (0.55 % of the value); interpolated in wide ones. The extremes are exact where they are known.
        """
        if not self.count:
            return math.nan
        rank = max(1, math.ceil(round(q * self.count, 9)))
        if rank == 1 and self.low is not None:
            return self.low
        if rank >= self.count and self.high is not None:
            return self.high
        below = 0
        for bucket in self.buckets:
            if below + bucket[2] >= rank:
                return self._clamped(self._within(bucket, (rank - below - 0.5) / bucket[2]))
            below += bucket[2]
        return math.nan

    def below(self, bound: float) -> int:
        """Measurements up to a bound, inclusive.

        Never falls while measurements are added, also when an exponential histogram gets coarser, since a falling
        bucket looks like a restart to Prometheus: an exponential bucket around the bound counts as a whole, an
        explicit one by its share.
        """
        return sum(self._share(bucket, bound) for bucket in self.buckets)

    def rebinned(self, bounds: Sequence[float]) -> list[int]:
        """Measurements by bucket of other bounds: one more than bounds."""
        totals = [0, *(self.below(bound) for bound in bounds), self.count]
        return [upper - lower for lower, upper in pairwise(totals)]

    def scaled(self, factor: float) -> Distribution:
        """The same measurements in a unit that is smaller by a positive factor."""
        if factor == 1:
            return self
        return Distribution(
            self.count,
            self.total * factor,
            None if self.low is None else self.low * factor,
            None if self.high is None else self.high * factor,
            tuple((lower * factor, upper * factor, count) for lower, upper, count in self.buckets),
            self.exponential,
        )

    def _within(self, bucket: Bucket, position: float) -> float:
        lower, upper, _ = bucket
        if math.isinf(lower):
            lower = self.low if self.low is not None else min(0.0, upper)
        if math.isinf(upper):
            upper = self.high if self.high is not None else lower
        if lower == upper:
            return upper
        near, far = sorted((abs(lower), abs(upper)))
        if lower * upper > 0 and far <= near * _NARROW:
            return 2 * lower * upper / (lower + upper)
        return lower + (upper - lower) * position

    def _clamped(self, value: float) -> float:
        if self.low is not None:
            value = max(value, self.low)
        return value if self.high is None else min(value, self.high)

    def _share(self, bucket: Bucket, bound: float) -> int:
        lower, upper, count = bucket
        if upper <= bound + abs(bound) * _ROUNDING:
            return count
        if self.exponential:
            return count if lower < bound or lower == bound < 0 else 0
        if math.isinf(upper):
            return 0
        lower = min(0.0, upper) if math.isinf(lower) else lower
        return int(count * (bound - lower) / (upper - lower)) if lower < bound else 0


def _explicit(bounds: Sequence[float], counts: Sequence[int]) -> Iterator[Bucket]:
    edges = [-math.inf, *bounds, math.inf]
    for (lower, upper), count in zip(pairwise(edges), counts, strict=False):
        if count:
            yield lower, upper, count


def _exponential(point: Any) -> Iterator[Bucket]:  # noqa: ANN401 - see of_point
    negative, positive = point.negative, point.positive
    for place in reversed(range(len(negative.bucket_counts))):
        if count := negative.bucket_counts[place]:
            index = negative.offset + place
            yield -_power(index + 1, point.scale), -_power(index, point.scale), count
    if point.zero_count:
        yield 0.0, 0.0, point.zero_count
    for place, count in enumerate(positive.bucket_counts):
        if count:
            index = positive.offset + place
            yield _power(index, point.scale), _power(index + 1, point.scale), count


def _power(index: int, scale: int) -> float:
    """The bound of an exponential bucket: 2 to the power of ``index / 2**scale``."""
    exponent = math.ldexp(index, -scale)
    return math.inf if exponent >= 1_024 else 2.0**exponent  # noqa: PLR2004 - beyond the greatest double


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
