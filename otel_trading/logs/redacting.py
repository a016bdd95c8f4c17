"""Log records of opentelemetry-sdk lose their secrets before any other processor sees them."""

from __future__ import annotations

import contextlib
import copy
from typing import TYPE_CHECKING, Any

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk._logs import LogRecordProcessor

from otel_trading import redaction, values

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import ReadWriteLogRecord


class RedactingLogProcessor(LogRecordProcessor):
    """Puts a copy without secrets in the place of a record that has some; has to be the first processor."""

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Mask body, attributes and names."""
        with contextlib.suppress(Exception):
            given: Any = log_record.log_record
            changed: dict[str, Any] = {}
            body = values.clean(given.body)
            masked = redaction.value(body)
            if masked is not body:
                changed["body"] = masked
            own = dict(given.attributes or {})
            masked = redaction.attributes(own)
            if masked is not own:
                changed["attributes"] = _bounded(masked, getattr(given.attributes, "dropped", 0))
            for name in ("event_name", "severity_text"):
                text = getattr(given, name)
                if isinstance(text, str) and redaction.redact(text) is not text:
                    changed[name] = redaction.redact(text)
            if changed:
                record = copy.copy(given)
                vars(record).update(changed)
                log_record.log_record = record

    def shutdown(self) -> None:
        """Nothing waits here."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing waits here."""
        return True


def _bounded(masked: dict[str, Any], dropped: int) -> BoundedAttributes:
    bounded = BoundedAttributes(attributes=None, immutable=False, extended_attributes=True)
    bounded._dict.update(masked)  # noqa: SLF001 - cleaned and limited already
    bounded.dropped = dropped
    return bounded
