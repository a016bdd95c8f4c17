"""The log: always there, always first."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from otel_trading.alerts.model import AlertLevel

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.alerts.model import Notification
    from otel_trading.logs.lines import Log

NAME = "log"
_logger = logging.getLogger("otel_trading")
_OWN = frozenset({"event", "tags", "error", "message"})


class LogChannel:
    """Writes a line for each notification: with telemetry where the settings say, without on the error stream.

    Args:
        log: the logger of alerts; ``None`` when telemetry is off.

    """

    name = NAME

    def __init__(self, log: Callable[[], Log | None]) -> None:
        self._log = log

    def tell(self, notification: Notification) -> None:
        """Write the line of a notification, which holds no secret any more; never raises."""
        alert = notification.alert
        over = notification.kind == "resolved" or alert.state == "resolved"
        state = "over: " if over else ""
        data: dict[str, Any] = {str(name): value for name, value in alert.fields.items() if name not in _OWN}
        data |= {"alert": alert.key, "alert_level": alert.level.lower(), "kind": notification.kind}
        if notification.others:
            data["others"] = [other.key for other in notification.others[:50]]
        message = f"alert {state}{alert.title}" + (f": {alert.message}" if alert.message else "")
        self.say(AlertLevel.INFO if over else alert.level, message, "alert.over" if over else "alert.told", data)

    def say(self, level: AlertLevel, message: str, event: str, data: dict[str, Any]) -> None:
        """Write a line; never raises."""
        try:
            log = self._log()
            if log is None:
                _logger.log(logging.getLevelName(level), "otel-trading: %s", message)
                return
            write = {AlertLevel.INFO: log.info, AlertLevel.WARNING: log.warning, AlertLevel.ERROR: log.error}
            write.get(level, log.critical)(message, event=event, **data)
        except Exception:
            _logger.exception("otel-trading: an alert cannot be logged")
