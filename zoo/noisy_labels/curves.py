"""Curves of several trainings, drawn without a plotting library."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from zoo.pictures import write_picture

# Of Okabe and Ito's palette, which colour-blind readers can tell apart.
_COLOURS = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (230, 159, 0))
_INK, _GRID = (40, 40, 40), (222, 222, 222)
# Everything is drawn twice as large and then reduced, for smooth edges.
_SCALE = 2
# Of a panel: its size, and how far its axes are from its left, top, right and bottom.
_SIZE, _MARGINS = (420, 300), (62, 28, 10, 48)

Series = Sequence[Sequence[float]]  # A list per training, with a number per epoch.


def draw_curves(panels: Mapping[str, Mapping[str, Series]], title: str, path: Path) -> None:
    """Draw a row of panels: a thick line for the mean of each series, thin ones for each training.

    All panels have the same axes, and a series has one colour in all of them.

    Args:
        panels: The name of each panel, with its series by their names. Values are shares.
        title: What all panels show, over them.
        path: The picture to write, PNG.
    """
    names = list(dict.fromkeys(name for series in panels.values() for name in series))
    colours = dict(zip(names, _COLOURS * len(names)))
    runs = [run for series in panels.values() for some in series.values() for run in some]
    columns = min(3, len(panels))
    width = columns * _SIZE[0] + 16
    legend = _legend(names, width)
    head = 42 + 24 * (1 + max(top for _, top in legend.values()))
    sheet = _Sheet(width, math.ceil(len(panels) / columns) * _SIZE[1] + head + 24)
    sheet.write((20, 10), title, 19)
    for name, (left, row) in legend.items():
        top = 42 + 24 * row
        sheet.line([(left, top + 10), (left + 26, top + 10)], colours[name], 4)
        sheet.write((left + 32, top), name, 15)
    head += 12
    axes = _Axes(max(len(run) for run in runs), *_range(np.concatenate(runs)))
    for place, (name, series) in enumerate(panels.items()):
        corner = (place % columns * _SIZE[0], head + place // columns * _SIZE[1])
        axes.frame(sheet, corner, name)
        sheet.paste(
            axes.curves(series, colours), (corner[0] + _MARGINS[0], corner[1] + _MARGINS[1])
        )
    sheet.save(path)


def _legend(names: Sequence[str], width: int) -> dict[str, tuple[float, int]]:
    """For each name how far from the left it starts and in which row: a new one where one is full.

    A name is written 32 pixels to the right of the start of its line.
    """
    places, left, row = {}, 20.0, 0
    for name in names:
        length = 32 + ImageFont.load_default(size=15).getlength(name)
        if left > 20 and left + length > width - 8:
            left, row = 20.0, row + 1
        places[name] = (left, row)
        left += length + 24
    return places


class _Sheet:
    """A picture, in the coordinates that it will have. What leaves it is cut off."""

    def __init__(self, width: int, height: int):
        self.size = (width, height)
        self._picture = Image.new("RGB", (width * _SCALE, height * _SCALE), "white")
        self._draw = ImageDraw.Draw(self._picture)

    def line(self, points, colour, width: float) -> None:
        scaled = [(x * _SCALE, y * _SCALE) for x, y in points]
        self._draw.line(scaled, fill=colour, width=round(width * _SCALE), joint="curve")

    def write(self, place, text: str, size: int, anchor: str = "la") -> float:
        """Write a line and return its width."""
        font = ImageFont.load_default(size=size * _SCALE)
        at = (place[0] * _SCALE, place[1] * _SCALE)
        self._draw.text(at, text, fill=_INK, font=font, anchor=anchor)
        return self._draw.textlength(text, font=font) / _SCALE

    def paste(self, other: "_Sheet", corner) -> None:
        self._picture.paste(other._picture, (corner[0] * _SCALE, corner[1] * _SCALE))

    def save(self, path: Path) -> None:
        write_picture(self._picture.resize(self.size, Image.Resampling.LANCZOS), path)


class _Axes:
    """What all panels have in common: epochs from 1 to the right, shares upwards."""

    def __init__(self, epochs: int, low: float, high: float):
        self.epochs, self.low, self.high = epochs, low, high
        self.width = _SIZE[0] - _MARGINS[0] - _MARGINS[2]
        self.height = _SIZE[1] - _MARGINS[1] - _MARGINS[3]
        step = _step(high - low)
        self.lines = [k * step for k in range(round(low / step), round(high / step) + 1)]

    def x(self, epoch: float) -> float:
        return (epoch - 1) / max(1, self.epochs - 1) * self.width

    def y(self, value: float) -> float:
        return (self.high - value) / (self.high - self.low) * self.height

    def frame(self, sheet: _Sheet, corner, name: str) -> None:
        left, top = corner[0] + _MARGINS[0], corner[1] + _MARGINS[1]
        bottom = top + self.height
        sheet.write((left, top - 24), name, 15)
        for value in self.lines:
            sheet.write(
                (left - 8, top + self.y(value)), f"{value:.1%}".replace(".0%", "%"), 13, "rm"
            )
        every = max(1, round(self.epochs / 5))
        for epoch in range(1, self.epochs + 1):
            # Round numbers, but for one that would touch the 1.
            if epoch == 1 or (epoch % every == 0 and epoch - 1 > every / 2):
                sheet.write((left + self.x(epoch), bottom + 6), str(epoch), 13, "ma")
        sheet.line([(left, bottom), (left + self.width, bottom)], _INK, 1)
        sheet.write((left + self.width / 2, bottom + 24), "epoch", 13, "ma")

    def curves(self, series: Mapping[str, Series], colours: Mapping) -> _Sheet:
        plot = _Sheet(self.width, self.height)
        for value in self.lines:
            plot.line([(0, self.y(value)), (self.width, self.y(value))], _GRID, 1)
        for name, runs in series.items():
            pale = tuple(round(255 - (255 - channel) * 0.45) for channel in colours[name])
            for run in runs:
                self._curve(plot, run, pale, 1)
        for name, runs in series.items():  # Means over everything else.
            together = min(len(run) for run in runs)
            mean = np.mean([run[:together] for run in runs], axis=0)
            self._curve(plot, mean, colours[name], 3)
        return plot

    def _curve(self, plot: _Sheet, values, colour, width: float) -> None:
        points = [(self.x(epoch + 1), self.y(value)) for epoch, value in enumerate(values)]
        if len(points) == 1:  # One epoch is a mark at the left.
            points.append((points[0][0] + 6, points[0][1]))
        plot.line(points, colour, width)


def _range(values: np.ndarray) -> tuple[float, float]:
    """The whole steps around nearly all values: a bad first epoch may fall out below."""
    low, high = float(np.percentile(values, 2)), float(values.max())
    step = _step(max(high - low, 0.01))
    return math.floor(low / step) * step, (math.floor(high / step) + 1) * step


def _step(span: float) -> float:
    """A round distance of lines that makes eight of them or fewer."""
    return next(
        step for step in (0.005, 0.01, 0.02, 0.05, 0.1, 0.2) if span <= 8 * step or step == 0.2
    )
