"""The table: one entry a row."""

from __future__ import annotations

import time

from otel_trading.bench import programs
from otel_trading.bench.bulk import bulk
from otel_trading.bench.calls import call
from otel_trading.bench.contenders import NONE, OURS, PROMETHEUS, SDK, STANDARD, STRUCTLOG
from otel_trading.bench.drain import drain
from otel_trading.bench.encoding import encoding
from otel_trading.bench.loops import delivery, lag
from otel_trading.bench.model import Goal
from otel_trading.bench.spooling import spooling
from otel_trading.bench.starts import memory, start
from otel_trading.bench.threads import threads
from otel_trading.bench.ticks import span_tick, tick

_TIMED = "started = now(); timer.record(now() - started, attributes)"
_LITERAL = '{"trading.venue.name": "binance", "trading.instrument.symbol": "BTC/USDT"}'
_SPAN = 'with tracer.start_as_current_span("tick", attributes=attributes): pass'
_LEAF = 'tracer.start_span("fill", inside).end()'
_ATTRIBUTE = 'span.set_attribute("orders", 1)'
_EVENTS = "span = tracer.start_span('tick')\nfor _ in hundred: {}\nspan.end()"
_LOG = 'logger.warning("order %s sent", "c-1")'
_SENT = (
    'venue="kraken", symbol="BTC/USDT", side="buy", type="limit", price=64123.5, quantity=0.25, '
    'client_order_id="c-1", attempt=1, live=True, edge_bps=4.2'
)
_LINE = f'log.info("order sent", {_SENT})'
_EXTRA = (
    '{"venue": "kraken", "symbol": "BTC/USDT", "side": "buy", "type": "limit", "price": 64123.5, "quantity": 0.25, '
    '"client_order_id": "c-1", "attempt": 1, "live": True, "edge_bps": 4.2}'
)
_FILLED = (
    'trading.order_filled("c-0", quantity=0.01, price=27_000.5, liquidity="maker", commission=0.01, '
    'commission_currency="USDT")'
)
_LABELS = 'labels("binance", "BTC/USDT")'
_FRAME = "counter.add(1, attributes); histogram.record((time_ns() - event_time) / 1e9, attributes)"
_NOW_MS = time.time_ns() // 1_000_000
_TRADE = (
    f'{{"stream":"btcusdt@trade","data":{{"e":"trade","E":{_NOW_MS},"s":"BTCUSDT","t":3735683259,'
    f'"p":"61837.63000000","q":"0.02000000","T":{_NOW_MS - 1},"m":true,"M":true}}}}'
)

