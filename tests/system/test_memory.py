"""A job that leaks: ended by the kernel where workers have cgroups, by the master where they have none."""

import os
import shutil
import signal
import subprocess
from typing import Any

import pytest

from support import incident_app as app
from support.scene import Scene


def _crashes_of(scene: Scene, job: Any) -> list[dict[str, Any]]:
    jid = scene.push(job)
    assert scene.await_dead(jid)["crashes"] == 2
    return scene.await_crash(jid, 2)


@pytest.mark.oom
def test_a_leak_in_a_memory_cgroup_is_called_oom_kill(scene: Scene) -> None:
    gang = scene.gang(settings={"memory_max": "64M"})
    if gang.status()["fence"] == "rss":
        pytest.skip("no writable memory cgroup: " + gang.log("master.fence_chosen")[0]["explanation"])
    crashes = _crashes_of(scene, app.leaks)
    for crash in crashes:
        assert (crash["cause"], crash["signal"]) == ("oom_kill", signal.SIGKILL)
        assert "memory cgroup" in crash["evidence"][0]


def test_without_memory_cgroups_a_leak_is_called_memory_limit(scene: Scene) -> None:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("hiding the cgroups wants root and unshare")
    hide = 'umount -l /sys/fs/cgroup/memory 2>/dev/null || umount -l /sys/fs/cgroup; exec "$@"'
    prefix = ["unshare", "-m", "--propagation", "private", "sh", "-c", hide, "sh"]
    if subprocess.run([*prefix, "true"], capture_output=True).returncode != 0:
        pytest.skip("mounts can't be changed here")
    gang = scene.gang(settings={"memory_max": "48M"}, prefix=prefix)
    assert gang.log("master.fence_chosen")[0]["kind"] == "rss"
    crashes = _crashes_of(scene, app.leaks_slowly)
    assert [crash["cause"] for crash in crashes] == ["memory_limit"] * 2
