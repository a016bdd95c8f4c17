"""The table of options as a page of documentation, and what is in force of it as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from otel_trading import redaction
from otel_trading.settings.options import PROFILES, Settings, metadata, shown
from otel_trading.settings.sources import env_names

if TYPE_CHECKING:
    from otel_trading.settings.load import Resolved


def markdown() -> str:
    """The reference of all options in Markdown; ``docs/configuration.md`` is this text.

    >>> "| `ops_port` |" in markdown()
    True
    """
    lines = [
        "# Options",
        "",
        "Each option comes from the first of these that has it: an argument of `configure()`, its environment",
        "variables in the order given, the configuration file, the profile, the default. Times are seconds; the",
        "standard `OTEL_*` variables count milliseconds. `otel-trading config show --all` shows what is in force and",
        "where it comes from; `otel-trading config check` says what cannot be used.",
        "",
        "The file is the one named by `config_file=` or `OTEL_TRADING_CONFIG`, else `otel-trading.toml`, `.yaml`,",
        "`.yml` or `.json` in the working folder. Tables join to names: `[ops]` with `port = 9100` is `ops_port`.",
        "It is watched: a change holds at once, but for the options that say *from the next start on*; see",
        "[hot configuration](hot-configuration.md).",
        "",
        "| option | default | allowed | variables | what it does |",
        "|---|---|---|---|---|",
    ]
    lines += [_row(name) for name in Settings.model_fields]
    lines += ["", "## Profiles", "", "| option | " + " | ".join(PROFILES) + " |", "|---|" + "---|" * len(PROFILES)]
    for name in PROFILES["production"]:
        values = " | ".join(f"`{_plain(profile[name])}`" for profile in PROFILES.values())
        lines.append(f"| `{name}` | {values} |")
    return "\n".join(lines) + "\n"


def as_json(resolved: Resolved) -> dict[str, object]:
    """All options in force with their origins, and what could not be used; secrets are hidden.

    >>> from otel_trading.settings import resolve
    >>> as_json(resolve({"ops_token": "s3cret"}, variables={}))["options"]["ops_token"]["value"]
    '****'
    """
    return {
        "profile": resolved.settings.profile,
        "file": str(resolved.file) if resolved.file else None,
        "options": {name: entry(resolved, name) for name in Settings.model_fields},
        "problems": [redaction.redact(str(problem)) for problem in resolved.problems],
    }


def entry(resolved: Resolved, name: str) -> dict[str, str]:
    """All that is to say of one option."""
    return {
        "value": shown(name, getattr(resolved.settings, name)),
        "from": resolved.origins[name],
        "variables": ", ".join(variable for variable, _ in env_names(name)),
        "allowed": metadata(name)["allowed"],
        "documentation": Settings.model_fields[name].description or "",
    }


def _row(name: str) -> str:
    field = Settings.model_fields[name]
    variables = "<br>".join(f"`{variable}`" for variable, _ in env_names(name))
    later = " *From the next start on.*" if metadata(name)["restart"] else ""
    default = "" if field.default is None else f"`{_plain(field.default)}`"
    return f"| `{name}` | {default} | {metadata(name)['allowed']} | {variables} | {field.description}{later} |"


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
