"""Putting an adapter on: what is its own fault is told by its name, the rest passes through."""

from pathlib import Path

import pytest
import torch

from services.common.errors import InvalidArgument
from services.generator.engines.local.adapters import Lora, adapted

pytestmark = [
    pytest.mark.xdist_group("torch"),
    pytest.mark.timeout(300),  # imports torch
]
NOIR = (Lora("noir", Path("/loras/noir.safetensors")),)


class Pipeline:
    """Refuses every adapter with one error."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.taken_off = 0

    def load_lora_weights(self, *_: object, **__: object) -> None:
        raise self.error

    def unload_lora_weights(self) -> None:
        self.taken_off += 1


@pytest.mark.parametrize(
    "error",
    [
        torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
        torch.OutOfMemoryError("CUDA out of memory"),
        OSError(5, "Input/output error"),
    ],
)
def test_what_is_no_fault_of_an_adapter_is_not_held_against_it(error) -> None:
    pipeline = Pipeline(error)
    with pytest.raises(type(error)) as caught, adapted(pipeline, NOIR):
        raise AssertionError
    assert caught.value is error
    assert pipeline.taken_off == 1


@pytest.mark.parametrize(
    ("error", "words"),
    [(KeyError(), "KeyError"), (ValueError("a\nb"), "a"), (ValueError(" "), "V")],
)
def test_an_adapter_that_does_not_fit_is_named_with_the_reason(error, words) -> None:
    with (
        pytest.raises(InvalidArgument, match=f"noir does not fit this model: {words}"),
        adapted(Pipeline(error), NOIR),
    ):
        raise AssertionError
