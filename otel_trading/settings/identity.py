"""The options that say who the bot is, and what is on."""

from __future__ import annotations

from typing import Literal

from pydantic_settings import BaseSettings

from otel_trading.settings.rows import (
    ANY_TEXT,
    NAME,
    PAIRS,
    SWITCH,
    Exporters,
    Headers,
    Profile,
    option,
)


class Identity(BaseSettings):
    """Who the bot is, and what is on."""

    # Who the bot is
    profile: Profile = option(
        "production",
        "Which defaults apply; also the resource attribute deployment.environment.name.",
        allowed="development, staging or production",
        restart=True,
    )
    service_name: NAME | None = option(
        None, "The bot's name; the script's name when not given.", allowed=ANY_TEXT, env=("OTEL_SERVICE_NAME",)
    )
    service_version: NAME | None = option(None, "The bot's version.", allowed=ANY_TEXT)
    resource_attributes: Headers = option(
        {},
        "Further resource attributes.",
        allowed=PAIRS,
        env=("OTEL_RESOURCE_ATTRIBUTES",),
    )
    trade_execution: bool = option(
        True,
        "Whether orders are real; the bot reads it, and trading.execution.mode (live or paper) says it.",
        allowed=SWITCH,
        restart=True,
    )
    database: str = option(
        "sqlite:///otel-trading.db",
        "URL of the bot's trade database; the bot reads it.",
        allowed="a database URL such as postgresql://host/name",
        secret=True,
        restart=True,
    )

    # What is on
    disabled: bool = option(
        False,
        "Turns all telemetry off; the API stays and does nothing.",
        allowed=SWITCH,
        env=("OTEL_SDK_DISABLED",),
    )
    engine: Literal["native", "sdk"] = option(
        "native",
        "What stands behind the OpenTelemetry API for metrics and traces: the native core, or opentelemetry-sdk for "
        "comparison.",
        allowed="native or sdk",
        restart=True,
    )
    traces_enabled: bool = option(True, "Traces on or off.", allowed=SWITCH)
    metrics_enabled: bool = option(True, "Metrics on or off.", allowed=SWITCH)
    logs_enabled: bool = option(True, "Logs on or off.", allowed=SWITCH)
    instrument: Exporters = option(
        ("auto",),
        "Libraries to instrument: auto takes all that are installed, none takes nothing.",
        allowed="a comma separated list of auto, none, ccxt, websockets, aiohttp-websocket, nautilus-trader, "
        "freqtrade, hummingbot, asyncio, aiohttp-client, httpx, requests, urllib3",
    )
    instrument_orders: bool = option(
        True,
        "Whether instrumented libraries tell what happens to orders; off in a bot that tells all of it itself.",
        allowed=SWITCH,
    )
    venue_hosts: Headers = option(
        {}, "Names of venues by host, for sockets and requests to hosts that the kit does not know.", allowed=PAIRS
    )
    trace_hosts: Exporters = option(
        (), "Hosts, and what is below them, that are sent trace headers; venues are none.", allowed="a list of hosts"
    )
