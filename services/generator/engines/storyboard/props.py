"""Trees, houses, vehicles and boats, drawn with the same pen as the figures."""

import math
import random

from services.generator.engines.storyboard.figures import Pen


def acacia(pen: Pen, chance: random.Random) -> None:
    """Draw a flat-topped thorn tree, one high."""
    pen.limbs(
        (
            (0, 0, 0.035, 0.03, 0.45, 0.025),
            (0.03, 0.42, 0.024, -0.28, 0.8, 0.012),
            (0.03, 0.42, 0.022, 0.3, 0.82, 0.012),
            (0.03, 0.45, 0.02, 0.06, 0.84, 0.012),
        )
    )
    for _ in range(26):
        x = chance.uniform(-0.62, 0.62)
        y = 0.9 - 0.16 * (x / 0.62) ** 2 + chance.uniform(-0.045, 0.05)
        pen.oval(x, y, chance.uniform(0.08, 0.2), chance.uniform(0.025, 0.045))


def round_tree(pen: Pen, chance: random.Random) -> None:
    """Draw a broad-leaved tree."""
    pen.limbs(
        (
            (0, 0, 0.04, 0.01, 0.5, 0.025),
            (0.01, 0.4, 0.02, -0.16, 0.62, 0.012),
            (0.01, 0.4, 0.02, 0.15, 0.64, 0.012),
        )
    )
    pen.oval(0.0, 0.68, 0.24, 0.2)
    for i in range(22):  # a ring of leaf masses around the crown
        angle = math.tau * (i + chance.random()) / 22
        reach = chance.uniform(0.72, 1.0)
        x, y = 0.25 * reach * math.cos(angle), 0.68 + 0.2 * reach * math.sin(angle)
        pen.oval(x, y, chance.uniform(0.05, 0.1), chance.uniform(0.045, 0.08))


def pine(pen: Pen, chance: random.Random) -> None:
    """Draw a conifer."""
    pen.limbs(((0, 0, 0.02, 0, 0.3, 0.015),))
    tiers = 7
    for tier in range(tiers):
        y = 0.1 + 0.86 * tier / tiers
        half = 0.24 * (1 - tier / tiers) + 0.03
        droop = chance.uniform(0.01, 0.04)
        pen.shape(
            (
                (-half, y - droop),
                (0, y + 0.24),
                (half * chance.uniform(0.85, 1.1), y - droop),
                (0, y + 0.03),
            ),
            smooth=False,
        )


def palm(pen: Pen, chance: random.Random) -> None:
    """Draw a leaning coconut palm."""
    lean = chance.uniform(0.12, 0.24)
    pen.limbs(
        ((0, -0.05, 0.026, lean * 0.35, 0.4, 0.018), (lean * 0.35, 0.4, 0.018, lean, 0.84, 0.014))
    )
    for reach, rise, fall in (
        (-0.42, 0.1, -0.12),
        (-0.36, 0.2, 0.06),
        (-0.2, 0.24, 0.2),
        (0.16, 0.26, 0.22),
        (0.36, 0.2, 0.05),
        (0.44, 0.08, -0.14),
        (0.25, 0.02, -0.26),
        (-0.24, 0.02, -0.26),
    ):
        tip = (lean + reach, 0.85 + fall)
        bend = (lean + reach * 0.55, 0.85 + rise * 0.75)
        under = (lean + reach * 0.6, 0.85 + rise * 0.3)
        pen.shape(((lean, 0.86), bend, tip, under), smooth=True)


def hut(pen: Pen, chance: random.Random) -> None:
    """Draw a round thatched house with a dark doorway."""
    pen.shape(((-0.5, 0), (-0.46, 0.42), (0.46, 0.42), (0.5, 0)), smooth=False)
    pen.shape(
        ((-0.68, 0.36), (-0.06, 1.0), (0.06, 1.0), (0.68, 0.36), (0.3, 0.4), (-0.3, 0.4)),
        smooth=False,
    )
    door = chance.uniform(-0.12, 0.12)
    pen.shape(
        ((door - 0.1, 0), (door - 0.1, 0.3), (door + 0.1, 0.3), (door + 0.1, 0)), 150, smooth=False
    )


