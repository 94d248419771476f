"""Whether this worker can work, for its readiness, its metrics and everybody who asks."""

import time
from collections.abc import Callable

from services.common.telemetry import Metrics, get_logger
from services.generator.domain.gpu_cost import idle_micros
from services.generator.domain.workers import WorkerState

_FAILURES = 3

log = get_logger(__name__)


class Health:
    """STARTING until the warm-up ran, then READY and BUSY in turn.

    SETUP_FAILED when the warm-up failed. UNHEALTHY after `failures` of the machine in a row (not
    of the work: a bad picture says nothing about a card); a warm-up that runs makes it READY.
    """

    def __init__(
        self,
        metrics: Metrics,
        *,
        clock: Callable[[], float] = time.monotonic,
        failures: int = _FAILURES,
        gpu_rate: int | None = None,
    ) -> None:
        """`gpu_rate` is what the device costs in micro-USD an hour, None where nobody has said."""
        self._clock = clock
        self._rate = gpu_rate
        self._busy_seconds = 0.0
        self._begun = clock()
        self._most = failures
        self._failures = 0
        self._was_warm = False
        self.state = WorkerState.STARTING
        self.reason = "starting"
        self.cold_start_seconds = 0.0
        self._states = metrics.gauge("gpu_worker_state", "1 for the present state.", ("state",))
        self._cold = metrics.gauge(
            "gpu_worker_cold_start_seconds", "From the start of the process to its first warm-up."
        )
        self._work = metrics.counter("gpu_worker_work_total", "Work that ended.", ("outcome",))
        self._seconds = metrics.histogram("gpu_worker_work_seconds", "From taken to concluded.")
        self._memory = metrics.gauge("gpu_worker_memory_bytes", "Of the device.", ("kind",))
        self._loaded = metrics.gauge("gpu_worker_models_loaded", "Models in the device's memory.")
        self._idle = metrics.gauge(
            "gpu_worker_idle_micros",
            "What the device cost since the start while it worked for nobody, in micro-USD.",
        )
        self._to(WorkerState.STARTING)

    @property
    def ready(self) -> bool:
        """Whether the warm-up ran and nothing is wrong: the readiness check."""
        return self.state.able

    def warmed(self) -> None:
        """The warm-up ran."""
        if not self._was_warm:
            self._was_warm = True
            self.cold_start_seconds = self._clock() - self._begun
            self._cold.set(self.cold_start_seconds)
        self._failures = 0
        self._to(WorkerState.READY)

    def warm_up_failed(self, reason: str) -> None:
        """The warm-up failed: never ready, or not yet well again."""
        ill = WorkerState.UNHEALTHY if self._was_warm else WorkerState.SETUP_FAILED
        self._to(ill, reason)

    def began(self) -> float:
        """Work begins; returns the moment, for `ended`."""
        self._to(WorkerState.BUSY)
        return self._clock()

    def ended(self, outcome: str, since: float, *, machine_failed: bool = False) -> None:
        """Work ended as `outcome`; the machine itself may have failed at it."""
        self._work.labels(outcome=outcome).inc()
        took = self._clock() - since
        self._seconds.observe(took)
        self._busy_seconds += took
        self._count_idle()
        self._failures = self._failures + 1 if machine_failed else 0
        if self._failures >= self._most:
            self._to(WorkerState.UNHEALTHY, f"{self._failures} failures of the machine in a row")
        elif self.state is WorkerState.BUSY:
            self._to(WorkerState.READY)

    def drain(self) -> None:
        """No more work is taken."""
        self._to(WorkerState.DRAINING, "ending")

    def measured(self, used: int, total: int, loaded: int) -> None:
        """Note the device's memory in bytes and how many models lie in it."""
        self._memory.labels(kind="used").set(used)
        self._memory.labels(kind="total").set(total)
        self._loaded.set(loaded)
        self._count_idle()

    def _count_idle(self) -> None:
        """Tell what nobody pays for; work that is under way counts as idle until it has ended."""
        if self._rate is not None:
            up = self._clock() - self._begun
            self._idle.set(idle_micros(self._rate, up, self._busy_seconds))

    def _to(self, state: WorkerState, reason: str = "") -> None:
        if state is not self.state:
            log.info("worker_state", state=state, reason=reason)
        self.state, self.reason = state, reason
        for each in WorkerState:
            self._states.labels(state=each).set(each is state)
