from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.tracing.engines import Name

BEGIN = """
import sys, threading, time
from opentelemetry import trace
from tests.tracing.engines import Bench, provider

made = provider(sys.argv[1])
tracer = made.get_tracer("bot")
tracer.start_span("ended").end()
"""
ENDINGS = {
    "open spans": """
spans = [tracer.start_span("open") for _ in range(100)]
""",
    "a current span": """
tracer.start_as_current_span("current").__enter__()
""",
    "a span that ends in a finalizer": """
class Held:
    def __init__(self):
        self.span = tracer.start_span("held")
    def __del__(self):
        self.span.set_attribute("k", 1)
        self.span.end()
held = Held()
held.cycle = held
""",
    "an exit in a span": """
with tracer.start_as_current_span("current"):
    sys.exit(0)
""",
    "threads that go on": """
def work():
    while True:
        with tracer.start_as_current_span("thread", attributes={"k": [1]}) as span:
            span.add_event("e")
for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.05)
""",
    "spans after the interpreter has begun to end": """
import atexit
atexit.register(lambda: tracer.start_span("late").end())
made.shutdown()
""",
    "a global provider": """
trace.set_tracer_provider(made)
trace.get_tracer("global").start_span("a").end()
""",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_process_ends_quietly(engine: Name, ending: str) -> None:
    """Whatever is open or still running, without a shutdown, and at once."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", BEGIN + ENDINGS[ending], engine],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
