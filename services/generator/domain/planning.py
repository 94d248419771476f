"""Plans a run for the memory there is: the least given up first, refused with the numbers."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from services.common.errors import NoDevice
from services.generator.domain.shapes import Shape
from services.generator.domain.vram import GIB, Device, Footprint, Plan, Rung

MARGIN = 0.12
"""Share of the scratch that fragmentation and the libraries' workspaces take on top."""
CONTEXT = 600 * 2**20
"""Bytes that a CUDA process takes before its first tensor."""
_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
_BLOCKS = 20
"""A block is taken for this part of a denoiser where a family does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What a plan may use: bytes on `device`, in `dtype`; from `least` rung on.

    `settings` are those of each plan; `moves` whether weights can be kept off the device.
    """

    device: Device
    budget: int
    dtype: str
    least: Rung = Rung.RESIDENT
    settings: Mapping[str, str] = field(default_factory=dict)
    moves: bool = True

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """Rungs that help here."""
        last = Rung.OFFLOADED if self.moves else Rung.TILED
        return tuple(rung for rung in Rung if self.least <= rung <= last)


def plans(
    room: Room,
    footprint: Callable[[Shape], Footprint],
    shape: Shape,
    *,
    shorter: Callable[[Shape], Shape | None] = lambda _shape: None,
) -> Iterator[Plan]:
    """Yield every plan that fits, the best first: all rungs at full length, then shorter runs.

    `shorter` returns a shape that gives in, None where nothing more may be given up.

    Raises NoDevice with the numbers when none fits: nothing has been loaded then.
    """
    found, tried = False, shape
    candidate: Shape | None = shape
    while candidate is not None:
        tried = candidate
        for rung in room.rungs:
            plan = planned(room, footprint(candidate), candidate, rung)
            if plan.peak <= room.budget:
                found = True
                yield plan
        candidate = shorter(candidate)
    if not found:
        raise refusal(room, footprint(tried), tried)


def planned(room: Room, need: Footprint, shape: Shape, rung: Rung) -> Plan:
    """Return the plan of one rung with its predicted bytes, whether it fits or not."""
    plan = Plan(
        device=room.device, shape=shape, dtype=room.dtype, rung=rung, settings=room.settings
    )
    weights, scratch = _bytes(need, plan)
    reserve = CONTEXT if room.device.kind == "cuda" else 0
    aside = sum(need.parameters.values()) * _BYTES[plan.dtype] if plan.moved else 0
    return replace(plan, weights=weights, scratch=scratch + reserve, aside=aside)


def refusal(room: Room, need: Footprint, shape: Shape) -> NoDevice:
    """Return the error that says what is needed and what there is."""
    least = planned(room, need, shape, room.rungs[-1]) if room.rungs else None
    wanted = least.peak if least else 0
    message = (
        f"{shape.frames} frames of {shape.width}x{shape.height} need {wanted / GIB:.1f} GiB at "
        f"least, {room.device.name} has {room.budget / GIB:.1f} GiB for them"
    )
    facts = {"needed_bytes": str(wanted), "available_bytes": str(room.budget)}
    return NoDevice(message, metadata=facts)


def _bytes(need: Footprint, plan: Plan) -> tuple[int, int]:
    """Return (weights that stay, scratch on top of them at the worst moment)."""
    size = _BYTES[plan.dtype]
    encoders = sum(need.parameters[name] for name in need.encoders) * size
    denoisers = [need.parameters[name] * size for name in need.denoisers]
    rest = sum(need.parameters.values()) * size - encoders - sum(denoisers)
    if plan.quantised:
        denoisers = [weight // size for weight in denoisers]
    encode, denoise = _spared(need.encode), _spared(need.denoise)
    decode = _spared(need.decode_tiled if plan.tiled else need.decode)
    if plan.offloaded:
        block = need.block * size or max(denoisers, default=0) // _BLOCKS
        return 0, max(encoders // _BLOCKS + encode, block + denoise, rest + decode)
    if plan.encoder_off:
        # One component at a time: nothing stays between the stages.
        largest = max(denoisers, default=0)
        return 0, max(encoders + encode, largest + denoise, rest + decode)
    return encoders + sum(denoisers) + rest, max(encode, denoise, decode)


def _spared(scratch: int) -> int:
    return round(scratch * (1 + MARGIN))
