"""Clips longer than one run: which runs make them, and how many frames each goes on from."""

from dataclasses import dataclass

from services.common.errors import InvalidArgument


@dataclass(frozen=True, slots=True)
class Segment:
    """One run: it makes `frames`, the first `overlap` of them over those that came before."""

    frames: int
    overlap: int

    @property
    def new(self) -> int:
        """Frames that were not there before."""
        return self.frames - self.overlap


def segments(frames: int, longest: int, overlap: int) -> tuple[Segment, ...]:
    """Return the runs that make exactly `frames`, each at most `longest`.

    Raises InvalidArgument where one run is not enough and none can be gone on from.
    """
    if frames <= longest or not longest:
        return (Segment(frames, 0),)
    if not 0 < overlap < longest:
        message = f"{frames} frames are more than one run makes, and it cannot be continued"
        raise InvalidArgument("duration", message, allowed=(f"at most {longest} frames",))
    found = [Segment(longest, 0)]
    missing = frames - longest
    while missing > 0:
        new = min(missing, longest - overlap)
        found.append(Segment(new + overlap, overlap))
        missing -= new
    return tuple(found)
