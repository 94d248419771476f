"""Planes in motion: layers merged by depth, resampled through a window, shown as RGB."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops

from services.generator.engines.storyboard.canvas import Layer, Planes
from services.generator.engines.storyboard.stage import Cut

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Window:
    """A rectangle of the plate that the lens sees, in plate pixels."""

    left: float
    top: float
    scale: float


def project(out: Planes, layer: Layer, window: Window) -> None:
    """Resample the part of a layer inside the window onto the picture."""
    width, height = out[0].size
    size = layer.planes[0].size
    x0, x1 = _span(layer.left, size[0], window.left, window.scale, width)
    y0, y1 = _span(layer.top, size[1], window.top, window.scale, height)
    if x1 - x0 < 2 or y1 - y0 < 2:
        return
    source = (
        window.left + x0 * window.scale - layer.left,
        window.top + y0 * window.scale - layer.top,
        window.left + x1 * window.scale - layer.left,
        window.top + y1 * window.scale - layer.top,
    )
    box = (
        max(0.0, source[0]),
        max(0.0, source[1]),
        min(float(size[0]), source[2]),
        min(float(size[1]), source[3]),
    )
    half = (box[0] / 2, box[1] / 2, box[2] / 2, box[3] / 2)
    full_size, half_size = (x1 - x0, y1 - y0), ((x1 - x0) // 2, (y1 - y0) // 2)
    alpha = _sample(layer.alpha[0], full_size, box) if layer.alpha else None
    alpha_half = _sample(layer.alpha[1], half_size, half) if layer.alpha else None
    out[0].paste(_sample(layer.planes[0], full_size, box), (x0, y0), alpha)
    for plane, target in zip(layer.planes[1:], out[1:], strict=True):
        target.paste(_sample(plane, half_size, half), (x0 // 2, y0 // 2), alpha_half)


def _sample(
    plane: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float]
) -> Image.Image:
    left, top, right, bottom = box
    if abs(right - left - size[0]) < 1e-3 and abs(bottom - top - size[1]) < 1e-3:
        return _slid(plane, size, (left, top))
    return plane.resize(size, Image.Resampling.BILINEAR, (left, top, right, bottom))


def _slid(plane: Image.Image, size: tuple[int, int], corner: tuple[float, float]) -> Image.Image:
    """Crop at a fraction of a pixel: two crops and a blend cost a tenth of a resampling."""
    x, y = int(corner[0]), int(corner[1])
    across, down = corner[0] - x, corner[1] - y
    shift = (1, 0) if across >= down else (0, 1)  # the smaller fraction stays unseen
    near = plane.crop((x, y, x + size[0], y + size[1]))
    fraction = max(across, down)
    if fraction < 1 / 64:
        return near
    far = plane.crop((x + shift[0], y + shift[1], x + shift[0] + size[0], y + shift[1] + size[1]))
    return Image.blend(near, far, fraction)


def _span(start: int, length: int, origin: float, scale: float, limit: int) -> tuple[int, int]:
    """Return the even range of picture pixels that a stretch of plate pixels covers."""
    first = max(0, int((start - origin) / scale + 0.999))
    last = min(limit, int((start + length - origin) / scale + 1e-6))
    return (first + 1) & ~1, last & ~1


def paste(out: Planes, part: Planes, corner: tuple[int, int]) -> None:
    """Put a smaller picture onto a larger one, at an even corner."""
    out[0].paste(part[0], corner)
    out[1].paste(part[1], (corner[0] // 2, corner[1] // 2))
    out[2].paste(part[2], (corner[0] // 2, corner[1] // 2))


def to_rgb(planes: Planes) -> Image.Image:
    """Return the RGB picture of 4:2:0 planes (BT.709, limited range)."""
    size = planes[0].size
    luma = (np.asarray(planes[0], np.float32) - 16) * (255 / 219)
    blue = (np.asarray(planes[1].resize(size, Image.Resampling.BILINEAR), np.float32) - 128) * (
        255 / 224
    )
    red = (np.asarray(planes[2].resize(size, Image.Resampling.BILINEAR), np.float32) - 128) * (
        255 / 224
    )
    green = luma - 0.1873 * blue - 0.4681 * red
    stacked = np.stack([luma + 1.5748 * red, green, luma + 1.8556 * blue], axis=-1)
    return Image.fromarray(np.clip(stacked + 0.5, 0, 255).astype(np.uint8))


def _lay(target: Planes, layer: Layer) -> None:
    if layer.alpha is not None:
        target[0].paste(layer.planes[0], (layer.left, layer.top), layer.alpha[0])
        for plane, source in zip(target[1:], layer.planes[1:], strict=True):
            plane.paste(source, (layer.left // 2, layer.top // 2), layer.alpha[1])


def _union(layers: list[Layer], size: tuple[int, int]) -> Image.Image:
    together = Image.new("L", size)
    for layer in layers:
        if layer.alpha is not None:
            box = (
                layer.left,
                layer.top,
                layer.left + layer.alpha[0].width,
                layer.top + layer.alpha[0].height,
            )
            together.paste(ImageChops.screen(together.crop(box), layer.alpha[0]), box)
    return together


def _cropped(planes: Planes, alpha: Image.Image | None) -> Layer:
    box = alpha.getbbox() if alpha else None
    if alpha is None or box is None:
        return Layer(planes, None, 0, 0)
    width, height = alpha.size
    left, top = max(0, box[0] - 4) & ~1, max(0, box[1] - 4) & ~1
    right, bottom = min(width, (box[2] + 5) & ~1), min(height, (box[3] + 5) & ~1)
    cut = alpha.crop((left, top, right, bottom))
    half = (left // 2, top // 2, right // 2, bottom // 2)
    return Layer(
        (planes[0].crop((left, top, right, bottom)), planes[1].crop(half), planes[2].crop(half)),
        (cut, cut.reduce(2)),
        left,
        top,
    )


def grouped(cuts: list[Cut], edges: tuple[float, ...]) -> list[Cut]:
    """Merge neighbouring layers, so that a moving camera resamples a few planes, not twenty."""
    first = cuts[0].layer.planes
    below: Planes = (first[0].copy(), first[1].copy(), first[2].copy())
    groups = []
    limits = (*edges, 2.0)
    for index, limit in enumerate(limits):
        start = limits[index - 1] if index else -1.0
        members = [cut for cut in cuts if start < cut.depth <= limit]
        alpha = None if index == 0 else _union([cut.layer for cut in members], first[0].size)
        for cut in members:
            _lay(below, cut.layer)
        if members:
            # Below a soft edge lies the true colour of what is behind it: no fringe can show.
            planes = (below[0].copy(), below[1].copy(), below[2].copy())
            depth = 0.0 if index == 0 else sum(cut.depth for cut in members) / len(members)
            groups.append(Cut(_cropped(planes, alpha), depth))
    return groups
