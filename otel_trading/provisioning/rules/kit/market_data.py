"""Market data: whether it comes, how late, and whether it is whole."""

from __future__ import annotations

from otel_trading.provisioning.promql import quantile
from otel_trading.provisioning.rules import stories
from otel_trading.provisioning.rules.expressions import VENUE, happened
from otel_trading.provisioning.rules.model import Case, Group, Rule

_BOARD = "otel-trading-market-data"
_TYPE = f"{VENUE}, trading_market_data_type"
_FEED = {**stories.VENUE, "trading_market_data_type": "trade"}
_BOOK = {**stories.VENUE, "trading_market_data_type": "book_update"}
_FRAMES = "trading_market_data_messages_total"

MARKET_DATA = Group(
    name="market-data",
    rules=(
        Rule(
            name="MarketDataStale",
            expr=f'max by ({_TYPE}) (trading_market_data_age_seconds{{trading_market_data_type!="user"}}) > 30',
            severity="warning",
            summary=(
                "No {{ $labels.trading_market_data_type }} from {{ $labels.trading_venue_name }} for "
                "{{ $value | humanizeDuration }}."
            ),
            description="A subscription has brought nothing for 30 s, whatever its connection says.",
            dashboard=_BOARD,
            panel="data-age",
            cases=(
                stories.gauge("trading_market_data_age_seconds", _FEED, 0.2, 45, value="45s"),
                Case(
                    series={
                        stories.series(
                            "trading_market_data_age_seconds", stories.VENUE, trading_market_data_type="user"
                        ): "900x40"
                    },
                    quiet=("5m",),
                    about="the account's own feed is silent as long as nothing is traded",
                ),
            ),
        ),
        Rule(
            name="MarketDataFrozen",
            expr=f'min by ({VENUE}) (trading_market_data_age_seconds{{trading_market_data_type!="user"}}) > 30',
            for_="2m",
            severity="critical",
            summary="Nothing at all comes from {{ $labels.trading_venue_name }} for {{ $value | humanizeDuration }}.",
            description="Every subscription at the venue has been silent for two and a half minutes or more.",
            dashboard=_BOARD,
            panel="oldest-data",
            cases=(
                stories.gauge(
                    *("trading_market_data_age_seconds", _FEED, 0.2, 60),
                    told=stories.VENUE,
                    value="1m 0s",
                    beside={stories.series("trading_market_data_age_seconds", _BOOK): stories.level(0.1, 90)},
                ),
                Case(
                    series={
                        stories.series("trading_market_data_age_seconds", _FEED): "60x40",
                        stories.series("trading_market_data_age_seconds", _BOOK): "0.2x40",
                    },
                    quiet=("9m",),
                    about="one silent subscription beside a lively one is not frozen",
                ),
            ),
        ),
        Rule(
            name="FeedLatencyHigh",
            expr=f"({quantile(0.95, 'trading.market_data.latency', by=VENUE.split(', '), window='2m')}) > 2",
            for_="2m",
            severity="warning",
            summary=(
                "Market data of {{ $labels.trading_venue_name }} is {{ $value | humanizeDuration }} late "
                "(95th percentile)."
            ),
            description=(
                "For two minutes 5 % of the frames came more than 2 s after the venue sent them, clocks' "
                "offset taken out."
            ),
            dashboard=_BOARD,
            panel="market-data-latency",
            cases=stories.slow(
                *("trading.market_data.latency", _FEED),
                told=stories.VENUE,
                low=1,
                high=5,
                values=("15.45s", "4.8s"),
            ),
        ),
        Rule(
            name="DataCorruption",
            expr=(
                happened(
                    *("trading.market_data.errors", f"{VENUE}, error_type"),
                    window="5m",
                    matchers='error_type!="spec_validation_changed"',
                )
                + " > 0"
            ),
            severity="critical",
            summary="Frames of {{ $labels.trading_venue_name }} cannot be used: {{ $labels.error_type }}.",
            description="The bot decides on what it could read of the market, and that is not all of it.",
            dashboard=_BOARD,
            panel="data-errors",
            cases=(
                stories.first("trading_market_data_errors_total", {**stories.VENUE, "error_type": "JSONDecodeError"}),
                stories.again("trading_market_data_errors_total", {**stories.VENUE, "error_type": "JSONDecodeError"}),
            ),
        ),
        Rule(
            name="MarketChanges",
            expr=(
                happened("trading.market_data.errors", VENUE, matchers='error_type="spec_validation_changed"') + " > 0"
            ),
            severity="info",
            summary="{{ $labels.trading_venue_name }} changed the specification of a market.",
            description="Tick size, lot size, fees or rules of a market are not what they were when the bot started.",
            dashboard=_BOARD,
            panel="data-errors",
            cases=(
                stories.first(
                    *("trading_market_data_errors_total", {**stories.VENUE, "error_type": "spec_validation_changed"}),
                    told=stories.VENUE,
                ),
            ),
        ),
        Rule(
            name="MarketDataGaps",
            expr=f"{happened('trading.market_data.gaps', VENUE, window='5m')} > 3",
            severity="warning",
            summary=(
                "Frames of {{ $labels.trading_venue_name }} were missing {{ $value | humanize }} times in five minutes."
            ),
            description="Sequence numbers leapt more than three times: each time the book has to be fetched again.",
            dashboard=_BOARD,
            panel="gaps",
            cases=(
                Case(
                    series={stories.series("trading_market_data_gaps_total", _BOOK): "0x19 4x20 5x120"},
                    labels=stories.VENUE,
                    value="4",
                    quiet=("4m",),
                    fires="5m30s",
                    resolved="25m",
                ),
            ),
        ),
        Rule(
            name="MarketDataThin",
            expr=(
                f"sum by ({_TYPE}) (rate({_FRAMES}[5m])) < 0.1 * sum by ({_TYPE}) (rate({_FRAMES}[1h] offset 5m)) "
                f"and sum by ({_TYPE}) (rate({_FRAMES}[1h] offset 5m)) > 1"
            ),
            for_="5m",
            severity="warning",
            summary=(
                "Only {{ $value | humanize }} frames of {{ $labels.trading_market_data_type }} a second come "
                "from {{ $labels.trading_venue_name }}."
            ),
            description=(
                "Fewer than a tenth of what came in the hour before: the market sleeps, or part of it is not delivered."
            ),
            dashboard=_BOARD,
            panel="frames-rate",
            cases=(
                Case(
                    series={stories.series(_FRAMES, _FEED): stories.steps((600, 60), (6, 20), (600, 120))},
                    interval="1m",
                    labels=_FEED,
                    value="100m",
                    quiet=("58m",),
                    fires="1h15m",
                    resolved="1h45m",
                ),
                Case(
                    series={stories.series(_FRAMES, _FEED): stories.steps((6, 60), (0, 60))},
                    interval="1m",
                    quiet=("58m", "1h20m"),
                    about="a market with little to tell is not judged",
                ),
            ),
        ),
        Rule(
            name="ClockOffsetHigh",
            expr=f"max by ({VENUE}) (abs(trading_clock_offset_seconds)) > 0.5",
            for_="2m",
            severity="warning",
            summary=(
                "The clocks of {{ $labels.trading_venue_name }} and of the bot are "
                "{{ $value | humanizeDuration }} apart."
            ),
            description=(
                "Venues refuse requests whose time is too far off, and latencies are only as good as the clocks."
            ),
            dashboard=_BOARD,
            panel="clock-offset",
            cases=(stories.gauge("trading_clock_offset_seconds", stories.VENUE, -0.01, -1.5, value="1.5s"),),
        ),
        Rule(
            name="ClockStepped",
            expr=f"{happened('trading.clock.steps', VENUE)} > 0",
            severity="info",
            summary="The clock of {{ $labels.trading_venue_name }} or of the bot was set.",
            description="Latencies measured before and after do not compare.",
            dashboard=_BOARD,
            panel="clock-steps",
            cases=(
                stories.first("trading_clock_steps_total", stories.VENUE),
                stories.again("trading_clock_steps_total", stories.VENUE),
            ),
        ),
    ),
)
