"""The processes that look: one file's doing is not another's, and our own refuses nothing."""

import asyncio
import errno
import hashlib
import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from services.common.errors import DataLoss, Internal, ServiceError, StorageFull, Unavailable
from services.storage.adapters import look_process
from services.storage.adapters.disk import Disk
from services.storage.adapters.lookers import Lookers
from services.storage.adapters.media_looker import MediaFinisher, MediaInspector
from services.storage.domain.assets import Description, Lineage
from services.storage.domain.ports import StagedFile
from tests.unit.storage.clips import mp4
from tests.unit.storage.test_staging import largest_file

MOODY = "tests.fakes.moody_looker"
FILM = Description(content_type="video/mp4", lineage=Lineage(model="google_veo"))

Begun = Callable[..., Lookers]


@pytest.fixture
async def begun() -> AsyncIterator[Begun]:
    """Makes lookers that are closed at the end; nothing of theirs is left then."""
    disk, made = Disk(), list[Lookers]()

    def begin(module: str = MOODY, **more: Any) -> Lookers:
        made.append(Lookers(disk, module=module, **more))
        return made[-1]

    yield begin
    pids = [pid for lookers in made for pid in lookers.pids]
    for lookers in made:
        await lookers.close()
    disk.close()
    assert not [pid for pid in pids if psutil.pid_exists(pid)]


@pytest.fixture
def said(tmp_path: Path) -> Callable[[str], StagedFile]:
    """A staged file that says so."""

    def say(words: str | bytes) -> StagedFile:
        data = words if isinstance(words, bytes) else words.encode()
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.part"
        path.write_bytes(data)
        return StagedFile(path, len(data), hashlib.sha256(data).hexdigest())

    return say


async def refused(lookers: Lookers, staged: StagedFile) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await lookers.ask(staged, {})
    return caught.value


async def test_a_file_over_which_it_crashes_is_damaged_and_the_next_is_looked_into(
    begun: Begun, said
) -> None:
    lookers = begun()
    for sign in ("SIGSEGV", "SIGABRT"):
        error = await refused(lookers, said(f"die {sign}"))
        assert isinstance(error, DataLoss)
        assert sign in error.message
    assert (await lookers.ask(said("fine"), {}))["words"] == "fine"


async def test_a_crash_that_another_file_has_caused_refuses_nothing(begun: Begun, said) -> None:
    lookers = begun()
    first = await lookers.ask(said("doom"), {})
    second = await lookers.ask(said("paid for"), {})
    assert second["words"] == "paid for"
    assert second["pid"] != first["pid"]


async def test_memory_that_another_file_keeps_refuses_nothing(begun: Begun, said) -> None:
    lookers = begun()
    await lookers.ask(said("keep 3"), {})
    assert (await lookers.ask(said("keep 2"), {}))["words"] == "keep 2"
    error = await refused(lookers, said("keep 5"))
    assert isinstance(error, DataLoss)
    assert "memory" in error.message


async def test_one_that_is_killed_is_replaced_and_the_file_is_not_to_blame(
    begun: Begun, said
) -> None:
    lookers = begun()
    await lookers.ask(said("fine"), {})
    (pid,) = lookers.pids
    os.kill(pid, signal.SIGKILL)
    assert (await lookers.ask(said("fine again"), {}))["words"] == "fine again"
    once = said("once SIGKILL")
    assert (await lookers.ask(once, {}))["words"] == "once SIGKILL"


async def test_a_file_for_which_the_kernel_finds_no_memory_is_not_sent_for_ever(
    begun: Begun, said
) -> None:
    """Twice, the second time a new process, and nobody else is there who takes it."""
    error = await refused(begun(), said("die SIGKILL"))
    assert isinstance(error, DataLoss)
    assert "too much memory" in error.message


async def test_memory_that_others_may_have_taken_refuses_nothing(begun: Begun, said) -> None:
    lookers = begun()
    other = asyncio.create_task(lookers.ask(replace(said("stop"), tenant="other"), {}))
    while not lookers.pids or psutil.Process(lookers.pids[0]).status() != psutil.STATUS_STOPPED:  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.01)
    error = await refused(lookers, said("die SIGKILL"))
    other.cancel()
    await asyncio.gather(other, return_exceptions=True)
    assert isinstance(error, Unavailable)
    assert "SIGKILL" in error.message


async def test_a_file_that_takes_for_ever_is_damaged(begun: Begun, said) -> None:
    """The kernel ends what computes for too long; the file is not tried another time."""
    lookers = begun(seconds=1, patience=50)
    error = await refused(lookers, said("spin"))
    assert isinstance(error, DataLoss)
    assert "too long" in error.message


