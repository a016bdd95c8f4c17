"""The demo at full speed makes more traces than its budget has room for: which of them real backends have."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
import requests

from otel_trading.stack.backends import Jaeger, Prometheus
from tests.demo.venue.venue_clients import recordings
from tests.stack.sending import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

BUDGET = 300
ROOT = Path(__file__).parents[2]

FALSE_ALARMS = {3: 30.7, 4: 33.4, 5: 35.9, 6: 38.3}
"""What the sum of so many squared standard normal deviates exceeds once in a million times."""

ENOUGH = 40
"""Sampled traces whose sum is about normally distributed."""

INTERESTING = {"marked", "failed", "rejected"}
"""What trades that went wrong are kept for; one that takes ten seconds is marked, as it was shown while it ran."""


class Ended(NamedTuple):
    """A span as the bot's process saw it end."""

    span_id: str
    parent_id: str | None
    name: str
    took_ns: int


class Played(NamedTuple):
    """What a bot knows of its traces, what it told of its telemetry, and what the backends have."""

    ended: dict[str, list[Ended]]
    rejected: set[str]
    failed: set[str]
    sent: int
    lost: dict[str, int]
    counted: dict[str, int]
    kept: dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def played(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Both recordings as fast as the bot reads, one venue refusing, the other one slow and cut off once."""
    files, target = recordings(), tmp_path_factory.mktemp("kept") / "told.json"
    service = f"every-tick-{uuid.uuid4().hex[:8]}"
    run = subprocess.run(
        [sys.executable, "-m", "tests.demo.every_tick", str(files["spot"]), str(files["perp"]), str(target)],
        env={
            **os.environ,
            "OTEL_SERVICE_NAME": service,
            "OTEL_EXPORTER_OTLP_ENDPOINT": stack.urls["otlp_http"],
            "OTEL_TRADING_TRACES_BUDGET": str(BUDGET),
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    told = json.loads(target.read_text())
    ended = {trace_id: [Ended(*span) for span in spans] for trace_id, spans in told["spans"].items()}
    sent = told["summary"]["telemetry"]["signals"]["traces"]["sent"]
    prometheus, jaeger = Prometheus(stack.urls["prometheus"]), Jaeger(stack.urls["jaeger_ui"])
    series = f'sum by (span_name) (histogram_count(trading_span_duration_seconds{{job="{service}"}}))'
    every = sum(map(len, ended.values()))
    counted = eventually(lambda: counted_by_name(prometheus.query(series), every), seconds=120)
    kept = eventually(lambda: arrived(jaeger, service, sent), seconds=120)
    return Played(ended, set(told["rejected"]), set(told["failed"]), sent, told["lost"], counted, kept)


def counted_by_name(rows: list[dict[str, Any]], every: int) -> dict[str, int]:
    """Spans by name, once so many were counted."""
    counted = {row["metric"]["span_name"]: int(row["value"][1]) for row in rows}
    return counted if sum(counted.values()) >= every else {}


def arrived(jaeger: Jaeger, service: str, spans: int) -> dict[str, list[dict[str, Any]]]:
    """The spans of a service by trace, once there are so many; a busy machine needs long for them."""
    asked = {"service": service, "limit": "100000", "lookback": "1h"}
    answer = requests.get(f"{jaeger.url}/api/traces", params=asked, timeout=60)
    traces = {each["traceID"].rjust(32, "0"): each["spans"] for each in answer.json()["data"]}
    return traces if sum(map(len, traces.values())) >= spans else {}


def test_what_the_demo_sent_has_arrived(played: Played) -> None:
    """Each span that was kept, once; and far from all that there were."""
    assert played.lost == {}
    assert sum(map(len, played.kept.values())) == played.sent
    assert played.kept.keys() <= played.ended.keys()
    assert len(played.kept) < len(played.ended) / 4


def test_every_kept_trace_is_whole(played: Played) -> None:
    """All spans that ended in it are there, each below the parent that it had; besides, those shown while they ran."""
    for trace_id, spans in played.kept.items():
        parents = {span["spanID"]: [each["spanID"] for each in span["references"]] for span in spans}
        shown = {span["spanID"] for span in spans if "otel_trading.unfinished" in tags(span)}
        ended = {span.span_id: [span.parent_id] if span.parent_id else [] for span in played.ended[trace_id]}
        assert {span_id: above for span_id, above in parents.items() if span_id not in shown} == ended
        assert all(parent in ended for above in parents.values() for parent in above)
        assert list(parents.values()).count([]) == 1


def test_every_rejected_and_failed_trade_is_kept(played: Played) -> None:
    """Those of which the bot's log lines say so."""
    assert played.rejected
    assert played.failed
    assert played.rejected | played.failed <= played.kept.keys()
    assert all(why(played.kept[trace_id]) in INTERESTING for trace_id in played.rejected | played.failed)
    for trace_id in played.rejected:
        reasons = [tags(span).get("trading.order.reject_reason") for span in played.kept[trace_id]]
        assert "insufficient_funds" in reasons


def why(spans: list[dict[str, Any]] | None) -> str | None:
    """Why a trace was kept; nothing where all were, and where it was not."""
    roots = [span for span in spans or [] if not span["references"]]
    return tags(roots[0]).get("trading.trace.kept") if roots else None


def tags(span: dict[str, Any]) -> dict[str, Any]:
    """A span's attributes by name."""
    return {tag["key"]: tag["value"] for tag in span["tags"]}


def test_every_slow_trace_is_kept(played: Played) -> None:
    """Those beyond any doubt: they took longer than 99.5 % of the roots of their name, whenever that is asked."""
    slow = [row for roots in roots_by_name(played).values() for row in clearly_slow(roots)]
    missing = {trace_id: doubt for trace_id, doubt in slow if trace_id not in played.kept}
    assert missing == {}
    assert all(why(played.kept[trace_id]) in {*INTERESTING, "slow"} for trace_id, _ in slow)
    assert len(slow) > 30


def roots_by_name(played: Played) -> dict[str, list[tuple[str, int]]]:
    """Traces and how long their roots took, in the order in which they ended."""
    roots = defaultdict(list)
    for trace_id, spans in played.ended.items():
        for span in spans:
            if span.parent_id is None:
                roots[span.name].append((trace_id, span.took_ns))
    return roots


def clearly_slow(roots: list[tuple[str, int]]) -> Iterator[tuple[str, str]]:
    """Traces that are slow whenever it was that the engine looked last: at half as many roots at the earliest."""
    took, step = np.array([each for _, each in roots]), 100
    percentiles = [np.inf, *(np.quantile(took[:end], 0.995) for end in range(step, len(took), step))]
    for place in range(10 * step, len(took)):
        bar = 1.05 * max(percentiles[place // 2 // step : place // step + 1])
        if took[place] > bar:
            yield roots[place][0], f"number {place} of {len(took)} took {took[place] / 1e3:.0f} us, not {bar / 1e3:.0f}"


def test_the_random_share_stands_for_all(played: Played) -> None:
    """Weighted, the kept traces are as many of each kind as Prometheus counted before anything was left out."""
    assert played.counted == Counter(span.name for spans in played.ended.values() for span in spans)
    found: dict[str, list[float]] = defaultdict(list)
    spread: dict[str, float] = defaultdict(float)
    for trace_id, spans in played.kept.items():
        found[root_name(played.ended[trace_id])].append(weight(spans))
    for trace_id, each in weights_of_the_rest(played).items():
        spread[root_name(played.ended[trace_id])] += each - 1
    deviates = {
        name: (sum(weights) - played.counted[name]) / spread[name] ** 0.5
        for name, weights in found.items()
        if name.startswith("tick ") and sum(each > 1 for each in weights) >= ENOUGH
    }
    assert len(deviates) >= 3, {name: len(weights) for name, weights in found.items()}
    assert sum(deviate**2 for deviate in deviates.values()) < FALSE_ALARMS[len(deviates)], deviates


def root_name(spans: list[Ended]) -> str:
    """The name of a trace's root."""
    (name,) = [span.name for span in spans if span.parent_id is None]
    return name


def weights_of_the_rest(played: Played) -> dict[str, float]:
    """What each trace that chance decides about would have counted: as much as the next one that was kept."""
    chance = [trace_id for trace_id in played.ended if why(played.kept.get(trace_id)) in {"sampled", None}]
    weights = np.array([weight(played.kept[each]) if each in played.kept else np.nan for each in chance])
    kept = np.flatnonzero(~np.isnan(weights))
    following = kept[np.searchsorted(kept, np.arange(len(weights))).clip(max=len(kept) - 1)]
    return dict(zip(chance, weights[following].tolist(), strict=True))


def weight(spans: list[dict[str, Any]]) -> float:
    """How many traces a kept one stands for."""
    state = tags(spans[0]).get("w3c.tracestate", "")
    threshold = next((part[3:] for part in state.removeprefix("ot=").split(";") if part.startswith("th:")), "0")
    return 1 / (1 - int(threshold.ljust(14, "0"), 16) / 2**56)
