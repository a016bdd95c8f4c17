"""Two simulated venues that speak Binance's spot and USDⓈ-M protocols on loopback, for real ccxt.pro clients.

Start them in a process of their own (:class:`VenueProcess`) or, in tests, in this one (:class:`Venues`); both have the
same methods. They play a pair of recordings, or without files a generated market of the same wire format::

    from otel_trading.demo.exchange import make_exchange
    from otel_trading.demo.venue import VenueProcess

    async with VenueProcess(spot=SPOT_FILE, perp=PERP_FILE, speed=None) as venues:  # no files: generated market
        spot = make_exchange("spot", venues.spot_url, on_frame=lambda stream, message: ...)  # "BTC/USDT"
        perp = make_exchange("perp", venues.perp_url, on_frame=lambda stream, message: ...)  # "BTC/USDT:USDT"
        tasks = [
            asyncio.create_task(keep(exchange.watch_bids_asks, [symbol])),
            asyncio.create_task(keep(exchange.watch_trades, symbol)),
            asyncio.create_task(keep(exchange.watch_order_book, symbol)),
            asyncio.create_task(keep(exchange.watch_orders, symbol)),
            ...
        ]
        await venues.start()  # waits until all three streams are subscribed on both venues, then plays
        order = await spot.create_order("BTC/USDT", "limit", "buy", 0.01, price, {"timeInForce": "IOC"})
        await venues.switch_on("silent:perp:10s")  # see faults.ALLOWED for every fault
        await venues.switch_off()  # all faults; or switch_off("perp", "silent")
        stats = await venues.stats()  # {"state", "position_ns", "frames", "spot": {"sent": {...}, ...}, "perp": ...}
        await venues.finished()  # the recordings are played to their end; the generated market has none

``speed`` is a multiple of the market's own pace, ``None`` is as fast as clients read. A frame counts as sent when a
socket took it; the client may still have it in its buffers when the replay is finished, so wait until your own counts
agree with ``stats()``. Not every frame wakes a ``watch_*`` call: ``on_frame`` is what sees each of them.

From a terminal: ``python -m otel_trading.demo.venue [--spot FILE --perp FILE] [--speed N|max] [--seed N]`` prints the
two addresses as JSON and serves until it is interrupted. The same control is reached over HTTP on either venue:
``POST /control/start {"wait_for": ["depth"], "within": 60}``, ``POST /control/fault {"fault": "disconnect:spot"}``,
``DELETE /control/fault?venue=spot&kind=silent``, ``GET /control/stats``.

Orders: LIMIT with GTC, IOC, FOK and post-only, MARKET; acknowledged after about 8 ms (spot) and 5 ms (perp), with a
tail. The paper accounts start with 1,000,000 USDT on each venue and 10 BTC on spot. Commission is 1.1 bp maker and
2.3 bp taker on spot (taken from what is received), 0 and 1.7 bp on perp (in USDT).
"""

from otel_trading.demo.venue.faults import Fault, FaultError
from otel_trading.demo.venue.generated import GeneratedMarket
from otel_trading.demo.venue.process import VenueProcess, VenueProcessError
from otel_trading.demo.venue.recording import RecordedMarket
from otel_trading.demo.venue.venues import Venues

__all__ = ["Fault", "FaultError", "GeneratedMarket", "RecordedMarket", "VenueProcess", "VenueProcessError", "Venues"]
