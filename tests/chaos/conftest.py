"""Stacks of real processes, kept for a whole test process and healed between tests."""

import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.servers import Nats, Postgres
from tests.stack import Client, Stack

KILLABLE = {
    "orchestrator": "tests.chaos.killable_orchestrator",
    "generator": "tests.chaos.killable_generator",
}
# The same names over restarts, as a StatefulSet gives them: work is taken up at once.
NAMED = {"ORCHESTRATOR_EXECUTOR": "orchestrator-0", "GENERATOR_REPLICA": "generator-0"}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Show what the services wrote when a test fails."""
    report: Any = yield
    if report.failed and isinstance(item, pytest.Function):
        stacks = {id(value): value for value in item.funcargs.values() if isinstance(value, Stack)}
        report.sections += [part for stack in stacks.values() for part in stack.logs().items()]
    return report


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def kept_stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """One replica of everything, killable, on each database."""
    url = ""
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres_server")
        url = server.create_database()
    nats = Nats()
    stack = Stack(nats, url, modules=KILLABLE, env=NAMED)
    try:
        stack.start()
        yield stack
    finally:
        stack.close()
        nats.close()
        if url:
            server.drop_database(url)


@pytest.fixture
def stack(kept_stack: Stack) -> Stack:
    """The kept stack with all of its processes alive and no point armed."""
    for file in kept_stack.directory.glob("kill-*.json"):
        file.unlink()
    kept_stack.heal()
    return kept_stack


@pytest.fixture
def creative() -> str:
    """A creative id of the test's own."""
    return f"c{uuid.uuid4().hex[:12]}"


@pytest.fixture
async def client(stack: Stack) -> AsyncIterator[Client]:
    """An application on that stack."""
    async with stack.client() as found:
        yield found
