"""Every local model says where its weights are, or why they cannot be pulled and what to do."""

import re

import pytest

from services.generator.catalogue.weights import reasons, repositories
from services.generator.domain.models import Model
from services.generator.engines.local.installed import local_models, variable_of

MODELS = {model.id: model for model in local_models()}
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_a_local_model_has_a_repository_or_a_reason(model: Model) -> None:
    where, why = repositories().get(model.id, ""), reasons().get(model.id, "")
    assert bool(where) != bool(why), f"{model.id}: {where!r}, {why!r}"
    assert model.licence.name, "its licence is shown before anything is pulled"
    if where:
        assert _REPOSITORY.fullmatch(where)
        return
    instead = [other for other in (*MODELS, variable_of(model)) if other in why]
    assert instead, f"{model.id}: {why} - and what is to be done?"


def test_nothing_is_said_of_models_that_are_not_there() -> None:
    assert {*repositories(), *reasons()} == MODELS.keys()
