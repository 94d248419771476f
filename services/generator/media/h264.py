"""Parameter sets and packets of H.264 streams (ISO/IEC 14496-10 annex B, 14496-15 section 5.3).

A copied and an encoded part share one track when their parameter sets have different numbers: the
track's header then holds both, and each picture says which it goes by.
"""

from collections.abc import Sequence
from dataclasses import dataclass

START_CODE = b"\0\0\0\1"
_IDR, _SLICE_TYPES = 5, frozenset({1, 2, 3, 4, 5})


@dataclass(frozen=True, slots=True)
class ParameterSets:
    """Sequence and picture parameter sets as NAL units."""

    sequence: tuple[bytes, ...]
    picture: tuple[bytes, ...]

    @property
    def numbers(self) -> frozenset[int]:
        """The numbers that are taken by sequence or picture parameter sets."""
        # A sequence parameter set begins with profile, constraints and level: three bytes.
        sequence = {_exp_golomb(unit[4:]) for unit in self.sequence}
        return frozenset(sequence | {_exp_golomb(unit[1:]) for unit in self.picture})


def header(sets: Sequence[ParameterSets]) -> bytes:
    """Return parameter sets in their order, in the form of annex B."""
    units = [unit for each in sets for unit in each.sequence]
    units += [unit for each in sets for unit in each.picture]
    return b"".join(START_CODE + unit for unit in units)


def parameter_sets(record: bytes) -> ParameterSets | None:
    """Return what an AVCDecoderConfigurationRecord holds, None when it is not one we can use.

    Only records with lengths of four bytes are taken.
    """
    if len(record) < 7 or record[0] != 1 or record[4] & 3 != 3:
        return None
    at, found = 5, []
    for mask in (0x1F, 0xFF):
        units = []
        count, at = record[at] & mask, at + 1
        for _ in range(count):
            length = int.from_bytes(record[at : at + 2])
            units.append(record[at + 2 : at + 2 + length])
            at += 2 + length
        found.append(tuple(units))
    return ParameterSets(found[0], found[1]) if all(found) else None


def annex_b(packet: bytes) -> bytes:
    """Return a packet with start codes in place of its units' lengths; the units do not change."""
    return b"".join(START_CODE + unit for unit in units_of(packet))


def units_of(packet: bytes) -> list[bytes]:
    """Return the NAL units of a packet whose units are preceded by four bytes of length."""
    units, at = [], 0
    while at + 4 < len(packet):
        length = int.from_bytes(packet[at : at + 4])
        units.append(packet[at + 4 : at + 4 + length])
        at += 4 + length
    return units


def is_idr(packet: bytes) -> bool:
    """Whether a packet begins anew: nothing after it refers to anything before."""
    kinds = [unit[0] & 0x1F for unit in units_of(packet) if unit]
    slices = [kind for kind in kinds if kind in _SLICE_TYPES]
    return bool(slices) and all(kind == _IDR for kind in slices)


def _exp_golomb(data: bytes) -> int:
    """Return the unsigned Exp-Golomb number at the beginning of `data` (section 9.1)."""
    bits = "".join(f"{byte:08b}" for byte in data[:8])
    zeros = len(bits) - len(bits.lstrip("0"))
    return int(bits[zeros : 2 * zeros + 1] or "1", 2) - 1
