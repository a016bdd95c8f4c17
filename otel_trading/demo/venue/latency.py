"""How long a venue takes: seeded log-normal times with a tail."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random


@dataclass(frozen=True, slots=True)
class Latency:
    """A distribution of seconds: log-normal around ``median``, one in fifty stretched by up to ``tail`` times."""

    median: float
    sigma: float = 0.35
    tail: float = 8.0
    longest: float = 0.5

    def draw(self, rng: random.Random) -> float:
        """Draw one duration in seconds."""
        seconds = rng.lognormvariate(math.log(self.median), self.sigma)
        if rng.random() < 0.02:  # noqa: PLR2004 - the share of slow answers
            seconds *= rng.uniform(2.0, self.tail)
        return min(seconds, self.longest)
