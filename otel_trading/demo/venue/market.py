"""What a market source gives to the venues: frames in time order, and the books they start from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, get_args

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

VenueName = Literal["spot", "perp"]
Stream = Literal["bookTicker", "trade", "depth"]

VENUES: tuple[VenueName, ...] = get_args(VenueName)
STREAMS: tuple[Stream, ...] = get_args(Stream)


class Frame(NamedTuple):
    """One market data message as a venue puts it on the wire.

    Args:
        time_ns: position on the source's own time line, in nanoseconds.
        venue: the venue that sends it.
        stream: the stream it belongs to.
        payload: the JSON text, without a combined-stream envelope.

    """

    time_ns: int
    venue: VenueName
    stream: Stream
    payload: str


class MarketSource(Protocol):
    """Where the venues' market data comes from: a pair of recordings or a generated market."""

    def snapshots(self) -> Mapping[VenueName, str]:
        """Return the REST depth answer of each venue from which its depth frames continue."""
        ...

    def frames(self, event_ms: Callable[[int], int]) -> Iterator[Frame]:
        """Yield the frames of both venues in time order.

        Args:
            event_ms: turns a position in nanoseconds into the venue's wall clock in milliseconds; recordings, whose
                frames carry their own event times, do not ask.

        """
        ...
