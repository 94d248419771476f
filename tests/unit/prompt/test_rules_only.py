"""Words that stay in this deployment are shown to no language model, whatever is asked of them."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest

from services.prompt.adapters.rules.reader import RulesReader
from services.prompt.adapters.scripts.library import ScriptFiles
from services.prompt.domain.feedback import RegenerateRequest
from services.prompt.domain.knowledge import Knowledge
from services.prompt.domain.language_model import LanguageModelFailedError
from services.prompt.domain.quantified import CompileRequest, Enhance, Limits, QuantifyRequest
from services.prompt.domain.script import BreakDownRequest
from services.prompt.packs import load_feedback
from services.prompt.usecases.break_down import BreakDownScript
from services.prompt.usecases.compile import CompilePrompt
from services.prompt.usecases.quantify import QuantifyPrompt
from services.prompt.usecases.regenerate import RegeneratePrompt

Ask: TypeAlias = Callable[[bool], Awaitable[Any]]
SWAHILI = "Simba anatembea savana usiku, bila watu"
STORY = """Amina closed her stall in the old market. "You are late," she told the boy."""


class Overhearing:
    """A language model that is away, and remembers whatever it was asked."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    async def quantify(self, *_: Any, **__: Any) -> Any:
        self.heard.append("quantify")
        raise LanguageModelFailedError("away")

    async def revise(self, *_: Any, **__: Any) -> Any:
        self.heard.append("revise")
        raise LanguageModelFailedError("away")

    async def label(self, *_: Any, **__: Any) -> Any:
        self.heard.append("label")
        raise LanguageModelFailedError("away")


async def asking(reader: RulesReader, knowledge: Knowledge, model: Overhearing) -> dict[str, Ask]:
    """Each use case with something that a language model would be asked about."""
    parts: dict[str, Any] = {"reader": reader, "knowledge": knowledge, "model": model}
    plain = QuantifyPrompt(reader=reader, knowledge=knowledge)
    known = await plain(QuantifyRequest(prompt=SWAHILI))
    english = Limits(languages=("en",))
    broken = BreakDownScript(
        parser=ScriptFiles(), reader=reader, messages=knowledge.messages, model=model
    )
    compiled, regenerated = CompilePrompt(**parts), RegeneratePrompt(**parts, rules=load_feedback())
    return {
        "quantify": lambda only: QuantifyPrompt(**parts)(
            QuantifyRequest(prompt=SWAHILI, enhance=Enhance.ON, rules_only=only)
        ),
        "compile": lambda only: compiled(
            CompileRequest(quantified=known, limits=english, rules_only=only)
        ),
        "regenerate": lambda only: regenerated(
            RegenerateRequest(previous=known, feedback="with more gravitas", rules_only=only)
        ),
        "break down": lambda only: broken(BreakDownRequest(script=STORY, rules_only=only)),
    }


@pytest.mark.parametrize("work", ["quantify", "compile", "regenerate", "break down"])
async def test_work_by_rules_alone_is_shown_to_no_language_model(
    reader: RulesReader, knowledge: Knowledge, work: str
) -> None:
    model = Overhearing()
    ask = (await asking(reader, knowledge, model))[work]
    assert await ask(True)
    assert model.heard == []
    assert await ask(False)
    assert model.heard
