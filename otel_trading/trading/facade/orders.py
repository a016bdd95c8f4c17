"""What the bot says of its orders."""

from __future__ import annotations

from otel_trading.trading.facade.reports import Reports
from otel_trading.trading.facade.submissions import Submissions


class OrderEvents(Submissions, Reports):
    """Orders: an order is told by its client order id, by keywords, or as an object of the bot's.

    Of an object the usual names are read: attributes or keys such as ``client_order_id``, ``clientOrderId``,
    ``symbol``, ``side``, ``amount`` or ``quantity``; ``map_orders`` names others. What an event does not say is
    taken from the order's submission.
    """
