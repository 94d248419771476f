"""Scratch of a denoiser's step, measured on fake tensors: the real sizes, no weight, no card.

Two layers are enough, the peak of inference does not depend on the depth. About a second each,
and the last ones are remembered. Counts what the allocator would; a kernel's own workspace is left
to the planner's margin.
"""

import json
import weakref
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from services.common.telemetry import get_logger
from services.generator.domain.shapes import Shape
from services.generator.engines.local.trials import TRIALS, Sized

_ROUND = 512  # CUDA's caching allocator gives out multiples of it
# The last one puts the face into every so many layers: into the first of the two that are left.
_DEPTHS = ("num_layers", "num_single_layers", "num_refiner_layers", "inject_face_latents_blocks")
_REMEMBERED = 512
"""Shapes of which the bytes are kept: sizes, lengths and rates come in any number."""

_log = get_logger(__name__)


def denoise_bytes(
    class_name: str, config: Mapping[str, Any], shape: Shape, dtype: str
) -> int | None:
    """Return the bytes of one step of a denoiser; None where nobody knows how to try its class."""
    if class_name not in TRIALS:
        return None
    plain = {name: value for name, value in config.items() if not name.startswith("_")}
    try:
        # Neither the rate nor the length in seconds changes a step.
        still = replace(shape, fps=0.0, seconds=0.0)
        return _measured(class_name, json.dumps(plain, sort_keys=True), still, dtype)
    except Exception as error:
        # Whatever a library says about a configuration that it does not know: the family's own
        # coefficients stand in.
        _log.warning("denoiser not measured", denoiser=class_name, why=str(error)[:200])
        return None


@lru_cache(_REMEMBERED)
def _measured(class_name: str, config: str, shape: Shape, dtype: str) -> int:
    import diffusers

    values = json.loads(config)
    shallow = {name: min(2, values[name]) for name in _DEPTHS if isinstance(values.get(name), int)}
    kind = getattr(diffusers, class_name)
    given = TRIALS[class_name](values, shape)

    def call(model: Any) -> None:
        model(**{name: _filled(value, dtype) for name, value in given.items()})

    return peak_bytes(lambda: kind(**{**values, **shallow}), call, dtype)


class _Storages:
    """Bytes of the storages that live now, and the most that there were."""

    def __init__(self) -> None:
        self._held: dict[int, Any] = {}
        self._now = 0
        self.peak = 0

    def leave_out(self, tensor: Any) -> None:
        """Count a tensor for nothing: a weight is no scratch, nor is a view of one."""
        storage = tensor.untyped_storage()
        self._held[storage._cdata] = storage

    def count(self, tensor: Any) -> None:
        """Count a tensor's storage for as long as it lives."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._held:
            return
        size = -(-storage.nbytes() // _ROUND) * _ROUND
        self._held[key] = weakref.ref(storage, lambda _gone: self._drop(key, size))
        self._now += size
        self.peak = max(self.peak, self._now)

    def _drop(self, key: int, size: int) -> None:
        self._held.pop(key, None)
        self._now -= size


def peak_bytes(make: Callable[[], Any], call: Callable[[Any], None], dtype: str) -> int:
    """Return the bytes above the weights at the worst moment of `call(make())`."""
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    storages = _Storages()

    class Meter(TorchDispatchMode):  # type: ignore[misc]  # torch is not read by the type checker
        def __torch_dispatch__(
            self, func: Any, _types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            out = func(*args, **(kwargs or {}))
            for leaf in tree_leaves(out):
                if isinstance(leaf, torch.Tensor):
                    storages.count(leaf)
            return out

    with FakeTensorMode():
        model = make().eval()
        _cast(model, getattr(torch, dtype))
        for each in (*model.parameters(), *model.buffers()):
            storages.leave_out(each)
        with torch.no_grad(), Meter():
            call(model)
    FakeTensorMode.cache_clear()  # it is the process's, and would grow with every new shape
    return storages.peak


def _cast(model: Any, dtype: Any) -> None:
    """Cast weights one by one: fake ones cannot be swapped, and torch's default is everybody's."""
    import torch

    for module in model.modules():
        for name, weight in module._parameters.items():
            if weight is not None and weight.is_floating_point():
                cast = torch.nn.Parameter(weight.to(dtype), requires_grad=False)
                module._parameters[name] = cast


def _filled(value: Any, dtype: str) -> Any:
    """Return the tensor that a size stands for, a pair of them for a pair; others as they are."""
    import torch

    if isinstance(value, Sized):
        return torch.empty(*value.sizes, dtype=getattr(torch, value.dtype or dtype))
    if isinstance(value, tuple):
        return tuple(_filled(each, dtype) for each in value)
    return value