async def test_one_that_hangs_is_replaced_and_the_file_may_come_again(begun: Begun, said) -> None:
    lookers = begun(seconds=1, patience=50)
    pid = (await lookers.ask(said("fine"), {}))["pid"]
    lookers._patience = 0.2
    error = await refused(lookers, said("stop"))
    assert isinstance(error, Unavailable)
    assert "too long" in error.message
    assert not psutil.pid_exists(pid)
    lookers._patience = 50
    assert (await lookers.ask(said("fine"), {}))["words"] == "fine"


async def test_one_that_does_not_start_refuses_no_file(begun: Begun, said) -> None:
    lookers = begun("tests.fakes.no_such_module")
    assert isinstance(await refused(lookers, said("paid for")), Unavailable)


@pytest.mark.parametrize("words", ["stammer", "list"])
async def test_an_answer_that_is_none_refuses_no_file(begun: Begun, said, words: str) -> None:
    """Whoever gives it is killed by us, which says nothing of memory."""
    assert isinstance(await refused(begun(), said(words)), Unavailable)


async def test_what_fails_is_told_apart_and_no_path_of_ours_is_told(begun: Begun, said) -> None:
    kinds = {
        f"err {errno.ENOSPC}": StorageFull,
        f"err {errno.EIO}": Unavailable,
        f"err {errno.ENOMEM}": DataLoss,
        "blunder": Internal,
    }
    lookers = begun()
    for words, kind in kinds.items():
        error = await refused(lookers, said(words))
        assert type(error) is kind
        assert "/a/path" not in error.message


async def test_a_disk_that_fails_to_read_refuses_no_file(begun: Begun, said) -> None:
    """FFmpeg takes what it cannot read for the end of the file, and calls the file damaged."""
    inspector = MediaInspector(begun(look_process.__name__))
    cut = said(mp4()[:-100])
    with pytest.raises(DataLoss):
        await inspector.inspect(cut, FILM)
    came = hashlib.sha256(mp4()).hexdigest()
    with pytest.raises(Unavailable, match="send it again"):
        await inspector.inspect(replace(cut, sha256=came), FILM)
    error = await refused(begun(), said("rot"))
    assert isinstance(error, Unavailable)
    assert os.strerror(errno.EIO) in error.message


async def test_a_mistake_of_ours_is_no_damage(begun: Begun, said) -> None:
    error = await refused(begun(), said("slip"))
    assert isinstance(error, Internal)


async def test_an_answer_that_is_no_object_ends_whoever_gave_it(begun: Begun, said) -> None:
    lookers = begun()
    error = await refused(lookers, said("list"))
    assert isinstance(error, Unavailable)
    assert lookers.pids == []


async def test_a_file_that_was_changed_by_half_is_never_taken(begun: Begun, said) -> None:
    staged = said("rewrite")
    error = await refused(begun(), staged)
    assert isinstance(error, Unavailable)
    assert "send it again" in error.message
    assert list(staged.path.parent.iterdir()) == [staged.path]


async def test_whoever_leaves_gets_nobody_elses_answer(begun: Begun, said) -> None:
    lookers = begun()
    pid = (await lookers.ask(said("fine"), {}))["pid"]
    leaving = asyncio.create_task(lookers.ask(said("stop"), {}))
    while psutil.Process(pid).status() != psutil.STATUS_STOPPED:  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.01)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert not psutil.pid_exists(pid)
    answers = [await lookers.ask(said(f"file {number}"), {}) for number in range(3)]
    assert [answer["words"] for answer in answers] == ["file 0", "file 1", "file 2"]


async def test_the_second_begins_while_the_first_is_busy_and_there_is_no_third(
    begun: Begun, said
) -> None:
    lookers = begun()
    for _ in range(3):
        await lookers.ask(said("fine"), {})
    assert len(lookers.pids) == 1
    asking = [lookers.ask(said(f"file {number}"), {}) for number in range(20)]
    answers = await asyncio.gather(*asking)
    assert sorted(answer["words"] for answer in answers) == sorted(f"file {n}" for n in range(20))
    assert len({answer["pid"] for answer in answers}) == len(lookers.pids) == 2


async def test_files_that_take_long_hold_up_no_other_tenant(begun: Begun, said) -> None:
    lookers = begun()
    slow = [replace(said("stop"), tenant="slow") for _ in range(4)]
    waiting = [asyncio.create_task(lookers.ask(staged, {})) for staged in slow]
    answers = [await lookers.ask(replace(said("fine"), tenant="quick"), {}) for _ in range(3)]
    assert [answer["words"] for answer in answers] == ["fine"] * 3
    assert len(lookers.pids) == 3
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert all(task.cancelled() for task in waiting)


