"""An offline film with nothing but the kernel to ask: not one packet leaves this machine.

What an audit hook of Python cannot hear is counted here as well: gRPC's own sockets, ffmpeg and
nats-server.
"""

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


@pytest.mark.timeout(120)
def test_not_one_packet_leaves_this_machine_for_an_offline_film(tmp_path: Path) -> None:
    if shutil.which(_ALONE[0], path=_PATH) is None:
        pytest.skip("there is no unshare: no network of one's own can be had")
    link = "ip link set lo up && ip link add out type veth peer name nowhere"
    able = _alone(["sh", "-c", link], PATH=_PATH)
    if able.returncode:
        pytest.skip(f"this kernel lends no network of one's own: {able.stderr.strip()}")
    story = 'Amina closed her stall in the old market. "You are late," she told the boy.'
    (tmp_path / "story.txt").write_text(story)
    script = ["sh", str(OUTWARD / "quiet_house.sh"), sys.executable, str(tmp_path), "offline"]
    made = _alone(script, PATH=_PATH, PYTHONPATH=str(ROOT), HOME=str(tmp_path), **_SET_UP)
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "state").read_text().split() == ["STATE_SUCCEEDED"]
    packets = [int((tmp_path / name).read_text()) for name in ("sent", "heard")]
    assert packets == [0, 1]
