"""Orders live and end in any way: what is known of them stays consistent, whatever is told twice, late or never."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from otel_trading.testing import capture

FINAL = {"filled", "canceled", "rejected", "expired"}
VENUE, SYMBOL, SIDE = "kraken", "BTC/EUR", "sell"

ids = st.sampled_from([f"c-{number}" for number in range(6)])
executions = st.sampled_from([f"e-{number}" for number in range(12)])
quantities = st.sampled_from([Decimal(1), Decimal("0.3"), Decimal("2.50")])
parts = st.sampled_from([Decimal("0.1"), Decimal("0.3"), Decimal(1), Decimal("1.9")])


class Known:
    """An order as a reader of all events would write it down."""

    def __init__(self) -> None:
        self.quantity: Decimal | None = None
        self.executions: dict[str, Decimal] = {}
        self.submitted = False
        self.status = ""
        self.acknowledged = False

    @property
    def done(self) -> Decimal:
        return sum(self.executions.values(), Decimal(0))

    @property
    def open(self) -> bool:
        return self.submitted and self.status not in FINAL

    def settle(self) -> None:
        """All of it is executed."""
        if self.status not in FINAL and self.quantity is not None and self.done >= self.quantity:
            self.status = "filled"


class LifeCycles(RuleBasedStateMachine):
    """Tells events in any order, and keeps own account of them."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.telemetry: Any = self.stack.enter_context(capture())
        self.trading = self.telemetry.trading
        self.known: dict[str, Known] = {}
        self.reports: Counter[str] = Counter()
        self.quantity = Decimal(0)
        self.submissions = 0
        self.ends = 0

    def teardown(self) -> None:
        with self.stack:
            self.compare()

    def compare(self) -> None:
        """The metrics and spans say the same."""
        metrics = self.telemetry.metrics
        if self.submissions:
            assert sum(point.value for point in metrics["trading.order.submissions"].points) == self.submissions
            active = {
                point.attributes["trading.instrument.symbol"]: point.value
                for point in metrics["trading.order.active"].points
            }
            assert active == {SYMBOL: len(self.trading.orders)}
        told: Counter[str] = Counter()
        if "trading.execution.reports" in metrics:
            for point in metrics["trading.execution.reports"].points:
                told[point.attributes["trading.execution.type"]] += point.value
        assert told == +self.reports
        if self.quantity:
            executed = sum(point.value for point in metrics["trading.execution.quantity"].points)
            assert abs(executed - float(self.quantity)) < 1e-9
        assert len(self.telemetry.traces.where("order")) == self.ends

    def of(self, client_id: str) -> Known:
        return self.known.setdefault(client_id, Known())

    @initialize()
    def begin(self) -> None:
        assert len(self.trading.orders) == 0

    @rule(client_id=ids, quantity=quantities)
    def submit(self, client_id: str, quantity: Decimal) -> None:
        known = self.of(client_id)
        self.trading.order_submitted(client_id, venue=VENUE, symbol=SYMBOL, side=SIDE, quantity=quantity, strategy="s")
        if known.open:
            return  # told twice
        if known.submitted:
            known = self.known[client_id] = Known()  # the id is used again
        known.submitted, known.quantity = True, quantity
        self.submissions += 1
        known.settle()
        self.ends += known.status in FINAL

    @rule(client_id=ids)
    def acknowledge(self, client_id: str) -> None:
        known = self.of(client_id)
        self.trading.order_acknowledged(client_id, venue_order_id=f"v-{client_id}", venue=VENUE)
        if not known.acknowledged:
            known.acknowledged = True
            self.reports["new"] += 1

    @rule(client_id=ids, execution=executions, part=parts)
    def fill(self, client_id: str, execution: str, part: Decimal) -> None:
        known = self.of(client_id)
        self.trading.order_filled(client_id, quantity=part, price=Decimal(100), execution_id=execution, venue=VENUE)
        if execution in known.executions:
            return
        known.executions[execution] = part
        self.reports["trade"] += 1
        self.quantity += part
        before = known.open
        known.settle()
        self.ends += before and not known.open

    @rule(client_id=ids, status=st.sampled_from(["canceled", "rejected", "expired"]))
    def end(self, client_id: str, status: str) -> None:
        known = self.of(client_id)
        getattr(self.trading, f"order_{status}")(client_id, venue=VENUE)
        if known.status == status:
            return
        self.reports[status] += 1
        if known.status not in FINAL:
            self.ends += known.open
            known.status = status

    @rule(client_id=ids)
    def ask_for_it_back(self, client_id: str) -> None:
        self.of(client_id)
        self.trading.order_cancel_requested(client_id, venue=VENUE)

    @invariant()
    def what_is_open_was_submitted_and_has_not_ended(self) -> None:
        orders = self.trading.orders
        assert len(orders) == orders.submitted + orders.restored - orders.ended >= 0
        assert {order.client_order_id for order in orders} == {name for name, known in self.known.items() if known.open}
        assert (orders.submitted, orders.ended) == (self.submissions, self.ends)

    @invariant()
    def quantities_add_up(self) -> None:
        for name, known in self.known.items():
            order = self.trading.orders.get(name)
            if order is None or not known.submitted:
                continue
            assert order.cumulative_quantity == known.done >= 0
            assert order.status == known.status or not known.status
            if order.open:
                assert order.leaves_quantity == order.quantity - order.cumulative_quantity > 0

    @invariant()
    def nothing_failed(self) -> None:
        assert self.trading.failures == {}


TestLifeCycles = LifeCycles.TestCase
TestLifeCycles.settings = settings(
    max_examples=30, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
