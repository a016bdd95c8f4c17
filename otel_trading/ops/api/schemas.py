"""The form of answers, as JSON Schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    Schema = Mapping[str, object]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
WHOLE: Schema = {"type": "integer"}
SWITCH: Schema = {"type": "boolean"}
MOMENT: Schema = {"type": "string", "format": "date-time"}
ANYTHING: Schema = {}


def record(_more: Schema | bool = False, /, **properties: Schema) -> Schema:
    """An object that has all of these, and nothing else unless ``_more`` says what."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": _more,
    }


def listed(items: Schema) -> Schema:
    """An array."""
    return {"type": "array", "items": items}


def by_name(values: Schema) -> Schema:
    """An object of any names."""
    return {"type": "object", "additionalProperties": values}


def maybe(schema: Schema) -> Schema:
    """A value of this form, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def one_of(*values: str) -> Schema:
    """One of these texts."""
    return {"type": "string", "enum": list(values)}


TEXTS = listed(TEXT)

PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "A problem as of RFC 9457; detail says what to do about it.",
    "properties": {
        "type": TEXT,
        "title": TEXT,
        "status": WHOLE,
        "detail": TEXT,
        "errors": listed(record(field=TEXT, message=TEXT)),
    },
    "required": ["type", "title", "status", "detail"],
}

LOOP = record(name=TEXT, since=maybe(MOMENT), reasons=TEXTS, details=by_name(ANYTHING))
LIVENESS = record(status=one_of("ok", "stalled"), timestamp=MOMENT, stalled=listed(LOOP))
READINESS = record(status=one_of("ready", "not_ready"), timestamp=MOMENT, reasons=TEXTS)
HEALTH = record(
    True,
    status=one_of("healthy", "degraded", "down"),
    timestamp=MOMENT,
    services=ANYTHING,
    dependencies=ANYTHING,
    metrics=ANYTHING,
    reasons=TEXTS,
)

ACCOUNT = {"type": "object", "properties": {"sent": WHOLE, "pending": WHOLE}, "required": ["sent", "pending"]}
STATUS = record(
    service=TEXT,
    profile=TEXT,
    engine=TEXT,
    ops_url=maybe(TEXT),
    targets=by_name(TEXTS),
    unreachable=TEXTS,
    signals=by_name(ACCOUNT),
    spool=maybe(by_name(ANYTHING)),
    problems=TEXTS,
    sent=WHOLE,
    dropped=WHOLE,
)
OPTION = record(**{"value": TEXT, "from": TEXT, "variables": TEXT, "allowed": TEXT, "documentation": TEXT})
CONFIG = record(profile=TEXT, file=maybe(TEXT), options=by_name(OPTION), problems=TEXTS)

RECORDING = record(
    name=TEXT,
    service=TEXT,
    pid=WHOLE,
    began=maybe(MOMENT),
    changed=MOMENT,
    size=WHOLE,
    in_use=SWITCH,
    state=maybe(TEXT),
)
RECORDINGS = record(folder=TEXT, recordings=listed(RECORDING))
SNAPSHOT = record(file=TEXT)

EMERGENCY = record(engaged=SWITCH, reason=TEXT, by=TEXT, since=maybe(MOMENT))
EMERGENCY_CHANGED = record(success=SWITCH, changed=SWITCH, message=TEXT, emergency=EMERGENCY)

TEMPORARY = record(level=TEXT, until=MOMENT)
LEVELS = record(levels=by_name(TEXT), temporary=by_name(TEMPORARY))
TAKEN = record(
    source=TEXT,
    outcome=one_of("applied", "refused", "unchanged"),
    changed=listed(TEXT),
    later=listed(TEXT),
    hidden=listed(TEXT),
    problems=listed(TEXT),
)
RELOADED = record(files=listed(TAKEN))
SAMPLING = record(values=by_name(ANYTHING), fixed=by_name(TEXT))

ALERT = record(
    True,
    key=TEXT,
    level=one_of("INFO", "WARNING", "ERROR", "CRITICAL"),
    title=TEXT,
    message=TEXT,
    timestamp=MOMENT,
    fields=by_name(TEXT),
    rule=TEXT,
    subject=TEXT,
    state=one_of("firing", "resolved", "event"),
)
ALERTS = record(active=listed(ALERT), recent=listed(ALERT))
DELIVERIES = record(deliveries=listed(ANYTHING))
SILENCES = record(silences=listed(ANYTHING))
SILENCED = record(silence=ANYTHING)
TESTED = record(tested=ANYTHING)
ACKNOWLEDGED = record(key=TEXT, acknowledged=SWITCH)
REMOVED = record(id=TEXT, removed=SWITCH)

SESSION = record(known=SWITCH, needed_to_read=SWITCH)
LOGGED_IN = record(expires=MOMENT)
LOGGED_OUT = record(known=SWITCH)
