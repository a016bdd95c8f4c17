"""YAML as it is committed: keys as they were given, texts of several lines as blocks."""

from __future__ import annotations

from typing import Any

from otel_trading.extras import require

WRITTEN_BY = "# Written by `otel-trading rules render` from otel_trading/provisioning/rules: change it there.\n"
_WIDTH = 118


def dump(content: object, head: str = WRITTEN_BY) -> str:
    r"""The YAML of plain data.

    >>> print(dump({"b": [1, "two"], "a": "x\ny"}, head=""), end="")
    b:
      - 1
      - two
    a: |-
      x
      y
    """
    yaml: Any = require("yaml", extra="cli")

    class Dumper(yaml.SafeDumper):  # type: ignore[misc]
        def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:  # noqa: ANN401
            return super().increase_indent(flow, False)

        def ignore_aliases(self, data: object) -> bool:
            return True

    def text(dumper: Any, value: str) -> Any:  # noqa: ANN401
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Dumper.add_representer(str, text)
    written = yaml.dump(content, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)
    return head + str(written)
