"""LoRA for one request: put on before the run, taken off after it, whatever happened."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.common.errors import InvalidArgument
from services.generator.engines.local import memory

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_FIELD = "options.local.lora"
_MOST = 4
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Lora:
    """An adapter by name, its file, and how strongly it works."""

    name: str
    path: Path
    weight: float = 1.0


def loras_of(options: Mapping[str, Any], folder: Path | None) -> tuple[Lora, ...]:
    """Return the adapters of `{"lora": [{"name", "weight"}]}`, found in `folder` by name.

    Raises InvalidArgument naming the ones that are installed.
    """
    asked = options.get("lora", [])
    if not isinstance(asked, list) or len(asked) > _MOST:
        raise InvalidArgument(_FIELD, f"must be a list of at most {_MOST}")
    return tuple(_lora(each, folder) for each in asked)


def distilled(model: str, folder: Path | None) -> Lora:
    """Return the adapter with which a model needs few steps. Raises InvalidArgument without it."""
    path = folder / f"{model}-distilled.safetensors" if folder else None
    if path is None or not path.is_file():
        message = f"distilled needs the adapter {model}-distilled, which is not installed"
        allowed = ("lossless", "standard", "fast")
        raise InvalidArgument("options.local.tier", message, allowed=allowed)
    return Lora(path.stem, path)


def _lora(asked: object, folder: Path | None) -> Lora:
    given = asked if isinstance(asked, Mapping) else {"name": asked}
    name, weight = given.get("name"), given.get("weight", 1.0)
    if not isinstance(weight, int | float) or not -4 <= weight <= 4:
        raise InvalidArgument(f"{_FIELD}.weight", "must be a number", allowed=("-4 to 4",))
    installed = {path.stem: path for path in folder.glob("*.safetensors")} if folder else {}
    # By the names that are there: what was asked for is never made into a path.
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name not in installed:
        message = f"{name!r} is not installed"
        raise InvalidArgument(f"{_FIELD}.name", message, allowed=sorted(installed) or ("none",))
    return Lora(name, installed[name], float(weight))


@contextmanager
def adapted(pipeline: Any, loras: tuple[Lora, ...]) -> Iterator[None]:
    """Run with these adapters. Raises InvalidArgument where the model cannot take one."""
    if not loras:
        yield
        return
    if not hasattr(pipeline, "load_lora_weights"):
        raise InvalidArgument(_FIELD, "this model takes no adapters", allowed=("none",))
    try:
        _put_on(pipeline, loras)
        yield
    finally:
        pipeline.unload_lora_weights()


def _put_on(pipeline: Any, loras: tuple[Lora, ...]) -> None:
    """Load them. Raises InvalidArgument naming one made for another model; OSError."""
    for lora in loras:
        try:
            pipeline.load_lora_weights(
                lora.path.parent,
                weight_name=lora.path.name,
                adapter_name=lora.name,
                local_files_only=True,
            )
            pipeline.set_adapters([lora.name])
        except OSError:
            raise  # the disk's or the network's fault, not the adapter's
        except Exception as error:
            if memory.out_of_memory(error) or memory.lost(error):
                raise
            why = (str(error).strip() or type(error).__name__).splitlines()[0][:_LONGEST]
            raise InvalidArgument(_FIELD, f"{lora.name} does not fit this model: {why}") from error
    pipeline.set_adapters([lora.name for lora in loras], [lora.weight for lora in loras])
