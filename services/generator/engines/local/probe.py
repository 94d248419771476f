"""What is in a checkpoint, read from its JSON and the heads of its safetensors; no torch, ms."""

import hashlib
import json
import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.common.errors import InvalidArgument

# The last ones are rooms of diffusers' own, whose parts belong to one pipeline alone.
_LIBRARIES = frozenset(
    {"diffusers", "transformers", "ace_step", "audioldm2", "ltx2", "stable_audio"}
)
_LARGEST_HEAD = 100 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a checkpoint lies: a folder, or a repository on a hub with the revision to take.

    `model` is the id in the catalogue. `offline` forbids to ask the hub.
    """

    model: str
    location: str
    revision: str = ""
    offline: bool = False

    def __post_init__(self) -> None:
        """Refuse a repository whose revision is not said: it would change under us."""
        if not self.location:
            raise InvalidArgument("location", "a checkpoint lies somewhere")
        if not self.folder and not self.revision:
            message = f"{self.location!r} is no folder here, and as a repository needs @revision"
            raise InvalidArgument(f"LOCAL_{self.model.upper()}_PATH", message)

    @property
    def folder(self) -> Path | None:
        """The folder it lies in, None for a repository."""
        path = Path(self.location).expanduser()
        return path if path.is_dir() else None

    @property
    def key(self) -> str:
        """Tells checkpoints apart."""
        return f"{self.location}@{self.revision}" if self.revision else self.location


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentFacts:
    """One part of a checkpoint: its class, parameters, bytes on disk and configuration."""

    class_name: str
    parameters: int = 0
    disk_bytes: int = 0
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointFacts:
    """What a checkpoint is: `class_name` says which family loads it.

    `digest` is of its heads: it changes when any weight's name, shape or place does.
    """

    class_name: str
    components: Mapping[str, ComponentFacts]
    index: Mapping[str, Any]
    digest: str

    @property
    def parameters(self) -> Mapping[str, int]:
        """Parameters by component; those that have none are left out."""
        return {name: each.parameters for name, each in self.components.items() if each.parameters}


def folder_of(source: Source) -> Path:
    """Return the folder of a checkpoint; of a repository, the snapshot of its revision.

    Nothing is downloaded here: a job would wait for hours, and a hub that is away would fail it.
    Raises InvalidArgument where it is not on this machine.
    """
    if source.folder is not None:
        return source.folder
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        found = snapshot_download(source.location, revision=source.revision, local_files_only=True)
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError) as error:
        message = f"{source.key} is not on this machine: `reelmesh models pull` brings it"
        raise InvalidArgument("checkpoint", message) from error
    return Path(found)


def probe(folder: Path) -> CheckpointFacts:
    """Return the facts of a checkpoint in a folder.

    Raises InvalidArgument where there is none, where code of its own would have to run, or where
    the weights are not safetensors.
    """
    digest = hashlib.sha256()
    if (folder / "model_index.json").is_file():
        index = _json(folder / "model_index.json", digest)
        components = dict(_components(folder, index, digest))
        class_name = str(index.get("_class_name", ""))
    elif (folder / "config.json").is_file():
        index = _json(folder / "config.json", digest)
        class_name = str((index.get("architectures") or [index.get("model", "")])[0])
        if index.get("auto_map"):
            raise InvalidArgument("checkpoint", f"{folder.name} brings code of its own")
        components = {"model": _component(folder, class_name, digest)}
    else:
        class_name, components, index = *_bare(folder, digest), {}
    if not any(each.parameters for each in components.values()):
        message = f"{folder} holds no weights in safetensors"
        raise InvalidArgument("checkpoint", message, allowed=("*.safetensors",))
    return CheckpointFacts(
        class_name=class_name, components=components, index=index, digest=digest.hexdigest()
    )


def _bare(folder: Path, digest: Any) -> tuple[str, dict[str, ComponentFacts]]:
    """Return what a folder without a configuration holds: Kokoro's graph, or one net alone."""
    graphs, nets = sorted(folder.glob("*.onnx")), sorted(folder.glob("*.safetensors"))
    if len(graphs) == 1 and any(folder.glob("*.bin")):
        size = graphs[0].stat().st_size
        digest.update(f"{graphs[0].name} {size}".encode())
        parts = ComponentFacts(class_name="KokoroOnnx", parameters=size // 4, disk_bytes=size)
        return "KokoroOnnx", {"model": parts}
    if len(nets) == 1:
        return "Upscaler", {"model": _component(folder, "Upscaler", digest)}
    message = f"{folder} holds neither model_index.json nor config.json"
    raise InvalidArgument("checkpoint", message)


def _components(
    folder: Path, index: Mapping[str, Any], digest: Any
) -> Iterator[tuple[str, ComponentFacts]]:
    for name, value in index.items():
        if not isinstance(value, list) or len(value) != 2 or value[0] is None:
            continue
        library, class_name = value
        if library not in _LIBRARIES:
            message = f"{name} is of {library!r}: only known libraries are loaded, never its code"
            raise InvalidArgument("checkpoint", message, allowed=sorted(_LIBRARIES))
        yield name, _component(folder / name, class_name, digest)


def _component(folder: Path, class_name: str, digest: Any) -> ComponentFacts:
    config_file = folder / "config.json"
    config = _json(config_file, digest) if config_file.is_file() else {}
    parameters = size = 0
    for path in sorted(folder.glob("*.safetensors")):
        for tensor in _head(path, digest):
            parameters += math.prod(tensor["shape"])
        size += path.stat().st_size
    return ComponentFacts(
        class_name=class_name, parameters=parameters, disk_bytes=size, config=config
    )


def _json(path: Path, digest: Any) -> dict[str, Any]:
    data = path.read_bytes()
    digest.update(data)
    try:
        found = json.loads(data)
    except ValueError as error:
        raise InvalidArgument("checkpoint", f"{path} is not JSON") from error
    if not isinstance(found, dict):
        raise InvalidArgument("checkpoint", f"{path} is not an object")
    return found


def _head(path: Path, digest: Any) -> Iterator[dict[str, Any]]:
    """Yield what a safetensors file says of its tensors: 8 bytes of length, then JSON."""
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 0 < length <= min(_LARGEST_HEAD, path.stat().st_size):
            raise InvalidArgument("checkpoint", f"{path} is cut short or no safetensors")
        data = file.read(length)
    digest.update(data)
    for name, tensor in json.loads(data).items():
        if name != "__metadata__":
            yield tensor
