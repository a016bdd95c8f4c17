"""The one table of options: name, type, default, documentation and the environment variables that set it.

The rows stand by theme in the modules beside this one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from otel_trading import redaction as secrets
from otel_trading.settings import parse
from otel_trading.settings.alerts import Alerts
from otel_trading.settings.delivery import Delivery
from otel_trading.settings.emergency import Emergency
from otel_trading.settings.ending import Ending
from otel_trading.settings.health import Health
from otel_trading.settings.identity import Identity
from otel_trading.settings.logs import Logs
from otel_trading.settings.measured import Measured
from otel_trading.settings.receivers import Receivers
from otel_trading.settings.reloading import Reloading
from otel_trading.settings.rows import (
    Compression,
    EnvNames,
    Exporters,
    Headers,
    Parser,
    Profile,
    Protocol,
    Tables,
    Texts,
)
from otel_trading.settings.serving import Serving
from otel_trading.settings.view import View

__all__ = [
    "PROFILES",
    "Compression",
    "EnvNames",
    "Exporters",
    "Headers",
    "Parser",
    "Profile",
    "Protocol",
    "Settings",
    "Tables",
    "Texts",
    "metadata",
    "shown",
]


class Settings(
    View, Serving, Alerts, Health, Emergency, Ending, Reloading, Measured, Logs, Delivery, Receivers, Identity
):
    """Every option of the kit, resolved: argument before environment before file before profile and default.

    Each option is also read from ``OTEL_TRADING_<NAME>``; the standard ``OTEL_*`` variable comes second.
    Times are seconds.
    """

    model_config = SettingsConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is handed in: ``sources`` reads environment and files and knows where each value is from."""
        return (init_settings,)

    @field_validator("*", mode="before")
    @classmethod
    def _lists_may_be_text(cls, value: object, info: Any) -> object:  # noqa: ANN401 - pydantic's ValidationInfo
        if isinstance(value, str) and cls.model_fields[info.field_name].annotation == Exporters:
            return parse.names(value)
        if isinstance(value, str) and cls.model_fields[info.field_name].annotation == Texts:
            return parse.lines(value)
        return value

    @field_validator(
        *("metrics_file", "flight_folder", "spool_folder", "log_file", "log_errors_file", "alerts_folder"),
        "state_file",
        *("ops_certificate", "ops_key", "ops_client_ca"),
        *("emergency_folder", "emergency_file"),
        mode="before",
    )
    @classmethod
    def _paths_may_be_paths(cls, value: object) -> object:
        return str(value) if isinstance(value, Path) else value

    @field_validator(
        "log_level",
        "log_file_level",
        "log_console",
        "log_console_level",
        "profile",
        "engine",
        "protocol",
        "compression",
        "temporality",
        "exemplar_filter",
        "spool_sync",
        "ending_exit",
        mode="before",
    )
    @classmethod
    def _choices_ignore_case(cls, value: object, info: Any) -> object:  # noqa: ANN401 - pydantic's ValidationInfo
        if not isinstance(value, str):
            return value
        return value.strip().upper() if str(info.field_name).endswith("_level") else value.strip().lower()


PROFILES: dict[str, dict[str, object]] = {
    "development": {
        "log_level": "DEBUG",
        "metrics_enabled": False,
        "trade_execution": False,
        "database": "sqlite:///dev.db",
    },
    "staging": {
        "log_level": "INFO",
        "metrics_enabled": True,
        "trade_execution": False,
        "database": "postgresql://staging_db",
    },
    "production": {
        "log_level": "INFO",
        "metrics_enabled": True,
        "trade_execution": True,
        "database": "postgresql://prod_db",
    },
}
"""What each profile sets unless something above it does."""


def metadata(name: str) -> dict[str, Any]:
    """The ``allowed``, ``env``, ``secret`` and ``restart`` entries of an option's row.

    >>> metadata("ops_port")["allowed"]
    'a port from 0 (any free one) to 65535'
    """
    extra = Settings.model_fields[name].json_schema_extra
    if not isinstance(extra, dict):
        raise TypeError(name)
    return dict(extra)


def shown(name: str, value: object) -> str:
    """A value as people may see it: secrets are hidden.

    >>> shown("ops_token", "s3cret"), shown("ops_port", 8080), shown("endpoint", "http://me:pw@collector:4318")
    ('****', '8080', 'http://me:[redacted:password]@collector:4318')
    >>> shown("alerts_channels", {"desk": {"type": "slack", "webhook_url": "https://hooks.slack.com/x"}})
    '{"desk": {"type": "slack", "webhook_url": "****"}}'
    """
    if metadata(name)["secret"] and value:
        return json.dumps(_masked(value)) if isinstance(value, dict) else "****"
    return secrets.redact(value if isinstance(value, str) else json.dumps(value, default=str))


_PLAIN = frozenset({"type", "level", "enabled"})


def _masked(value: object, key: str = "") -> object:
    """Tables in which only names, and what is surely no secret, can be read; variables that are named, too."""
    if isinstance(value, dict):
        return {str(name): _masked(each, str(name)) for name, each in value.items()}
    named = isinstance(value, str) and value.startswith("${") and value.endswith("}")
    return value if key in _PLAIN or named or isinstance(value, (bool, int, float)) else "****"
