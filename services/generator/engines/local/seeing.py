"""Asks the process of this machine's models how much a picture looks like words, or another."""

from pathlib import Path

from services.common.errors import ServiceError
from services.common.telemetry import get_logger
from services.generator.domain.records import from_record, to_record
from services.generator.domain.shapes import Shape
from services.generator.domain.tasks import Operation
from services.generator.engines.local.asks import Ask
from services.generator.engines.local.made import Made
from services.generator.engines.local.probe import Source
from services.generator.engines.local.process import ModelProcess

SEEING = "clip"
"""The id in the catalogue of the model that compares pictures with words and pictures."""

log = get_logger(__name__)


class Seeing:
    """CLIP in the process that holds the models; `source` is its checkpoint."""

    def __init__(self, process: ModelProcess, source: Source) -> None:
        self._process = process
        self._source = source

    async def likeness(self, identifier: str, picture: Path, words: str) -> float | None:
        """Return the cosine of picture and words, -1 to 1; None where it cannot tell."""
        return await self._cosine(identifier, picture, words, {"image": str(picture)})

    async def resemblance(self, identifier: str, picture: Path, beside: Path) -> float | None:
        """Return the cosine of the two pictures, -1 to 1; None where it cannot tell."""
        files = {"image": str(picture), "beside": str(beside)}
        return await self._cosine(identifier, picture, "", files)

    async def _cosine(
        self, identifier: str, picture: Path, words: str, files: dict[str, str]
    ) -> float | None:
        ask = Ask(
            identifier=identifier,
            operation=Operation.CHECK,
            source=self._source,
            shape=Shape(),
            prompt=words,
            seed=0,
            files=files,
        )
        seen = picture.with_name(f"{picture.name}.seen.json")
        try:
            made = await self._process.make(identifier, to_record(ask), str(seen), _unheeded)
        except ServiceError as error:
            log.warning("picture not compared", error=error.message, generation=identifier)
            return None
        return from_record(Made, made).score


def _unheeded(fraction: float) -> None:
    """Hear how far it is: it is done in a moment."""
