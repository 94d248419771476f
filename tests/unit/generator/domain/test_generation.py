from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import AlreadyEnded, InvalidArgument
from services.generator.domain.facts import Cost, Failure, Output, Progress
from services.generator.domain.generation import TRANSITIONS, Generation, State, tombstone
from tests.fakes.generator_parts import START, entry

OUTPUT = Output(sha256="ab", size_bytes=1, content_type="video/mp4")
FAILURE = Failure(reason="UNAVAILABLE", message="away")
PROGRESS = st.builds(
    Progress, percent=st.integers(-50, 150), queued=st.booleans(), source=st.just("provider")
)
MOVES = st.one_of(
    st.just(lambda g: g.submitting(START)),
    st.booleans().map(lambda queued: lambda g: g.accepted("job", "id", at=START, queued=queued)),
    PROGRESS.map(lambda progress: lambda g: g.progressed(progress)),
    st.just(lambda g: g.storing(("note",))),
    st.just(lambda g: g.succeeded("assets/a", OUTPUT, Cost(micros=1, source="free"), at=START)),
    st.just(lambda g: g.failed(FAILURE, at=START)),
    st.just(lambda g: g.cancelled(at=START, warning="billed")),
    st.just(lambda g: g.unknown(FAILURE)),
    st.just(lambda g: g.with_late_job("job", "id")),
    st.just(lambda g: g.with_late_result("assets/late", OUTPUT, None)),
)


def begun() -> Generation:
    return entry().generation


@given(st.lists(MOVES, max_size=12))
def test_no_sequence_of_moves_leaves_the_legal_paths(moves) -> None:
    present = begun()
    for move in moves:
        try:
            after = move(present)
        except AlreadyEnded:
            continue
        amended = after.state is present.state and present.state.terminal
        assert amended or after.state in TRANSITIONS[present.state]
        assert after.sequence == present.sequence + 1
        assert after.progress >= present.progress
        assert (after.progress == 100) == (after.state is State.SUCCEEDED)
        assert after.submissions >= present.submissions
        assert after.identity == present.identity
        assert (after.id, after.request_hash) == (present.id, present.request_hash)
        present = after


@pytest.mark.parametrize("state", [state for state in State if state.terminal])
def test_an_ended_state_leads_nowhere(state: State) -> None:
    assert TRANSITIONS[state] == frozenset()


@pytest.mark.parametrize(
    "path",
    [
        (State.PENDING, State.STORING),
        (State.PENDING, State.SUCCEEDED),
        (State.RUNNING, State.SUCCEEDED),
        (State.RUNNING, State.SUBMITTING),
        (State.UNKNOWN_OUTCOME, State.SUBMITTING),
        (State.QUEUED, State.UNKNOWN_OUTCOME),
        (State.STORING, State.RUNNING),
    ],
)
def test_shortcuts_and_ways_back_are_illegal(path: tuple[State, State]) -> None:
    assert path[1] not in TRANSITIONS[path[0]]


def test_every_state_can_be_reached() -> None:
    seen = {State.PENDING}
    while more := {after for state in seen for after in TRANSITIONS[state]} - seen:
        seen |= more
    assert seen == set(State)


def test_what_was_never_sent_can_never_succeed() -> None:
    with pytest.raises(AlreadyEnded, match="PENDING to STORING"):
        begun().storing()


def test_success_needs_an_asset() -> None:
    storing = begun().accepted("j", "", at=START).storing()
    with pytest.raises(InvalidArgument, match="asset"):
        storing.succeeded("", OUTPUT, None, at=START)


def test_a_queued_generation_stays_queued_until_the_work_begins() -> None:
    queued = begun().accepted("j", "", at=START, queued=True)
    assert queued.progressed(Progress(queued=True)).state is State.QUEUED
    assert queued.progressed(Progress(percent=3)).state is State.RUNNING


def test_a_late_result_is_kept_and_marked_and_the_state_stays() -> None:
    cancelled = begun().accepted("j", "", at=START).cancelled(at=START)
    late = cancelled.with_late_result("assets/late", OUTPUT, Cost(micros=5, source="reported"))
    assert (late.state, late.asset, late.progress) == (State.CANCELLED, "assets/late", 0)
    assert "after the end" in late.warnings[-1]


def test_a_request_that_comes_after_its_cancel_stays_cancelled_and_unsent() -> None:
    mark = tombstone("t1", "acme", "r-g1", at=START)
    later = mark.created_after_cancel(begun())
    assert (later.id, later.state, later.submissions) == ("t1", State.CANCELLED, 0)
    assert later.model == "paid"
    assert later.sequence == mark.sequence + 1
    with pytest.raises(AlreadyEnded):
        later.created_after_cancel(begun())


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"request_id": ""}, "request_id"),
        ({"request_id": "x" * 201}, "request_id"),
        ({"submissions": 2}, "submissions"),
        ({"progress": 100}, "progress"),
        ({"progress": -1}, "progress"),
        ({"end_time": START}, "end_time"),
        ({"state": State.FAILED, "end_time": START}, "failure"),
    ],
)
def test_contradictions_cannot_be_built(change: dict[str, object], field: str) -> None:
    values: dict[str, Any] = {
        "id": "g",
        "tenant": "acme",
        "request_id": "r",
        "request_hash": "h",
        "model": "m",
        "identity": begun().identity,
        "create_time": START,
        "deadline": START + timedelta(hours=1),
        **change,
    }
    with pytest.raises(InvalidArgument) as caught:
        Generation(**values)
    assert caught.value.violations[0].field == field


def test_a_preview_is_shown_while_it_is_made_and_never_afterwards() -> None:
    begun = entry().generation.accepted("job", "", at=START)
    shown = begun.progressed(Progress(percent=5, preview="https://cdn.example/p.mp4"))
    assert shown.progressed(Progress(percent=9)).preview == "https://cdn.example/p.mp4"
    ends = (shown.storing(), shown.failed(FAILURE, at=START), shown.cancelled(at=START))
    assert [after.preview for after in ends] == ["", "", ""]
