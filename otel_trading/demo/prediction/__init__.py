"""Two simulated prediction markets on loopback, for ccxt's own clients of Kalshi and Polymarket.

They speak what ``ccxt.prediction.kalshi`` and ``ccxt.prediction.polymarket`` need of the venues' protocols::

    from otel_trading.demo.prediction import Delays, GeneratedMarkets, Kalshi, Polymarket, make_kalshi, make_polymarket

    async with Polymarket(GeneratedMarkets(1), settlement=Delays(2.0, 5.0)) as venue:
        client = make_polymarket(venue)  # with the venue's wallet; the keys are made anew each time
        await client.load_markets()
        outcome = client.outcomes_by_id[venue.questions[0].tokens[Leg.YES]]["outcome"]
        order = await client.create_order(outcome, "limit", "buy", 10, 0.5)
        await venue.fill(order["id"], Decimal(3))  # somebody trades with it
        venue.switch_on("settlement_fails")  # see faults.ALLOWED for every fault
        await venue.start()  # waits until a socket listens, then the market moves
        await venue.chain.idle()  # until every execution is settled
        await venue.resolve(venue.questions[0].slug, "yes")

    async with Kalshi(GeneratedMarkets(1).questions()) as venue:
        client = make_kalshi(venue)
        order = await client.create_order("KXFED-26-1", "limit", "buy", 10, 0.42)
        venue.fill(order["id"])
        venue.settle("KXFED-26-1", "yes")
        await client.fetch_settlements()

Requests are checked as the venues check them: Kalshi's by an RSA signature, Polymarket's by a wallet's signature for
credentials and orders and by a keyed hash for all else. A question has one book, of which the book of its other
outcome is the mirror image, as at the venues. Polymarket's market can be a folder of recorded answers and messages
(:class:`RecordedMarkets`). ``venue.sent`` counts the frames that sockets took, ``venue.requests`` what was asked.
"""

from otel_trading.demo.prediction.book import Leg
from otel_trading.demo.prediction.chain import Delays
from otel_trading.demo.prediction.clients import make_kalshi, make_polymarket
from otel_trading.demo.prediction.faults import Fault, FaultError
from otel_trading.demo.prediction.generated import GeneratedMarkets
from otel_trading.demo.prediction.kalshi import Kalshi
from otel_trading.demo.prediction.polymarket import Polymarket
from otel_trading.demo.prediction.recorded import RecordedMarkets

__all__ = [
    "Delays",
    "Fault",
    "FaultError",
    "GeneratedMarkets",
    "Kalshi",
    "Leg",
    "Polymarket",
    "RecordedMarkets",
    "make_kalshi",
    "make_polymarket",
]
