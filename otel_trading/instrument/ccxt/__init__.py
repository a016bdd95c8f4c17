"""ccxt: requests and their limits, orders and what becomes of them, streams.

Of ``ccxt``, ``ccxt.async_support``, ``ccxt.pro`` and ``ccxt.prediction``, each of them as soon as it is imported, and
for the exchanges that were made before, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from otel_trading.instrument.ccxt import orders, rest, streams
from otel_trading.instrument.ccxt.executions import Executions
from otel_trading.instrument.ccxt.settlements import TIMEOUT, Settlements
from otel_trading.instrument.instrumentor import Instrumentor

if TYPE_CHECKING:
    from otel_trading.instrument.patching import Patches
    from otel_trading.instrument.reporting import Reporting


class CcxtInstrumentor(Instrumentor):
    """Instruments ccxt.

    ``instrument()`` takes two hooks. ``request_hook(span, exchange, operation, params)`` is called before a request is
    made, ``response_hook(span, exchange, operation, result, error)`` when its call is over. An execution at a
    prediction market that is not settled after ``settlement_timeout`` seconds, 120 if not given, is told.
    """

    packages: ClassVar[tuple[str, ...]] = ("ccxt >= 4.4",)

    def _patch(self, patches: Patches, said: Reporting, **given: Any) -> None:  # noqa: ANN401 - as the base's
        settlements = Settlements(said, timeout=given.get("settlement_timeout", TIMEOUT))
        patches.afterwards(settlements.close)
        executions = Executions(said.trading, on=said.orders, settlements=settlements)
        rest.patch(patches, said, given)
        orders.patch(patches, said, executions)
        streams.patch(patches, said, given, executions)
