"""Connections of ccxt.pro: dialled, open, lost, refused, closed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import ccxt
import pytest
from ccxt.async_support.base.ws.client import Client

from tests.demo.venue.venue_clients import until
from tests.instrument.ccxt_streams.pushing import (
    SYMBOL,
    Server,
    connections,
    exchange_at,
    measured,
    soon,
    total,
    trade,
)

if TYPE_CHECKING:
    from otel_trading.testing import Captured

STATE = "trading.venue.connection.state"


async def watching(exchange: Any, server: Server) -> Any:
    """A watch call whose subscription the venue knows."""
    before = len(server.received)
    task = asyncio.ensure_future(exchange.watch_trades(SYMBOL))
    await until(lambda: len(server.received) > before)
    return task


async def test_a_connection_from_dial_to_close(telemetry: Captured) -> None:
    """Its states, how long it took to open and how long it lasted."""
    async with Server() as server:
        async with exchange_at(server) as exchange:
            task = await watching(exchange, server)
            assert connections(telemetry) == [("connecting", ""), ("connected", "")]
            assert telemetry.metrics[STATE](trading_connection_state="connected").value == 1
            task.cancel()
        await until(lambda: len(connections(telemetry)) == 3)
        assert connections(telemetry)[-1] == ("disconnected", "closed by the bot")
    assert telemetry.metrics[STATE](trading_connection_state="connected").value == 0
    assert measured(telemetry, "trading.venue.connect.duration", trading_venue_name="binance") == 1
    assert measured(telemetry, "trading.venue.connection.duration", trading_venue_name="binance") == 1


@pytest.mark.parametrize("how", ["close", "abort"])
async def test_a_lost_connection_and_the_next(native: Captured, how: str) -> None:
    """The bot's watch call raises what ccxt raises; the next one connects under the same name."""
    async with Server() as server, exchange_at(server) as exchange:
        task = await watching(exchange, server)
        (socket,) = server.sockets
        if how == "close":
            await socket.close(code=1012, message=b"restart")
        else:
            transport: Any = socket._req and socket._req.transport
            transport.abort()
        with pytest.raises(ccxt.NetworkError):
            await soon(task)
        await until(lambda: connections(native)[-1][0] == "disconnected")
        if how == "close":
            assert "1012" in connections(native)[-1][1]
        again = await watching(exchange, server)
        await server.push(trade(1, exchange.milliseconds()))
        assert len(await soon(again)) == 1
        states = [state for state, _ in connections(native)]
        assert states == ["connecting", "connected", "disconnected", "connecting", "connected"]
        names = {
            log.attributes["trading.connection.name"]
            for log in native.logs
            if log.event == "trading.venue.connection_changed"
        }
        assert len(names) == 1
        assert total(native, "trading.venue.reconnects", trading_venue_name="binance") == 1


async def test_a_connection_that_is_refused(native: Captured) -> None:
    """The time it took counts with the error; addresses, which may have keys in them, are not said."""
    async with Server() as server:
        server.refusing = True
        async with exchange_at(server) as exchange:
            exchange.urls["api"]["ws"]["spot"] = f"{server.url}/stream/secretkey0123456789/ws"
            for attempt in (1, 2):
                with pytest.raises(ccxt.NetworkError):
                    await soon(exchange.watch_trades(SYMBOL))
                dials = measured(native, "trading.venue.connect.duration", error_type="WSServerHandshakeError")
                assert dials == attempt
    assert [state for state, _ in connections(native)] == ["connecting", "disconnected"] * 2
    assert "503" in connections(native)[1][1]
    assert "secretkey" not in str([log.attributes for log in native.logs])
    attempts = [log.attributes.get("trading.connection.attempt") for log in native.logs]
    assert attempts == [None, None, 2, None]


async def test_nobody_listens(native: Captured) -> None:
    """A dial that fails is no connection that lasted."""
    async with Server() as server:
        pass
    async with exchange_at(server) as exchange:
        with pytest.raises(ccxt.NetworkError):
            await soon(exchange.watch_trades(SYMBOL))
    assert measured(native, "trading.venue.connection.duration") == 0
    assert measured(native, "trading.venue.connect.duration", error_type="ClientConnectorError") == 1


async def test_missed_pongs(native: Captured) -> None:
    """ccxt gives a connection up that answers no pings: told as lost, with ccxt's reason."""
    async with Server() as server, exchange_at(server) as exchange:
        exchange.streaming["keepAlive"] = 50
        task = await watching(exchange, server)
        (client,) = exchange.clients.values()
        client.handle_message = lambda _: None  # the venue's pongs do not arrive
        with pytest.raises(ccxt.RequestTimeout) as raised:
            await soon(task)
        assert connections(native)[-1] == ("disconnected", str(raised.value))
        assert total(native, "trading.venue.reconnects", error_type="RequestTimeout") == 1


async def test_clients_that_are_never_connected_are_no_connections(native: Captured) -> None:
    """ccxt uses a client as a lock."""
    client = Client("authenticationFlights", lambda *_: None, None, None, None, {})
    client.future("binance:spot")
    await client.close()
    assert connections(native) == []
    assert STATE not in str(native.metrics)
