"""GPUs as the vendor's library tells of them: by its names and errors, never an exception."""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import pynvml
import pytest

from services.orchestrator.adapters.cards import CardUse, card_use, nvml

NOT_SUPPORTED, LOST = pynvml.NVML_ERROR_NOT_SUPPORTED, pynvml.NVML_ERROR_GPU_IS_LOST
UNKNOWN = CardUse(None, None, None)


class Card(NamedTuple):
    """Use in percent, GiB used and GiB; `slices` is a card in MIG mode, which tells no use."""

    percent: float
    used: float
    gib: float
    slices: bool = False
    lost: bool = False


def library(*cards: Card, fails: int = 0) -> Any:
    """`pynvml` of a machine with these cards; every question ends in `fails` where that is set."""

    def told(found: Any, *, refused: int = 0) -> Any:
        if fails or refused:
            raise pynvml.NVMLError(fails or refused)
        return found

    def memory(card: Card) -> Any:
        found = SimpleNamespace(used=card.used * 2**30, total=card.gib * 2**30)
        return told(found, refused=LOST if card.lost else 0)

    def rates(card: Card) -> Any:
        refused = LOST if card.lost else NOT_SUPPORTED if card.slices else 0
        return told(SimpleNamespace(gpu=card.percent), refused=refused)

    made = ModuleType("pynvml")
    names = {
        "nvmlInit": lambda: None,
        "nvmlDeviceGetCount": lambda: told(len(cards)),
        "nvmlDeviceGetHandleByIndex": lambda at: told(cards[at]),
        "nvmlDeviceGetUtilizationRates": rates,
        "nvmlDeviceGetMemoryInfo": memory,
        "NVMLError": pynvml.NVMLError,
    }
    assert all(hasattr(pynvml, name) for name in names), "the library has no such name"
    vars(made).update(names)
    return made


@pytest.mark.parametrize(("cards", "expected"), [
    ((), UNKNOWN),
    ((Card(5, 6, 12),), (5.0, 50.0, 12)),
    ((Card(5, 6, 12), Card(70, 6, 23.98)), (70.0, 50.0, 24)),
    ((Card(5, 20, 80, slices=True),), (None, 25.0, 80)),
    ((Card(9, 1, 4, slices=True), Card(7, 1, 8)), (7.0, 25.0, 8)),
    ((Card(5, 6, 12, lost=True),), UNKNOWN),
    ((Card(99, 12, 12, lost=True), Card(7, 1, 8)), (7.0, 12.5, 8)),
    ((Card(5, 0, 0),), (5.0, None, None)),
])  # fmt: skip
def test_each_figure_is_that_of_the_cards_which_tell_it(cards, expected):
    assert card_use(library(*cards)) == expected


@pytest.mark.parametrize("fault", [LOST, NOT_SUPPORTED, pynvml.NVML_ERROR_UNINITIALIZED])
def test_a_library_that_answers_nothing_tells_nothing(fault):
    assert card_use(library(Card(5, 6, 12), fails=fault)) == UNKNOWN


def test_with_the_library_and_a_card_the_card_is_asked(monkeypatch):
    found = library(Card(5, 6, 12))
    monkeypatch.setitem(sys.modules, "pynvml", found)
    assert nvml() is found


@pytest.mark.parametrize("installed", [None, library(), library(Card(1, 1, 1), fails=LOST)])
def test_without_the_library_its_driver_or_a_card_there_is_nothing_to_ask(monkeypatch, installed):
    monkeypatch.setitem(sys.modules, "pynvml", installed)
    assert nvml() is None
    assert card_use(nvml()) == UNKNOWN


def test_the_library_is_installed_with_the_orchestrator():
    assert callable(pynvml.nvmlInit)
