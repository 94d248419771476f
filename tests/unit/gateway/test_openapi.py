"""The OpenAPI document is what the protos and the endpoint table say."""

import json
from pathlib import Path

from services.gateway.openapi.__main__ import DOCUMENT, render

PROTOS = Path(__file__).parents[3] / "protos"


def test_the_committed_document_is_up_to_date():
    assert DOCUMENT.read_text() == render(PROTOS), "run `python -m services.gateway.openapi`"


def test_every_reference_leads_somewhere_and_everything_is_described():
    document = json.loads(DOCUMENT.read_text())
    schemas = document["components"]["schemas"]
    wanted = {
        part.split('"')[0] for part in DOCUMENT.read_text().split("#/components/schemas/")[1:]
    }

    assert wanted == set(schemas)
    ours = {name: schema for name, schema in schemas.items() if name.startswith("reelmesh.")}
    for name, schema in ours.items():
        assert schema["description"], name
        for field, inner in schema.get("properties", {}).items():
            assert inner["description"], (name, field)
    request = ours["reelmesh.orchestrator.v1.GenerateVideoRequest"]
    assert ours["reelmesh.orchestrator.v1.SetBudgetRequest"]["required"] == ["budget"]
    assert request["properties"]["seed"]["type"] == ["string", "integer"]
    assert request["properties"]["labels"]["additionalProperties"] == {"type": "string"}
    assert "durations as `5s`" in document["info"]["description"]
