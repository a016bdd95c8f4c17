"""Draws the boards with real data, for the eyes of whoever changes them.

Grafana is no package of the registries that tests may use, so this is not Grafana: it has the boards' grid, titles,
units, colours, thresholds and legends, and draws the answers of Prometheus and Loki much as Grafana would. What it
cannot show is how Grafana itself looks.

    python -m tests.dashboards.preview FOLDER --prometheus URL --loki URL [--jaeger URL] [--job JOB] [--minutes N]
"""

from __future__ import annotations

import argparse
import html
import math
import re
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import requests

from otel_trading.provisioning.boards import BOARDS
from tests.dashboards.asking import STEP, Bot

ROW, GAP = 38, 8
COLUMN = 58
COLOURS = {
    "green": "#73bf69",
    "orange": "#ff9830",
    "red": "#f2495c",
    "dark-red": "#c4162a",
    "blue": "#5794f2",
    "purple": "#b877d9",
    "text": "#ccccdc",
    "yellow": "#fade2a",
}
PALETTE = ("#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#705da0", "#37872d", "#fade2a")
STYLE = f"""
body {{ background: #111217; color: #ccccdc; font: 12px/1.4 Inter, Helvetica, Arial, sans-serif; margin: 16px; }}
.board {{ display: grid; grid-template-columns: repeat(24, {COLUMN}px); grid-auto-rows: {ROW - GAP}px; gap: {GAP}px; }}
.panel {{ background: #181b1f; border: 1px solid #2c2f36; border-radius: 2px; padding: 4px 8px; overflow: hidden;
  display: flex; flex-direction: column; }}
.panel > h2 {{ font-size: 13px; margin: 0 0 2px; font-weight: 500; }} .row {{ font-size: 15px; align-self: end; }}
.big {{ margin: auto; font-weight: 600; }} .legend {{ color: #9fa0a6; font-size: 10px; max-height: 46px;
  overflow: hidden; }} .none {{ margin: auto; color: #6e6f75; }} td, th {{ text-align: left; padding: 1px 12px 1px 0; }}
pre {{ margin: 0; font-size: 10px; white-space: pre; }} svg {{ flex: 1; min-height: 0; width: 100%; }}
"""
Points = list[tuple[float, float]]


def shown(value: float, unit: str) -> str:
    """A number with its unit, as short as Grafana has it.

    >>> shown(0.0042, "s"), shown(0.5, "percentunit"), shown(2048, "bytes"), shown(12.5, "suffix: bp")
    ('4.2 ms', '50 %', '2 KiB', '12.5 bp')
    """
    if unit == "percentunit":
        return f"{100 * value:.3g} %"
    scales: dict[str, tuple[tuple[float, str], ...]] = {
        "s": ((1, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")),
        "bytes": ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "B")),
    }
    scales["Bps"] = tuple((size, f"{name}/s") for size, name in scales["bytes"])
    for size, name in scales.get(unit, ()):
        if abs(value) >= size:
            return f"{value / size:.3g} {name}"
    ending = {"cps": "/s", "ops": "/s", "cpm": "/min"}.get(unit, unit.partition("suffix: ")[2])
    return f"{value:.4g} {ending}".strip()


def named(series: dict[str, Any], legend: str) -> str:
    """What a series is called."""
    labels = series["metric"]
    if not legend or legend == "__auto":
        return ", ".join(f"{key}={value}" for key, value in labels.items() if key != "__name__") or "value"
    return re.sub(r"\{\{(\w+)\}\}", lambda match: str(labels.get(match[1], "")), legend)


def courses(bot: Bot, panel: dict[str, Any]) -> list[tuple[str, Points, str]]:
    """The name, the points and the query's letter of each series of a panel."""
    found = []
    for target in panel["targets"]:
        for series in bot.ask(target["expr"], source=target["datasource"]["type"]):
            points = [(float(at), float(value)) for at, value in series.get("values", ()) if value != "NaN"]
            found.append((named(series, target.get("legendFormat", "")), points, target["refId"]))
    return found


def colour_of(panel: dict[str, Any], value: float) -> str:
    """The colour of the threshold, or of the state, that a value is in."""
    defaults = panel["fieldConfig"]["defaults"]
    for mapping in defaults.get("mappings", ()):
        if found := mapping["options"].get(f"{value:g}"):
            return COLOURS.get(found["color"], "#888")
    reached = [step for step in defaults["thresholds"]["steps"] if step["value"] is None or value >= step["value"]]
    return COLOURS.get(reached[-1]["color"], "#888")


def word_of(panel: dict[str, Any], value: float) -> str:
    """A value as it is shown: as a state, or with its unit."""
    for mapping in panel["fieldConfig"]["defaults"].get("mappings", ()):
        if found := mapping["options"].get(f"{value:g}"):
            return str(found["text"])
    return shown(value, panel["fieldConfig"]["defaults"]["unit"])


