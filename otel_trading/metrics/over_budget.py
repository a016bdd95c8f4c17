"""What is said of something that took longer than it may."""

from __future__ import annotations

_THOUSAND = 1_000


def over_budget(name: str, worst: float, budget: float, times: int) -> str:
    """The message about violations of a budget; times are in seconds.

    >>> over_budget("order_fill", 5.7012, 0.5, 1)
    'order_fill took up to 5,701 ms, its budget is 500 ms: once since the last such message'
    >>> over_budget("decide", 0.0001234, 0.00005, 3)
    'decide took up to 0.123 ms, its budget is 0.05 ms: 3 times since the last such message'
    """
    often = "once" if times == 1 else f"{times:,} times"
    return f"{name} took up to {_ms(worst)}, its budget is {_ms(budget)}: {often} since the last such message"


def _ms(seconds: float) -> str:
    milliseconds = seconds * _THOUSAND
    return f"{milliseconds:,.0f} ms" if milliseconds >= _THOUSAND else f"{milliseconds:.3g} ms"
