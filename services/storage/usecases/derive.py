"""Making the files that go with a film or a picture: thumbnail, poster, contact sheet, preview."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from services.common.background import to_the_end
from services.common.errors import DataLoss, ResourceExhausted, StorageFull
from services.storage.domain.assets import AssetState
from services.storage.domain.deriving import (
    STILLS,
    Missing,
    Standing,
    Step,
    endless,
    rested,
    roles_of,
)
from services.storage.domain.intake import intake_of
from services.storage.domain.media_ports import UndrawnError
from services.storage.domain.ports import nothing
from services.storage.domain.streaming import MEDIA, PLAYLIST, pointed_at
from services.storage.usecases.trying import TRIES, Outcome, Tried, Trying

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from services.common.errors import ServiceError
    from services.storage.domain.assets import Asset
    from services.storage.domain.media_ports import DerivedFile, Maker
    from services.storage.domain.ports import (
        AssetStore,
        BlobStore,
        Clock,
        StagingArea,
    )
    from services.storage.usecases.ingest import Ingest
    from services.storage.usecases.library import Library

BATCH = 20


_LEFT_OUT = Missing("it cannot be made without encoding again what players of HLS do not know")
_TAKEN_ALONG = Missing("given up: the service ended each time while it was made", again=True)


@dataclass(slots=True)
class _Turn:
    """The tenant that was served last: the next one comes next, however much each has waiting."""

    tenant: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Derive:
    """Derives what is missing; of several replicas one takes each asset, each file is stored once.

    One of these does what is quick, another what is long, and says so by ``step``: nobody's stills
    wait for a long film to be encoded. ``on_long`` is called when there is work for the other, and
    ``told`` with the outcome of every try. What cannot be drawn is tried again later, a few times,
    then ever more seldom; what waits behind it does not wait for that.
    """

    assets: AssetStore
    blobs: BlobStore
    staging: StagingArea
    ingest: Ingest
    library: Library
    maker: Maker
    now: Clock
    roles: Sequence[str]
    step: Step = Step.QUICK
    on_long: Callable[[], None] = nothing
    told: Callable[[Step, Outcome], None] = lambda _step, _outcome: None
    _turn: _Turn = field(default_factory=_Turn, init=False, repr=False, compare=False)
    _making: asyncio.Lock = field(
        default_factory=asyncio.Lock, init=False, repr=False, compare=False
    )

    async def once(self) -> int:
        """Derive from assets that wait for it, by turns; returns how many were looked at."""
        trying = Trying(assets=self.assets, now=self.now, name="derive")
        for number in range(BATCH if self.roles else 0):
            asset = await self._next()
            if asset is None:
                return number
            missing: dict[str, Missing] = {}
            tried = await trying.of(asset, partial(self._derive, asset, missing))
            self.told(self.step, tried.outcome)
            if tried.outcome != Outcome.LATER:
                # Cut off, it would wait for its lease to end before anybody looked again.
                await to_the_end(self._end(asset, tried, missing))
        return BATCH if self.roles else 0

    async def _next(self) -> Asset | None:
        after = [self._turn.tenant, ""] if self._turn.tenant else [""]
        for tenant in after:
            found = await self.assets.underived(self.step, self.now(), after=tenant)
            if found is not None:
                self._turn.tenant = found.tenant
                return found
        return None

    async def _derive(self, asset: Asset, missing: dict[str, Missing]) -> None:
        """Make what belongs to this step; what is not there at the end is told in ``missing``."""
        missing.clear()
        lacking = await self._lacking(asset, self.step)
        missing |= endless(asset, lacking)
        if roles := [role for role in lacking if role not in missing]:
            failed = await self._added(asset, asset, roles)
            missing |= {role: _why(error) for role, error in failed.items()}
            _raise_worst(failed)
            for role in await self._lacking(asset, self.step):
                missing.setdefault(role, _LEFT_OUT)

    async def _lacking(self, asset: Asset, step: Step) -> list[str]:
        """Return what was never made, though configured: what was deleted since stays deleted."""
        made = await self.assets.roles_made(asset)
        return [role for role in roles_of(step, asset, self.roles) if role not in made]

    async def _end(self, asset: Asset, tried: Tried, found: Mapping[str, Missing]) -> None:
        """Leave the asset to the next step, to another day, or alone."""
        made = await self.assets.roles_made(asset)
        lacking = await self._lacking(asset, self.step)
        if tried.outcome == Outcome.GIVEN_UP and not found:
            found = dict.fromkeys(lacking, _TAKEN_ALONG)
        known = {**asset.missing, **found}
        missing = {role: why for role, why in known.items() if role in {*self.roles} - made}
        moment, roles = self.now(), ",".join(sorted(self.roles))
        if self.step == Step.QUICK and await self._lacking(asset, Step.LONG):
            tries = TRIES - 1 if any(why.again for why in asset.missing.values()) else 0
            standing = Standing(step=Step.LONG, until=moment, missing=missing, tries=tries)
            await self.assets.derive_next(asset, standing, ours=tried.ours)
            self.on_long()
        elif any(why.again for why in missing.values()):
            # One try is enough then.
            standing = Standing(
                step=Step.QUICK,
                until=rested(asset, moment),
                missing=missing,
                tries=TRIES - 1,
                roles=roles,
            )
            await self.assets.derive_next(asset, standing, ours=tried.ours)
        else:
            await self.assets.mark_derived(
                asset, moment, missing=missing, roles=roles, ours=tried.ours
            )

    async def add(
        self, asset: Asset, source: Asset, roles: Sequence[str], *, since: datetime | None = None
    ) -> None:
        """Give ``asset`` files that are made from the bytes of ``source``, itself or one of them.

        ``since`` is when their life begins, now if it is not said. Raises ``DataLoss`` when the
        bytes cannot be read, ``UndrawnError`` and ``ResourceExhausted`` (the tenant's quota) once
        what could be made is stored.
        """
        _raise_worst(await self._added(asset, source, roles, since=since))

    async def _added(
        self, asset: Asset, source: Asset, roles: Sequence[str], *, since: datetime | None = None
    ) -> dict[str, ServiceError]:
        """Make and store the files; returns why those are not there that are not.

        One at a time: whoever waits for the maker is not to fill the disk meanwhile.
        """
        failed: dict[str, ServiceError] = {}
        async with self._making, self.staging.receive(source.size_bytes) as stage:
            async for chunk in self.blobs.read(str(source.key)):
                await stage.write(chunk)
            staged = await stage.finish()
            frames = source.media.frames if source.media else 1
            for some in _in_turn(roles):
                try:
                    async with self._drawn(staged.path, frames, some) as made:
                        await self._keep(asset, made, since)
                except StorageFull:
                    raise
                except (DataLoss, UndrawnError, ResourceExhausted) as error:
                    failed |= dict.fromkeys(some, error)
        return failed

    @asynccontextmanager
    async def _drawn(
        self, source: Path, frames: int, roles: Sequence[str]
    ) -> AsyncIterator[Sequence[DerivedFile]]:
        """Draw into a folder that goes again."""
        async with self.staging.folder() as folder:
            yield await self.maker.make(source, folder, frames=frames, roles=roles)

    async def _keep(
        self, asset: Asset, made: Sequence[DerivedFile], since: datetime | None
    ) -> None:
        names: dict[str, str] = {}
        for file in made:
            if file.role == PLAYLIST:
                told = pointed_at(file.path.read_text(encoding="utf-8"), names[MEDIA])
                file.path.write_text(told, encoding="utf-8")
            source = aclosing(self.staging.read(file.path))
            child = await self.ingest.receive(intake_of(asset, file, since), source)
            names[file.role] = child.file_name
            await self._follow(asset, child)

    async def _follow(self, parent: Asset, child: Asset) -> None:
        """Let the child go with a parent that was deleted while it was being made."""
        found = await self.assets.get(parent.tenant, parent.id)
        if found is None or found.state == AssetState.DELETED:
            await self.library.erase(child)


def _why(error: ServiceError) -> Missing:
    if isinstance(error, DataLoss):
        return Missing(error.message)
    return Missing(f"given up after {TRIES} tries: {error.message}", again=True)


def _raise_worst(failed: Mapping[str, ServiceError]) -> None:
    """Raise one of the errors, if there are any: what may work another time is worth that."""
    if failed:
        raise min(failed.values(), key=lambda error: isinstance(error, DataLoss))


def _in_turn(roles: Sequence[str]) -> list[list[str]]:
    """Return what is drawn together: stills first, then each that reads the whole film alone."""
    stills = [role for role in roles if role in STILLS]
    return [each for each in (stills, *([role] for role in roles if role not in STILLS)) if each]
