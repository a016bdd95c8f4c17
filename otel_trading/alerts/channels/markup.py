"""Texts with bold words and links as Telegram reads them, in either of its forms."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from otel_trading.alerts.rendering import cut, units

if TYPE_CHECKING:
    from typing import Literal

_MARKDOWN = re.compile(r"([_*\[\]()~`>#+\-=|{}.!\\])")
_MARKDOWN_URL = re.compile(r"([)\\])")


class Markup:
    r"""Puts lines together as long as they fit, counted as Telegram does: without what is markup.

    >>> markup = Markup("HTML", limit=4096)
    >>> markup.line("🚨 ", bold="a < b")
    True
    >>> markup.line("see ", link=("Runbook", "https://example.com/?a=1&b=2"))
    True
    >>> print(markup.text)
    🚨 <b>a &lt; b</b>
    see <a href="https://example.com/?a=1&amp;b=2">Runbook</a>
    >>> markup = Markup("MarkdownV2", limit=4096)
    >>> markup.line(bold="1.5 > 1", plain=" (max)")
    True
    >>> print(markup.text)
    *1\.5 \> 1* \(max\)
    """

    def __init__(self, form: Literal["HTML", "MarkdownV2"], limit: int) -> None:
        self._html = form == "HTML"
        self._left = limit
        self._lines: list[str] = []

    @property
    def text(self) -> str:
        """What there is so far."""
        return "\n".join(self._lines)

    def line(self, before: str = "", *, bold: str = "", plain: str = "", link: tuple[str, str] | None = None) -> bool:
        """Add a line of these parts, in this order; False when it does not fit, and is not added."""
        needed = units(before) + units(bold) + units(plain) + units(link[0] if link else "") + bool(self._lines)
        if needed > self._left:
            return False
        self._left -= needed
        parts = [self._plain(before), self._bold(bold), self._plain(plain), self._link(*link) if link else ""]
        self._lines.append("".join(parts))
        return True

    def paragraph(self, text: str) -> None:
        """Add a text, or as much of it as fits."""
        self.line(plain=cut(text, max(0, self._left - 1)))

    def _plain(self, text: str) -> str:
        return html.escape(text, quote=False) if self._html else _MARKDOWN.sub(r"\\\1", text)

    def _bold(self, text: str) -> str:
        if not text.strip():
            return self._plain(text)
        return f"<b>{self._plain(text)}</b>" if self._html else f"*{self._plain(text)}*"

    def _link(self, name: str, url: str) -> str:
        if self._html:
            return f'<a href="{html.escape(url)}">{self._plain(name)}</a>'
        target = _MARKDOWN_URL.sub(r"\\\1", url)
        return f"[{self._plain(name)}]({target})"
