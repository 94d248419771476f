from datetime import timedelta

import pytest
from google.rpc import code_pb2

from reelmesh.generator.v1 import generation_pb2, model_pb2
from services.common.errors import BudgetExceeded, NoCredentials, RateLimited, UnknownOutcome
from services.common.status import from_status
from services.generator.catalogue.loader import load_catalogue
from services.generator.convert import generation_to_proto, model_to_proto
from services.generator.domain.catalogue import Availability, Standing, Surroundings
from services.generator.domain.facts import Cost, Failure, Output, Progress
from services.generator.domain.generation import State
from tests.fakes.generator_parts import START, entry

States = generation_pb2.Generation.State
OUTPUT = Output(
    sha256="ab",
    size_bytes=7,
    content_type="video/mp4",
    width=1280,
    height=720,
    fps=23.976,
    duration_seconds=5.04,
    seed=0,
    storage_url="s3://b/k",
)


def test_a_stored_generation_shows_everything() -> None:
    present = entry(placeholder=True).generation.submitting(START)
    present = present.accepted("job|secret", "id-1", at=START)
    eta = START + timedelta(seconds=9)
    present = present.progressed(Progress(percent=40, source="provider", eta=eta))
    message = generation_to_proto(present)
    assert (message.name, message.tenant_name) == ("generations/g1", "acme")
    assert (message.state, message.progress_percent) == (States.STATE_RUNNING, 40)
    assert message.eta.ToDatetime(tzinfo=START.tzinfo) == eta
    assert "secret" not in str(message)
    cost = Cost(micros=1_250_001, source="reported")
    done = present.storing(("cut",)).succeeded("assets/a", OUTPUT, cost, at=START)
    message = generation_to_proto(done)
    assert (message.cost.units, message.cost.nanos) == (1, 250_001_000)
    assert (message.cost.currency_code, message.cost_source) == ("USD", "reported")
    assert message.output.HasField("seed")
    assert message.output.duration.ToMicroseconds() == 5_040_000
    assert (message.sequence, list(message.warnings)) == (6, ["cut"])
    assert not message.HasField("eta")
    assert not message.HasField("error")


def test_what_is_unknown_stays_unset() -> None:
    message = generation_to_proto(entry().generation)
    for field in ("cost", "eta", "output", "submit_time", "end_time", "error"):
        assert not message.HasField(field)


@pytest.mark.parametrize("state", list(State))
def test_every_state_has_its_word_on_the_wire(state: State) -> None:
    assert f"STATE_{state.value}" in States.keys()  # noqa: SIM118 - a protobuf enum


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RateLimited("slow", 2.5), code_pb2.RESOURCE_EXHAUSTED),
        (UnknownOutcome("lost", metadata={"provider": "v"}), code_pb2.FAILED_PRECONDITION),
        (NoCredentials("no key"), code_pb2.FAILED_PRECONDITION),
        (BudgetExceeded("too dear"), code_pb2.RESOURCE_EXHAUSTED),
    ],
)
def test_a_failure_comes_out_as_the_error_it_was(error, code) -> None:
    failed = entry().generation.failed(Failure.of(error), at=START)
    status = generation_to_proto(failed).error
    again = from_status(status)
    assert status.code == code
    assert (type(again), again.message, again.retry_after) == (
        type(error),
        error.message,
        error.retry_after,
    )
    assert again.metadata == error.metadata


def test_the_whole_catalogue_can_be_shown() -> None:
    catalogue = load_catalogue()
    for model in catalogue:
        standing = catalogue.standing(model, Surroundings(now=START))
        message = model_to_proto(model, standing)
        assert message.id == model.id
        assert message.availability != model_pb2.Model.AVAILABILITY_UNSPECIFIED
        assert message.lifecycle != model_pb2.Model.LIFECYCLE_UNSPECIFIED
        assert message.commercial_use in {"yes", "no", "conditional", "unknown"}


def test_tiers_keep_their_conditions() -> None:
    catalogue = load_catalogue()
    model = catalogue.get("kling")
    message = model_to_proto(model, catalogue.standing(model, Surroundings(now=START)))
    tiers = {(tier.resolution, tier.audio): tier.amount_micros for tier in message.price.tiers}
    assert tiers["720p", True] == 126_000
    assert message.price.kind == "per_second"


def test_a_model_tells_what_it_can_do_to_a_clip() -> None:
    ready = Standing(Availability.READY)
    told = {
        model.id: list(model_to_proto(model, ready).capabilities.operations)
        for model in load_catalogue()
    }
    assert told["fal_wan_2_7"] == ["extend"]
    assert told["runway_gen4_5"] == []
