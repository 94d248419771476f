"""AnalyzePrompt: the six keys, without a language model."""

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
from services.prompt.domain.ports import Reader


class AnalyzePrompt:
    """Tells complexity, culture and needs; reports back what only the caller can know."""

    def __init__(self, reader: Reader, packs: Mapping[str, Pack]) -> None:
        self._reader = reader
        self._packs = packs

    def __call__(self, request: AnalyzeRequest) -> Analysis:
        """All six keys, always."""
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
