"""Every route answers as the description says, which is made from the same table."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import validate

from otel_trading.health.model import Component, HealthReport
from otel_trading.logs.levels import Levels
from otel_trading.ops.api.table import ROUTES
from otel_trading.ops.levels import TemporaryLevels
from otel_trading.ops.openapi import document
from tests.ops.conftest import Bot, Served

if TYPE_CHECKING:
    from tests.core.conftest import Configure
    from tests.ops.conftest import Answer, Serve

DOCUMENT = document()
BODIES: dict[tuple[str, str], Any] = {
    ("PUT", "/log-level"): {"logger": "venue", "level": "debug", "for": 30},
    ("PUT", "/sampling"): {"traces_retention": "interesting", "traces_budget": 5},
    ("POST", "/alerts/silences"): {"rule": "stale_data", "for": 60, "reason": "maintenance"},
}


def conforms(route: Any, answer: Answer) -> None:
    """The status is described, and the answer is of the form that is described for it."""
    responses = DOCUMENT["paths"][route.path][route.method.lower()]["responses"]
    described = responses[str(answer.status)]
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if "content" not in described:
        assert answer.body == b""
        return
    assert kind in described["content"], (route.path, kind)
    schema = described["content"][kind].get("schema")
    if schema is not None:
        resolved = {**schema, "components": DOCUMENT["components"]}
        Draft202012Validator(resolved).validate(answer.json)


def test_the_description_is_valid() -> None:
    """OpenAPI 3.1, each operation with a name of its own."""
    validate(DOCUMENT)
    names = [each["operationId"] for path in DOCUMENT["paths"].values() for each in path.values()]
    assert len(names) == len(set(names)) == len(ROUTES)
    assert all(route.summary and route.handler.__doc__ for route in ROUTES)
    assert {route.path for route in ROUTES if route.method != "GET"} <= {
        route.path for route in ROUTES if route.access.name == "TOKEN" or route.path in {"/login", "/logout"}
    }


def test_every_route_of_a_bot_conforms(configured: Configure) -> None:
    """Without the token, with it, with a good body and with bad ones."""
    handle = configured(flight_size=1 << 20, ops_rate_limit=0)
    assert handle.ops is not None
    handle.tracer.start_span("tick").end()
    stranger = Served(Bot(handle.operations.answers.flight_folder), handle.ops)
    stranger.get("/health")
    holder = stranger.knowing()
    recording = holder.get("/flight").json["recordings"][-1]["name"]
    for route in ROUTES:
        path = route.path.replace("{name}", recording).replace("{id}", "1").replace("{key}", "stale%2Fx")
        conforms(route, stranger.ask(route.method, path))
        body = BODIES.get((route.method, route.path), {} if route.body is not None else None)
        if route.path == "/login":
            body = {"token": handle.ops._keys.token}
        answer = holder.ask(route.method, path, body)
        conforms(route, answer)
        alerting = route.path.startswith("/alerts/")
        assert answer.status == 200 or alerting, (route.path, answer.status, answer.body)
        if route.body is not None:
            for bad, status in (
                (b"{", 400),
                (b"[" * 5_000, 400),
                ({"unknown": 1}, 422),
                ([1], 422),
                (b"x" * 70_000, 413),
                (b'{"reason": "\xff"}', 400),
            ):
                answer = holder.ask(route.method, path, bad)
                conforms(route, answer)
                assert answer.status == status, (route.path, bad)
    as_text, as_json = f"/flight/{recording}?seconds=600", {"Accept": "application/jsonl"}
    assert "tick" in holder.get(as_text).body.decode()
    rows = [json.loads(line) for line in holder.get(as_text, **as_json).body.splitlines()]
    assert [row["name"] for row in rows if row["record"] == "span"] == ["tick"]
    assert holder.get("/flight/..%2f..%2fetc%2fpasswd").status == 404
    assert holder.get("/flight/x?seconds=nan").status == 400


def test_what_is_changed_is_told_counted_and_holds(configured: Configure) -> None:
    """A line of the log and a count for each; the settings' own values return at the next configuration."""
    handle = configured()
    assert handle.ops is not None
    stranger = Served(Bot(handle.operations.answers.flight_folder), handle.ops)
    stranger.get("/health")
    holder = stranger.knowing()
    changed = holder.ask("PUT", "/sampling", {"traces_retention": "interesting", "event_sampling_rate": 0.5}).json
    assert (changed["values"]["traces_retention"], changed["values"]["event_sampling_rate"]) == ("interesting", 0.5)
    assert set(changed["fixed"]) == {"traces_sampler", "traces_sampler_arg"}
    holder.ask("PUT", "/log-level", {"logger": "venue", "level": "error"})
    assert handle.log_levels() == {"": "INFO", "venue": "ERROR"}
    assert holder.ask("PUT", "/sampling", {"traces_sampler": "always_off"}).status == 422
    page = stranger.get("/metrics").body.decode()
    assert 'trading_ops_changes_total{trading_ops_change="sampling",trading_ops_outcome="done"} 1' in page
    assert (
        'trading_ops_request_duration_seconds_count{http_response_status_code="422",http_route="/sampling"} 1' in page
    )
    configured(span_delay=0.4)
    assert holder.get("/sampling").json["values"]["traces_retention"] == "all"
    assert handle.log_levels() == {"": "INFO"}


