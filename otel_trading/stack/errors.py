"""What can go wrong with the stack, told so that the reader knows what to do next."""

from __future__ import annotations


class StackError(Exception):
    """The stack cannot do what was asked; the message says why and what to do."""


class PortTakenError(StackError):
    """A port is in use by somebody else; the message names it, its owner and the variable that moves it."""


class BuildError(StackError):
    """A backend could not be built; the message holds the end of the compiler's output."""


class StartError(StackError):
    """A component did not become ready; the message holds the end of its log."""
