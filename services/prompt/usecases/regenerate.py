"""RegeneratePrompt: feedback in, the next iteration and a structured diff out."""

from dataclasses import dataclass, field, replace

from services.prompt.domain.feedback import (
    FeedbackRules,
    Regenerated,
    RegenerateRequest,
    Revision,
)
from services.prompt.domain.fitting import Notice
from services.prompt.domain.knowledge import Knowledge
from services.prompt.domain.language_model import (
    LanguageModel,
    LanguageModelFailedError,
    Proposal,
    RevisionDraft,
    RevisionQuestion,
)
from services.prompt.domain.parameters import in_words
from services.prompt.domain.ports import Reader
from services.prompt.domain.preservation import Preservation
from services.prompt.domain.quantified import RULES, Backend, Provenance

_PICTURE = (
    "style",
    "camera_motion",
    "shot_type",
    "mood",
    "time_of_day",
    "aspect_ratio",
    "negative_prompt",
)
_SETTABLE = ("duration_seconds", "resolution", "fps", "quality", *_PICTURE)

_MOST_WISHES = 60
"""Rules read no more than these; nobody waits while a thousand commas are looked at."""


@dataclass
class _Rest:
    """The wishes that rules did not understand, and what became of them."""

    wishes: tuple[str, ...]
    done: set[int] = field(default_factory=set)
    notices: list[Notice] = field(default_factory=list)
    spent: Backend = RULES

    @property
    def not_understood(self) -> tuple[str, ...]:
        return tuple(w for number, w in enumerate(self.wishes) if number not in self.done)

    def named(self, numbers: tuple[int, ...]) -> str:
        return "; ".join(self.wishes[number] for number in numbers)


class RegeneratePrompt:
    """Understands the common vocabulary of feedback, and everything that prompts can say.

    A language model, where there is one, is asked about the rest alone, and advises: it changes
    nothing that costs money, nothing that the caller has set, and loses nothing that no wish
    speaks of. How many variations are made is the caller's alone: feedback may be a stranger's.
    """

    def __init__(
        self,
        *,
        reader: Reader,
        knowledge: Knowledge,
        rules: FeedbackRules,
        model: LanguageModel | None = None,
    ) -> None:
        self._reader = reader
        self._knowledge = knowledge
        self._rules = rules
        self._model = model
        self._preservation = Preservation(knowledge.lexicons, knowledge.names)

    async def __call__(
        self, request: RegenerateRequest, *, patience: float | None = None
    ) -> Regenerated:
        """The next iteration; parts that were not understood are named, never guessed at.

        `patience` is how many seconds the caller can wait.
        """
        revision = self._revision(request)
        parts = self._rules.parts(request.feedback)
        read = parts[:_MOST_WISHES]
        unknown = [part for part in read if not self._apply(part, revision)]
        rest = _Rest((*unknown, *parts[_MOST_WISHES:]))
        if not request.rules_only:
            await self._ask(revision, rest, patience)
        return Regenerated(
            quantified=replace(
                request.previous,
                prompt=revision.prompt,
                parameters=revision.parameters,
                provenance=revision.provenance,
                warnings=self._warnings(request, rest),
                backend=rest.spent,
            ),
            iteration=request.iteration + 1,
            parent_iteration=request.iteration,
            changes=tuple(revision.changes),
            creative_id=request.creative_id,
            not_understood=rest.not_understood,
        )

    def _revision(self, request: RegenerateRequest) -> Revision:
        previous, lexicons = request.previous, self._knowledge.lexicons
        return Revision(
            rules=self._rules,
            lexicon=lexicons.get(previous.language, lexicons["en"]),
            original=previous.original.rstrip(),
            prompt=previous.prompt,
            parameters=previous.parameters,
            provenance=dict(previous.provenance),
        )

    def _warnings(self, request: RegenerateRequest, rest: _Rest) -> tuple[str, ...]:
        language = self._reader.read(request.feedback, language=request.previous.language).language
        say = self._knowledge.messages.say
        unknown = (say("feedback_not_understood", language, part=p) for p in rest.not_understood)
        return (*unknown, *(say(n.key, language, **n.values) for n in rest.notices))

    def _apply(self, part: str, revision: Revision) -> bool:
        """Whether anything in this wish was understood."""
        reading = self._reader.read(part, language=revision.lexicon.language)
        said = reading.said()
        wants = [name for name in _SETTABLE if said.get(name)]
        rules = [] if said.negative_prompt else self._rules.matching(part)
        for rule in rules:
            revision.apply(rule, part)
        taken = {name for rule in rules for name in rule.set.said()}
        for name in wants:
            if name not in taken:
                revision.put(name, said.get(name), part)
        return bool(rules or wants) or self._rules.is_filler(part)

    async def _ask(self, revision: Revision, rest: _Rest, patience: float | None) -> None:
        if self._model is None or not rest.wishes:
            return
        known = {n: in_words(revision.parameters.get(n)) for n in _PICTURE}
        question = RevisionQuestion(
            prompt=revision.prompt,
            wishes=rest.wishes,
            parameters={name: value for name, value in known.items() if value},
        )
        try:
            draft = await self._model.revise(question, patience=patience)
        except LanguageModelFailedError as failure:
            rest.spent = failure.spent
            rest.notices.append(Notice("llm_failed", {"why": str(failure)}))
            return
        rest.spent = draft.backend
        self._take_words(draft, revision, rest)
        for proposal in draft.proposals:
            if self._takes(proposal, revision):
                revision.put(proposal.field, proposal.value, rest.wishes[proposal.wish])
                revision.provenance[proposal.field] = Provenance.LLM
                rest.done.add(proposal.wish)

    @staticmethod
    def _takes(proposal: Proposal, revision: Revision) -> bool:
        """Whether this may be changed at all, and changes something."""
        mine = revision.provenance.get(proposal.field) is Provenance.CALLER
        same = revision.parameters.get(proposal.field) == proposal.value
        return proposal.field in _PICTURE and not mine and not same

    def _take_words(self, draft: RevisionDraft, revision: Revision, rest: _Rest) -> None:
        """The model's words, unless they lose what no wish speaks of."""
        if not draft.prompt_wishes or draft.prompt.strip() == revision.prompt.strip():
            return
        wished = " ".join(rest.wishes).casefold()
        lost = self._preservation.lost(revision.prompt, draft.prompt)
        missing = [thing for thing in lost if thing.strip("\"'“”‘’«»").casefold() not in wished]
        before = self._reader.read(revision.prompt).language
        if self._reader.read(draft.prompt).language != before:
            missing.append(before)
        if missing:
            rest.notices.append(Notice("llm_changed_meaning", {"lost": "; ".join(missing)}))
            return
        revision.rewrite(draft.prompt, rest.named(draft.prompt_wishes))
        rest.done |= set(draft.prompt_wishes)