def lines(bot: Bot, panel: dict[str, Any], width: int, height: int) -> str:
    """Lines over time, with thresholds and a legend."""
    drawn = courses(bot, panel)
    if not drawn:
        return '<div class="none">No data</div>'
    defaults, height = panel["fieldConfig"]["defaults"], max(height - 76, 40)
    values = [value for _, points, _ in drawn for _, value in points if math.isfinite(value)]
    low, high = min([*values, defaults.get("min", min(values))]), max([*values, defaults.get("max", -math.inf)])
    high = high if high > low else low + 1
    left = 54
    limits = [
        (override["matcher"]["options"])
        for override in panel["fieldConfig"]["overrides"]
        if any(each["id"] == "custom.lineStyle" for each in override["properties"])
    ]

    def place(at: float, value: float) -> str:
        x = left + (at - bot.started) / (bot.ended + STEP - bot.started) * (width - left - 4)
        return f"{x:.1f},{4 + (high - value) / (high - low) * (height - 16):.1f}"

    body = [
        f'<text x="{left - 4}" y="{float(place(bot.started, value).split(",")[1]) + 4}" fill="#9fa0a6" '
        f'font-size="10" text-anchor="end">{shown(value, defaults["unit"])}</text>'
        for value in (low, (low + high) / 2, high)
    ]
    for step in defaults["thresholds"]["steps"]:
        if step["value"] is not None and low <= step["value"] <= high:
            ends = place(bot.started, step["value"]), place(bot.ended + STEP, step["value"])
            body.append(polyline(" ".join(ends), COLOURS[step["color"]], dashed=True))
    legend = []
    for number, (name, points, letter) in enumerate(drawn):
        line = "red" if letter in limits else PALETTE[number % len(PALETTE)]
        body.append(polyline(" ".join(place(*point) for point in points), line, dashed=letter in limits))
        last = shown(points[-1][1], defaults["unit"]) if points else ""
        legend.append(f'<span style="color:{line}">━</span> {html.escape(name)} <b>{last}</b>')
    told = " &nbsp; ".join(legend)
    return f'<svg viewBox="0 0 {width} {height}">{"".join(body)}</svg><div class="legend">{told}</div>'


def polyline(points: str, colour: str, *, dashed: bool = False) -> str:
    """A line."""
    dash = ' stroke-dasharray="8 8"' if dashed else ""
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.3"{dash}/>'


def number(bot: Bot, panel: dict[str, Any], width: int, height: int) -> str:
    """The last value of each series, large."""
    drawn = [(name, points[-1][1]) for name, points, _ in courses(bot, panel) if points]
    if not drawn:
        return f'<div class="none">{panel["fieldConfig"]["defaults"].get("noValue", "No data")}</div>'
    size = min(30, height // (2 * len(drawn) + 1), 2 * width // 12)
    return "".join(
        f'<div class="big" style="color:{colour_of(panel, value)};font-size:{size}px">{word_of(panel, value)}'
        f"<small>{' ' + html.escape(name) if len(drawn) > 1 else ''}</small></div>"
        for name, value in drawn
    )


def bands(bot: Bot, panel: dict[str, Any], width: int, height: int) -> str:
    """A band of states for each series."""
    drawn = courses(bot, panel)
    if not drawn:
        return '<div class="none">No data</div>'
    tall, left, long = (height - 40) / len(drawn), 150, bot.ended + STEP - bot.started
    body = []
    for line, (name, points, _) in enumerate(drawn):
        body.append(
            f'<text x="0" y="{line * tall + tall / 2 + 4}" fill="#ccccdc" font-size="10">{html.escape(name)}</text>'
        )
        for at, value in points:
            x, wide = left + (at - bot.started) / long * (width - left), STEP / long * (width - left) + 0.5
            body.append(
                f'<rect x="{x:.1f}" y="{line * tall + 2:.1f}" width="{wide:.1f}" height="{tall - 4:.1f}" '
                f'fill="{colour_of(panel, value)}"/>'
            )
    return f'<svg viewBox="0 0 {width} {height - 40}">{"".join(body)}</svg>'


def heat(bot: Bot, panel: dict[str, Any], width: int, height: int) -> str:
    """The buckets of native histograms."""
    series = bot.ask(panel["targets"][0]["expr"])
    samples = series[0].get("histograms", ()) if series else ()
    buckets = [(at, *map(float, each[1:])) for at, told in samples for each in told.get("buckets", ())]
    positive = [each for each in buckets if each[1] > 0]
    if not positive:
        return '<div class="none">No data</div>'
    low, high = math.log(min(each[1] for each in positive)), math.log(max(each[2] for each in positive))
    most, long, left, tall = max(each[3] for each in positive), bot.ended + STEP - bot.started, 54, height - 40
    body = []
    for at, lower, upper, count in positive:
        x = left + (at - bot.started) / long * (width - left)
        y, below = ((high - math.log(edge)) / (high - low) * tall for edge in (upper, lower))
        hue = 240 - 240 * math.sqrt(count / most)
        wide = STEP / long * (width - left) - 1
        body.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{below - y:.1f}" fill="hsl({hue:.0f},80%,50%)"/>'
        )
    for edge in (low, (low + high) / 2, high):
        y = (high - edge) / (high - low) * (tall - 10) + 8
        told = shown(math.exp(edge), panel["fieldConfig"]["defaults"]["unit"])
        body.append(f'<text x="{left - 4}" y="{y}" fill="#9fa0a6" font-size="10" text-anchor="end">{told}</text>')
    return f'<svg viewBox="0 0 {width} {tall}">{"".join(body)}</svg>'


