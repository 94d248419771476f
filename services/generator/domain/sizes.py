"""Frame sizes for any aspect ratio and resolution."""

from services.common.errors import InvalidArgument

RESOLUTIONS: dict[str, int] = {
    "480p": 480,
    "540p": 540,
    "576p": 576,
    "720p": 720,
    "1080p": 1080,
}
"""Resolution name -> length of the shorter side in pixels of a 16:9 (or 9:16) frame."""

_MAX_TERM = 10_000
_MAX_RATIO = 4.0


def sizes(aspect_ratio: str, resolution: str) -> tuple[int, int]:
    """Return ``(width, height)`` in pixels, both even, for an ``"a:b"`` ratio.

    The short side of 16:9 and everything squarer is the resolution's number; wider frames keep
    the 16:9 long side (as broadcasters letterbox), so that no side outgrows 1920 at 1080p.

    Raises:
        InvalidArgument: the ratio is not ``a:b`` with a, b > 0 and at most 4:1, or the resolution
            is unknown.
    """
    short = RESOLUTIONS.get(resolution)
    if short is None:
        raise InvalidArgument(
            "resolution", f"unknown resolution {resolution!r}", allowed=RESOLUTIONS
        )
    across, down = ratio_terms(aspect_ratio)
    ratio = max(across, down) / min(across, down)
    longest = _even(short * 16 / 9)
    long = min(_even(short * ratio), longest)
    short = _even(long / ratio)
    return (long, short) if across >= down else (short, long)


def ratio_terms(aspect_ratio: str) -> tuple[float, float]:
    """Return the two terms of ``"a:b"``; decimals such as ``"2.39:1"`` are allowed.

    Raises:
        InvalidArgument: not two positive numbers, or longer than 4:1.
    """
    left, _, right = aspect_ratio.partition(":")
    try:
        across, down = float(left), float(right)
    except ValueError:
        across = down = 0.0
    if not (0 < across <= _MAX_TERM and 0 < down <= _MAX_TERM):
        raise InvalidArgument(
            "aspect_ratio", f"not a ratio: {aspect_ratio!r}", allowed=("a:b, such as 16:9",)
        )
    if max(across, down) / min(across, down) > _MAX_RATIO:
        raise InvalidArgument(
            "aspect_ratio", f"{aspect_ratio} is too long", allowed=("1:4 to 4:1",)
        )
    return across, down


def _even(length: float) -> int:
    return max(2, round(length / 2) * 2)
