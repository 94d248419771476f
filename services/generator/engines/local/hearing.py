"""Asks the process of this machine's models when the words of a text are heard in a recording."""

from pathlib import Path

from services.common.errors import ServiceError
from services.common.telemetry import get_logger
from services.generator.domain.records import from_record, to_record
from services.generator.domain.shapes import Shape
from services.generator.domain.tasks import Operation
from services.generator.engines.heard import Heard, checked
from services.generator.engines.local.asks import Ask
from services.generator.engines.local.made import Made
from services.generator.engines.local.probe import Source
from services.generator.engines.local.process import ModelProcess

HEARING = "whisper"
"""The id in the catalogue of the model that hears words."""

log = get_logger(__name__)


class Hearing:
    """Whisper in the process that holds the models; `source` is its checkpoint."""

    def __init__(self, process: ModelProcess, source: Source) -> None:
        self._process = process
        self._source = source

    async def words(self, identifier: str, audio: Path, text: str, language: str) -> Heard:
        """Return when each word of `text` is heard, and how many were; nothing where it cannot.

        Captions then go by where sound is: they are set in any case.
        """
        ask = Ask(
            identifier=identifier,
            operation=Operation.CAPTIONS,
            source=self._source,
            shape=Shape(),
            prompt=text,
            seed=0,
            language=language,
            files={"audio": str(audio)},
        )
        heard = audio.with_name(f"{audio.name}.heard.flac")
        try:
            made = await self._process.make(identifier, to_record(ask), str(heard), _unheeded)
        except ServiceError as error:
            log.warning("words not heard", error=error.message, generation=identifier)
            return Heard()
        told = from_record(Made, made)
        return checked(text, told.words, told.heard)


def _unheeded(fraction: float) -> None:
    """Hear how far it is: captions are made in a moment."""
