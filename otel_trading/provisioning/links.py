"""Where panels and rules lead to: pages of the documentation, and other boards."""

from __future__ import annotations

from otel_trading.provisioning.model import Link

DOCS = "https://github.com/otel-trading/otel-trading/blob/main/docs"
"""Where the documentation is read. A fork that changes it renders its own links."""


def page(name: str) -> str:
    """The address of a page of the documentation.

    >>> page("metrics")
    'https://github.com/otel-trading/otel-trading/blob/main/docs/metrics.md'
    """
    return f"{DOCS}/{name}.md"


def runbook(alert: str) -> str:
    """The address of the page that says what to do about an alert.

    >>> runbook("MarketDataStale")
    'https://github.com/otel-trading/otel-trading/blob/main/docs/runbooks/MarketDataStale.md'
    """
    return page(f"runbooks/{alert}")


def to_runbook(alert: str, title: str = "What to do") -> Link:
    """A panel's link to the runbook of an alert."""
    return Link(title, runbook(alert))


def to_board(uid: str, title: str, slug: str = "") -> Link:
    """A panel's link to another board, or to one panel of it, with the same time and the same choices."""
    from otel_trading.provisioning.ids import panel_id

    panel = f"&viewPanel=panel-{panel_id(slug)}" if slug else ""
    return Link(title, f"/d/{uid}?${{__url_time_range}}&${{__all_variables}}{panel}", new_tab=False)
