"""The paper around the picture: slate, caption, timecode, progress, and corner marks."""

from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from services.generator.domain.sentences import Said, said
from services.generator.engines.storyboard.palette import Colour, mix
from services.generator.media import fonts
from services.generator.media.typography import Setter, draw

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

    from services.generator.engines.storyboard.layout import Layout
    from services.generator.engines.storyboard.scene import Scene
    from services.generator.engines.storyboard.spec import StoryboardSpec

_PAPER: Colour = (238.0, 232.0, 220.0)
_WHITE: Colour = (255.0, 255.0, 255.0)


class Hud:
    """Draws the still parts once, and the running timecode for each frame."""

    def __init__(self, spec: "StoryboardSpec", scene: "Scene", layout: "Layout") -> None:
        self._spec, self._layout = spec, layout
        self._scene = scene
        self._ink = scene.palette.ink
        self._setter = Setter(spec.language)
        self.warnings: list[str] = []
        size = round(layout.slate_size * (1.3 if not layout.portrait else 1.15))
        size = max(6, min(size, round(layout.width * 0.5 / 4.8)))  # eight digits are 4.8 em
        self._mono = fonts.bundled(fonts.MONO).at(size)
        self._clock_size = size
        self._clock_width = int(self._mono.getlength("00:00:00")) + 2
        self.base = self._base()

    @property
    def clock_box(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of the timecode; even numbers."""
        layout = self._layout
        height = round(self._clock_size * 1.3)
        left = layout.width - layout.margin - self._clock_width
        top = layout.bottom + round(layout.slate_size * 0.75)
        if layout.portrait:
            top = layout.height - layout.margin - height
        return (
            left & ~1,
            top & ~1,
            (layout.width - layout.margin + 1) & ~1,
            (top + height + 1) & ~1,
        )

    def clock(self, frame: int) -> Image.Image:
        """Return the timecode "MM:SS:FF" of a frame, light on ink."""
        left, top, right, bottom = self.clock_box
        image = Image.new("RGB", (right - left, bottom - top), _bytes(self._ink))
        seconds, rest = divmod(frame, self._spec.fps)
        text = f"{seconds // 60:02d}:{seconds % 60:02d}:{rest:02d}"
        ImageDraw.Draw(image).text(
            (right - left, self._clock_size), text, _bytes(_PAPER), self._mono, anchor="rs"
        )
        return image

    @property
    def bar(self) -> tuple[int, int, int]:
        """Top, height and full width of the progress line, in pixels."""
        return (
            self._layout.bottom,
            max(2, round(self._layout.slate_size * 0.14) * 2),
            self._layout.width,
        )

    @property
    def accent(self) -> Colour:
        """Colour of the progress line and of the tag: bright enough to read on the ink."""
        accent = self._scene.palette.accent
        return accent if sum(accent) > 330 else mix(accent, _WHITE, 0.4)

    def marks(self) -> Image.Image:
        """Return corner and centre marks of the picture as a mask."""
        width, height = self._layout.picture
        image = Image.new("L", (width, height))
        pen = ImageDraw.Draw(image)
        inset, arm = round(min(width, height) * 0.05), round(min(width, height) * 0.05)
        stroke = max(1, round(min(width, height) / 420))
        for x, y, dx, dy in (
            (inset, inset, 1, 1),
            (width - inset, inset, -1, 1),
            (inset, height - inset, 1, -1),
            (width - inset, height - inset, -1, -1),
        ):
            pen.line((x, y, x + dx * arm, y), 150, stroke)
            pen.line((x, y, x, y + dy * arm), 150, stroke)
        half = arm // 4
        pen.line((width // 2 - half, height // 2, width // 2 + half, height // 2), 90, stroke)
        pen.line((width // 2, height // 2 - half, width // 2, height // 2 + half), 90, stroke)
        return image

    def _base(self) -> Image.Image:
        layout = self._layout
        image = Image.new("RGB", (layout.width, layout.height), _bytes(self._ink))
        pen = ImageDraw.Draw(image)
        self._slate(pen)
        self._caption(pen)
        top, height, width = self.bar
        pen.rectangle((0, top, width, top + height - 1), _bytes(mix(self._ink, _PAPER, 0.2)))
        return image

    def _slate(self, pen: ImageDraw.ImageDraw) -> None:
        layout, size = self._layout, self._layout.slate_size
        face = fonts.bundled(fonts.SLATE)
        middle, x = layout.top // 2, layout.margin
        if self._spec.watermark:
            font = face.at(size)
            length = font.getlength("PLACEHOLDER")
            pad = round(size * 0.42)
            box = (
                x,
                middle - round(size * 0.74),
                x + round(length) + 2 * pad,
                middle + round(size * 0.74),
            )
            pen.rectangle(box, _bytes(self.accent))
            pen.text(
                (x + pad, middle + round(size * 0.36)),
                "PLACEHOLDER",
                _bytes(self._ink),
                font,
                anchor="ls",
            )
            x = box[2] + round(size * 0.9)
        facts, font = self._facts(face, layout.width - layout.margin - x)
        baseline = middle + round(size * 0.36)
        right = layout.width - layout.margin
        pen.text((right, baseline), facts[-1], _bytes(_PAPER), font, anchor="rs")
        tone = mix(self._ink, _PAPER, 0.72)
        pen.text((x, baseline), "  ·  ".join(facts[:-1]), _bytes(tone), font, anchor="ls")

    def _facts(self, face: fonts.Face, room: int) -> "tuple[list[str], FreeTypeFont]":
        """Return shot, move and duration in the largest slate type that fits beside the tag."""
        facts = [
            _words(self._scene.shot_type),
            _words(self._scene.camera_motion),
            f"{self._spec.duration_seconds:g} S",
        ]
        size = self._layout.slate_size
        while True:
            font = face.at(size)
            needed = font.getlength("  ·  ".join(facts[:-1])) + font.getlength(facts[-1]) + size
            if needed <= room:
                return facts, font
            if size <= 7:
                if len(facts) == 1:
                    return facts, font
                facts.pop(0)
                size = self._layout.slate_size
            else:
                size -= 1

    def _caption(self, pen: ImageDraw.ImageDraw) -> None:
        layout = self._layout
        left, top = layout.margin, layout.bottom + round(layout.slate_size * 0.6)
        clock = self.clock_box
        width = (
            layout.width - 2 * layout.margin
            if layout.portrait
            else clock[0] - left - layout.margin * 2
        )
        end = clock[1] - 2 if layout.portrait else layout.height - round(layout.margin * 0.35)
        if self._spec.title:
            top = self._title(pen, (left, top, width))
        if end - top < round(layout.caption_size * 0.65) + 4:
            self.warnings.append(said(Said.CAPTION_LEFT_OUT))
            return
        text = self._setter.clean(self._spec.prompt)
        smallest = max(8, round(layout.caption_size * 0.5))
        block = self._setter.fit(
            text, (width, end - top), largest=round(layout.caption_size * 1.22), smallest=smallest
        )
        used = (len(block.lines) - 1) * block.leading + round(block.size * 1.25)
        slack = 0 if self._spec.title else max(0, (end - top - used) // 3)
        draw(pen, block, (left, top + slack, width), _bytes(_PAPER))
        if block.truncated:
            self.warnings.append(said(Said.CAPTION_SHORTENED))
        self._small_print(pen, clock)
        if self._setter.missing:
            names = ", ".join(sorted(self._setter.missing))
            self.warnings.append(said(Said.CAPTION_CHARACTERS, characters=names))

    def _title(self, pen: ImageDraw.ImageDraw, box: tuple[int, int, int]) -> int:
        size = self._layout.slate_size
        text = self._setter.clean(self._spec.title).upper()
        block = Setter(self._spec.language, fonts.SLATE).fit(
            text, (box[2], round(size * 1.6)), largest=size, smallest=size
        )
        draw(pen, block, box, _bytes(self.accent))
        return box[1] + round(size * 1.5)

    def _small_print(self, pen: ImageDraw.ImageDraw, clock: tuple[int, int, int, int]) -> None:
        layout = self._layout
        size = max(8, round(layout.slate_size * 0.78))
        font = fonts.bundled(fonts.SLATE).at(size)
        facts = [_words(self._scene.time_of_day), _words(self._scene.mood)]
        tone = _bytes(mix(self._ink, _PAPER, 0.5))
        right = layout.width - layout.margin
        if not layout.portrait:
            if clock[3] + size * 1.5 < layout.height:
                pen.text((right, clock[3] + size), facts[0], tone, font, anchor="rs")
            return
        while facts and font.getlength("  ·  ".join(facts)) > clock[0] - 2 * layout.margin:
            facts.pop()
        place = (layout.margin, clock[1] + self._clock_size)
        pen.text(place, "  ·  ".join(facts), tone, font, anchor="ls")


def _words(name: str) -> str:
    return name.replace("_", " ").upper()


def _bytes(colour: Colour) -> tuple[int, int, int]:
    return (round(colour[0]), round(colour[1]), round(colour[2]))
