"""When venues are not there on purpose: nobody is told of them then."""

from __future__ import annotations

import re
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DEFAULT = "kalshi thursday 03:00-05:00 America/New_York"
ALLOWED = (
    "VENUE DAYS HH:MM-HH:MM [ZONE] entries with ; between them, such as "
    f"{DEFAULT!r}; DAYS are a weekday, two with : between them, or daily"
)
_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_ENTRY = re.compile(
    r"(?P<venue>[\w.-]+) +(?P<days>[a-z]+(?::[a-z]+)?) +(?P<start>\d\d:\d\d)-(?P<end>\d\d:\d\d)(?: +(?P<zone>\S+))?"
)


@dataclass(frozen=True, slots=True)
class Window:
    """A venue's maintenance; ``days`` is empty where it is every day."""

    venue: str
    days: str
    start: str
    end: str
    location: str
    place: int

    @property
    def name(self) -> str:
        """The name of its interval."""
        return f"maintenance-{self.venue}-{self.place}"


def windows(text: str) -> list[Window]:
    """Read the windows of ``ALERT_MAINTENANCE``.

    >>> [window.days for window in windows("nyse saturday:sunday 00:00-24:00; kraken daily 02:00-02:10")]
    ['saturday:sunday', '']

    Raises:
        ValueError: the text cannot be read; the message says what can.

    """
    entries = [entry.strip() for entry in text.split(";") if entry.strip()]
    return [_window(entry, place) for place, entry in enumerate(entries)]


def _window(entry: str, place: int) -> Window:
    match = _ENTRY.fullmatch(entry)
    if match is None or not _is_days(match["days"]) or not match["start"] < match["end"] <= "24:00":
        raise ValueError(f"ALERT_MAINTENANCE={entry!r} is not allowed; allowed are {ALLOWED}")
    zone = match["zone"] or "UTC"
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"ALERT_MAINTENANCE={entry!r}: {zone!r} is no time zone; allowed are {ALLOWED}") from error
    days = "" if match["days"] == "daily" else match["days"]
    return Window(match["venue"], days, match["start"], match["end"], zone, place)


def _is_days(text: str) -> bool:
    return text == "daily" or all(day in _DAYS for day in text.split(":"))
