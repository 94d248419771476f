"""Whether a price can be true: a glitch of a vendor's billing must not become a tenant's bill."""

# Above this many times what was expected, and this much more, somebody has to look first.
TIMES, MORE_MICROS = 10, 5_000_000
# The same for a price that nobody knew before: no clip costs as much.
UNKNOWN_MICROS = 50_000_000


def outlandish(micros: int, expected_micros: int | None) -> bool:
    """Return whether a charge is far above what was expected; None or 0 is not known."""
    if not expected_micros:
        return micros > UNKNOWN_MICROS
    return micros > max(TIMES * expected_micros, expected_micros + MORE_MICROS)
