"""From the configuration to channels: one that cannot be used is left out, with one clear message."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from otel_trading.alerts import channels

if TYPE_CHECKING:
    from otel_trading.alerts.channels.base import Channel
    from otel_trading.settings import Settings

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,49}")
_OPTION = "alerts_channels"
_NEEDS = {
    "slack": ("webhook_url", "bot_token"),
    "telegram": ("bot_token",),
    "discord": ("webhook_url",),
    "pagerduty": ("routing_key",),
    "email": ("host",),
    "webhook": ("url",),
}
_ALIASES = {"from": "sender"}


class _BadChannelError(Exception):
    """A channel cannot be made of this."""


def build(
    settings: Settings, service: str, variables: Mapping[str, str] = os.environ
) -> tuple[list[Channel], list[str]]:
    """The channels of the settings, and what cannot be used, in a sentence each.

    >>> from otel_trading.settings import resolve
    >>> desk = {"desk": {"type": "slack", "webhook_url": "${SLACK_URL}", "level": "warning"}, "ops": {"type": "pager"}}
    >>> settings = resolve({"alerts_channels": desk}, variables={}).settings
    >>> built, problems = build(settings, "bot", {"SLACK_URL": "https://hooks.slack.com/services/T0/B0/x"})
    >>> built[0].name, built[0].level.value
    ('desk', 'WARNING')
    >>> print(*problems)
    alerts_channels ops is left out: type is 'pager'; allowed: slack, telegram, discord, pagerduty, email, webhook
    """
    built: dict[str, Channel] = {}
    problems: list[str] = []
    for name, setting, table in _tables(settings):
        try:
            made = _made(name, table, service, variables)
        except _BadChannelError as error:
            problems.append(f"{setting} is left out: {error}")
            continue
        if made is not None:
            built[name] = made
    return list(built.values()), problems


def _tables(settings: Settings) -> list[tuple[str, str, object]]:
    """What is configured by name, and before it the one channel that each kind may have without a name."""
    found: list[tuple[str, str, object]] = []
    for kind, needs in _NEEDS.items():
        prefix = f"alerts_{kind}_"
        given: dict[str, object] = {
            name.removeprefix(prefix): getattr(settings, name)
            for name in type(settings).model_fields
            if name.startswith(prefix)
        }
        given = {name: value for name, value in given.items() if value is not None}
        if any(given.get(name) for name in needs):
            found.append((kind, f"alerts_{kind}", {"type": kind, **given}))
    found += [(str(name), f"{_OPTION} {name}", table) for name, table in settings.alerts_channels.items()]
    return found


def _made(name: str, table: object, service: str, variables: Mapping[str, str]) -> Channel | None:
    if not isinstance(table, Mapping):
        raise _BadChannelError('it is no table such as {type = "slack", webhook_url = "https://…"}')
    given = {
        _ALIASES.get(str(key).replace("-", "_"), str(key).replace("-", "_")): value for key, value in table.items()
    }
    if _NAME.fullmatch(name) is None or name == "log":
        raise _BadChannelError(
            "its name is not usable; allowed: letters, digits, _ . - and not log, which is always there"
        )
    kind = str(given.pop("type", name)).strip().lower()
    if kind not in channels.KINDS:
        raise _BadChannelError(f"type is {kind!r}; allowed: {', '.join(channels.KINDS)}")
    enabled = given.pop("enabled", True)
    if str(enabled).strip().lower() in {"false", "0", "no", "off"}:
        return None
    expanded: dict[str, Any] = {key: _expanded(key, value, variables) for key, value in given.items()}
    if "level" in expanded:
        expanded["level"] = str(expanded["level"]).strip().upper()
    try:
        return getattr(channels, channels.KINDS[kind])(name=name, service=service, **expanded)  # type: ignore[no-any-return]
    except ValidationError as error:
        raise _BadChannelError(_reasons(error)) from None


def _expanded(key: str, value: object, variables: Mapping[str, str]) -> object:
    """A value with the variables of the environment that it names."""
    if isinstance(value, Mapping):
        return {str(name): _expanded(str(name), each, variables) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_expanded(key, each, variables) for each in value]
    if not isinstance(value, str):
        return value
    for name in _REFERENCE.findall(value):
        if not variables.get(name, "").strip():
            raise _BadChannelError(f"{key} asks for the environment variable {name}, which is not set")
    return _REFERENCE.sub(lambda found: variables[found[1]].strip(), value)


def _reasons(error: ValidationError) -> str:
    """What is wrong, without the values: they may be secrets."""
    found = []
    for detail in error.errors(include_input=False, include_url=False):
        place = ".".join(map(str, detail["loc"]))
        reason = {
            "missing": "is missing",
            "missing_keyword_only_argument": "is missing",
            "unexpected_keyword_argument": "is no setting of this type",
            "string_pattern_mismatch": "does not look like one",
        }.get(detail["type"]) or detail["msg"].removeprefix("Value error, ")
        found.append(f"{place} {reason}".strip())
    return "; ".join(dict.fromkeys(found))
