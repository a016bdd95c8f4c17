"""Tasks of an event loop, with and without what tells of them."""

from __future__ import annotations

import asyncio

MANY = 1_000


class AsyncioTasks:
    """Makes a thousand tasks that do nothing, and lets them do it."""

    def __init__(self) -> None:
        from otel_trading.instrument.asyncio_runtime import Tasks
        from otel_trading.instrument.reporting import reporting

        class Instrumented(asyncio.SelectorEventLoop):
            create_task = Tasks(reporting({})).counting(asyncio.SelectorEventLoop.create_task)

        self._plain = asyncio.SelectorEventLoop()
        self._instrumented = Instrumented()

    def plain(self) -> None:
        """As they are."""
        self._plain.run_until_complete(_many())

    def instrumented(self) -> None:
        """Counted and timed."""
        self._instrumented.run_until_complete(_many())


async def _nothing() -> None: ...


async def _many() -> None:
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(_nothing()) for _ in range(MANY)]
    await asyncio.sleep(0)
    del tasks
