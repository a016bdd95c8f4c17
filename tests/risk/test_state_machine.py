"""Several processes of a service do to a stop whatever they can, in any order; none ever trades that must not."""

from __future__ import annotations

import shutil
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from otel_trading.risk.emergency import Emergency
from otel_trading.risk.state import change, file_of
from tests.forks import in_child

if TYPE_CHECKING:
    from collections.abc import Callable

WAIT = 20.0
SERVICE = "bot"
PROCESSES = 3
PROCESS = st.integers(0, PROCESSES - 1)


def until(done: Callable[[], object]) -> bool:
    end = time.monotonic() + WAIT
    while not done():
        if time.monotonic() > end:
            return False
        time.sleep(0.001)
    return True


class Stops(RuleBasedStateMachine):
    """What is so is one word: stopped or not. All processes that run come to it, and those that start begin with it."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="otel-trading-stops-"))
        self.file = file_of(self.folder, SERVICE)
        self.running: list[Emergency | None] = [None] * PROCESSES
        self.stopped = False
        for number in range(PROCESSES):
            self.start(number)

    def teardown(self) -> None:
        for number in range(PROCESSES):
            self.end(number)
        shutil.rmtree(self.folder)

    def start(self, number: int) -> None:
        emergency = self.running[number] = Emergency()
        assert emergency.apply(SERVICE, str(self.folder)) == []
        emergency.begin()
        assert emergency.engaged is self.stopped

    def end(self, number: int) -> None:
        emergency = self.running[number]
        if emergency is not None:
            assert emergency.close(WAIT)
        self.running[number] = None

    @rule(number=PROCESS)
    def restart(self, number: int) -> None:
        self.end(number)
        self.start(number)

    @rule(number=PROCESS)
    def stop(self, number: int) -> None:
        emergency = self.running[number]
        assert emergency is not None
        assert emergency.stop("a process") is not self.stopped
        assert emergency.engaged
        self.stopped = True
        assert emergency.saved(WAIT)

    @rule(number=PROCESS)
    def resume(self, number: int) -> None:
        emergency = self.running[number]
        assert emergency is not None
        assert emergency.resume("a process") is self.stopped
        self.stopped = False
        assert emergency.saved(WAIT)

    @rule(engaged=st.booleans())
    def command(self, engaged: bool) -> None:
        known = self.file.exists()
        changed, _ = change(self.file, engaged=engaged, reason="a command", by="cli")
        assert changed is (engaged is not self.stopped or not known)
        self.stopped = engaged

    @rule(number=PROCESS)
    def stop_in_a_child(self, number: int) -> None:
        emergency = self.running[number]
        assert emergency is not None
        # which is gone before it could write anything
        assert in_child(lambda: emergency.engage("a child", "api")) is not self.stopped
        assert emergency.engaged
        self.stopped = True
        assert emergency.saved(WAIT)

    @rule(damage=st.sampled_from([b"", b"rubbish", b"otel-trading emergency stop 1\nengaged: no\nsequence: 1\nend\n"]))
    def damage(self, damage: bytes) -> None:
        self.file.write_bytes(damage)
        self.mend()

    @rule()
    def remove(self) -> None:
        self.file.unlink(missing_ok=True)
        self.mend()

    def mend(self) -> None:
        """What is done to the file changes nothing; whoever is stopped writes it anew."""
        if self.stopped:
            assert until(lambda: b"engaged: yes" in self.content())
        else:
            assert until(lambda: self.content() == b"" or b"engaged: no" in self.content())
            self.file.unlink(missing_ok=True)  # as an empty one would stop whoever starts now

    def content(self) -> bytes:
        try:
            return self.file.read_bytes()
        except FileNotFoundError:
            return b""

    @precondition(lambda self: hasattr(self, "running"))
    @invariant()
    def all_come_to_it(self) -> None:
        for emergency in self.running:
            assert emergency is not None
            assert until(partial(self._is_so, emergency))

    def _is_so(self, emergency: Emergency) -> bool:
        return emergency.engaged is self.stopped


TestStops = Stops.TestCase
TestStops.settings = settings(
    max_examples=15,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
