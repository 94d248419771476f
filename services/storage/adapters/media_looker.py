"""Has files looked into and finished by processes of their own; see the ports."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from services.common.errors import DataLoss, Internal, Unavailable
from services.common.telemetry import get_logger
from services.storage.adapters.labels.statements import MODEL_MADE, PARTLY_MODEL_MADE
from services.storage.domain.assets import Manifest, MediaInfo, Provenance
from services.storage.domain.media_ports import Finished

if TYPE_CHECKING:
    from services.storage.domain.assets import Description
    from services.storage.domain.ports import StagedFile

log = get_logger(__name__)


class UndoneError(Unavailable):
    """Send the file again: nobody came to an end over it, and not for its own sake."""


class Looking(Protocol):
    """Whoever answers questions about files."""

    async def ready(self) -> None:
        """Get ready: a file is on its way."""

    async def ask(self, staged: StagedFile, question: dict[str, str]) -> Any:
        """Return the answer of ``look_process``; raises the service error that a failure means.

        That is ``UndoneError`` where whoever looked took too long or was killed.
        """


class MediaInspector:
    """Measures media and refuses what is damaged, cut off, or something else than it says."""

    def __init__(self, looking: Looking) -> None:
        self._looking = looking

    async def expect(self, description: Description) -> None:
        """Get ready, so that the first file does not wait for a process to start."""
        if _is_media(description):
            await self._looking.ready()

    async def inspect(self, staged: StagedFile, description: Description) -> MediaInfo | None:
        """Return the measured facts, ``None`` for files that are no media; see the port."""
        if not _is_media(description):
            return None
        question = {"task": "measure", "content_type": description.content_type}
        found = await self._looking.ask(staged, question)
        length = found.pop("duration")
        duration = None if length is None else timedelta(microseconds=length)
        return MediaInfo(**found, duration=duration)


class MediaFinisher:
    """Has the staged file finished in its place."""

    def __init__(self, looking: Looking, *, label: bool = True) -> None:
        """``label`` says whether what a model made is labelled so."""
        self._looking = looking
        self._label = label

    async def finish(
        self, staged: StagedFile, description: Description, *, by_model: bool
    ) -> Finished:
        """Return the finished file and its provenance; see the port."""
        source = _source(description) if self._label and by_model else ""
        told = {"content_type": description.content_type, "source": source}
        try:
            found = await self._looking.ask(staged, {"task": "finish", **told})
        except (DataLoss, Internal, UndoneError) as error:
            # It was found whole before: an index in front and a label are only nice to have.
            log.warning("kept_as_it_came", path=str(staged.path), cause=error.message)
            return Finished(staged, await self.look(staged, description))
        provenance = Provenance(manifest=Manifest(found["manifest"]))
        if not found["sha256"]:
            return Finished(staged, provenance)
        labelled = found["labelled"]
        provenance = replace(provenance, labelled=labelled, source_sha256=staged.sha256)
        facts = {"size_bytes": found["size_bytes"], "sha256": found["sha256"], "part_crcs": ()}
        return Finished(replace(staged, **facts), provenance, moved=found["moved"])

    async def look(self, staged: StagedFile, description: Description) -> Provenance:
        """Return the provenance of a file that is to stay as it is."""
        question = {"task": "manifest", "content_type": description.content_type}
        found = await self._looking.ask(staged, question)
        return Provenance(manifest=Manifest(found["manifest"]))


def _is_media(description: Description) -> bool:
    return description.content_type.startswith(("video/", "audio/", "image/"))


def _source(description: Description) -> str:
    return PARTLY_MODEL_MADE if description.lineage.untrained else MODEL_MADE
