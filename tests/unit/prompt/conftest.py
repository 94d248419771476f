"""What the prompt tests share: packs read once, they do not change."""

import pytest

from services.prompt.adapters.rules.reader import RulesReader
from services.prompt.domain.knowledge import Knowledge
from services.prompt.domain.preservation import Preservation
from services.prompt.packs import load_knowledge
from services.prompt.usecases.quantify import QuantifyPrompt


@pytest.fixture(scope="session")
def knowledge() -> Knowledge:
    return load_knowledge()


@pytest.fixture(scope="session")
def reader(knowledge: Knowledge) -> RulesReader:
    return RulesReader(knowledge.lexicons, knowledge.names)


@pytest.fixture(scope="session")
def preservation(knowledge: Knowledge) -> Preservation:
    return Preservation(knowledge.lexicons, knowledge.names)


@pytest.fixture(scope="session")
def quantify(reader: RulesReader, knowledge: Knowledge) -> QuantifyPrompt:
    return QuantifyPrompt(reader=reader, knowledge=knowledge)
