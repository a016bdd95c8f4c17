"""What the bot says of its health, and what it asks to be looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

from otel_trading.health.checks.check import Check, Terms
from otel_trading.health.model import Component
from otel_trading.health.own import OwnComponent
from otel_trading.health.readiness import Readiness
from otel_trading.health.watched import Watches
from otel_trading.settings.complaints import Complaints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from otel_trading.health.checks.running import Checks
    from otel_trading.health.watched import Watched

    Asks = TypeVar("Asks", bound=Callable[[], Any])

_MOST_COMPONENTS = 1_000


class Told:
    """The part of ``HealthMonitor`` that the bot speaks to."""

    def __init__(self, checks: Checks, clock: Callable[[], float], wall_ns: Callable[[], int]) -> None:
        self._checks = checks
        self._wall_ns = wall_ns
        self._watches = Watches(clock)
        self._own: dict[str, OwnComponent] = {}
        self._needs: dict[str, tuple[str, ...]] = {}
        self._readiness = Readiness()
        self._complaints = Complaints("calls of health")

    @overload
    def check(
        self,
        name: str,
        probe: Callable[[], Any],
        *,
        interval: float = ...,
        timeout: float = ...,
        critical: bool = ...,
        depends_on: Iterable[str] = ...,
        slow: float | None = ...,
        failures: int = ...,
    ) -> Callable[[], None]: ...

    @overload
    def check(
        self,
        name: str,
        *,
        interval: float = ...,
        timeout: float = ...,
        critical: bool = ...,
        depends_on: Iterable[str] = ...,
        slow: float | None = ...,
        failures: int = ...,
    ) -> Callable[[Asks], Asks]: ...

    def check(
        self,
        name: str,
        probe: Callable[[], Any] | None = None,
        *,
        interval: float = 30.0,
        timeout: float = 10.0,
        critical: bool = False,
        depends_on: Iterable[str] = (),
        slow: float | None = None,
        failures: int = 1,
    ) -> Any:
        """Check something the bot depends on from now on; the result ends it. Without ``probe`` it is a decorator.

        ``probe`` is one of ``otel_trading.health``: ``redis(url)``, ``postgres(dsn)``, ``http(url)``,
        ``websocket(url)``, ``tcp(host, port)``, ``dns(host)``, ``collector(url)``; or a function of the bot's own. A
        coroutine function is called on telemetry's own loop, any other in a thread. Nothing or true is well, false is
        not, and so is what raises; a mapping is details, with a ``status`` and a ``reason`` where it is not well.

        Args:
            name: what it is called; one of the same name is replaced.
            probe: what asks.
            interval: seconds between the beginnings of two checks.
            timeout: seconds after which there is no answer.
            critical: whether the bot is down, and not ready, without it.
            depends_on: names of components that it needs itself.
            slow: seconds from which on an answer makes it degraded.
            failures: how many checks in a row have to fail before it is down; fewer make it degraded.

        """

        def add(asks: Callable[[], Any]) -> Callable[[], None]:
            try:
                terms = Terms(
                    interval=interval,
                    timeout=timeout,
                    critical=critical,
                    depends_on=tuple(depends_on),
                    slow=slow,
                    failures=failures,
                )
            except (TypeError, ValueError) as error:
                self._complaints.say(f"health.check({name!r}): {error}; the usual times hold")
                terms = Terms(critical=bool(critical))
            made = Check(f"{name}", asks, terms)
            if not self._checks.add(made):
                self._complaints.say(f"health.check({name!r}): there are too many checks; it is left out")
            return lambda: self._checks.remove(made)

        if probe is not None:
            return add(probe)

        def decorate(asks: Asks) -> Asks:
            add(asks)
            return asks

        return decorate

    def component(self, name: str, *, critical: bool = False, depends_on: tuple[str, ...] = ()) -> OwnComponent:
        """A component whose state the bot says: ``healthy()``, ``degraded(reason)``, ``down(reason)``."""
        began = Component(f"{name}", "healthy", critical, dependencies=tuple(depends_on), checked_ns=self._wall_ns())
        made = OwnComponent(began, self._wall_ns, self._forget)
        if len(self._own) < _MOST_COMPONENTS or made.now.name in self._own:
            self._own[made.now.name] = made
        else:
            self._complaints.say(f"health.component({name!r}): there are too many components; it is left out")
        return made

    def watched(self, name: str, timeout: float = 5.0, *, critical: bool = True) -> Watched:
        """Watch who calls the result again and again in a ``with`` block; silent for ``timeout`` seconds it is stuck.

        >>> from otel_trading.health.monitor import HealthMonitor
        >>> health = HealthMonitor()
        >>> with health.watched("worker", timeout=5) as pulse:
        ...     for _ in range(3):
        ...         pulse()
        ...     health.report().component("thread worker").state
        'healthy'
        """
        return self._watches.watch(f"{name}", timeout, critical=critical)

    def depends(self, name: str, *on: str) -> None:
        """A component, such as ``venue binance``, needs others: it is degraded while one of these is down."""
        if len(self._needs) < _MOST_COMPONENTS or name in self._needs:
            self._needs[name] = tuple(dict.fromkeys((*self._needs.get(name, ()), *on)))

    def ready(self) -> None:
        """The bot may be given work from now on."""
        self._readiness.ready()

    def not_ready(self, reason: str) -> None:
        """The bot may not be given work before it says ``ready()``."""
        self._readiness.not_ready(reason)

    def _forget(self, own: OwnComponent) -> None:
        if self._own.get(own.now.name) is own:
            del self._own[own.now.name]
