"""How the simulator behaves; given on the command line, nothing is read from the environment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorSettings:
    """`speed` 2 makes jobs end in half the time; `seed` makes ids and durations repeat.

    `media_seconds` overrides how long results stay (seconds), `drip_seconds` is what a dripping
    download takes and `hang_seconds` how long an unanswered call is held open.
    """

    host: str = "127.0.0.1"
    port: int = 9000
    media_port: int | None = None  # None is the next one, or a free one where `port` is 0
    speed: float = 1.0
    seed: int = 0
    job_seconds: tuple[float, float] = (1.0, 2.0)
    media_seconds: float | None = None
    drip_seconds: float = 20.0
    hang_seconds: float = 300.0
    retry_after_seconds: int = 1

    def __post_init__(self) -> None:
        """Refuse numbers without a meaning."""
        if self.speed <= 0 or self.job_seconds[0] <= 0 or self.job_seconds[0] > self.job_seconds[1]:
            msg = "speed and job_seconds must be greater than zero, and job_seconds in order"
            raise ValueError(msg)


KEY_PREFIX = "sim-"
KEY = "sim-key"
ACCESS_KEY = "sim-access"
SECRET_KEY = "sim-secret-of-kling-0123456789abcdef"  # noqa: S105 - known to everybody on purpose
WEBHOOK_SECRET = "whsec_c2ltdWxhdG9yLXdlYmhvb2stc2VjcmV0LTAwMDE="  # noqa: S105 - as above
WEBHOOK_SEED = bytes(range(32))
MODEL = "sim-model"
PROJECT = "sim-project"
ENDPOINT = "sim-endpoint"
