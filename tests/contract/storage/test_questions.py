"""How often a sentence finds what it means: questions that share hardly a word with what is there.

They were written without the groups of words that the index takes for the same, and are never
to be changed to suit it. The rates are those that docs/storage.md tells.
"""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from services.common.database import Database
from services.common.migrate import migrate
from services.storage.adapters.sql_assets import SqlAssets
from services.storage.adapters.sql_search import SqlSearch
from services.storage.domain.facets import Facets
from services.storage.domain.meaning import concepts
from tests.contract.storage.test_asset_store import MIGRATIONS, NOW, record

pytestmark = pytest.mark.timeout(60)
ASKED = {
    "A fisherman mends his net on the pier before dawn":
        "somebody repairing equipment at a harbour early",
    "Children chase a kite across a windy meadow": "kids playing outdoors in a breeze",
    "An astronaut floats past the window of a space station": "weightless cosmonaut in orbit",
    "A baker pulls steaming loaves from a stone oven": "fresh bread being made",
    "Rain hammers on the roof of a yellow taxi in Manhattan": "cab during a downpour in New York",
    "A lioness watches gazelles over the tall grass": "big cat hunting on the savannah",
    "Two chess players stare at the board in silence": "a tense strategy game",
    "A surgeon ties the last stitch under bright lamps": "doctor operating in hospital",
    "Old vinyl spins on a turntable in a smoky bar": "a record playing in a jazz club",
    "A red fox leaps into deep snow after a mouse": "wild animal pouncing in winter",
    "A bride laughs as confetti falls on the church steps": "wedding celebration",
    "A locomotive crosses a viaduct above the fog": "train on a bridge in the mist",
    "Lava creeps down the slope and swallows a road": "volcano eruption destroying a street",
    "A grandmother knits by the fireplace while a cat sleeps":
        "elderly woman making a sweater at home",
    "Skateboarders jump the stairs of a concrete plaza": "teenagers doing tricks in the city",
    "A submarine's lamp finds the wreck of a galleon": "sunken ship on the bottom of the ocean",
    "Monks light candles in a cave temple": "prayer in a sacred place",
    "A drone follows a cyclist down a hairpin pass": "aerial of a bicycle on a mountain road",
    "Farmers carry baskets of tea leaves down a green hill": "harvest on a plantation",
    "A robot arm welds the frame of a car": "industrial automation in a factory",
}  # fmt: skip


async def ranks(database: Database) -> list[int]:
    """At which place each question finds its clip among all of them, from 1; 0 is nowhere."""
    store, search = SqlAssets(database, now=lambda: NOW), SqlSearch(database)
    places = []
    names = {}
    for number, prompt in enumerate(ASKED):
        plain = record(f"r{number}", creative="")
        lineage = replace(plain.description.lineage, prompt=prompt)
        told = replace(plain.description, lineage=lineage)
        claim = await store.claim(replace(plain, description=told))
        names[prompt] = claim.asset.id
        await store.commit(replace(claim.asset, size_bytes=1, sha256=f"{number:064x}"))
    for prompt, question in ASKED.items():
        best = await search.best("acme", concepts(question), facets=Facets(), limit=20)
        found = [identifier for identifier, _ in best]
        wanted = names[prompt]
        places.append(found.index(wanted) + 1 if wanted in found else 0)
    return places


async def test_the_rates_that_are_told_are_those_of_these_questions(database_url: str) -> None:
    async with Database(database_url, schema="storage") as database:
        await migrate(database, MIGRATIONS)
        places = await ranks(database)
    first = sum(place == 1 for place in places)
    among_three = sum(1 <= place <= 3 for place in places)
    told = re.search(
        r"(\d+) of (\d+) at the first place and (\d+) among\s+the first three",
        Path("docs/storage.md").read_text(encoding="utf-8"),
    )
    assert told is not None
    assert tuple(map(int, told.groups())) == (first, len(ASKED), among_three)
