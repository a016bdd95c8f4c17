"""A bot at work while its configuration is edited at random: nothing is lost, and it is never between two."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from typing import TYPE_CHECKING, Any

from tests.core.otlp_receiver import OtlpReceiver
from tests.core.started_bots import StartedBot

if TYPE_CHECKING:
    from pathlib import Path

EDITS = 200
BOT = """
import json, logging, os, sys, threading, time
from pydantic import BaseModel, Field, model_validator
import otel_trading as ot

class Risk(BaseModel, frozen=True):
    max_position_size: float = Field(gt=0)
    max_exposure: float = Field(gt=0)
    version: int

    @model_validator(mode="after")
    def fits(self):
        if self.max_exposure != 10 * self.max_position_size:
            raise ValueError("exposure is ten positions")
        return self

telemetry = ot.configure(config_file="kit.json", reload_interval=0.05)
config = telemetry.watch_config(Risk, "bot.json")
told, stop, counts = [], threading.Event(), [0, 0, 0]
config.on_change(lambda old, new, changes: told.append(new.version))
broken = []
counter, log = telemetry.meter.create_counter("bot.ticks"), telemetry.log("bot")

def work(place):
    while not stop.is_set():
        counter.add(1)
        log.info("tick")
        with telemetry.tracer.start_as_current_span("tick"):
            counts[place] += 1
        risk, settings = config.current, telemetry.settings
        if risk.max_exposure != 10 * risk.max_position_size:
            broken.append(repr(risk))
        if settings.stale_after != 2 * settings.stall_threshold:
            broken.append((settings.stale_after, settings.stall_threshold))
        time.sleep(0.002)

threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
print("ready", flush=True)
for line in sys.stdin:
    if line.strip() == "?":
        answer = {"bot": config.current.version, "kit": telemetry.settings.stale_after}
        answer["refused"] = [len(config.problems), len(telemetry.reloading.kit.subject.problems)]
        print(json.dumps(answer), flush=True)
        continue
    break
stop.set()
for thread in threads:
    thread.join()
delivered = telemetry.shutdown(30)
signals = telemetry.status().signals
print(json.dumps({
    "counts": sum(counts), "told": told, "broken": broken[:3], "delivered": delivered,
    "lost": {name: account.lost for name, account in signals.items()},
}), flush=True)
"""


class Files:
    """The two files, saved as editors, scripts and clusters save, and what they said at last that was right."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.kit, self.bot, self.chance = folder / "kit.json", folder / "bot.json", chance
        self.version = self.stale_after = 0
        self.right()

    def right(self) -> None:
        self.version += 1
        self.stale_after = self.version * 2
        kit = {"stale_after": self.stale_after, "stall_threshold": self.version, "log_level": "INFO"}
        size = self.chance.randint(1, 1_000)
        self.save(self.kit, json.dumps(kit))
        self.save(self.bot, json.dumps({"max_position_size": size, "max_exposure": size * 10, "version": self.version}))

    def wrong(self) -> None:
        kit = {"stale_after": 1_000, "stall_threshold": 1}
        bot = {"max_position_size": 1, "max_exposure": 10, "version": 0}
        path = self.chance.choice([self.kit, self.bot])
        worse = [
            json.dumps(kit | {"stall_threshold": -1} if path is self.kit else bot | {"max_exposure": 11}),
            json.dumps(kit | {"stale_aftre": 1} if path is self.kit else bot | {"max_exposur": 1}),
            json.dumps(kit | {"metrics_exporter": "nosuch"} if path is self.kit else {"version": 0}),
            json.dumps(kit | {"ops_port": 70_000} if path is self.kit else bot | {"version": "x"}),
            '{"stale_after": 5,',
            "\x00\xff",
            "",
            "[1]",
        ]
        self.save(path, self.chance.choice(worse))

    def save(self, path: Path, text: str) -> None:
        way = self.chance.randrange(4)
        data = text.encode("utf-8", "surrogateescape")
        if way == 0:
            path.write_bytes(data)
        elif way == 1:
            beside = path.with_suffix(".tmp")
            beside.write_bytes(data)
            beside.replace(path)
        elif way == 2:
            with path.open("wb", buffering=0) as out:
                for start in range(0, len(data), 7):
                    out.write(data[start : start + 7])
                    time.sleep(0.001)
        else:
            path.unlink(missing_ok=True)
            target = path.parent / f"..{self.chance.randrange(10**9)}"
            target.write_bytes(data)
            path.symlink_to(target.name)


class Edited(StartedBot):
    """The bot, which says what holds."""

    def say(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def state(self) -> dict[str, Any]:
        self.say("?")
        return dict(json.loads(self.line()))

    def wait_for(self, wanted: dict[str, Any]) -> None:
        end = time.monotonic() + 60
        while (state := self.state()) != wanted:
            assert time.monotonic() < end, (state, wanted)
            time.sleep(0.1)


def edit(files: Files, bot: Edited, chance: random.Random) -> int:
    """Edit at random, with hang-ups between; how often a file was seen to be refused."""
    refusals = 0
    edits = [files.right, files.wrong] * (EDITS // 2)
    chance.shuffle(edits)
    for number, save in enumerate(edits):
        save()
        if number % 10 == 0:
            os.kill(bot.process.pid, signal.SIGHUP)
        if number % 20 == 19:
            time.sleep(1.4)
            state = bot.state()
            assert 0 < state["bot"] <= files.version
            refusals += any(state["refused"])
        time.sleep(chance.choice([0, 0.01, 0.25]))
    return refusals


def test_two_hundred_random_edits_under_load(tmp_path: Path) -> None:
    """Half of them wrong; what holds is always one of the right ones, at the end the last; every count is exact."""
    chance = random.Random(6_4)  # noqa: S311 - the same edits each time
    (tmp_path / "work").mkdir()
    source = f"import os; os.chdir({str(tmp_path / 'work')!r})\n{BOT}"
    files = Files(tmp_path / "work", chance)
    with OtlpReceiver() as receiver, Edited(source, tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url) as bot:
        bot.extend(240)
        bot.ready()
        refusals = edit(files, bot, chance)
        files.right()
        bot.wait_for({"bot": files.version, "kit": files.stale_after, "refused": [0, 0]})
        bot.say("end")
        said = json.loads(bot.line())
        status, _, errors = bot.ended()
    assert (status, "Traceback" in errors) == (0, False), errors
    assert said["broken"] == []
    assert said["told"] == sorted(set(said["told"]))
    assert (said["delivered"], set(said["lost"].values())) == (True, {0})
    assert min(len(said["told"]), refusals, said["counts"]) > 0
    points = [point for metric in receiver.metrics("bot.ticks")[-1:] for point in metric.sum.data_points]
    assert sum(point.as_int or point.as_double for point in points) == said["counts"]
    assert sum(record.body.string_value == "tick" for record in receiver.logs) == said["counts"]
    assert sum(span.name == "tick" for span in receiver.spans) == said["counts"]
