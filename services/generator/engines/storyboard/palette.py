"""Colours of a shot, from its time of day, mood and style."""

import colorsys
from dataclasses import dataclass

Colour = tuple[float, float, float]
"""Red, green, blue from 0 to 255."""


@dataclass(frozen=True)
class Palette:
    """Sky from zenith to horizon, the light, land from far to near, and the ink of the slate."""

    zenith: Colour
    sky: Colour
    horizon: Colour
    light: Colour
    far: Colour
    near: Colour
    ink: Colour
    accent: Colour
    moon: bool = False


def rgb(text: str) -> Colour:
    """Return the colour of ``#rrggbb``."""
    return (float(int(text[1:3], 16)), float(int(text[3:5], 16)), float(int(text[5:7], 16)))


def mix(a: Colour, b: Colour, t: float) -> Colour:
    """Return the colour at ``t`` (0 to 1) on the way from ``a`` to ``b``."""
    return (a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t)


#          zenith     sky        horizon    light      far        near       ink        accent
_TIMES = {
    "dawn": (
        "#34456e",
        "#9a86a8",
        "#f6c6a0",
        "#fff0d2",
        "#8a86a6",
        "#2b2f4a",
        "#14151f",
        "#f4a77b",
    ),
    "morning": (
        "#4f93bf",
        "#a5cbd3",
        "#f3e6c6",
        "#fff8e2",
        "#8fb0b0",
        "#274a4c",
        "#101a1c",
        "#efb458",
    ),
    "day": ("#2f7fb8", "#86bfda", "#e4eedd", "#fffbea", "#84aeb4", "#1f4a4a", "#0f191b", "#f2b33d"),
    "golden_hour": (
        "#7a6f8a",
        "#d9a06a",
        "#fbdc94",
        "#fff4cf",
        "#b98a62",
        "#43301f",
        "#1a130d",
        "#f0a63a",
    ),
    "sunset": (
        "#38305e",
        "#b5546a",
        "#fba45a",
        "#ffe9b0",
        "#8c4a62",
        "#2a1a34",
        "#150f1b",
        "#ff8a4c",
    ),
    "dusk": (
        "#161d3d",
        "#3f4a7a",
        "#c98a94",
        "#ffe3c8",
        "#4a4c76",
        "#151a31",
        "#0c0e19",
        "#e58f86",
    ),
    "night": (
        "#070b1c",
        "#132043",
        "#2d4a73",
        "#e8efff",
        "#1d3156",
        "#070c1b",
        "#070911",
        "#f0bd5e",
    ),
    "overcast": (
        "#76858e",
        "#a4b0b3",
        "#d5d8d2",
        "#f2f2ea",
        "#8b989c",
        "#2c373b",
        "#13181a",
        "#d9a441",
    ),
}

#        hue shift, saturation, lightness, contrast
_MOODS = {
    "neutral": (0.0, 1.0, 0.0, 1.0),
    "calm": (0.0, 0.85, 0.03, 0.94),
    "joyful": (0.0, 1.18, 0.03, 1.02),
    "dramatic": (0.0, 1.05, -0.04, 1.14),
    "tense": (-0.02, 0.72, -0.08, 1.12),
    "melancholic": (0.02, 0.55, -0.03, 0.92),
    "romantic": (-0.03, 1.08, 0.02, 0.98),
    "epic": (0.0, 1.12, -0.02, 1.12),
    "mysterious": (0.04, 0.8, -0.07, 1.0),
    "energetic": (0.0, 1.3, 0.01, 1.1),
    "nostalgic": (0.0, 0.66, 0.03, 0.9),
}

_STYLES = {
    ("noir", "black and white", "monochrome", "b&w", "black-and-white"): (0.0, 0.06, -0.03, 1.22),
    ("anime", "cartoon", "animation", "pixar", "comic"): (0.0, 1.25, 0.03, 1.04),
    ("cyberpunk", "neon", "synthwave", "vaporwave"): (0.09, 1.35, 0.0, 1.08),
    ("watercolor", "watercolour", "pastel", "ghibli"): (0.0, 0.82, 0.06, 0.88),
    ("vintage", "retro", "sepia", "film grain", "super 8"): (0.0, 0.62, 0.0, 0.92),
}


def choose(*, time_of_day: str, mood: str, style: str, override: tuple[str, ...]) -> Palette:
    """Return the palette of a shot; colours given by the caller win over the time's."""
    colours = [rgb(c) for c in _TIMES[time_of_day]]
    if override:
        given = [rgb(c) for c in override]
        colours[:6] = [_along(given, i / 5) for i in range(6)]
        colours[3] = mix(max(given, key=sum), (255, 255, 255), 0.6)
        colours[7] = max(given, key=lambda c: max(c) - min(c))
    else:
        colours = [_grade(c, _MOODS[mood]) for c in colours]
        lowered = style.lower()
        for words, grade in _STYLES.items():
            if any(word in lowered for word in words):
                # The accent keeps its hue: it is the lamp, not the paint.
                colours = [_grade(c, grade) for c in colours[:7]] + [
                    _grade(colours[7], (0.0, *grade[1:]))
                ]
    zenith, sky, horizon, light, far, near, ink, accent = colours
    ink = mix(ink, (10, 10, 12), 0.35)
    moon = time_of_day == "night"
    return Palette(zenith, sky, horizon, light, far, near, ink, accent, moon=moon)


def _along(colours: list[Colour], t: float) -> Colour:
    position = t * (len(colours) - 1)
    index = min(int(position), len(colours) - 2)
    return mix(colours[index], colours[index + 1], position - index)


def _grade(colour: Colour, grade: tuple[float, float, float, float]) -> Colour:
    hue_shift, saturation, lift, contrast = grade
    hue, light, sat = colorsys.rgb_to_hls(*(c / 255 for c in colour))
    light = min(1.0, max(0.0, (light - 0.5) * contrast + 0.5 + lift))
    red, green, blue = colorsys.hls_to_rgb((hue + hue_shift) % 1, light, min(1.0, sat * saturation))
    return (red * 255, green * 255, blue * 255)
