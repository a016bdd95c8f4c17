"""From the settings to what health works with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_trading.health.conditions import Limits

if TYPE_CHECKING:
    from otel_trading.health.checks.check import Check
    from otel_trading.health.checks.running import Checks
    from otel_trading.settings import Problem, Settings


def limits_of(settings: Settings) -> Limits:
    """What counts as wrong."""
    return Limits(
        window=settings.health_window,
        connection=settings.health_connection_after,
        latency=settings.health_latency_limit,
        error_rate=settings.health_error_rate_limit,
        error_share=settings.health_error_share_limit,
        disk_free=settings.health_disk_limit,
        holds=settings.health_holds_for,
        recovers=settings.health_recovers_for,
        stuck=settings.health_stuck_after,
    )


class Declared:
    """The checks that the configuration asks for; those that stay as they are go on."""

    def __init__(self, checks: Checks) -> None:
        self._checks = checks
        self._made: dict[str, tuple[object, Check]] = {}

    def apply(self, settings: Settings) -> list[Problem | str]:
        """Have these, and no others; what cannot be used, in words."""
        problems: list[Problem | str] = []
        wanted = settings.health_checks if settings.health_enabled and not settings.disabled else {}
        for name, (entry, check) in list(self._made.items()):
            if wanted.get(name) != entry:
                self._checks.remove(check)
                del self._made[name]
        for name, entry in wanted.items():
            if name in self._made:
                continue
            from otel_trading.health.checks.declared import check_of, in_words

            try:
                check = check_of(name, entry, settings.database)
            except Exception as error:
                problems.append(in_words(name, error))
                continue
            self._made[name] = (entry, check)
            self._checks.add(check)
        return problems
