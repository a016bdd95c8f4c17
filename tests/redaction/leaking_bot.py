"""A bot that puts its secrets wherever telemetry takes a text, and then ends, waits, or is killed."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web
from opentelemetry.metrics import Observation
from opentelemetry.trace import Link, Status, StatusCode

import otel_trading as ot

if TYPE_CHECKING:
    from opentelemetry.util.types import AnyValue

if TYPE_CHECKING:
    from opentelemetry import trace

_LISTEN_KEY = 64
logger = logging.getLogger("bot.venue")


class Shown:
    """Something of the bot's that tells what it knows."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text


def spans(tracer: trace.Tracer, text: str, secret: str) -> None:
    """Every place of a span."""
    with tracer.start_as_current_span("first") as first:
        context = first.get_span_context()
    attributes: dict[str, AnyValue] = {"note": text, "api_key": secret, "list": [text, "x"], f"about {text}": 1}
    with tracer.start_as_current_span("order", attributes=attributes, links=[Link(context, {"link": text})]) as span:
        span.set_attribute("bytes", text.encode())
        span.set_attribute("headers", {"X-MBX-APIKEY": secret, "deep": {"er": [text]}})
        span.add_event("sent", {"url": text, "OK-ACCESS-PASSPHRASE": secret})
        span.add_event(f"event {text}")
        span.set_status(Status(StatusCode.ERROR, text))
        span.record_exception(ValueError(text), {"more": text})
    with tracer.start_as_current_span(f"name {text}") as span:
        span.update_name(f"other {text}")
    try:
        with tracer.start_as_current_span("failing"):
            raise RuntimeError(text)
    except RuntimeError:
        logger.exception("failed with %s", text)


def logs(text: str, secret: str) -> None:
    """Every place of a log record."""
    logger.warning("message %s", text)
    logger.error("as it is: " + text)  # noqa: G003 - as a bot does
    logger.error("with fields", extra={"note": text, "password": secret, "deep": {"secret": secret, "list": [text]}})
    logger.error(Shown(text))
    logger.error("fields of %(note)s", {"note": text})
    try:
        raise ValueError(text)
    except ValueError:
        logger.exception("with a stack")


def metrics(telemetry: ot.Telemetry, text: str, secret: str) -> None:
    """Every place of a measurement."""
    meter = telemetry.meter
    meter.create_counter("bot.orders").add(1, {"note": text, "api_key": secret})
    meter.create_counter("bot.orders").add(1, {"note": [text], "venue": "binance"})
    meter.create_histogram("bot.latency").record(0.5, {"url": text})
    meter.create_gauge("bot.depth").set(5, {"url": text, "b": text.encode()})
    meter.create_observable_gauge("bot.seen", [lambda _: [Observation(1, {"url": text})]])


async def requests(items: list[tuple[str, str]]) -> None:
    """URLs through the instrumented client."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="{}")

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with aiohttp.ClientSession() as session:
        for _, secret in items:
            if secret.isalnum() and len(secret) <= _LISTEN_KEY:  # a wallet's key is in no URL
                headers = {"X-MBX-APIKEY": secret, "Cookie": f"session={secret}"}
                path = f"ws/{secret}" if len(secret) == _LISTEN_KEY and not secret.islower() else "api/v3/order"
                url = f"http://bot:{secret}@127.0.0.1:{port}/{path}?signature={secret}"
                async with session.get(url, headers=headers) as got:
                    await got.read()
                try:
                    await session.get(f"http://bot:{secret}@127.0.0.1:1/?signature={secret}")
                except aiohttp.ClientError as error:
                    logger.error("no answer: %r", error)  # noqa: TRY400 - the message alone
    await runner.cleanup()


def main(corpus: str, end: str) -> None:
    items: list[tuple[str, str]] = json.loads(Path(corpus).read_text())
    telemetry = ot.configure(resource_attributes={f"about.{n}": text for n, (text, _) in enumerate(items)})
    logging.getLogger().addHandler(logging.NullHandler())
    tracer = telemetry.tracer
    asyncio.run(requests(items))
    for text, secret in items:
        spans(tracer, text, secret)
        logs(text, secret)
        metrics(telemetry, text, secret)
    open_span = tracer.start_span(f"never ended {items[0][0]}", attributes={"note": items[0][0]})
    time.sleep(0.5)
    telemetry.flush(5)
    sys.stdout.write(json.dumps({"ops": telemetry.status().ops_url}) + "\n")
    sys.stdout.flush()
    sys.stdin.readline()
    if end == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    open_span.end()
    telemetry.shutdown(5)


if __name__ == "__main__":
    main(*sys.argv[1:])
