"""``kill -9`` in each step of the end: the state on the disk is whole, and the next start has it."""

from __future__ import annotations

import random
import signal
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from otel_trading.lifecycle import StateFile

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lifecycle.conftest import Start

BOT = """
from decimal import Decimal
state = telemetry.state.load({"runs": 0, "book": []})
assert state["book"] == [Decimal("0.1")] * 2_000 * bool(state["runs"]), "not whole"

def pausing(name):
    async def step():
        print("in", name, flush=True)
        await asyncio.sleep(float(os.environ.get("PAUSE", "600")) if os.environ["AT"] in (name, "any") else 0)
    return ot_step(name, step)

from otel_trading.lifecycle import Step as ot_step

def made():
    print("in save_state", flush=True)
    return {"runs": state["runs"] + 1, "book": [Decimal("0.1")] * 2_000}

async def main():
    before = [pausing(name) for name in ("stop_new_orders", "cancel_orders", "disconnect")]
    async with telemetry.running(*before, pausing("uploaded"), state=made, exit="zero") as run:
        run.step("after_all", after="save_state")(pausing("after_all").call)
        print("ready", flush=True)
        print("found", state["runs"], flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""
STEPS = ["stop_new_orders", "cancel_orders", "disconnect", "uploaded", "after_all"]


def ended_at(start: Start, at: str) -> None:
    """Run the bot until it is in this step of its end, and kill it there."""
    with start(BOT, AT=at, OTEL_TRADING_ENDING_TIMEOUT="500", OTEL_TRADING_ENDING_STEP_TIMEOUT="400") as bot:
        bot.ready().process.send_signal(signal.SIGTERM)
        while bot.line() != f"in {at}":
            assert bot.process.poll() is None
        bot.process.send_signal(signal.SIGKILL)
        assert bot.ended()[0] == -signal.SIGKILL


@pytest.mark.parametrize("at", STEPS)
def test_killed_in_a_step(start: Start, tmp_path: Path, at: str) -> None:
    """Before the state is saved the old one holds, behind it the new one."""
    state: StateFile[Any] = StateFile(tmp_path / "state.json")
    state.save({"runs": 1, "book": [Decimal("0.1")] * 2_000})
    ended_at(start, at)
    assert state.load()["runs"] == (2 if at == "after_all" else 1)


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_moment_of_the_end(start: Start, tmp_path: Path, seed: int) -> None:
    """Whatever was under way: the state is the one before or the next one, and the bot starts with it."""
    state: StateFile[Any] = StateFile(tmp_path / "state.json")
    chance = random.Random(seed)  # noqa: S311 - any moment
    runs = 0
    for _ in range(2):
        with start(BOT, AT="any", PAUSE="0.02") as bot:
            bot.ready()
            assert bot.line() == f"found {runs}"
            bot.process.send_signal(signal.SIGTERM)
            time.sleep(chance.random() * 0.25)
            bot.process.kill()
            bot.ended()
        found = state.load({"runs": 0})["runs"]
        assert found in (runs, runs + 1)
        runs = found
