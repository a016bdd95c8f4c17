"""Both venues in this process, their replay, and the control paths that steer them."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Self, cast, get_args

from aiohttp import web

from otel_trading.demo.venue.account import PerpAccount, SpotAccount
from otel_trading.demo.venue.faults import Fault, FaultError, FaultKind
from otel_trading.demo.venue.market import STREAMS, VENUES, MarketSource, Stream, VenueName
from otel_trading.demo.venue.perp import PerpVenue
from otel_trading.demo.venue.replay import Replay
from otel_trading.demo.venue.spot import SpotVenue

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from otel_trading.demo.venue.server import Venue

Json = dict[str, Any]

API_KEY = "paper-key"
SECRET = "paper-secret"  # noqa: S105 - opens nothing but the simulated venues

_LOOPBACK = "127.0.0.1"
_START_TIMEOUT = 60.0


class Venues:
    """The spot and the perpetual venue on loopback, an async context manager.

    Args:
        source: the market they play; nothing is sent before :meth:`start`.
        speed: the multiple of the source's pace, ``None`` for as fast as clients read.
        seed: of latencies and of what a ``reject`` fault hits.
        ports: the ports to listen on; 0 lets the system choose.
        spot_account: the paper spot account.
        perp_account: the paper perpetual account.

    """

    def __init__(
        self,
        source: MarketSource,
        *,
        speed: float | None = 1.0,
        seed: int = 1,
        ports: Mapping[VenueName, int] | None = None,
        spot_account: SpotAccount | None = None,
        perp_account: PerpAccount | None = None,
    ) -> None:
        self._source = source
        self._speed = speed
        self._seed = seed
        self._ports = ports or {}
        self._runners: list[web.AppRunner] = []
        self.venues: dict[VenueName, Venue[Any]] = {}
        self.urls: dict[VenueName, str] = {}
        self.spot_account = spot_account or SpotAccount()
        self.perp_account = perp_account or PerpAccount()

    @property
    def spot_url(self) -> str:
        """Where the spot venue answers, such as ``http://127.0.0.1:40001``."""
        return self.urls["spot"]

    @property
    def perp_url(self) -> str:
        """Where the perpetual venue answers."""
        return self.urls["perp"]

    async def __aenter__(self) -> Self:
        """Listen."""
        snapshots = self._source.snapshots()
        self.venues = {
            "spot": SpotVenue(
                snapshot=snapshots["spot"], account=self.spot_account, api_key=API_KEY, secret=SECRET, seed=self._seed
            ),
            "perp": PerpVenue(
                snapshot=snapshots["perp"],
                account=self.perp_account,
                api_key=API_KEY,
                secret=SECRET,
                seed=self._seed + 1,
            ),
        }
        self.replay = Replay(self._source, self.venues, self._speed)
        for name in VENUES:
            app = self.venues[name].app()
            self._add_control(app.router)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            self._runners.append(runner)
            await runner.setup()
            await web.TCPSite(runner, _LOOPBACK, self._ports.get(name, 0)).start()
            self.urls[name] = f"http://{_LOOPBACK}:{runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the replay, cut every socket and stop listening."""
        await self.replay.close()
        for venue in self.venues.values():
            await venue.close()
        for runner in self._runners:
            await runner.cleanup()

    async def start(self, wait_for: Iterable[Stream] = STREAMS, within: float = _START_TIMEOUT) -> None:
        """Start the replay once somebody is subscribed on both venues.

        Args:
            wait_for: the streams that need a subscriber; with ``depth`` also the snapshot must have been fetched.
            within: seconds to wait at most.

        Raises:
            TimeoutError: not everything was subscribed in time.

        """
        streams = list(wait_for)
        async with asyncio.timeout(within):
            for venue in self.venues.values():
                await venue.feed.wait_for_subscribers(streams)
                if "depth" in streams:
                    await venue.snapshot_taken.wait()
        self.replay.start()

    async def finished(self) -> None:
        """Return when the source is played to its end."""
        await self.replay.finished()

    async def switch_on(self, fault: Fault | str) -> None:
        """Start a fault such as ``silent:perp:10s``.

        Raises:
            FaultError: the text cannot be read.

        """
        fault = Fault.parse(fault) if isinstance(fault, str) else fault
        self.venues[fault.venue].switch_on(fault)

    async def switch_off(self, venue: VenueName | None = None, kind: FaultKind | None = None) -> None:
        """End the faults of a venue and kind; ``None`` means all."""
        for name, each in self.venues.items():
            if venue in (None, name):
                each.faults.switch_off(kind)

    async def stats(self) -> Json:
        """Return the replay's state and what each venue sent and did.

        Returns:
            ``state`` (``waiting``, ``running``, ``finished`` or ``failed``), ``position_ns``, ``frames`` and, where it
            failed, the ``error`` of the replay, and for
            ``spot`` and ``perp``: frames ``sent`` (the ``malformed`` ones, too), ``dropped`` (nobody subscribed) and
            ``silenced`` by stream, current
            ``subscribers``, ``orders`` by what became of them, ``open_orders`` and active ``faults``.

        """
        replay = self.replay
        head: Json = {"state": replay.state, "position_ns": replay.position_ns, "frames": replay.frames}
        if replay.error is not None:
            head["error"] = replay.error
        return {**head, **{name: venue.stats() for name, venue in self.venues.items()}}

    def _add_control(self, router: web.UrlDispatcher) -> None:
        router.add_post("/control/start", self._handle_start)
        router.add_post("/control/fault", self._handle_fault)
        router.add_delete("/control/fault", self._handle_clear)
        router.add_get("/control/stats", self._handle_stats)

    async def _handle_start(self, request: web.Request) -> web.Response:
        try:
            wanted = json.loads(await request.text() or "{}")
            streams = wanted.get("wait_for", STREAMS)
            if not set(streams) <= set(STREAMS):
                return _refused(f"wait_for may name {', '.join(STREAMS)}")
            await self.start(streams, float(wanted.get("within", _START_TIMEOUT)))
        except TimeoutError:
            return _refused("not every stream was subscribed in time", 408)
        except (ValueError, AttributeError, TypeError) as error:
            return _refused(str(error))
        return web.json_response(await self.stats())

    async def _handle_fault(self, request: web.Request) -> web.Response:
        try:
            await self.switch_on(json.loads(await request.text())["fault"])
        except FaultError as error:
            return _refused(str(error))
        except (ValueError, KeyError, TypeError):
            return _refused('the body must be {"fault": "..."}')
        return web.json_response(self._active())

    async def _handle_clear(self, request: web.Request) -> web.Response:
        venue, kind = request.query.get("venue"), request.query.get("kind")
        if venue not in (None, *VENUES) or kind not in (None, *get_args(FaultKind)):
            return _refused(f"venue may be {', '.join(VENUES)} and kind {', '.join(get_args(FaultKind))}")
        await self.switch_off(venue, cast("FaultKind | None", kind))
        return web.json_response(self._active())

    async def _handle_stats(self, _: web.Request) -> web.Response:
        return web.json_response(await self.stats())

    def _active(self) -> Json:
        return {"faults": [str(fault) for venue in self.venues.values() for fault in venue.faults.active()]}


def _refused(message: str, status: int = 400) -> web.Response:
    return web.json_response({"error": message}, status=status)
