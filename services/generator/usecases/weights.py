"""Weights on this node: brought with their hashes, pinned to a commit, looked at again."""

import asyncio
import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from services.common.errors import DataLoss, FailedPrecondition, LicenceRefused, NotFound
from services.generator.domain.models import Commercial, Model
from services.generator.domain.ports import Clock
from services.generator.domain.records import to_record
from services.generator.domain.weights import HeldFile, Hub, Lock, RemoteFile, Snapshot, needed

LOCK = "reelmesh.lock.json"
_ROOM = 1.02  # what a file system takes beside the bytes themselves


@dataclass(frozen=True, slots=True)
class Weights:
    """The models in a folder, each in one of its own named after it."""

    hub: Hub
    folder: Path
    now: Clock

    async def pull(
        self, model: Model, repository: str, revision: str = "", *, accepted: bool = False
    ) -> Lock:
        """Bring a model's weights here and return what they are.

        Without `revision` it is the commit that was pulled before, else the newest. What has come
        is held against the hub's hashes before it counts as there.
        Raises LicenceRefused (not accepted), FailedPrecondition (no safetensors, no room, another
        repository lies here), DataLoss (other bytes than announced), and what the hub raises.
        """
        if not accepted:
            message = f"{terms_of(model)}: accept its licence to pull it"
            raise LicenceRefused(message, metadata={"licence": model.licence.name})
        before = self.lock(model.id)
        if before is not None and before.repository != repository:
            message = f"{model.id} lies here from {before.repository}: remove its folder first"
            raise FailedPrecondition(message)
        wanted = revision or (before.commit if before else "main")
        snapshot = await self.hub.snapshot(repository, wanted)
        files = needed(snapshot.files)
        place = self.folder / model.id
        await asyncio.to_thread(_require_room, place, files)
        await self.hub.fetch(snapshot, files, str(place))
        held = await asyncio.to_thread(_held, place, files)
        lock = self._lock(model, snapshot, held)
        await asyncio.to_thread(_write, place / LOCK, lock)
        return lock

    def installed(self) -> list[Lock]:
        """Return what lies here, by the model's id."""
        found = sorted(path.parent.name for path in self.folder.glob(f"*/{LOCK}"))
        return [lock for name in found if (lock := self.lock(name)) is not None]

    async def verify(self, model: str) -> list[str]:
        """Hash every file again; returns a sentence for each that is not as it came.

        Raises NotFound where the model was never pulled.
        """
        lock = self.lock(model)
        if lock is None:
            raise NotFound("model", model)
        return await asyncio.to_thread(lambda: list(_faults(self.folder / model, lock)))

    def lock(self, model: str) -> Lock | None:
        """Return what is known of a model's files, None where it was never pulled whole."""
        path = self.folder / model / LOCK
        if not path.is_file():
            return None
        record = json.loads(path.read_text(encoding="utf-8"))
        files = tuple(HeldFile(**each) for each in record.pop("files"))
        accepted = datetime.fromisoformat(record.pop("accepted"))
        return Lock(files=files, accepted=accepted, **record)

    def _lock(self, model: Model, snapshot: Snapshot, held: tuple[HeldFile, ...]) -> Lock:
        return Lock(
            model=model.id,
            repository=snapshot.repository,
            commit=snapshot.commit,
            licence=model.licence.name,
            accepted=self.now(),
            files=held,
        )


def terms_of(model: Model) -> str:
    """Return what a model's licence allows, in a sentence."""
    licence = model.licence
    use = {
        Commercial.ALLOWED: "commercial use allowed",
        Commercial.CONDITIONAL: "commercial use under conditions",
        Commercial.FORBIDDEN: "no commercial use",
        Commercial.UNKNOWN: "commercial use not known",
    }[licence.commercial_use]
    parts = [f"{model.display_name}: {licence.name}", use]
    if licence.excluded_territories:
        parts.append(f"not in {', '.join(licence.excluded_territories)}")
    return "; ".join([*parts, licence.note] if licence.note else parts)


def _require_room(place: Path, files: tuple[RemoteFile, ...]) -> None:
    place.mkdir(parents=True, exist_ok=True)
    here = sum(
        min(file.size, path.stat().st_size)
        for file in files
        if (path := place / file.path).is_file()
    )
    missing = int((sum(file.size for file in files) - here) * _ROOM)
    free = shutil.disk_usage(place).free
    if missing > free:
        message = f"{missing} bytes are to come and {free} are free in {place}"
        raise FailedPrecondition(message)


def _held(place: Path, files: tuple[RemoteFile, ...]) -> tuple[HeldFile, ...]:
    """Hash what has come. Raises DataLoss, removing the file, where the hub says otherwise."""
    found = []
    for file in files:
        path = place / file.path
        held = HeldFile(path=file.path, size=path.stat().st_size, sha256=_digest(path))
        if (file.sha256 and held.sha256 != file.sha256) or (file.size and held.size != file.size):
            path.unlink()
            raise DataLoss(f"{file.path} is not what the hub announced: it was removed")
        found.append(held)
    return tuple(found)


def _faults(place: Path, lock: Lock) -> Iterator[str]:
    for file in lock.files:
        path = place / file.path
        if not path.is_file():
            yield f"{file.path} is missing"
        elif path.stat().st_size != file.size:
            yield f"{file.path} has {path.stat().st_size} bytes instead of {file.size}"
        elif _digest(path) != file.sha256:
            yield f"{file.path} has other bytes than it came with"
    known = {file.path for file in lock.files} | {LOCK}
    for path in sorted(place.rglob("*.safetensors")):
        if str(path.relative_to(place).as_posix()) not in known:
            yield f"{path.relative_to(place)} did not come with it"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, lock: Lock) -> None:
    record = {**to_record(lock), "accepted": lock.accepted.isoformat()}
    part = path.with_suffix(".part")
    part.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    part.replace(path)
