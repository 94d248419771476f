"""Where things stand in the frame: picture between a slate above and a caption below."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Layout:
    """Boxes in pixels; the picture's are even, so that chroma planes line up."""

    width: int
    height: int
    top: int
    picture_height: int
    margin: int
    slate_size: int
    caption_size: int

    @property
    def picture(self) -> tuple[int, int]:
        """Width and height of the picture."""
        return (self.width, self.picture_height)

    @property
    def bottom(self) -> int:
        """First row of the bar below the picture."""
        return self.top + self.picture_height

    @property
    def portrait(self) -> bool:
        """Whether the frame is taller than wide (or square)."""
        return self.width <= self.height * 1.1


def plan(width: int, height: int) -> Layout:
    """Divide a frame; type is sized by the geometric mean of the sides, so it suits any ratio."""
    unit = (width * height) ** 0.5 / 100
    portrait = width <= height * 1.1
    slate = max(8, round(unit * (2.15 if not portrait else 2.3)))
    slate = min(slate, max(8, round(width / (34 if not portrait else 26))))
    caption = max(9, round(unit * (3.3 if not portrait else 3.7)))
    top = _even(slate * (2.3 if not portrait else 2.5))
    lines = 2 if not portrait else 3
    below = caption * 1.3 * lines + slate * (1.5 if not portrait else 3.6)
    below = min(below, height * 0.36)
    top = min(top, _even(height * 0.14))
    picture = _even(height - top - below)
    return Layout(width, height, top, picture, max(6, round(unit * 2.6)), slate, caption)


def _even(value: float) -> int:
    return round(value / 2) * 2
