"""A run as plain values, for ``--json``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from otel_trading.bench.machine import machine

if TYPE_CHECKING:
    from otel_trading.bench.model import Outcome, Row

SCHEMA = 1


def as_json(outcomes: list[tuple[Row, Outcome]], effort: str) -> dict[str, Any]:
    """Machine, effort (``full`` or ``quick``) and every row with all its figures and goals.

    A figure's unit ends its name; ``goals`` judge the figures of otel_trading.
    """
    return {
        "schema": SCHEMA,
        "effort": effort,
        "machine": machine(),
        "rows": [_row(row, outcome) for row, outcome in outcomes],
    }


def _row(row: Row, outcome: Outcome) -> dict[str, Any]:
    verdicts = [verdict for goal in row.goals if (verdict := goal.judge(outcome.figures))]
    return {
        "name": row.name,
        "section": row.section.title,
        "figures": outcome.figures,
        "goals": [asdict(verdict) for verdict in verdicts],
        "left_out": outcome.left_out,
        "failed": outcome.failed,
    }
