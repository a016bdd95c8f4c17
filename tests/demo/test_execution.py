"""What becomes of an order when news of it is lost on the way."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import ccxt
import pytest

from otel_trading.demo.venue import GeneratedMarket, Venues
from tests.demo.bots import trading, until

if TYPE_CHECKING:
    from otel_trading.demo.bot import BasisBot


def deaf(bot: BasisBot, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no news from the user streams through."""
    monkeypatch.setattr(bot._executor, "_orders", _Forgetful())


class _Forgetful(dict[str, Any]):
    def get(self, key: object, default: Any = None) -> Any:
        return None


async def test_fills_that_the_user_stream_lost_are_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a second of silence the venue is asked, and the books agree with it."""
    async with Venues(GeneratedMarket(1)) as venues, trading(venues) as (bot, tally):
        deaf(bot, monkeypatch)
        await until(lambda: tally.trades.total() >= 1)
        positions = bot.portfolio.positions
        assert tally.fills >= 2
        assert positions["perp"].quantity == venues.perp_account.position


@pytest.mark.parametrize("heard", [True, False])
async def test_an_order_without_an_answer_is_found(monkeypatch: pytest.MonkeyPatch, *, heard: bool) -> None:
    """By its fills on the user stream, or by its client id."""
    async with Venues(GeneratedMarket(1)) as venues, trading(venues) as (bot, tally):
        exchange = bot._venues["spot"].exchange
        create_order = exchange.create_order

        async def answer_is_lost(*arguments: Any) -> None:
            await create_order(*arguments)
            raise ccxt.RequestTimeout("no answer")

        monkeypatch.setattr(exchange, "create_order", answer_is_lost)
        if not heard:
            deaf(bot, monkeypatch)
        await until(lambda: tally.trades.total() >= 1)
        assert bot.portfolio.naked == 0
        assert any("no answer" in text for _, text, _ in tally.events)
        assert abs(bot.portfolio.positions["perp"].quantity) == abs(venues.perp_account.position)


async def test_an_order_that_never_arrived_leaves_no_leg_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The venue does not know it: the other leg is taken back."""
    async with Venues(GeneratedMarket(1)) as venues, trading(venues) as (bot, tally):

        async def lost(*_: Any) -> None:
            raise ccxt.RequestTimeout("no answer")

        exchange = bot._venues["spot"].exchange
        with monkeypatch.context() as patch:
            patch.setattr(exchange, "create_order", lost)
            await until(lambda: tally.trades.total() >= 1)
        assert tally.trades["success"] == 0
        assert bot.portfolio.naked == 0
        assert venues.perp_account.position == Decimal(0)
