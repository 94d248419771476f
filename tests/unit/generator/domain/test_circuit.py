from datetime import timedelta

from services.generator.domain.circuit import Circuit, Circuits
from tests.fakes.generator_parts import START

REST = timedelta(seconds=30)


def failed(times: int) -> Circuit:
    circuit = Circuit(threshold=3, rest=REST)
    for _ in range(times):
        circuit.failed(START)
    return circuit


def test_it_opens_after_failures_in_a_row_only() -> None:
    assert not failed(2).is_open(START)
    assert failed(3).is_open(START)
    mixed = failed(2)
    mixed.succeeded()
    mixed.failed(START)
    assert not mixed.is_open(START)
    assert mixed.allows(START)


def test_after_a_rest_one_call_decides() -> None:
    circuit = failed(3)
    later = START + REST
    assert not circuit.allows(START)
    assert not circuit.is_open(later)
    assert circuit.allows(later)
    assert not circuit.allows(later)
    circuit.succeeded()
    assert circuit.allows(later)


def test_a_failed_trial_rests_it_again_and_a_trial_without_an_answer_is_repeated() -> None:
    circuit = failed(3)
    later = START + REST
    assert circuit.allows(later)
    circuit.failed(later)
    assert circuit.is_open(later + REST / 2)
    assert circuit.allows(later + REST)
    assert circuit.allows(later + 2 * REST)


def test_each_provider_has_its_own() -> None:
    circuits = Circuits(1, REST)
    circuits.of("runway").failed(START)
    circuits.of("kling").succeeded()
    assert circuits.open(START) == {"runway"}
