"""Implements the port `LanguageModel` with one OpenAI-compatible endpoint."""

from functools import partial

from services.prompt.adapters.llm import instructions
from services.prompt.adapters.llm.answers import QuantifyAnswer
from services.prompt.adapters.llm.conversation import Question, ask
from services.prompt.adapters.llm.endpoint import Endpoint
from services.prompt.adapters.llm.labels import LabelsAnswer
from services.prompt.adapters.llm.revisions import ReviseAnswer
from services.prompt.domain.language_model import (
    Draft,
    LabelDraft,
    RevisionDraft,
    RevisionQuestion,
)
from services.prompt.domain.parameters import VideoParameters
from services.prompt.domain.prose import Passage

# json_object enforces no schema, and json_schema does not explain itself to small models: the
# schema stands in the instructions too.
_QUANTIFY = QuantifyAnswer.model_json_schema()
_REVISE = ReviseAnswer.model_json_schema()
_LABEL = LabelsAnswer.model_json_schema()
_MAX_GROWTH = 4_000


class LanguageModelWriter:
    """Two tries for each question, then it says that it failed."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def quantify(
        self, text: str, *, enhance: bool, translate_to: str = "", patience: float | None = None
    ) -> Draft:
        """See `LanguageModel.quantify`."""
        question = Question(
            name="video_request",
            system=instructions.quantify(
                enhance=enhance, translate_to=translate_to, schema=_QUANTIFY
            ),
            user=instructions.fenced("request", text),
            schema=_QUANTIFY,
            read=partial(_draft, text),
        )
        (answer, parameters), backend = await ask(self._endpoint, question, patience=patience)
        return Draft(
            parameters=parameters,
            prompt=answer.prompt,
            language=answer.language,
            backend=backend,
        )

    async def revise(
        self, question: RevisionQuestion, *, patience: float | None = None
    ) -> RevisionDraft:
        """See `LanguageModel.revise`."""
        asked = Question(
            name="video_revision",
            system=instructions.revise(schema=_REVISE),
            user=instructions.wishes(question),
            schema=_REVISE,
            read=lambda text: ReviseAnswer.read(
                text, wishes=len(question.wishes), longest=len(question.prompt) + _MAX_GROWTH
            ),
        )
        answer, backend = await ask(self._endpoint, asked, patience=patience)
        return RevisionDraft(
            prompt=answer.prompt,
            prompt_wishes=answer.carried_out(),
            proposals=answer.proposals(),
            backend=backend,
        )

    async def label(
        self, passages: tuple[Passage, ...], *, patience: float | None = None
    ) -> LabelDraft:
        """See `LanguageModel.label`."""
        question = Question(
            name="story_labels",
            system=instructions.label(schema=_LABEL),
            user=instructions.numbered(passages),
            schema=_LABEL,
            read=lambda text: LabelsAnswer.model_validate_json(text).labels(passages),
        )
        labels, backend = await ask(self._endpoint, question, patience=patience)
        return LabelDraft(labels=labels, backend=backend)


def _draft(request: str, answer: str) -> tuple[QuantifyAnswer, VideoParameters]:
    parsed = QuantifyAnswer.model_validate_json(answer)
    if len(parsed.prompt) > len(request) + _MAX_GROWTH:
        msg = "prompt is far longer than the request"
        raise ValueError(msg)
    return parsed, parsed.parameters()
