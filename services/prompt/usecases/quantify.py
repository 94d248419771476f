"""QuantifyPrompt: free text and the caller's choices in, typed parameters and a prompt out."""

import asyncio
from dataclasses import dataclass, field

from services.prompt.domain import culture
from services.prompt.domain.culture import Preset
from services.prompt.domain.enhance import append, is_rich, phrases_for
from services.prompt.domain.faithfulness import Faithfulness
from services.prompt.domain.fitting import Notice, Wording, fit_parameters, fit_prompt
from services.prompt.domain.knowledge import Knowledge
from services.prompt.domain.language_model import (
    Draft,
    LanguageModel,
    LanguageModelFailedError,
)
from services.prompt.domain.merging import Merged, merge
from services.prompt.domain.parameters import NOTHING_SAID, VideoParameters
from services.prompt.domain.ports import LONG_CHARACTERS, Reader, Reading
from services.prompt.domain.quantified import (
    RULES,
    Backend,
    Enhance,
    Quantified,
    QuantifyRequest,
    chosen_by_caller,
)


@dataclass
class _Work:
    """One request on its way through the steps."""

    request: QuantifyRequest
    reading: Reading
    preset: Preset | None
    draft: Draft | None = None
    spent: Backend = RULES
    rejected: bool = False
    translated: str = ""
    notices: list[Notice] = field(default_factory=list)

    @property
    def may_change(self) -> bool:
        return self.request.enhance is not Enhance.OFF

    @property
    def enhances(self) -> bool:
        auto = self.request.enhance is Enhance.AUTO and not is_rich(self.request.prompt)
        return self.request.enhance is Enhance.ON or auto

    @property
    def translate_to(self) -> str:
        """The language that the model needs, or "" where it takes the text as it is."""
        known = self.request.limits.languages if self.request.limits else ()
        fits = not known or self.reading.language in known
        return "" if fits or not self.may_change else known[0]


