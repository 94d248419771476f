"""A card that is lost to its process: everything fails there, so the process ends."""

import io
import json
from typing import Any, cast

import pytest
import torch

from services.generator.domain.records import to_record
from services.generator.domain.shapes import Shape
from services.generator.domain.tasks import Operation
from services.generator.engines.local import memory
from services.generator.engines.local.__main__ import Server
from services.generator.engines.local.asks import Ask
from services.generator.engines.local.probe import Source

pytestmark = [
    pytest.mark.xdist_group("torch"),
    pytest.mark.timeout(300),  # imports torch
]
LOST = torch.AcceleratorError("CUDA error: an illegal memory access was encountered")
ODD = torch.AcceleratorError("CUDA error: no kernel image is available for execution on the device")
FULL = torch.AcceleratorError("CUDA error: out of memory")


class Failing:
    """A host of which every order ends with an error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def carry_out(self, *_: object) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "left"), [(LOST, 1), (FULL, 0), (ODD, 0), (RuntimeError("a bug"), 0)]
)
def test_only_a_lost_card_ends_the_process(tmp_path, error, left) -> None:
    ask = Ask(
        identifier="a",
        operation=Operation.IMAGE,
        source=Source(model="a", location=str(tmp_path)),
        shape=Shape(),
        prompt="grey",
        seed=1,
    )
    answers, times = io.StringIO(), []
    server = Server(cast("Any", Failing(error)), answers, leave=lambda: times.append(1))
    order = {"id": "a", "order": to_record(ask), "path": str(tmp_path / "a")}
    server.serve(io.StringIO(json.dumps(order) + "\n"))
    assert len(times) == left
    assert json.loads(answers.getvalue())["failed"]["kind"] == "internal"


def test_what_is_lost_is_not_what_is_full() -> None:
    assert [memory.lost(LOST), memory.lost(FULL), memory.out_of_memory(FULL)] == [True, False, True]


@pytest.mark.parametrize(
    "words",
    [
        "no kernel image is available for execution on the device",
        "too many resources requested for launch",
        "invalid configuration argument",
        "invalid argument",
        "operation not supported",
    ],
)
def test_a_call_that_a_card_refuses_does_not_end_the_process(words) -> None:
    assert not memory.lost(torch.AcceleratorError(f"CUDA error: {words}\nSearch for it."))


@pytest.mark.parametrize(
    "words",
    [
        "misaligned address",
        "device-side assert triggered",
        "unspecified launch failure",
        "uncorrectable ECC error encountered",
        "CUDA-capable device(s) is/are busy or unavailable",
    ],
)
def test_a_card_that_refuses_every_later_call_is_lost(words) -> None:
    assert memory.lost(torch.AcceleratorError(f"CUDA error: {words}\nSearch for it."))


def test_a_card_is_lost_by_the_code_that_torch_tells_whatever_the_words() -> None:
    error: Any = torch.AcceleratorError("CUDA-Fehler")
    error.error_code = 700
    assert memory.lost(error)
    error.error_code = 209
    assert not memory.lost(error)
