"""Modes by the cards that are there, and plans by bytes alone."""

import pytest

from services.common.errors import InvalidArgument, NoDevice
from services.generator.domain.planning import MARGIN, Room, planned, plans
from services.generator.domain.shapes import Grid, Shape, tokens
from services.generator.domain.vram import GIB, Device, Footprint, Mode, Rung, mode_of


def card(gib: float, capability: tuple[int, int] = (9, 0)) -> Device:
    return Device(kind="cuda", name="card", total_bytes=int(gib * GIB), capability=capability)


@pytest.mark.parametrize(
    ("gib", "mode"),
    [
        (139.8, Mode.CINEMA),  # H200
        (79.6, Mode.CINEMA),  # H100, A100-80
        (39.4, Mode.BALANCED),  # A100-40
        (47.5, Mode.BALANCED),  # A6000
        (23.6, Mode.FAST),  # 4090
        (15.7, Mode.FAST),
    ],
)
def test_a_card_is_in_the_mode_that_it_is_sold_for(gib: float, mode: Mode) -> None:
    assert mode_of((card(gib),)) is mode


def test_a_machine_without_a_card_is_in_cpu_mode() -> None:
    assert mode_of(()) is Mode.CPU
    assert mode_of((Device(total_bytes=512 * GIB),)) is Mode.CPU


def test_the_largest_of_several_cards_counts() -> None:
    assert mode_of((card(23.6), card(79.6))) is Mode.CINEMA


def test_a_smaller_mode_can_be_pinned_and_a_larger_one_cannot() -> None:
    assert mode_of((card(47.5),), "fast") is Mode.FAST
    assert mode_of((card(47.5),), "cpu") is Mode.CPU
    with pytest.raises(InvalidArgument, match=r"'cinema' is no mode.*cpu, fast, balanced"):
        mode_of((card(47.5),), "cinema")
    with pytest.raises(InvalidArgument):
        mode_of((), "fast")


SHAPE = Shape(width=1280, height=720, frames=81, fps=16.0)
# As Wan 14B at 720p: 26.6 GiB of denoiser, 10.6 of encoder, 8 of activations, 9.1 to decode.
WAN = Footprint(
    parameters={"transformer": int(13.3 * GIB), "text_encoder": int(5.3 * GIB), "vae": GIB // 8},
    encoders=("text_encoder",),
    denoisers=("transformer",),
    encode=GIB // 4,
    denoise=int(8.0 * GIB),
    decode=int(9.12 * GIB),
    decode_tiled=int(1.96 * GIB),
)


def first(gib: float, need: Footprint = WAN, **kwargs) -> list[Rung]:
    room = Room(device=card(gib), budget=int(gib * GIB), dtype="bfloat16", **kwargs)
    return [plan.rung for plan in plans(room, lambda _shape: need, SHAPE)]


@pytest.mark.parametrize(
    ("gib", "rung"),
    [
        (79, Rung.RESIDENT),
        (47.5, Rung.TILED),
        (39.4, Rung.ENCODER_OFF),
        (24, Rung.QUANTISED),
        (12, Rung.OFFLOADED),
    ],
)
def test_the_least_is_given_up_that_makes_it_fit(gib: float, rung: Rung) -> None:
    assert first(gib)[0] is rung
    assert first(gib) == [each for each in Rung if each >= rung]


def test_what_fits_on_no_rung_is_refused_with_the_numbers() -> None:
    with pytest.raises(NoDevice, match=r"81 frames of 1280x720 need \d+\.\d GiB at least, card"):
        first(6)


def test_a_rung_never_needs_more_than_the_one_before_it() -> None:
    room = Room(device=card(80), budget=80 * GIB, dtype="bfloat16")
    peaks = [planned(room, WAN, SHAPE, rung).peak for rung in Rung]
    assert peaks == sorted(peaks, reverse=True)


def test_weights_that_move_wait_in_the_machines_own_memory() -> None:
    room = Room(device=card(80), budget=80 * GIB, dtype="bfloat16")
    whole = 2 * sum(WAN.parameters.values())
    told = [(planned(room, WAN, SHAPE, rung).aside, rung.name) for rung in Rung]
    assert told == [
        (0, "RESIDENT"),
        (0, "TILED"),
        (whole, "ENCODER_OFF"),
        (whole, "QUANTISED"),
        (whole, "OFFLOADED"),
    ]


def test_weights_that_cannot_move_stay() -> None:
    room = Room(device=Device(total_bytes=GIB), budget=GIB, dtype="float32", moves=False)
    assert room.rungs == (Rung.RESIDENT, Rung.TILED)


def test_shorter_runs_come_after_every_rung_of_the_full_length() -> None:
    def need(shape: Shape) -> Footprint:
        return Footprint(parameters={"transformer": 0}, denoise=shape.frames * GIB)

    def half(shape: Shape) -> Shape | None:
        return Shape(frames=shape.frames // 2) if shape.frames > 20 else None

    room = Room(device=Device(total_bytes=1), budget=50 * GIB, dtype="float32", moves=False)
    found = [plan.shape.frames for plan in plans(room, need, SHAPE, shorter=half)]
    assert found == [40, 40, 20, 20]
    tight = Room(device=Device(total_bytes=1), budget=10 * GIB, dtype="float32", moves=False)
    with pytest.raises(NoDevice, match="20 frames"):
        list(plans(tight, need, SHAPE, shorter=half))


def test_the_margin_is_on_the_scratch_and_not_on_the_weights() -> None:
    room = Room(device=Device(total_bytes=GIB), budget=GIB, dtype="float32")
    need = Footprint(parameters={"transformer": 100}, denoisers=("transformer",), denoise=1000)
    plan = planned(room, need, SHAPE, Rung.RESIDENT)
    assert (plan.weights, plan.scratch) == (400, round(1000 * (1 + MARGIN)))


@pytest.mark.parametrize(
    ("frames", "size", "time", "side", "count"),
    [
        # Published: tokens of local denoisers at these sizes.
        (121, (768, 512), 8, 32, 6_144),
        (121, (1216, 704), 8, 32, 13_376),
        (121, (1920, 1088), 8, 32, 32_640),
        (81, (832, 480), 4, 16, 32_760),
        (81, (1280, 720), 4, 16, 75_600),
        (121, (1280, 704), 4, 32, 27_280),
        (129, (960, 544), 4, 16, 67_320),
        (129, (1280, 720), 4, 16, 118_800),
        (49, (720, 480), 4, 16, 17_550),
    ],
)
def test_tokens_are_those_of_the_real_models(frames, size, time, side, count) -> None:
    shape = Shape(width=size[0], height=size[1], frames=frames)
    assert tokens(shape, time=time, side=side) == count


def test_a_grid_makes_more_rather_than_less() -> None:
    grid = Grid(side=32, time=8)
    assert grid.over(Shape(width=854, height=480, frames=120)) == Shape(
        width=864, height=480, frames=121
    )
    assert grid.over(Shape(width=864, height=480, frames=121)).frames == 121
    assert (grid.under(120), grid.under(121), grid.under(3)) == (113, 121, 1)


def test_nonsense_has_no_footprint_and_no_shape() -> None:
    with pytest.raises(InvalidArgument):
        Footprint(parameters={"vae": -1})
    with pytest.raises(InvalidArgument, match="no such components"):
        Footprint(parameters={"vae": 1}, denoisers=("transformer",))
    with pytest.raises(InvalidArgument):
        Shape(width=-1)
    with pytest.raises(InvalidArgument):
        Device(kind="abacus")
