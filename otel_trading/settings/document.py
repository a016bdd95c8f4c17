"""The table of options as a page of documentation."""

from __future__ import annotations

import json

from otel_trading.settings.options import PROFILES, Settings, metadata
from otel_trading.settings.sources import env_names


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


def _row(name: str) -> str:
    field = Settings.model_fields[name]
    variables = "<br>".join(f"`{variable}`" for variable, _ in env_names(name))
    default = "" if field.default is None else f"`{_plain(field.default)}`"
    return f"| `{name}` | {default} | {metadata(name)['allowed']} | {variables} | {field.description} |"


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
