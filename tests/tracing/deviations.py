"""Where the native engine differs from the SDK on purpose, in one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.tracing.engines import Name

DEVIATIONS = {
    "trace flags": "the SDK's encoder leaves the W3C flags out of Span.flags and Link.flags; ours sends them",
    "tracestate of links": "the SDK's encoder leaves it out; ours sends it",
    "integers beyond 64 bits": "the SDK's encoder loses the attribute; ours sends the number as text",
    "text without UTF-8": "the SDK's encoder loses the attribute, or the batch if it is a name; ours sends a ?",
    "wrong input": "the SDK raises into the bot, or its encoder loses the batch; ours never raises and sends the span",
    "failing samplers": "the SDK raises into the bot; ours reports it and records the span",
    "failing id generators": "the SDK raises into the bot; ours reports it and takes ids of its own",
    "failing processors": "the SDK raises into the bot and calls no further processor; ours reports it and goes on",
    "failing texts": "a value whose str() raises does so in the bot on the SDK; ours sends no value",
    "seeded ids": "the SDK's ids follow random.seed(), so a bot that seeds repeats them; ours do not",
    "stepping clocks": "the SDK takes both ends from the wall clock, so durations jump with it; ours are monotonic",
    "repeated warnings": "the SDK logs each wrong value; ours reports a problem once",
    "empty variables": "an empty variable is no limit on the SDK; on ours, as specified, it is as good as none",
    "links stay as they are": "the SDK replaces the attributes of the Link objects it is given; ours leaves them",
    "large spans": "a span takes 512 KiB at most on ours; what is beyond is counted as dropped",
    "open spans": "an open span of the SDK is a ReadableSpan; ours has its properties and need not be one",
    "values that act": "a value whose str() changes its own span blocks its thread for ever on the SDK, not on ours",
    "late thread pools": "the SDK's children hang if concurrent.futures.thread was imported after the provider",
    "inherited spans": "a span open across a fork is exported by both processes on the SDK, by the parent on ours",
}


def deviates(engine: Name, how: str) -> bool:
    """Whether an engine is the one that differs; ``how`` is a line of the table.

    What the SDK never comes back from is tested with the native engine alone.
    """
    assert how in DEVIATIONS
    return engine == "native"
