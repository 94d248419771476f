"""An offline film with nothing but the kernel to ask: not one packet leaves this machine.

What an audit hook of Python cannot hear is counted here as well: gRPC's own sockets, ffmpeg and
nats-server. Root has such a network by default on Debian and Ubuntu. Where the kernel or a sandbox
lends none it is skipped, with the reason; REELMESH_TEST_NAMESPACES=required makes that a failure.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import OUTWARD, ROOT

_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_ALONE = ("unshare", "--map-root-user", "--net", "--pid", "--fork", "--mount-proc", "--kill-child")
# Addresses of documentation (RFC 5737): nobody is there, and who asks them is counted.
_SET_UP = {
    "PROMPT_LLM_MODEL": "small",
    "PROMPT_LLM_BASE_URL": "http://198.51.100.7/v1",
    "ORCHESTRATOR_MODERATION_URL": "http://198.51.100.8/v1",
}


def _alone(command: list[str], **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command as root of a network and processes of its own; it ends with all it started."""
    return subprocess.run(
        [*_ALONE, *command], env=env, capture_output=True, text=True, timeout=100, check=False
    )


def _lacks(reason: str, required: str) -> None:
    """Skip for want of a network of one's own, or fail where one is `required`."""
    message = f"no network of one's own can be had ({reason})"
    if required:
        pytest.fail(f"{message}, and REELMESH_TEST_NAMESPACES demands it")
    pytest.skip(f"no packet can be counted here: {message}")


def test_what_cannot_be_counted_is_skipped_with_its_reason_or_fails_where_it_is_demanded() -> None:
    with pytest.raises(pytest.skip.Exception, match="unshare is missing"):
        _lacks("unshare is missing", "")
    with pytest.raises(pytest.fail.Exception, match="unshare is missing"):
        _lacks("unshare is missing", "required")


@pytest.mark.timeout(120)
def test_not_one_packet_leaves_this_machine_for_an_offline_film(tmp_path: Path) -> None:
    required = os.environ.get("REELMESH_TEST_NAMESPACES", "")  # noqa: TID251 - no setting of ours
    for program in (_ALONE[0], "ip"):
        if shutil.which(program, path=_PATH) is None:
            _lacks(f"{program} is missing", required)
    link = "ip link set lo up && ip link add out type veth peer name nowhere"
    able = _alone(["sh", "-c", link], PATH=_PATH)
    if able.returncode:
        _lacks(able.stderr.strip(), required)
    story = 'Amina closed her stall in the old market. "You are late," she told the boy.'
    (tmp_path / "story.txt").write_text(story)
    script = ["sh", str(OUTWARD / "quiet_house.sh"), sys.executable, str(tmp_path), "offline"]
    made = _alone(script, PATH=_PATH, PYTHONPATH=str(ROOT), HOME=str(tmp_path), **_SET_UP)
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "state").read_text().split() == ["STATE_SUCCEEDED"]
    packets = [int((tmp_path / name).read_text()) for name in ("sent", "heard")]
    assert packets == [0, 1]
