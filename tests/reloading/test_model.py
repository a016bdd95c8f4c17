"""From a file and variables to a model, or everything that is wrong."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from typing_extensions import TypedDict

from otel_trading.reloading.model import ConfigError, Model

FILE = Path("bot.toml")


class Venue(BaseModel, frozen=True):
    enabled: bool = True
    api_key: SecretStr = SecretStr("")
    symbols: tuple[str, ...] = ()


class Exchanges(BaseModel, frozen=True):
    binance: Venue = Venue()
    bybit: Venue = Venue()


class Risk(BaseModel, frozen=True):
    max_position_size: float = Field(default=1.0, gt=0)
    max_exposure: float = Field(default=5.0, gt=0)
    min_spread_bps: float | None = None

    @model_validator(mode="after")
    def _position_fits(self) -> Risk:
        if self.max_position_size > self.max_exposure:
            raise ValueError("a position is larger than the exposure")
        return self


class Config(BaseModel, frozen=True):
    exchanges: Exchanges = Exchanges()
    risk: Risk = Risk()
    strategy: dict[str, float] = {}


class Side(enum.Enum):
    BUY = "buy"


class Leg(TypedDict, total=False):
    size: float


@dataclass(frozen=True)
class Limits:
    exposure: Annotated[Decimal, Field(gt=0)]
    side: Side = Side.BUY


@dataclass(frozen=True)
class Bot:
    limits: Limits
    legs: list[Leg] = field(default_factory=list)
    children: dict[str, Limits] = field(default_factory=dict)


def read(content: str = "", kind: Any = Config, section: str = "", prefix: str = "BOT_", **variables: str) -> Any:
    return Model(kind, section, prefix).read(FILE, content.encode(), variables)


def refused(content: str = "", kind: Any = Config, section: str = "", **variables: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as told:
        read(content, kind, section, **variables)
    return told.value.problems


def test_variables_come_before_the_file() -> None:
    """By nested names, in any case; empty ones count as not set."""
    content = '[risk]\nmax_exposure = 7.5\n[exchanges.binance]\nsymbols = ["A"]\n'
    config = read(
        content,
        BOT_RISK__MAX_EXPOSURE="9",
        BOT_RISK__MAX_POSITION_SIZE=" ",
        bot_exchanges__bybit__enabled="off",
        BOT_EXCHANGES__BYBIT__API_KEY="geheim",
        BOT_EXCHANGES__BYBIT__SYMBOLS="BTC/USDT, ETH/USDT",
        BOT_STRATEGY='{"edge": 4}',
        RISK__MAX_EXPOSURE="1",
    )
    assert config.risk == Risk(max_exposure=9.0)
    assert config.exchanges.binance.symbols == ("A",)
    assert config.exchanges.bybit.enabled is False
    assert config.exchanges.bybit.api_key.get_secret_value() == "geheim"
    assert config.exchanges.bybit.symbols == ("BTC/USDT", "ETH/USDT")
    assert config.strategy == {"edge": 4.0}
    assert read(content, BOT_STRATEGY__EDGE="5").strategy == {"edge": 5.0}


def test_everything_that_is_wrong_is_said_at_once() -> None:
    """By place and source, with the nearest name."""
    content = '[risk]\nmax_exposur = 1\nmax_position_size = -1\n[exchanges.binance]\nenabled = "maybe"\n'
    assert refused(content, BOT_RISK__MIN_SPREAD_BPS="wide", BOT_RISK__MAX_EXPOSUR="1") == (
        "risk.max_exposur (file bot.toml) is no setting (did you mean max_exposure?)",
        "environment variable BOT_RISK__MAX_EXPOSUR is no setting (did you mean BOT_RISK__MAX_EXPOSURE?)",
        "exchanges.binance.enabled=maybe (file bot.toml) is not usable: Input should be a valid boolean, "
        "unable to interpret input",
        "risk.max_position_size=-1 (file bot.toml) is not usable: Input should be greater than 0",
        "risk.min_spread_bps=wide (environment BOT_RISK__MIN_SPREAD_BPS) is not usable: Input should be a valid "
        "number, unable to parse string as a number",
    )


def test_what_belongs_together_is_checked_together() -> None:
    """By the model's own validators."""
    content = "[risk]\nmax_position_size = 9\nmax_exposure = 8\n"
    assert refused(content) == ("risk (file bot.toml) is not usable: a position is larger than the exposure",)