async def test_one_that_has_nothing_to_do_ends_and_a_file_on_its_way_begins_another(
    begun: Begun, said
) -> None:
    lookers = begun(idle_seconds=0)
    pid = (await lookers.ask(said("fine"), {}))["pid"]
    while psutil.pid_exists(pid):  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.01)
    assert lookers.pids == []
    waiting = begun()
    await asyncio.gather(*(waiting.ready() for _ in range(5)))
    (pid,) = waiting.pids
    assert (await waiting.ask(said("fine"), {}))["pid"] == pid


async def test_the_end_of_the_service_waits_for_nobody_and_leaves_nobody(
    begun: Begun, said
) -> None:
    lookers = begun()
    pid = (await lookers.ask(said("fine"), {}))["pid"]
    looking = asyncio.create_task(lookers.ask(said("stop"), {}))
    while psutil.Process(pid).status() != psutil.STATUS_STOPPED:  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.01)
    await lookers.close()
    with pytest.raises(Unavailable):
        await looking
    await lookers.ready()
    assert lookers.pids == []
    assert not psutil.pid_exists(pid)


async def test_a_clip_is_measured_and_finished_by_the_real_one(begun: Begun, said) -> None:
    lookers = begun(look_process.__name__)
    staged = said(mp4(faststart=False))
    media = await MediaInspector(lookers).inspect(staged, FILM)
    assert media
    assert (media.frames, media.width) == (4, 64)
    found = await MediaFinisher(lookers).finish(staged, FILM, by_model=True)
    assert found.provenance.labelled
    assert found.staged.sha256 == hashlib.sha256(staged.path.read_bytes()).hexdigest()
    with pytest.raises(DataLoss, match=r"^the file is not video/mp4$"):
        await MediaInspector(lookers).inspect(said("no film"), FILM)
    assert (
        await MediaInspector(lookers).inspect(staged, Description(content_type="text/plain"))
        is None
    )


FATAL = ("die SIGSEGV", "keep 5", "blunder", "damage", "grow die SIGSEGV", "grow blunder")


async def test_a_film_that_cannot_be_finished_is_kept_as_it_came(begun: Begun, said) -> None:
    """It was found whole: its index and its label are only nice to have."""
    finisher = MediaFinisher(begun())
    for words in FATAL:
        staged = said(words)
        found = await finisher.finish(staged, FILM, by_model=True)
        assert (found.staged, found.moved, found.provenance.labelled) == (staged, False, False)
        assert staged.path.read_text() == words
    assert len(list(staged.path.parent.iterdir())) == len(FATAL)


async def test_a_film_that_takes_too_long_to_finish_is_kept_as_it_came(begun: Begun, said) -> None:
    staged = said("spin")
    finisher = MediaFinisher(begun(seconds=1, patience=50))
    assert (await finisher.finish(staged, FILM, by_model=True)).staged == staged


@pytest.mark.parametrize("words", ["die SIGKILL", "stammer", "grow stop", "grow die SIGKILL"])
async def test_a_film_over_which_nobody_comes_to_an_end_is_kept_as_it_came(
    begun: Begun, said, words: str
) -> None:
    staged, lookers = said(words), begun(seconds=1, patience=50)
    await lookers.ask(said("fine"), {})
    lookers._patience = 1
    found = await MediaFinisher(lookers).finish(staged, FILM, by_model=True)
    assert (found.staged, found.provenance.labelled) == (staged, False)
    assert staged.path.read_text() == words


async def test_whoever_is_killed_in_the_middle_of_a_file_spoils_none(begun: Begun, said) -> None:
    with pytest.raises(Unavailable, match="send it again"):
        await MediaFinisher(begun()).finish(said("rewrite"), FILM, by_model=True)


async def test_the_real_one_has_bounds_and_nothing_of_ours(
    begun: Begun, said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a secret of the tests")
    lookers = begun(look_process.__name__)
    await MediaInspector(lookers).inspect(said(mp4()), FILM)
    (pid,) = lookers.pids
    facts = psutil.Process(pid)
    assert facts.environ() == {"LC_ALL": "C.UTF-8"}
    assert facts.rlimit(psutil.RLIMIT_AS)[0] == 2 * 1024**3
    assert facts.rlimit(psutil.RLIMIT_CORE) == (0, 0)
    assert 60 <= facts.rlimit(psutil.RLIMIT_CPU)[0] < 120
    # Where memory runs out the kernel is to choose it, and not the service.
    assert Path(f"/proc/{pid}/oom_score_adj").read_text() == "1000\n"


async def test_a_disk_that_fills_up_under_the_real_one_is_told(begun: Begun, said) -> None:
    lookers = begun(look_process.__name__)
    staged = said(mp4(faststart=False))
    with largest_file(staged.size_bytes // 2), pytest.raises(StorageFull):
        await MediaFinisher(lookers).finish(staged, FILM, by_model=True)
    assert list(staged.path.parent.iterdir()) == [staged.path]