def test_the_other_engine_says_what_cannot_be_changed(configured: Configure) -> None:
    """The SDK keeps what its sampler takes."""
    handle = configured(engine="sdk")
    assert handle.ops is not None
    served = Served(Bot(handle.operations.answers.flight_folder), handle.ops)
    assert "engine=sdk" in served.get("/sampling").json["fixed"]["traces_budget"]
    answer = served.knowing().ask("PUT", "/sampling", {"traces_budget": 5})
    assert answer.status == 409
    assert "engine=sdk" in answer.json["detail"]


def test_secrets_of_the_options_are_hidden(configured: Configure) -> None:
    """In the options, and in what cannot be used of them."""
    handle = configured(ops_token="t0ps3cret", headers={"authorization": "Bearer t0ps3cret"}, stale_after="t0ps3cret!")
    assert handle.ops is not None
    found = Served(Bot(handle.operations.answers.flight_folder), handle.ops).get("/config")
    assert found.json["options"]["ops_token"]["value"] == "****"
    assert found.json["options"]["ops_token"]["from"] == "argument"
    assert b"Bearer t0ps3cret" not in found.body
    assert len(found.json["problems"]) == 1


def test_what_is_stuck_is_said(serve: Serve) -> None:
    """The process lives, its loop does not answer; not ready is a status of its own."""
    served = serve()
    loop = Component(
        "event_loop MainThread",
        "down",
        reasons=("stalled for 3 s in bot.py:7 wait",),
        since_ns=10**18,
        kind="event_loop",
    )
    served.bot.now = HealthReport("down", ready=False, reasons=("event loop",), components=(loop,))
    live = served.get("/health")
    assert (live.status, live.json["status"]) == (200, "stalled")
    assert live.json["stalled"][0]["reasons"] == ["stalled for 3 s in bot.py:7 wait"]
    assert live.json["stalled"][0]["since"] == "2001-09-09T01:46:40.000Z"
    ready = served.get("/ready")
    assert (ready.status, ready.json["status"], ready.json["reasons"]) == (503, "not_ready", ["event loop"])
    assert served.get("/health/detailed").json["status"] == "down"


