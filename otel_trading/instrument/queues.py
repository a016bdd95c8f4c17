"""How many items wait in the bot's queues, as ``trading.queue.depth``."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from opentelemetry.metrics import Observation

from otel_trading.settings.complaints import Complaints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.metrics import CallbackOptions, Meter

_complaints = Complaints("queues")


class Queues:
    """The queues that are watched, by name; they are held weakly as far as they can be.

    >>> from collections import deque
    >>> from otel_trading.testing import capture
    >>> with capture() as telemetry:
    ...     orders = deque(["c-1", "c-2"])
    ...     stop = telemetry.watch_queue("orders", orders)
    ...     telemetry.metrics["trading.queue.depth"](queue_name="orders").value
    2
    """

    def __init__(self) -> None:
        self._watched: dict[int, tuple[str, Callable[[], Any]]] = {}
        self.also: Callable[[CallbackOptions], Iterable[Observation]] | None = None
        """Gives depths that are known otherwise."""

    def watch(self, name: str, queue: Any) -> Callable[[], None]:  # noqa: ANN401 - anything with a size
        """Report how full a queue is from now on; the result ends it.

        Queues of the same name are added up; one that is watched again gets the new name.
        """
        ask = _asking(queue)
        if ask is None:
            _complaints.say(f"queue {name!r} is not watched: {type(queue).__name__} has neither qsize() nor a length")
            return _nothing
        key = id(queue)

        def forget(_: object = None) -> None:
            found = self._watched.get(key)
            if found is not None and found[1] is reference:
                self._watched.pop(key, None)

        reference: Callable[[], Any]
        try:
            reference = weakref.ref(queue, forget)
        except TypeError:  # a list, for one
            reference = _Held(queue)
        self._watched[key] = (str(name), reference)
        return forget

    def observe(self, meter: Meter) -> None:
        """Report on this meter, too."""
        meter.create_observable_up_down_counter(
            "trading.queue.depth", [self._depths], "{item}", "Items that wait in a queue of the bot."
        )

    def forget(self) -> None:
        """Watch none any more."""
        self._watched.clear()

    def _depths(self, options: CallbackOptions) -> Iterable[Observation]:
        depths: dict[str, int] = {}
        for name, reference in list(self._watched.values()):
            queue = reference()
            ask = None if queue is None else _asking(queue)
            if ask is None:
                continue
            try:
                depths[name] = depths.get(name, 0) + int(ask())
            except Exception as error:
                _complaints.say(f"the depth of queue {name!r} is not known: {type(error).__name__}: {error}")
        for name, depth in depths.items():
            yield Observation(depth, {"queue.name": name})
        if self.also is not None:
            yield from self.also(options)


class _Held:
    """What gives a queue that nobody can refer to weakly."""

    def __init__(self, queue: Any) -> None:  # noqa: ANN401
        self._queue = queue

    def __call__(self) -> Any:  # noqa: ANN401
        return self._queue


def _asking(queue: Any) -> Callable[[], Any] | None:  # noqa: ANN401
    """What gives the number of items; ``None`` where nothing does."""
    ask: Callable[[], Any] | None = getattr(queue, "qsize", None)
    return ask if callable(ask) else getattr(queue, "__len__", None)


def _nothing() -> None: ...