def test_secrets_are_not_said() -> None:
    """Neither by their type nor by their name."""

    class Keys(BaseModel):
        key: SecretStr = Field(max_length=3)
        api_secret: str = Field(max_length=3)

    told = " ".join(refused('key = "hunter22"\napi_secret = "hunter22"', Keys))
    assert "key=****" in told
    assert "hunter22" not in told


def test_no_number_is_no_limit() -> None:
    """A comparison with nan is always false: no limit would hold."""
    assert refused("[risk]\nmax_exposure = nan") == ("risk.max_exposure is no number",)
    assert "risk.max_exposure" in refused(BOT_RISK__MAX_EXPOSURE="nan")[0]

    class Open(BaseModel):
        limits: list[float] = []

    assert refused(kind=Open, BOT_LIMITS="1,nan") == ("limits is no number",)


def test_keys_of_others_may_stand_beside_a_whole_files() -> None:
    """But not within its tables, nor in a section of its own; and none that is nearly one of its keys."""
    assert read("[dashboard]\ncolour = 1\n").risk == Risk()
    assert refused("[risks]\nmax_exposure = 1\n") == ("risks (file bot.toml) is no setting (did you mean risk?)",)
    assert refused("[bot.dashboard]\ncolour = 1\n", section="bot") == ("dashboard (file bot.toml) is no setting",)
    assert read("[bots.basis.risk]\nmax_exposure = 6\n", section="bots.basis").risk.max_exposure == 6.0
    assert refused("bots = 1", section="bots.basis") == ("bots.basis is no table",)

    class Anything(BaseModel):
        model_config = ConfigDict(extra="allow")

    assert read("[bot]\ncolour = 1\n", Anything, "bot").colour == 1  # it says so itself


def test_dataclasses_and_other_kinds_work() -> None:
    """Whatever pydantic takes."""

    config = read(
        "[limits]\nexposure = '0.1'\n[[legs]]\nsize = 1\n[children.a]\nexposure = 2\n",
        Bot,
        BOT_LIMITS__SIDE="buy",
        BOT_CHILDREN__A__EXPOSURE="3",
    )
    assert config.limits == Limits(Decimal("0.1"))
    assert (config.legs, config.children["a"].exposure) == ([{"size": 1.0}], 3)
    assert refused("", Bot) == ("limits is missing",)


def test_a_model_that_holds_itself_is_no_endless_matter() -> None:
    """Guessing names of variables ends somewhere."""

    class Node(BaseModel):
        size: int = 0
        below: Node | None = None

    Node.model_rebuild(_types_namespace={"Node": Node})
    assert read("[below.below]\nsize = 2", Node, BOT_BELOW__BELOW__SIZE="3").below.below.size == 3
    assert "did you mean BOT_SIZE?" in refused("", Node, BOT_SIZES="3")[0]


def test_aliases_and_strict_models_are_met() -> None:
    """Keys by their alias; texts of variables become what the type says."""

    class Strict(BaseModel):
        model_config = ConfigDict(strict=True)
        size: int = Field(default=1, alias="orderSize")
        live: bool = False

    config = read("orderSize = 5", Strict, BOT_LIVE="yes")
    assert (config.size, config.live) == (5, True)
    assert read("", Strict, BOT_ORDERSIZE="7").size == 7
    assert refused("[bot]\nsize = 5", Strict, "bot") == ("size (file bot.toml) is no setting",)
