"""The colours of what is drawn: by which matrix, and on which ground."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from av.filter import Graph
from av.video.reformatter import Colorspace

from services.storage.adapters.media_formats import MAX_PIXELS

# That of JFIF, and what players take for films as small as previews whatever they tell.
MATRIX = Colorspace.ITU601
# Of films that do not tell players take BT.709 if they are larger than standard definition.
_HIGH_WIDTH, _STANDARD_HEIGHT, _UNTOLD = 1280, 576, 2


def with_matrix(frame: Any) -> Any:
    """Return the frame with the matrix that players take for one that tells none."""
    high = frame.width >= _HIGH_WIDTH or frame.height > _STANDARD_HEIGHT
    if high and not frame.format.is_rgb and frame.colorspace == _UNTOLD:
        frame.colorspace = Colorspace.ITU709.value
    return frame


def on_white(frame: Any) -> Any:
    """Return the frame without transparency, as a light page shows it.

    Very large ones stay as they are: twice as much of them does not fit into the process.
    """
    if frame.width * frame.height > MAX_PIXELS // 2:
        return frame
    if not frame.format.has_palette and not any(part.is_alpha for part in frame.format.components):
        return frame
    graph = Graph()
    size = {"width": frame.width, "height": frame.height, "format": frame.format}
    drawn = graph.add_buffer(**size, time_base=Fraction(1, 25))
    paper = graph.add("color", f"white:size={frame.width}x{frame.height}")
    laid, end = graph.add("overlay", "format=rgb"), graph.add("buffersink")
    paper.link_to(laid, 0, 0)
    drawn.link_to(laid, 0, 1)
    laid.link_to(end)
    graph.configure()
    frame.pts, frame.time_base = 0, Fraction(1, 25)
    drawn.push(frame)
    drawn.push(None)
    return graph.pull()
