"""Memory of a device: what there is, what a run needs at its worst moment, and how it is planned.

Plain arithmetic on bytes. Weights are counted at the plan's bytes per parameter, scratch as a
family of models reports it for a shape.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from services.common.errors import InvalidArgument
from services.generator.domain.shapes import Shape

GIB = 1024**3
PLAIN = "plain"
"""Of the setting `speed`: nothing is done on top of what the libraries do by themselves."""


class Mode(StrEnum):
    """How much a machine can do, as the makers of the modes named it."""

    CINEMA = "cinema"
    BALANCED = "balanced"
    FAST = "fast"
    CPU = "cpu"


# Least memory in GiB of a mode; cards report a few per cent less than they are sold with.
_LEAST_GIB = {Mode.CINEMA: 80 * 0.95, Mode.BALANCED: 40 * 0.95, Mode.FAST: 0.0}
_FROM_SMALL = (Mode.CPU, Mode.FAST, Mode.BALANCED, Mode.CINEMA)


class Rung(IntEnum):
    """How far a plan gives in to the memory there is; each rung does what those before it do."""

    RESIDENT = 0
    TILED = 1
    ENCODER_OFF = 2
    QUANTISED = 3
    OFFLOADED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One processor of models: "cuda" or "cpu", with its memory in bytes.

    `capability` is the CUDA compute capability, such as (9, 0) for a Hopper card.
    """

    kind: str = "cpu"
    index: int = 0
    name: str = "processor"
    total_bytes: int = 0
    capability: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        """Refuse a device of another kind, or without memory."""
        if self.kind not in {"cuda", "cpu"}:
            raise InvalidArgument("device", f"{self.kind!r} is unknown", allowed=("cuda", "cpu"))
        if self.total_bytes < 0 or self.index < 0:
            raise InvalidArgument("device", f"not a device: {self}")

    @property
    def place(self) -> str:
        """Its name as torch spells it."""
        return f"cuda:{self.index}" if self.kind == "cuda" else "cpu"


def mode_of(devices: "tuple[Device, ...]", pinned: str = "") -> Mode:
    """Return the mode of a machine: that of its largest card, or a smaller one that is `pinned`.

    A card below 24 GB is in Fast mode too: what does not fit it is refused by its bytes. Raises
    InvalidArgument for a mode that is unknown or larger than the cards.
    """
    cards = [each.total_bytes / GIB for each in devices if each.kind == "cuda"]
    fits = (mode for mode, least in _LEAST_GIB.items() if cards and max(cards) >= least)
    found = next(fits, Mode.CPU)
    if not pinned:
        return found
    allowed = _FROM_SMALL[: _FROM_SMALL.index(found) + 1]
    if pinned not in allowed:
        message = f"{pinned!r} is no mode of this machine"
        raise InvalidArgument("mode", message, allowed=allowed)
    return Mode(pinned)


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """Parameters by component, and bytes of scratch at the worst moment of each stage.

    `encoders` names the components that only read the prompt, `denoisers` those that work at every
    step; what is left over decodes. `block` is the largest part that group offloading keeps in
    memory at once, in parameters (0: a twentieth of the denoiser). A step reads `reads` times the
    tokens of the shape: a reference may stand beside what is made.
    """

    parameters: Mapping[str, int]
    encoders: tuple[str, ...] = ()
    denoisers: tuple[str, ...] = ()
    encode: int = 0
    denoise: int = 0
    decode: int = 0
    decode_tiled: int = 0
    block: int = 0
    reads: int = 1

    def __post_init__(self) -> None:
        """Refuse negative bytes and components that are not there."""
        numbers = (*self.parameters.values(), self.encode, self.denoise, self.decode)
        if min(numbers, default=0) < 0 or self.decode_tiled < 0:
            raise InvalidArgument("footprint", "bytes are not negative")
        unknown = {*self.encoders, *self.denoisers} - self.parameters.keys()
        if unknown:
            raise InvalidArgument("footprint", f"no such components: {sorted(unknown)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a model is loaded and run: where, in which precision, on which rung, for which shape.

    `weights` and `scratch` are predicted bytes: the weights stay, the scratch comes and goes;
    `aside` are bytes of weights that wait in the machine's own memory.
    `warnings` tell what was given up. `settings` hold what was probed, such as the attention.
    """

    device: Device
    shape: Shape
    dtype: str = "float32"
    rung: Rung = Rung.RESIDENT
    weights: int = 0
    scratch: int = 0
    aside: int = 0
    warnings: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def peak(self) -> int:
        """Bytes at the worst moment."""
        return self.weights + self.scratch

    @property
    def load(self) -> str:
        """How it is loaded: plans of which this is equal share a loaded model."""
        way = "fast" if self.eight_bits else Rung.RESIDENT.name.lower()
        if self.moved:
            way = self.rung.name.lower()
        return f"{way}-{PLAIN}" if self.plain else way

    @property
    def plain(self) -> bool:
        """Whether no kernel is chosen, nothing compiled and no weight turned for the card."""
        return self.settings.get("speed") == PLAIN

    @property
    def eight_bits(self) -> bool:
        """Whether the denoiser multiplies in eight bits: the fast tier on a card that can."""
        fast = self.settings.get("tier") == "fast" and not self.plain
        return fast and self.device.kind == "cuda" and not self.moved

    @property
    def moved(self) -> bool:
        """Whether the weights are elsewhere, or other than as they come."""
        return self.rung > Rung.TILED

    @property
    def tiled(self) -> bool:
        """Whether frames are decoded in tiles."""
        return self.rung >= Rung.TILED

    @property
    def encoder_off(self) -> bool:
        """Whether each component is on the device only while it works."""
        return self.rung in {Rung.ENCODER_OFF, Rung.QUANTISED}

    @property
    def quantised(self) -> bool:
        """Whether the denoiser's weights are kept in eight bits."""
        return self.rung >= Rung.QUANTISED

    @property
    def offloaded(self) -> bool:
        """Whether the weights wait in the machine's memory and come block by block."""
        return self.rung is Rung.OFFLOADED
