"""Checks that the configuration asks for."""

from __future__ import annotations

from typing import Any

import pytest

from otel_trading.health.checks.declared import check_of
from otel_trading.health.checks.probe import Probe
from otel_trading.health.monitor import HealthMonitor
from otel_trading.settings import resolve
from tests.health.conftest import settings

REQUIRED: dict[str, dict[str, Any]] = {
    "redis": {"type": "cache", "check_interval": 10, "timeout": 5, "critical": True},
    "postgres": {"type": "database", "check_interval": 30, "timeout": 10, "critical": True},
    "kalshi_api": {
        "type": "external",
        "url": "https://api.elections.kalshi.com/trade-api/v2/exchange/status",
        "check_interval": 5,
        "timeout": 2,
        "critical": True,
    },
}


def test_the_table_of_the_requirement_is_understood() -> None:
    """Its words for kinds and times; a database without a URL is the bot's."""
    checks = {name: check_of(name, entry, "postgresql://bot:geheim@db/trades") for name, entry in REQUIRED.items()}
    probes = {name: check.probe for name, check in checks.items()}
    assert [probe.kind for probe in probes.values() if isinstance(probe, Probe)] == ["redis", "postgres", "http"]
    assert "db/trades" in str(checks["postgres"].component.details["address"])
    assert (checks["redis"].terms.interval, checks["redis"].terms.timeout, checks["redis"].terms.critical) == (
        10,
        5,
        True,
    )


@pytest.mark.parametrize(
    ("entry", "kind", "address"),
    [
        ("redis://:pw1234@cache", "redis", "redis://:[redacted:password]@cache"),
        ("unix:///run/redis.sock", "redis", "unix:///run/redis.sock"),
        ("postgresql+asyncpg://a@h/d", "postgres", "postgresql://a@h/d"),
        ("wss://stream.binance.com/ws", "websocket", "wss://stream.binance.com/ws"),
        ("tcp://localhost:6379", "tcp", "localhost:6379"),
        ("tcp://[::1]:6379", "tcp", "::1:6379"),
        ("dns://api.binance.com", "dns", "api.binance.com"),
        ("collector://localhost:4317", "collector", "http://localhost:4317"),
        ({"type": "tcp", "host": "localhost", "port": 1}, "tcp", "localhost:1"),
        ({"type": "dns", "host": "localhost"}, "dns", "localhost"),
        ({"type": "external", "url": "wss://x/ws"}, "websocket", "wss://x/ws"),
        ({"url": "http://x/", "status": "204", "method": "HEAD"}, "http", "http://x/"),
    ],
)
def test_kinds_follow_from_the_url_or_the_type(entry: Any, kind: str, address: str) -> None:
    """The URL's scheme says it, where the type does not."""
    probe = check_of("it", entry).probe
    assert isinstance(probe, Probe)
    assert (probe.kind, probe.address) == (kind, address)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("localhost:6379", "it needs a type"),
        ({"type": "rediss"}, "type='rediss' is none of redis, cache"),
        ({"type": "http"}, "it needs a url"),
        ({"type": "redis", "url": "http://x"}, "the URL has to begin with redis://"),
        ({"url": "redis://x", "intervall": 3}, "intervall is not known (did you mean interval?)"),
        ({"url": "redis://x", "interval": "soon"}, "interval='soon' cannot be used"),
        ({"url": "redis://x", "interval": 0}, "interval=0.0 is no number of seconds above 0"),
        ({"url": "redis://x", "critical": "perhaps"}, "critical='perhaps' cannot be used"),
        ("tcp://localhost", "it needs a host and a port"),
        ("redis://:geheim@x:99999", "Port out of range"),
    ],
)
def test_what_cannot_be_used_is_left_out_with_one_message(entry: Any, said: str) -> None:
    """The other checks are there, and no secret is said."""
    monitor = HealthMonitor()
    problems = [str(each) for each in monitor.apply(settings(health_checks={"it": entry, "other": "dns://localhost"}))]
    assert len(problems) == 1
    assert problems[0].startswith("health_checks: it is left out: ")
    assert said in problems[0]
    assert "geheim" not in problems[0]
    assert [check.name for check in monitor._checks.all()] == ["other"]


def test_an_environment_variable_has_them_in_a_line_or_as_json(tmp_path: Any) -> None:
    """Commas between, terms behind semicolons; URLs may have commas of their own."""
    line = (
        "cache=redis://:pw%2C1@h;critical;interval=10, pg=postgresql://h1:5432,h2:5432/d;timeout=3\napi=https://x/?a=1"
    )
    found = resolve({}, variables={"OTEL_TRADING_HEALTH_CHECKS": line}, folder=tmp_path)
    assert found.problems == ()
    assert found.settings.health_checks == {
        "cache": "redis://:pw%2C1@h;critical;interval=10",
        "pg": "postgresql://h1:5432,h2:5432/d;timeout=3",
        "api": "https://x/?a=1",
    }
    check = check_of("cache", found.settings.health_checks["cache"])
    assert (check.terms.critical, check.terms.interval) == (True, 10)
    json = '{"cache": {"type": "redis", "critical": true}}'
    assert settings(health_checks=json).health_checks == {"cache": {"type": "redis", "critical": True}}


def test_a_file_has_them_as_tables(tmp_path: Any) -> None:
    """As users write them."""
    (tmp_path / "otel-trading.toml").write_text(
        """
[health]
interval = 2.0
critical_venues = ["binance"]

[health.checks]
dns = "dns://api.binance.com"

[health.checks.redis]
type = "cache"
url = "redis://:geheim@localhost:6379"
check_interval = 10
critical = true
""",
        "utf-8",
    )
    found = resolve({}, variables={}, folder=tmp_path)
    assert found.problems == ()
    assert found.settings.health_interval == 2.0
    assert set(found.settings.health_checks) == {"dns", "redis"}
    assert "geheim" not in repr(found.settings)


@pytest.mark.parametrize("value", [3, "nonsense", '{"a": 1}', {"a": 3}, "[1, 2]"])
def test_a_table_that_is_none_is_refused(value: Any) -> None:
    """With the setting, what is allowed, and not the value: there may be a secret in it."""
    found = resolve({"health_checks": value}, variables={})
    (problem,) = found.problems
    assert "health_checks" in str(problem)
    assert "name=url" in str(problem)
    assert found.settings.health_checks == {}


def test_reconfiguration_keeps_what_stays() -> None:
    """A check that is the same goes on; one that is not is made anew, or goes."""
    monitor = HealthMonitor()
    monitor.apply(settings(health_checks={"a": "dns://a", "b": "dns://b", "c": "dns://c"}))
    monitor.check("own", lambda: None)
    before = {check.name: check for check in monitor._checks.all()}
    monitor.apply(settings(health_checks={"a": "dns://a", "b": "dns://other"}))
    after = {check.name: check for check in monitor._checks.all()}
    assert set(after) == {"a", "b", "own"}
    assert after["a"] is before["a"]
    assert after["b"] is not before["b"]
    monitor.apply(settings(health_checks={"a": "dns://a"}, health_enabled=False))
    assert {check.name for check in monitor._checks.all()} == {"own"}
