from prometheus_client import generate_latest

from services.common.telemetry import Metrics
from services.generator.domain.workers import WorkerState
from services.generator.worker.gpu.state import Health


class Seconds:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def health() -> tuple[Health, Seconds, Metrics]:
    clock, metrics = Seconds(), Metrics("gpu-worker")
    return Health(metrics, clock=clock), clock, metrics


def test_it_is_not_ready_before_its_warm_up_ran() -> None:
    made, clock, metrics = health()
    assert (made.state, made.ready) == (WorkerState.STARTING, False)
    clock.now += 42.5
    made.warmed()
    assert (made.state, made.ready) == (WorkerState.READY, True)
    clock.now += 10
    made.warmed()  # after it was ill: no cold start
    assert made.cold_start_seconds == 42.5
    assert b"reelmesh_gpu_worker_cold_start_seconds 42.5" in generate_latest(metrics.registry)


def test_it_is_busy_while_it_works_and_stays_ready_for_probes() -> None:
    made, clock, metrics = health()
    made.warmed()
    since = made.began()
    assert (made.state, made.ready) == (WorkerState.BUSY, True)
    clock.now += 3
    made.ended("succeeded", since)
    assert made.state == WorkerState.READY
    text = generate_latest(metrics.registry).decode()
    assert 'reelmesh_gpu_worker_work_total{outcome="succeeded"} 1.0' in text
    assert "reelmesh_gpu_worker_work_seconds_sum 3.0" in text
    assert 'reelmesh_gpu_worker_state{state="READY"} 1.0' in text
    assert 'reelmesh_gpu_worker_state{state="BUSY"} 0.0' in text


def test_a_warm_up_that_fails_at_the_start_is_told_apart_from_one_that_fails_later() -> None:
    made, _, _ = health()
    made.warm_up_failed("no kernel image")
    assert (made.state, made.reason) == (WorkerState.SETUP_FAILED, "no kernel image")
    other, _, _ = health()
    other.warmed()
    other.warm_up_failed("it fell off the bus")
    assert (other.state, other.ready) == (WorkerState.UNHEALTHY, False)


def test_three_failures_of_the_machine_in_a_row_make_it_ill_and_a_bad_order_does_not() -> None:
    made, _, _ = health()
    made.warmed()
    for failed in (True, True, False, True, True):
        made.ended("failed", made.began(), machine_failed=failed)
        assert made.state == WorkerState.READY
    made.ended("handed_back", made.began(), machine_failed=True)
    assert made.state == WorkerState.UNHEALTHY
    made.warmed()
    made.ended("handed_back", made.began(), machine_failed=True)
    assert made.ready


def test_the_devices_memory_and_what_lies_in_it_are_measured() -> None:
    made, _, metrics = health()
    made.measured(7, 80, 2)
    text = generate_latest(metrics.registry).decode()
    assert 'reelmesh_gpu_worker_memory_bytes{kind="used"} 7.0' in text
    assert 'reelmesh_gpu_worker_memory_bytes{kind="total"} 80.0' in text
    assert "reelmesh_gpu_worker_models_loaded 2.0" in text


def test_what_the_device_costs_while_it_works_for_nobody_is_told_apart() -> None:
    clock, metrics = Seconds(), Metrics("gpu-worker")
    health = Health(metrics, clock=clock, gpu_rate=3_600_000)  # one micro-dollar a millisecond
    health.warmed()
    clock.now += 100
    begun = health.began()
    clock.now += 120
    health.ended("succeeded", begun)
    clock.now += 30
    health.measured(1, 2, 1)
    assert metrics.registry.get_sample_value("reelmesh_gpu_worker_idle_micros") == 130_000
