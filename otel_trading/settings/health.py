"""The options of health."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_settings import BaseSettings

from otel_trading.settings import parse
from otel_trading.settings.rows import (
    A_LIMIT,
    A_TIME,
    SWITCH,
    Exporters,
    FromZero,
    Positive,
    option,
)

Checks = Annotated[dict[str, Any], BeforeValidator(parse.checks)]
_A_WAIT = "a number from 0 up (seconds)"


class Health(BaseSettings):
    """What is watched, and what counts as wrong."""

    health_enabled: bool = option(True, "Whether the bot's health is watched.", allowed=SWITCH)
    health_interval: Positive = option(1.0, "Time between two looks at all components.", allowed=A_TIME)
    health_checks: Checks = option(
        {},
        "What the bot depends on, by name: a table each, such as [health.checks.redis], or its URL.",
        allowed="name=url;critical;interval=10 entries, comma separated, or JSON, or tables",
        secret=True,
    )
    health_critical_venues: Exporters = option(
        ("all",), "Venues that the bot cannot do without.", allowed="a comma separated list of venues, all or none"
    )
    health_window: Positive = option(
        60.0, "Time over which latency and errors of requests are counted.", allowed=A_TIME
    )
    health_connection_after: FromZero = option(
        5.0, "How long a connection is lost before ConnectionDown begins.", allowed=_A_WAIT
    )
    health_latency_limit: FromZero = option(
        2.0, "99th percentile of a venue's requests, in seconds, above which HighLatency begins.", allowed=A_LIMIT
    )
    health_error_rate_limit: FromZero = option(
        1.0, "Failed requests a second above which HighErrorRate begins.", allowed=A_LIMIT
    )
    health_error_share_limit: FromZero = option(
        0.5, "Share of failed requests above which HighErrorRate begins.", allowed=A_LIMIT
    )
    health_disk_limit: FromZero = option(
        1_073_741_824.0, "Free bytes of a file system below which LowDiskSpace begins.", allowed=A_LIMIT
    )
    health_holds_for: FromZero = option(
        10.0, "How long latency, errors or space are beyond their limit before a condition begins.", allowed=_A_WAIT
    )
    health_recovers_for: FromZero = option(30.0, "How long all is well again before a condition ends.", allowed=_A_WAIT)
    health_stuck_after: Positive = option(
        5.0, "Time without an answer after which an event loop is stuck, which is more than stalled.", allowed=A_TIME
    )
    health_await_ready: bool = option(
        False, "Whether the bot is not ready before it says telemetry.health.ready().", allowed=SWITCH
    )
    health_systemd: bool = option(True, "Whether systemd is told (NOTIFY_SOCKET, WATCHDOG_USEC).", allowed=SWITCH)
    health_watchdog_loops: bool = option(
        True, "Whether a stuck event loop, or a watched thread, ends the pings to systemd's watchdog.", allowed=SWITCH
    )