class QuantifyPrompt:
    """Understands by rules, and by a language model where one is configured.

    The language model is advised, never obeyed: what the caller set and what the text says in
    plain words win over it, and a rewrite that loses something is thrown away.
    """

    def __init__(
        self, *, reader: Reader, knowledge: Knowledge, model: LanguageModel | None = None
    ) -> None:
        self._reader = reader
        self._knowledge = knowledge
        self._faithfulness = Faithfulness(reader, knowledge)
        self._model = model

    async def __call__(
        self, request: QuantifyRequest, *, patience: float | None = None
    ) -> Quantified:
        """The prompt with its parameters; never fails because a language model does.

        `patience` is how many seconds the caller can wait.

        Raises:
            InvalidArgument: a preset or pack that is not installed.
        """
        self._knowledge.check_packs(request.packs)
        preset = self._knowledge.preset(request.preset)
        work = _Work(request, await self._read(request), preset)
        await self._ask(work, patience)
        guessed = work.draft.parameters if work.draft else None
        brought = preset.parameters if preset else NOTHING_SAID
        merged = merge(request.parameters, work.reading, guessed, brought)
        work.notices += merged.notices
        base, prompt = self._worded(work, merged)
        prompt, parameters = self._fitted(work, merged, base, prompt)
        return Quantified(
            original=request.prompt,
            prompt=prompt,
            language=work.reading.language,
            parameters=parameters,
            provenance={n: p for n, p in merged.provenance.items() if parameters.get(n)},
            warnings=self._warnings(work),
            backend=work.spent,
            template=request.template,
            prompt_language=work.translated,
        )

    async def _read(self, request: QuantifyRequest) -> Reading:
        """A long text is read beside the loop, which has other callers to serve."""
        if len(request.prompt) < LONG_CHARACTERS:
            return self._reader.read(request.prompt, language=request.language)
        return await asyncio.to_thread(self._reader.read, request.prompt, language=request.language)

    async def _ask(self, work: _Work, patience: float | None) -> None:
        if self._model is None or work.request.rules_only:
            return
        try:
            work.draft = await self._model.quantify(
                work.request.prompt,
                enhance=work.enhances,
                translate_to=work.translate_to,
                patience=patience,
            )
            work.spent = work.draft.backend
        except LanguageModelFailedError as failure:
            work.spent = failure.spent
            work.notices.append(Notice("llm_failed", {"why": str(failure)}))

    def _worded(self, work: _Work, merged: Merged) -> tuple[str, str]:
        """The words to send without and with what was added to them."""
        base, language = self._base(work)
        if not work.may_change:
            return base, base
        additions = (
            [work.preset.phrase.get(language, work.preset.phrase["en"])] if work.preset else []
        )
        if work.enhances and not work.rejected:
            rewritten = base != work.request.prompt and not work.translate_to
            lexicon = self._knowledge.lexicons.get(language, self._knowledge.lexicons["en"])
            if not rewritten:
                additions += phrases_for(merged.parameters, work.reading.said(), lexicon)
            additions += self._enrichment(work, language)
        return base, append(base, additions)

    def _base(self, work: _Work) -> tuple[str, str]:
        """The caller's words, the model's rewrite of them, or a translation; and their language."""
        original, draft = work.request.prompt, work.draft
        if draft is not None and (work.translate_to or work.enhances):
            lost = self._faithfulness.lost(
                work.request.prompt,
                draft.prompt,
                language=work.reading.language,
                translate_to=work.translate_to,
            )
            if not lost:
                work.notices += [Notice("translated_by_llm")] if work.translate_to else []
                work.translated = work.translate_to
                return draft.prompt, work.translate_to or work.reading.language
            work.rejected = True
            work.notices.append(Notice("llm_changed_meaning", {"lost": "; ".join(lost)}))
        words = self._knowledge.word_list(work.reading.language, (work.translate_to,))
        if words is None:
            return original, work.reading.language
        done = words.translate(original)
        values: dict[str, object] = {"unknown": done.unknown, "words": done.words}
        work.notices.append(Notice("translated_by_lexicon", values))
        work.translated = words.target
        return done.text, words.target

    def _enrichment(self, work: _Work, language: str) -> tuple[str, ...]:
        """Phrases of the culture packs that are wanted, and a word on wording that hurts."""
        text = work.request.prompt
        packs = culture.active(text, work.request.packs, self._knowledge.packs)
        for said, instead in culture.disrespect(text, packs, self._language(work)):
            work.notices.append(Notice("respectful_wording", {"said": said, "instead": instead}))
        return culture.enrichment(text, packs, language)

    def _fitted(
        self, work: _Work, merged: Merged, base: str, prompt: str
    ) -> tuple[str, VideoParameters]:
        limits, parameters = work.request.limits, merged.parameters
        if limits is None:
            return prompt, parameters
        parameters, notices = fit_parameters(parameters, merged.provenance, limits)
        wording = Wording(
            base=base,
            prompt=prompt,
            parameters=parameters,
            chosen=chosen_by_caller(merged.provenance),
            may_change=work.may_change,
        )
        fitted = fit_prompt(wording, limits)
        work.notices += [*notices, *fitted.notices]
        language = work.translated or work.reading.language
        if limits.languages and language not in limits.languages:
            allowed = ", ".join(limits.languages)
            values: dict[str, object] = {"language": language, "languages": allowed}
            work.notices.append(Notice("language_not_understood", values))
        return fitted.prompt, fitted.parameters

    def _warnings(self, work: _Work) -> tuple[str, ...]:
        say, language = self._knowledge.messages.say, self._language(work)
        return tuple(dict.fromkeys(say(n.key, language, **n.values) for n in work.notices))

    def _language(self, work: _Work) -> str:
        asked = work.request.language.split("-")[0].lower()
        return asked if asked in self._knowledge.lexicons else work.reading.language
