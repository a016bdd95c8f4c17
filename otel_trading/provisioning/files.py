"""Everything that is rendered."""

from __future__ import annotations

from otel_trading.provisioning import boards, datasources


def files() -> dict[str, str]:
    """The rendered files of the repository: their texts, by path."""
    return {**boards.files(), **datasources.files()}
