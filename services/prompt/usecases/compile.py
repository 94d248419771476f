"""CompilePrompt: a prompt that was quantified before, made ready for one model."""

from dataclasses import dataclass, field, replace

from services.prompt.domain.faithfulness import Faithfulness
from services.prompt.domain.fitting import Notice, Wording, fit_parameters, fit_prompt
from services.prompt.domain.knowledge import Knowledge
from services.prompt.domain.language_model import LanguageModelFailedError, Rewriter
from services.prompt.domain.ports import Reader
from services.prompt.domain.quantified import (
    RULES,
    Backend,
    CompileRequest,
    Enhance,
    Quantified,
    chosen_by_caller,
)


@dataclass
class _Work:
    """One request on its way; `base` is the prompt without what was added to it."""

    request: CompileRequest
    base: str
    prompt: str
    negative: str
    language: str
    spent: Backend = RULES
    notices: list[Notice] = field(default_factory=list)

    @property
    def may_change(self) -> bool:
        return self.request.enhance is not Enhance.OFF

    @property
    def translate_to(self) -> str:
        """The language that the model needs, or "" where it takes the words as they are."""
        known = self.request.limits.languages
        fits = not known or not self.request.limits.text or self.language in known
        return "" if fits or not self.may_change else known[0]


class CompilePrompt:
    """Understands nothing anew; only a translation may ask a language model."""

    def __init__(
        self, *, reader: Reader, knowledge: Knowledge, model: Rewriter | None = None
    ) -> None:
        self._reader = reader
        self._knowledge = knowledge
        self._faithfulness = Faithfulness(reader, knowledge)
        self._model = model

    async def __call__(
        self, request: CompileRequest, *, patience: float | None = None
    ) -> Quantified:
        """The prompt as it is to be sent; its warnings tell of the compiling alone.

        `patience` is how many seconds the caller can wait for a translation.
        """
        work = self._begun(request)
        if work.translate_to:
            await self._translate(work, patience)
        previous, limits = request.quantified, request.limits
        parameters, notices = fit_parameters(
            previous.parameters, previous.provenance, limits, fixed=request.fixed
        )
        wording = Wording(
            base=work.base,
            prompt=work.prompt,
            parameters=parameters.with_value("negative_prompt", work.negative),
            chosen=chosen_by_caller(previous.provenance),
            may_change=work.may_change,
        )
        fitted = fit_prompt(wording, limits)
        work.notices += [*notices, *fitted.notices, *_not_understood(work)]
        return replace(
            previous,
            prompt=fitted.prompt,
            prompt_language=work.language if work.language != previous.language else "",
            parameters=fitted.parameters,
            warnings=self._warnings(work),
            backend=work.spent,
        )

    def _begun(self, request: CompileRequest) -> _Work:
        previous = request.quantified
        original = previous.original.rstrip()
        language = previous.prompt_language or previous.language
        return _Work(
            request=request,
            base=previous.original if previous.prompt.startswith(original) else previous.prompt,
            prompt=previous.prompt,
            negative=previous.parameters.negative_prompt,
            language=language or self._reader.read(previous.original).language,
        )

    async def _translate(self, work: _Work, patience: float | None) -> None:
        """By the language model where one may be asked and loses nothing, else by a word list."""
        model = None if work.request.rules_only else self._model
        if model is None or not await self._asked(work, model, patience):
            self._listed(work)

    async def _asked(self, work: _Work, model: Rewriter, patience: float | None) -> bool:
        target = work.translate_to
        try:
            draft = await model.quantify(
                work.prompt, enhance=False, translate_to=target, patience=patience
            )
        except LanguageModelFailedError as failure:
            work.spent = failure.spent
            work.notices.append(Notice("llm_failed", {"why": str(failure)}))
            return False
        work.spent = draft.backend
        lost = self._faithfulness.lost(
            work.prompt, draft.prompt, language=work.language, translate_to=target
        )
        if lost:
            work.notices.append(Notice("llm_changed_meaning", {"lost": "; ".join(lost)}))
            return False
        words = self._knowledge.word_list(work.language, (target,))
        work.negative = words.translate(work.negative).text if words else work.negative
        work.base = work.prompt = draft.prompt
        work.language = target
        work.notices.append(Notice("translated_by_llm"))
        return True

    def _listed(self, work: _Work) -> None:
        words = self._knowledge.word_list(work.language, (work.translate_to,))
        if words is None:
            return
        done = words.translate(work.base)
        work.prompt = words.translate(work.prompt).text
        work.negative = words.translate(work.negative).text
        work.base, work.language = done.text, words.target
        values: dict[str, object] = {"unknown": done.unknown, "words": done.words}
        work.notices.append(Notice("translated_by_lexicon", values))

    def _warnings(self, work: _Work) -> tuple[str, ...]:
        asked = work.request.language.split("-")[0].lower()
        spoken = asked if asked in self._knowledge.lexicons else work.request.quantified.language
        say = self._knowledge.messages.say
        return tuple(dict.fromkeys(say(n.key, spoken, **n.values) for n in work.notices))


def _not_understood(work: _Work) -> tuple[Notice, ...]:
    limits = work.request.limits
    if not limits.text or not limits.languages or work.language in limits.languages:
        return ()
    values: dict[str, object] = {
        "language": work.language,
        "languages": ", ".join(limits.languages),
    }
    return (Notice("language_not_understood", values),)