ROWS = (
    call(
        "counter.add(1), bound",
        ours="bound_counter.add(1)",
        prometheus="bound_counter.inc()",
        sdk="bound_counter.add(1, attributes)",
        none="bound_counter.add(1, attributes)",
        goal=12,
    ),
    call(
        "gauge.set(x), bound",
        ours="bound_gauge.set(2.5)",
        prometheus="bound_gauge.set(2.5)",
        sdk="bound_gauge.set(2.5, attributes)",
        none="bound_gauge.set(2.5, attributes)",
        goal=12,
    ),
    call(
        "histogram.record(x), bound",
        ours="bound_histogram.record(2.5)",
        prometheus="bound_histogram.observe(2.5)",
        sdk="bound_histogram.record(2.5, attributes)",
        none="bound_histogram.record(2.5, attributes)",
        goal=15,
        cold_goal=150,
    ),
    call(
        "counter.add(1, attributes), the same dict",
        ours="counter.add(1, attributes)",
        prometheus=f"counter.{_LABELS}.inc()",
        sdk="counter.add(1, attributes)",
        none="counter.add(1, attributes)",
    ),
    call(
        "histogram.record(x, attributes), the same dict",
        ours="histogram.record(2.5, attributes)",
        prometheus=f"histogram.{_LABELS}.observe(2.5)",
        sdk="histogram.record(2.5, attributes)",
        none="histogram.record(2.5, attributes)",
        goal=60,
    ),
    call(
        "histogram.record(x, {...}), a new dict each time",
        ours=f"histogram.record(2.5, {_LITERAL})",
        prometheus=f"histogram.{_LABELS}.observe(2.5)",
        sdk=f"histogram.record(2.5, {_LITERAL})",
        none=f"histogram.record(2.5, {_LITERAL})",
        goal=100,
        cold_goal=400,
    ),
    call("feed.message(event_time), as counter and histogram", ours="feed.message(event_time)", sdk=_FRAME, goal=150),
    call(
        "a frame of ccxt.pro, added",
        ours="ccxt_frame(ccxt_message)",
        base="ccxt_plain_frame(ccxt_message)",
        goal=1_000,
    ),
    call(
        "a request of ccxt, added",
        ours="ccxt_request()",
        base="ccxt_plain_request()",
        cold=False,
        goal=15_000,
    ),
    call("a frame of a socket: counted, and what it is of found", ours=f"received({_TRADE!r})", goal=1_000),
    call("emergency.engaged", ours="emergency.engaged", goal=30),
    call("risk.allows(order)", ours="risk.allows(order)"),
    call("reading a clock, for comparison", ours="monotonic_ns()", none="perf_counter_ns()"),
    call("token = timer.time(); token.stop()", ours="token = timer.time(); token.stop()", sdk=_TIMED, goal=60),
    call(
        "with timer.time()",
        ours="with timer.time(): pass",
        prometheus="with timer.time(): pass",
        sdk=_TIMED,
        goal=110,
    ),
    call(
        "decorated function, added",
        ours="decorated(2.5)",
        prometheus="decorated(2.5)",
        sdk="decorated(2.5)",
        base="plain(2.5)",
        goal=50,
    ),
    call(
        "decorated coroutine, added",
        ours="await decorated_coroutine(2.5)",
        sdk="await decorated_coroutine(2.5)",
        base="await plain_coroutine(2.5)",
        goal=220,
    ),
    call(
        "a task of asyncio, added by the instrumentation",
        ours="tasks.instrumented()",
        base="tasks.plain()",
        per=1_000,
        cold=False,
    ),
    call("event to the ring, with its time", ours="record_event(event)", goal=15),
    call(
        "observable gauge collected, a series",
        ours="observed.collect()",
        prometheus="observed.collect()",
        sdk="observed.collect()",
        per=100,
        cold=False,
    ),
    call(
        "with start_as_current_span(attributes)",
        ours=_SPAN,
        sdk=_SPAN,
        none=_SPAN,
        goal=450,
        cold_goal=1_200,
        cheaper_goal=25,
    ),
    call("a leaf span: start_span(), end()", ours=_LEAF, sdk=_LEAF, none=_LEAF, goal=80),
    call("span.set_attribute(key, value)", ours=_ATTRIBUTE, sdk=_ATTRIBUTE, none=_ATTRIBUTE, goal=30),
    call(
        "span.add_event(name), to the span's end",
        ours=_EVENTS.format("span.add_event('filled')"),
        sdk=_EVENTS.format("span.add_event('filled')"),
        none=_EVENTS.format("span.add_event('filled')"),
        base=_EVENTS.format("pass"),
        per=100,
        cold=False,
        goal=120,
    ),
    call("logger.warning(one argument)", ours=_LOG, sdk=_LOG, none=_LOG),
    call(
        "a structured log call with 10 fields",
        ours=_LINE,
        others={STANDARD: f'log.info("order sent", extra={_EXTRA})', STRUCTLOG: _LINE},
        goal=2_000,
    ),
    call("trading.order_filled(...)", ours=_FILLED, sdk="filled()", none="filled()", goal=5_000),
    call("redaction of a record of 20 fields", ours="redact_attributes(record)", goal=2_000),
    threads(
        "histogram.record(x) by two threads",
        {
            OURS: "bound_histogram.record(2.5)",
            PROMETHEUS: "bound_histogram.observe(2.5)",
            SDK: "bound_histogram.record(2.5, attributes)",
        },
        goal=1.2,
    ),
    tick(
        "a tick, hot",
        paced=False,
        goals=(Goal("overhead_percent", 0.25), Goal("p999_us", 1.1, beside=NONE)),
    ),
    tick("a tick, every millisecond, caches cold, exporting", paced=True, goals=(Goal("overhead_percent", 1.0),)),
    span_tick("8 spans every millisecond, caches cold", goals=(Goal("overhead_percent", 0.5),)),
    encoding("spans encoded to OTLP", goals=(Goal("held_ns", 50), Goal("cpu_ns", 200))),
    spooling("4,096 spans spooled and settled", spans=4_096, goals=(Goal("per_s", 100_000, at_least=True),)),
    spooling("512 spans spooled and settled", spans=512, goals=(Goal("per_s", 100_000, at_least=True),)),
    delivery("50,000 spans a second, delivered", goals=(Goal("lost", 0),)),
    lag("lag of the loop with spans, logs and metrics", goals=(Goal("p999_us", 1.1, beside=NONE),)),
    drain("events taken from the ring", goal=100),
    bulk("histogram series collected and encoded", goals=(Goal("series_us", 2.5), Goal("gil_ms", 1.0))),
    start(
        "import and configure()",
        {
            OURS: programs.CONFIGURE,
            f"{OURS}, refused": programs.configure_for("http://127.0.0.1:1"),
            f"{OURS}, no answer": programs.configure_for("http://192.0.2.1:4318"),
            PROMETHEUS: programs.PROMETHEUS_IMPORTED,
            SDK: programs.SDK_IMPORTED,
            f"{SDK} set up": programs.SDK_CONFIGURED,
        },
        goals=(Goal("median_ms", 1.0, beside=SDK),),
    ),
    memory(
        "10,000 measurements at default settings",
        {
            OURS: programs.CONFIGURE + programs.USE,
            PROMETHEUS: programs.PROMETHEUS_USE,
            SDK: programs.SDK_CONFIGURED + programs.USE,
        },
        goals=(Goal("minimum_mb", 8.0),),
    ),
)
