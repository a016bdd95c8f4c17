"""What values are measured in: units as instruments have them, and as Grafana calls them."""

from __future__ import annotations

from difflib import get_close_matches

_OF_INSTRUMENTS = {
    "1": "percentunit",
    "%": "percent",
    "By": "bytes",
    "By/s": "Bps",
    "bp": "suffix: bp",
    "{bp}": "suffix: bp",
    "": "short",
}
_SECONDS = ("ns", "µs", "ms", "s", "m", "h", "d", "dtdurations", "dateTimeAsIso", "dateTimeFromNow")
_RATES = ("cps", "ops", "reqps", "rps", "wps", "iops", "eps", "mps", "cpm", "opm", "Bps", "binBps", "bps")
_PLAIN = ("none", "short", "string", "percent", "percentunit", "sci", "bool", "bool_on_off", "bool_yes_no", "hertz")
_SIZES = ("bytes", "decbytes", "bits", "kbytes", "mbytes", "gbytes")
_MONEY = ("currencyUSD", "currencyEUR", "currencyGBP", "currencyJPY", "currencyBTC", "currencyCHF")

KNOWN = frozenset({*_SECONDS, *_RATES, *_PLAIN, *_SIZES, *_MONEY})
"""The names of Grafana that panels may use as they are."""

_OWN = ("suffix:", "prefix:", "currency:", "time:", "si:", "count:")


class UnknownUnitError(ValueError):
    """A unit that Grafana would show as plain text."""


def unit(name: str) -> str:
    """Grafana's name of a unit.

    Args:
        name: a unit of an instrument (``s``, ``By``, ``1``, ``{order}``, ``bp``), a name of Grafana (``percentunit``,
            ``reqps``), or one of your own (``suffix: lots``).

    Raises:
        UnknownUnitError: it is none of these.

    >>> unit("By"), unit("{order}"), unit("bp"), unit("suffix: lots")
    ('bytes', 'short', 'suffix: bp', 'suffix: lots')
    >>> unit("percentunits")
    Traceback (most recent call last):
    otel_trading.provisioning.units.UnknownUnitError: 'percentunits' is not a unit; the nearest is percentunit. \
Allowed are units of instruments (s, By, 1, bp, {order}), names of Grafana, and own ones as in 'suffix: lots'

    """
    if name in _OF_INSTRUMENTS:
        return _OF_INSTRUMENTS[name]
    if name in KNOWN or name.startswith(_OWN):
        return name
    if name.startswith("{") and name.endswith("}"):
        return "short"
    near = get_close_matches(name, [*KNOWN, *_OF_INSTRUMENTS], 1)
    hint = f"; the nearest is {near[0]}" if near else ""
    message = (
        f"{name!r} is not a unit{hint}. Allowed are units of instruments (s, By, 1, bp, {{order}}), names of Grafana, "
        "and own ones as in 'suffix: lots'"
    )
    raise UnknownUnitError(message)
