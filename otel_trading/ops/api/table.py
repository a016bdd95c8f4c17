"""The one table of routes: handlers, description and documentation are made from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otel_trading.ops.access import Access
from otel_trading.ops.api import alerts, emergency, flight, health, schemas, session, telemetry, tuning
from otel_trading.ops.api.route import Route

if TYPE_CHECKING:
    from collections.abc import Mapping

_TEXTS = (
    "text/plain",
    "application/openmetrics-text",
    "application/vnd.google.protobuf",
)


def _in_path(name: str, text: str) -> Mapping[str, object]:
    return {"name": name, "in": "path", "required": True, "description": text, "schema": schemas.TEXT}


_SECONDS: Mapping[str, Any] = {
    "name": "seconds",
    "in": "query",
    "required": False,
    "description": "How much of the end is shown.",
    "schema": {"type": "number", "exclusiveMinimum": 0, "maximum": flight.LONGEST, "default": 10},
}
_NOT_THERE = {404: "There is none."}
_NOT_NOW = {409: "It cannot be done now; the detail says why."}
_MISSING = {501: "Alerts of this version cannot do that."}

ROUTES: tuple[Route, ...] = (
    Route("GET", "/health", "Whether the process answers", health.live, schemas.LIVENESS, Access.PROBE),
    Route("GET", "/health/detailed", "How each part of the bot is", health.detailed, schemas.HEALTH),
    Route(
        *("GET", "/ready", "Whether the bot may be given work", health.ready, schemas.READINESS, Access.PROBE),
        others={503: "It may not."},
    ),
    Route("GET", "/metrics", "All metrics", telemetry.metrics, _TEXTS),
    Route("GET", "/status", "What was sent, waits and is lost", telemetry.status, schemas.STATUS),
    Route("GET", "/config", "Every option with its value and origin", telemetry.config, schemas.CONFIG),
    Route(
        *("POST", "/config/reload", "Take the configuration files as they are now", telemetry.reload),
        *(schemas.RELOADED, Access.TOKEN),
        change="config_reload",
    ),
    Route("GET", "/flight", "The flight recorder's recordings", flight.listed, schemas.RECORDINGS, Access.TOKEN),
    Route(
        *("GET", "/flight/{name}", "What a recording holds of the last seconds", flight.shown),
        *(("text/plain", "application/jsonl"), Access.TOKEN),
        others=_NOT_THERE,
        parameters=(_in_path("name", "A file's name, as /flight lists it."), _SECONDS),
    ),
    Route(
        *("POST", "/flight/snapshot", "Copy what the flight recorder holds", flight.snapshot),
        *(schemas.SNAPSHOT, Access.TOKEN),
        others=_NOT_NOW,
        change="flight_snapshot",
    ),
    Route("GET", "/emergency", "Whether trading is stopped", emergency.state, schemas.EMERGENCY),
    Route(
        *("POST", "/emergency/stop", "Stop trading", emergency.stop, schemas.EMERGENCY_CHANGED, Access.TOKEN),
        body=emergency.Reason,
        body_may_lack=True,
        change="emergency_stop",
    ),
    Route(
        *("POST", "/emergency/resume", "Trade again", emergency.resume, schemas.EMERGENCY_CHANGED, Access.TOKEN),
        body=emergency.Reason,
        body_may_lack=True,
        change="emergency_resume",
    ),
    Route("GET", "/log-level", "The log levels in force", tuning.log_levels, schemas.LEVELS),
    Route(
        *("PUT", "/log-level", "Change a log level, for a time", tuning.change_log_level),
        *(schemas.LEVELS, Access.TOKEN),
        body=tuning.LevelChange,
        others=_NOT_NOW,
        change="log_level",
    ),
    Route("GET", "/sampling", "Which traces and events are kept", tuning.sampling, schemas.SAMPLING),
    Route(
        *("PUT", "/sampling", "Keep other traces and events", tuning.change_sampling, schemas.SAMPLING, Access.TOKEN),
        body=tuning.SamplingChange,
        others=_NOT_NOW,
        change="sampling",
    ),
    Route("GET", "/alerts", "What is wrong, and what was told last", alerts.alerts, schemas.ALERTS),
    Route(
        *("GET", "/alerts/deliveries", "Who was told, and what came of it", alerts.deliveries, schemas.DELIVERIES),
        others=_MISSING,
    ),
    Route(*("GET", "/alerts/silences", "What nobody is told of", alerts.silences, schemas.SILENCES), others=_MISSING),
    Route(
        *("POST", "/alerts/silences", "Tell nobody of something", alerts.silence, schemas.SILENCED, Access.TOKEN),
        body=alerts.Silence,
        others=_NOT_THERE | _MISSING,
        change="alert_silence",
    ),
    Route(
        *("DELETE", "/alerts/silences/{id}", "Tell of it again", alerts.end_silence, schemas.REMOVED, Access.TOKEN),
        others=_NOT_THERE | _MISSING,
        parameters=(_in_path("id", "As /alerts/silences lists it."),),
        change="alert_silence_end",
    ),
    Route(
        *("POST", "/alerts/test", "Try the channels", alerts.test, schemas.TESTED, Access.TOKEN),
        body=alerts.Trial,
        body_may_lack=True,
        others=_NOT_THERE | _MISSING,
        change="alert_test",
    ),
    Route(
        *("POST", "/alerts/{key}/acknowledge", "Say that somebody looks after it", alerts.acknowledge),
        *(schemas.ACKNOWLEDGED, Access.TOKEN),
        others=_NOT_THERE | _MISSING,
        parameters=(_in_path("key", "As /alerts lists it, with / as %2F."),),
        change="alert_acknowledge",
    ),
    Route(
        *("POST", "/login", "Exchange the token for a session", session.log_in, schemas.LOGGED_IN, Access.OPEN),
        body=session.Login,
        change="login",
    ),
    Route(*("POST", "/logout", "End the session", session.log_out, schemas.LOGGED_OUT, Access.OPEN), change="logout"),
    Route("GET", "/session", "Whether this browser is known", session.session, schemas.SESSION, Access.OPEN),
    Route(
        *("GET", "/openapi.json", "This description", telemetry.openapi, schemas.by_name(schemas.ANYTHING)),
        *(Access.OPEN,),
        others={304: "It is as it was."},
    ),
)
