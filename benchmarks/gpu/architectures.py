"""Checkpoints of the published architectures with random weights: time and memory are real.

A tiny checkpoint of the tests is built again with its denoiser and decoder in the published size.
The words' encoder stays tiny, and with it what takes its words in: it runs once and is not what is
measured. Where a card is present the weights are drawn on it: a processor would take minutes.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu.sizes import SIZES, Size
from tests.fakes.checkpoints import Shelf
from tests.fakes.checkpoints.seeding import made_by

_SPREAD = 0.02  # of the weights about 0: small enough for finite numbers in any depth


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """How checkpoints are made: where weights are drawn, and how.

    `tiny` leaves them as the tests have them; `shallow` has one layer of each kind, in float32, to
    try the real widths on any machine.
    """

    device: str = "cpu"
    tiny: bool = False
    shallow: bool = False

    @property
    def dtype(self) -> torch.dtype:
        return torch.float32 if self.shallow else torch.bfloat16

    def checkpoint(self, name: str, folder: Path) -> Path:
        """Return the folder of a checkpoint, written unless it is there."""
        with self.growing(name):
            made: Path = Shelf(folder).get(name)
        return made

    @contextmanager
    def growing(self, name: str) -> Iterator[None]:
        """Have the tests' builder of this checkpoint make it in its published size."""
        if self.tiny:
            yield
            return
        sizes = SIZES[name]

        def maker(make: Any, *given: Any, **named: Any) -> Any:
            kind = sizes.parts.get(make.__name__)
            if kind is None:
                return make(*given, **named)
            return self._drawn(make, self._config(kind, named))

        with made_by(maker):
            yield

    def _config(self, size: Size, tiny: Mapping[str, Any]) -> dict[str, Any]:
        config = {**size.kept(tiny), **size.config}
        if not self.shallow:
            return config
        return {**config, **dict.fromkeys(size.depths, 1), **size.shallow}

    def _drawn(self, make: Any, config: Mapping[str, Any]) -> Any:
        """A module with small random weights, first laid out without any."""
        before = torch.get_default_dtype()
        torch.set_default_dtype(self.dtype)
        try:
            with torch.device("meta"):
                module = make(**config)
        finally:
            torch.set_default_dtype(before)
        if self.device == "meta":
            return module
        module = module.to_empty(device=self.device)
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.is_floating_point():
                tensor.data.normal_(0, _SPREAD)
        return module.eval().to("cpu")