def rows(bot: Bot, panel: dict[str, Any], width: int, height: int) -> str:
    """A table of series, or of traces."""
    [target] = panel["targets"]
    cells: list[tuple[str, ...]]
    if target["datasource"]["type"] == "jaeger":
        traces = bot.traces(target) if bot.stack.urls["jaeger_ui"] else []
        cells = [
            (each["traceID"][:16], each["spans"][0]["operationName"], f"{len(each['spans'])} spans") for each in traces
        ]
    else:
        organized = [each for each in panel["transformations"] if each["id"] == "organize"]
        columns = organized[0]["options"]["renameByName"]
        cells = [
            tuple(
                word_of(panel, float(each["values"][-1][1])) if key == "Value" else each["metric"].get(key, "")
                for key in columns
            )
            for each in bot.ask(target["expr"])
        ]
        cells.insert(0, tuple(columns.values()))
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in line) + "</tr>" for line in cells)
    return f"<table>{body}</table>"


def said(bot: Bot, panel: dict[str, Any], width: int, height: int) -> str:
    """Log lines."""
    streams = bot.ask(panel["targets"][0]["expr"], source="loki")
    told = sorted(((int(at), line) for each in streams for at, line in each["values"]), reverse=True)
    clock = [(time.strftime("%H:%M:%S", time.gmtime(at / 1e9)), line) for at, line in told[: height // 16]]
    return "<pre>" + "\n".join(f"{at}  {html.escape(line[: width // 6])}" for at, line in clock) + "</pre>"


DRAWN = {
    "timeseries": lines,
    "stat": number,
    "gauge": number,
    "bargauge": number,
    "state-timeline": bands,
    "heatmap": heat,
    "table": rows,
    "logs": said,
}


def page(bot: Bot, board: dict[str, Any]) -> str:
    """A board as a page."""
    body = []
    for panel in board["panels"]:
        place, title = panel["gridPos"], html.escape(panel["title"])
        where = f"grid-column: {place['x'] + 1} / span {place['w']}; grid-row: {place['y'] + 1} / span {place['h']}"
        if panel["type"] == "row":
            body.append(f'<div class="row" style="{where}">⌄ {title}</div>')
            continue
        width, height = place["w"] * (COLUMN + GAP) - GAP - 18, place["h"] * ROW - GAP - 10
        drawn = DRAWN[panel["type"]](bot, panel, width, height)
        body.append(f'<div class="panel" style="{where}"><h2>{title}</h2>{drawn}</div>')
    head = f"<h1>{html.escape(board['title'])}</h1><p>{html.escape(board['description'])}</p>"
    return f'<meta charset="utf-8"><style>{STYLE}</style>{head}<div class="board">{"".join(body)}</div>'


def main() -> None:
    """Write a page for each board."""
    asked = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    asked.add_argument("folder", type=Path)
    for name, default in (("prometheus", "http://127.0.0.1:9090"), ("loki", "http://127.0.0.1:3100"), ("jaeger", "")):
        asked.add_argument(f"--{name}", default=default)
    asked.add_argument("--job", default=".+")
    asked.add_argument("--minutes", type=float, default=30)
    asked.add_argument("--until", type=float, default=None, help="seconds since 1970; by default now")
    given = asked.parse_args()
    stack = cast("Any", SimpleNamespace(urls={"loki": given.loki, "jaeger_ui": given.jaeger}))
    ended = given.until or time.time()
    bot = Bot(stack, given.prometheus, given.job, ended - 60 * given.minutes, ended)
    given.folder.mkdir(parents=True, exist_ok=True)
    for board in BOARDS:
        try:
            text = page(bot, board.render())
        except requests.HTTPError as error:
            raise SystemExit(f"{board.uid}: {error}\n{error.response.text}") from error
        (given.folder / f"{board.uid}.html").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
