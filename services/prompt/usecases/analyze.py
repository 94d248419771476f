"""AnalyzePrompt: the six keys, without a language model."""

import asyncio
from collections.abc import Mapping

from services.prompt.domain.analysis import (
    Analysis,
    AnalyzeRequest,
    complexity,
    count_scenes,
    estimate,
)
from services.prompt.domain.culture import Pack, detect
from services.prompt.domain.merging import DEFAULTS
from services.prompt.domain.ports import LONG_CHARACTERS, Reader


class AnalyzePrompt:
    """Tells complexity, culture and needs; reports back what only the caller can know."""

    def __init__(self, reader: Reader, packs: Mapping[str, Pack]) -> None:
        self._reader = reader
        self._packs = packs

    async def __call__(self, request: AnalyzeRequest) -> Analysis:
        """All six keys, always; a long text is read beside the loop."""
        if len(request.prompt) < LONG_CHARACTERS:
            return self._analyze(request)
        return await asyncio.to_thread(self._analyze, request)

    def _analyze(self, request: AnalyzeRequest) -> Analysis:
        reading = self._reader.read(request.prompt)
        scenes = count_scenes(request.prompt)
        preferences = {
            key.strip().lower(): value.strip() for key, value in request.user_preferences.items()
        }
        return Analysis(
            complexity=complexity(request.prompt, scenes),
            cultural_elements=detect(request.prompt, self._packs.values()),
            resource_requirements=estimate(reading.parameters, scenes, DEFAULTS),
            user_preferences=preferences,
            network_status=request.network_status or "unknown",
            available_models=tuple(dict.fromkeys(filter(None, request.available_models))),
            language=reading.language,
        )
