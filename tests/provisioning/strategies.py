"""Dashboards and trees as hypothesis makes them up."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

WORDS = st.sampled_from(["age", "orders", "Tick to trade", "µs", "été", "a b", "{{venue}}", ""])
VALUES = st.one_of(WORDS, st.integers(-5, 90), st.booleans(), st.floats(-5, 5, allow_nan=False))
KINDS = st.sampled_from(["timeseries", "stat", "gauge", "table", "heatmap", "logs", "text", "traces", "of-a-plugin"])
SOURCES = st.sampled_from(
    [
        {"type": "prometheus", "uid": "${prometheus}"},
        {"type": "prometheus", "uid": "P123"},
        {"type": "loki", "uid": "loki"},
        {"type": "datasource", "uid": "-- Mixed --"},
    ]
)


@st.composite
def panels(draw: st.DrawFn, number: int) -> dict[str, Any]:
    letters = draw(st.lists(st.sampled_from("ABCDE"), max_size=3, unique=True))
    made: dict[str, Any] = {
        "id": number,
        "type": draw(KINDS),
        "title": draw(WORDS),
        "gridPos": {"x": draw(st.integers(0, 12)), "y": draw(st.integers(0, 40)), "w": 12, "h": 8},
        "fieldConfig": {
            "defaults": draw(st.dictionaries(st.sampled_from(["unit", "min", "max", "decimals"]), VALUES, max_size=3)),
            "overrides": [],
        },
        "options": draw(st.dictionaries(st.sampled_from(["graphMode", "content", "mine"]), VALUES, max_size=2)),
        "targets": [
            {"refId": letter, "expr": draw(WORDS), **({"hide": draw(st.booleans())} if draw(st.booleans()) else {})}
            for letter in letters
        ],
    }
    if draw(st.booleans()):
        made["datasource"] = draw(SOURCES)
    if draw(st.booleans()):
        made["description"] = draw(st.one_of(st.none(), WORDS))
    return made


@st.composite
def boards(draw: st.DrawFn) -> dict[str, Any]:
    numbers = draw(st.lists(st.integers(1, 2**31 - 1), max_size=6, unique=True))
    made = [draw(panels(number)) for number in numbers]
    rows: list[dict[str, Any]] = []
    if len(made) > 2 and draw(st.booleans()):
        row, *inner = made[:2]
        rows = [
            {
                "id": row["id"],
                "type": "row",
                "title": "Row",
                "collapsed": True,
                "gridPos": row["gridPos"],
                "panels": inner,
            }
        ]
        made = made[2:]
    names = draw(st.lists(st.sampled_from(["venue", "symbol", "strategy", "service"]), max_size=4, unique=True))
    return {
        "uid": "made-up",
        "title": draw(WORDS.filter(bool)),
        "schemaVersion": 41,
        "tags": draw(st.lists(WORDS, max_size=2)),
        "panels": [*made, *rows],
        "templating": {
            "list": [
                {"name": "prometheus", "type": "datasource", "query": "prometheus"},
                *(
                    {"name": name, "type": "query", "query": draw(WORDS), "multi": draw(st.booleans())}
                    for name in names
                ),
            ]
        },
        "annotations": {"list": [{"name": "Halts", "enable": draw(st.booleans())}] if draw(st.booleans()) else []},
    }


KEYS = st.sampled_from(["title", "unit", "gridPos", "legend", "thresholds", "panels", "targets", "1", "2", "min"])
TREES = st.dictionaries(
    KEYS,
    st.recursive(
        st.one_of(st.integers(0, 3), st.booleans(), WORDS, st.lists(st.integers(0, 2), max_size=2)),
        lambda inner: st.dictionaries(KEYS, inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)
