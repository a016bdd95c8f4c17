"""A dashboard in Python, and as Grafana has it."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from otel_trading.provisioning import marks, panel_json
from otel_trading.provisioning import variables as choices
from otel_trading.provisioning.ids import panel_id
from otel_trading.provisioning.layout import places
from otel_trading.provisioning.model import Annotation, Link, Panel, Row, Variable, slugged

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from otel_trading.provisioning.model import Json

SCHEMA = 41
"""The version of Grafana's classic model: what Grafana 9 to 13 read from files."""

TAG = "otel-trading"
"""By which boards lead to each other."""

_LONGEST_UID = 40


class DashboardError(ValueError):
    """A board that Grafana, or whoever edits it there, could not tell apart."""


@dataclass(frozen=True)
class Dashboard:
    """A board.

    Args:
        title: what it is called.
        panels: from the top, in lines; then rows of panels.
        uid: its name for ever, at most 40 characters; by default made of the title.
        description: the question it answers.
        tags: how it is found; ``otel-trading`` puts it among the others.
        variables: what can be chosen above it.
        annotations: what is marked on all its panels.
        links: where it leads to, besides the other boards.
        folder: where Grafana shows it; by default with the others.
        since: the time that it shows first, back from now.
        refresh: how often it asks again.

    Raises:
        DashboardError: two panels have the same slug, one comes after a row, or the identifier is none.

    >>> from otel_trading.provisioning import Dashboard, timeseries
    >>> board = Dashboard("My strategy", panels=[timeseries("Edge", "bot_edge_bps", unit="bp")])
    >>> board.uid, board.render()["panels"][0]["title"]
    ('my-strategy', 'Edge')
    >>> Dashboard("Twice", panels=[timeseries("Edge", "a"), timeseries("Edge", "b")])
    Traceback (most recent call last):
    otel_trading.provisioning.dashboard.DashboardError: dashboard 'twice' has 2 panels with the slug 'edge'; \
give each its own: slug='...'

    """

    title: str
    panels: Sequence[Panel | Row] = ()
    uid: str = ""
    description: str = ""
    tags: Sequence[str] = (TAG,)
    variables: Sequence[Variable] = choices.STANDARD
    annotations: Sequence[Annotation] = marks.STANDARD
    links: Sequence[Link] = ()
    folder: str = ""
    since: str = "1h"
    refresh: str = "10s"

    def __post_init__(self) -> None:
        """Complete it, and refuse what cannot be told apart."""
        object.__setattr__(self, "uid", self.uid or slugged(self.title))
        if not self.uid or len(self.uid) > _LONGEST_UID or slugged(self.uid) != self.uid:
            message = f"{self.uid!r} is no uid; allowed are a-z, 0-9 and hyphens, at most {_LONGEST_UID}: uid='...'"
            raise DashboardError(message)
        rows = [isinstance(each, Row) for each in self.panels]
        if sorted(rows) != rows:
            after = next(each for each in self.panels[rows.index(True) :] if isinstance(each, Panel))
            message = (
                f"dashboard {self.uid!r}: panel {after.slug!r} comes after a row; put it into the row, or before all"
            )
            raise DashboardError(message)
        slugs = Counter(panel.slug for panel in self)
        for slug, times in slugs.items():
            if times > 1:
                message = (
                    f"dashboard {self.uid!r} has {times} panels with the slug {slug!r}; give each its own: slug='...'"
                )
                raise DashboardError(message)
        numbers = Counter(panel_id(slug) for slug in slugs)
        if alike := [slug for slug in slugs if numbers[panel_id(slug)] > 1]:
            message = f"dashboard {self.uid!r}: Grafana cannot tell the slugs {alike} apart; change one"
            raise DashboardError(message)

    def __iter__(self) -> Iterator[Panel]:
        """All panels, those of rows too."""
        for each in self.panels:
            yield from each.panels if isinstance(each, Row) else (each,)

    def panel(self, slug: str) -> Panel:
        """The panel with this slug.

        Raises:
            KeyError: there is none.

        """
        for panel in self:
            if panel.slug == slug:
                return panel
        raise KeyError(slug)

    def render(self) -> dict[str, Any]:
        """The board in Grafana's classic model, as provisioning and the API take it."""
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": list(self.tags),
            "editable": True,
            "schemaVersion": SCHEMA,
            "graphTooltip": 1,
            "time": {"from": f"now-{self.since}", "to": "now"},
            "timezone": "browser",
            "refresh": self.refresh,
            "annotations": {"list": [marks.rendered(each) for each in self.annotations]},
            "templating": {"list": [choices.rendered(each) for each in self.variables]},
            "links": [_siblings(), *map(_link, self.links)],
            "panels": deepcopy(self._panels()),
        }

    def _panels(self) -> list[Json]:
        made: list[Json] = []
        top, loose = 0, [each for each in self.panels if isinstance(each, Panel)]
        found, top = places(loose, top)
        made += [panel_json.rendered(panel, place) for panel, place in zip(loose, found, strict=True)]
        for row in (each for each in self.panels if isinstance(each, Row)):
            head = panel_json.heading(row, top)
            found, below = places(row.panels, top + 1)
            inside = [panel_json.rendered(panel, place) for panel, place in zip(row.panels, found, strict=True)]
            made.append(head)
            if row.collapsed:
                head["panels"] = inside
                top += 1
            else:
                made += inside
                top = below
        return made


def _siblings() -> Json:
    return {
        "type": "dashboards",
        "title": "Boards",
        "tags": [TAG],
        "asDropdown": True,
        "icon": "external link",
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
        "tooltip": "",
        "url": "",
    }


def _link(link: Link) -> Json:
    return {
        "type": "link",
        "title": link.title,
        "url": link.url,
        "targetBlank": link.new_tab,
        "icon": "doc",
        "tags": [],
        "asDropdown": False,
        "includeVars": False,
        "keepTime": False,
        "tooltip": "",
    }