def bus(pen: Pen) -> None:
    """Draw a matatu or minibus, one high (its wheels on the ground)."""
    pen.shape(
        (
            (-1.15, 0.2),
            (-1.17, 0.85),
            (-1.08, 0.98),
            (0.72, 0.98),
            (0.88, 0.9),
            (1.06, 0.56),
            (1.2, 0.48),
            (1.24, 0.22),
            (1.18, 0.14),
            (-1.1, 0.14),
        ),
        smooth=False,
    )
    pen.shape(((-0.9, 0.98), (-0.88, 1.08), (0.45, 1.08), (0.5, 0.98)), smooth=False)
    for x in (-0.72, 0.78):
        pen.oval(x, 0.16, 0.17, 0.17)


def bus_windows(pen: Pen) -> None:
    """Draw the bus's panes and its stripe, to be lit."""
    pen.shape(((-1.15, 0.44), (-1.15, 0.475), (1.1, 0.475), (1.12, 0.44)), 130, smooth=False)
    for i in range(5):
        left = -1.04 + i * 0.32
        pen.shape(
            ((left, 0.58), (left, 0.86), (left + 0.27, 0.86), (left + 0.27, 0.58)), smooth=False
        )
    pen.shape(((0.58, 0.58), (0.58, 0.86), (0.78, 0.86), (0.95, 0.58)), smooth=False)


def bus_lamps(pen: Pen) -> None:
    """Draw the bus's head lamp."""
    pen.oval(1.19, 0.34, 0.045, 0.055)


def car(pen: Pen) -> None:
    """Draw a saloon car."""
    pen.shape(
        (
            (-1.6, 0.22),
            (-1.62, 0.5),
            (-1.5, 0.6),
            (-1.05, 0.64),
            (-0.7, 0.95),
            (-0.5, 1.0),
            (0.28, 1.0),
            (0.46, 0.95),
            (0.86, 0.64),
            (1.5, 0.52),
            (1.64, 0.42),
            (1.64, 0.22),
        ),
        smooth=False,
    )
    for x in (-0.98, 1.02):
        pen.oval(x, 0.22, 0.24, 0.24)


def car_windows(pen: Pen) -> None:
    """Draw the car's panes."""
    pen.shape(((-0.88, 0.66), (-0.62, 0.9), (-0.14, 0.91), (-0.14, 0.66)), smooth=False)
    pen.shape(((-0.06, 0.66), (-0.06, 0.91), (0.34, 0.9), (0.66, 0.66)), smooth=False)


def car_lamps(pen: Pen) -> None:
    """Draw the car's head lamp."""
    pen.oval(1.58, 0.42, 0.06, 0.05)


def dhow(pen: Pen) -> None:
    """Draw a lateen-rigged sailing boat, one high."""
    pen.shape(
        ((-0.5, 0.1), (-0.42, -0.03), (0.3, -0.04), (0.62, 0.17), (0.2, 0.08), (-0.2, 0.075)),
        smooth=False,
    )
    pen.limbs(((0.06, 0.05, 0.012, 0.1, 0.7, 0.009), (-0.4, 0.98, 0.006, 0.5, 0.2, 0.01)))
    pen.shape(
        (
            (-0.4, 0.97),
            (-0.34, 0.6),
            (-0.3, 0.17),
            (0.06, 0.15),
            (0.48, 0.21),
            (0.18, 0.46),
            (-0.12, 0.74),
        )
    )


def lamp(pen: Pen) -> None:
    """Draw a street lamp."""
    pen.limbs(
        (
            (0, 0, 0.014, 0, 0.9, 0.009),
            (0, 0.9, 0.009, 0.06, 0.98, 0.008),
            (0.06, 0.98, 0.008, 0.2, 0.98, 0.008),
        )
    )
    pen.shape(((0.12, 0.97), (0.14, 1.0), (0.27, 0.99), (0.26, 0.965)), smooth=False)