def test_what_http_asks_for(serve: Serve) -> None:
    """HEAD, OPTIONS, Allow, problems in their own media type, nothing that is kept by caches."""
    served = serve()
    assert served.ask("HEAD", "/health").body == b""
    options = served.ask("OPTIONS", "/log-level")
    assert (options.status, options.headers["allow"]) == (204, "GET, HEAD, OPTIONS, PUT")
    wrong = served.ask("POST", "/health")
    assert (wrong.status, wrong.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    missing = served.get("/nothing")
    assert (missing.status, missing.headers["content-type"]) == (404, "application/problem+json")
    assert missing.json["title"] == "Not Found"
    assert served.ask("OPTIONS", "/nothing").status == 404
    assert served.get("/health").headers["cache-control"] == "no-store"
    assert served.get("/health").headers["server"] == "otel-trading"
    description = served.get("/openapi.json")
    again = served.get("/openapi.json", If_None_Match=description.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert served.get(f"/health?{'x' * 3_000}").status == 414
    assert served.ask("POST", "/emergency/stop", b"", Content_Type="text/plain").status == 401
    by_curl = served.knowing().ask(
        "POST", "/emergency/stop", b'{"reason":"x"}', Content_Type="application/x-www-form-urlencoded"
    )
    assert by_curl.json["success"] is True


def test_what_takes_long_is_done_once_and_delays_nobody(serve: Serve) -> None:
    """Many scrapes at a time are one; probes, and the emergency stop, are answered meanwhile."""
    served = serve()
    rendering, go_on, times = threading.Event(), threading.Event(), []

    def slowly() -> bytes:
        times.append(time.monotonic())
        rendering.set()
        assert go_on.wait(30)
        return b"# EOF\n"

    served.bot.metrics = slowly
    answers: list[Answer] = []
    scrapers = [threading.Thread(target=lambda: answers.append(served.get("/metrics"))) for _ in range(8)]
    for scraper in scrapers:
        scraper.start()
    assert rendering.wait(10)
    assert served.get("/health").status == 200
    assert served.knowing().ask("POST", "/emergency/stop").status == 200
    go_on.set()
    for scraper in scrapers:
        scraper.join(20)
    assert [answer.status for answer in answers] == [200] * 8
    assert len(times) < 8


def test_a_defect_is_an_answer(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """Status 500 and one line, without what was asked."""
    served = serve()

    def broken() -> bytes:
        raise ZeroDivisionError("by nobody")

    served.bot.metrics = broken
    assert {served.get("/metrics").status for _ in range(3)} == {500}
    assert b"ZeroDivisionError" not in served.get("/metrics").body
    assert [record.getMessage() for record in caplog.records].count(
        "otel-trading: GET /metrics of the ops server failed: ZeroDivisionError: by nobody"
    ) == 1


def test_levels_go_back(serve: Serve) -> None:
    """To what was asked for before, though several followed one another; not where somebody else set one since."""
    served = serve()
    levels = served.bot.levels
    levels._levels.set("ERROR", "venue")
    holder = served.knowing()
    for level, seconds in (("DEBUG", 60), ("TRACE", 0.5)):
        holder.ask("PUT", "/log-level", {"logger": "venue", "level": level, "for": seconds})
    holder.ask("PUT", "/log-level", {"logger": "router", "level": "DEBUG", "for": 0.5})
    assert served.get("/log-level").json["temporary"].keys() == {"venue", "router"}
    levels._levels.set("CRITICAL", "router")
    deadline = time.monotonic() + 20
    while served.get("/log-level").json["temporary"] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert served.get("/log-level").json == {
        "levels": {"": "INFO", "router": "CRITICAL", "venue": "ERROR"},
        "temporary": {},
    }
    assert holder.ask("PUT", "/log-level", {"logger": "venue", "level": None}).json["levels"] == {
        "": "INFO",
        "router": "CRITICAL",
    }


def test_levels_for_a_time_are_bounded() -> None:
    """Whatever names somebody makes up."""
    levels = TemporaryLevels(Levels())
    for n in range(100):
        levels.set("DEBUG", f"logger {n}", seconds=60)
    with pytest.raises(OverflowError):
        levels.set("DEBUG", "another", seconds=60)
    levels.set("TRACE", "logger 7", seconds=60)
    assert len(levels.temporary) == 100
