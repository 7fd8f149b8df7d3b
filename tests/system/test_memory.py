"""A job that leaks: ended by the kernel where workers have cgroups, by the master where they have none."""

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gangerd.linux import cgroup
from support import incident_app as app
from support import memory_app
from support.gang import alive
from support.scene import Scene
from support.waiting import until

MB = 1 << 20


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


@pytest.mark.oom
def test_each_type_has_its_own_fence_in_one_worker(scene: Scene) -> None:
    gang = scene.gang(workers=1, app="support.memory_app")
    if gang.status()["fence"] == "rss":
        pytest.skip("no writable memory cgroup: " + gang.log("master.fence_chosen")[0]["explanation"])
    # Fetched together: the limit goes up and down from job to job.
    sizes = [1, 5, 10, 20]
    fine = [*scene.push_many(memory_app.modest, [(size,) for size in sizes])]
    fine += scene.push_many(memory_app.hungry, [(8 * size,) for size in sizes])
    over = scene.push(memory_app.modest, 160)
    told = scene.push(memory_app.child_eats, 200)
    (crash,) = scene.await_crash(over)
    assert (crash["cause"], crash["peak_of"]) == ("oom_kill", "job")
    assert 32 * MB < crash["peak_rss_bytes"] < 160 * MB
    assert "allowed 48 MB" in " ".join(crash["evidence"])
    (failure,) = scene.await_dead(told)["failures"]
    assert (failure["cause"], failure["error"]) == ("exception", "CalledProcessError")
    assert "OOM kill" in failure["evidence"] and failure["peak_rss_bytes"] > MB
    scene.await_all_done()
    ended = scene.journal.count("end")
    assert [ended[jid] for jid in fine] == [1] * len(fine)
    assert len(gang.log("worker.died")) == 1
    scene.push(memory_app.leaves_a_child)
    (left,) = gang.await_log("job.leftovers")
    assert (left["commands"], left["types"]) == (["sleep"], ["support.memory_app.leaves_a_child"])
    assert gang.drain() == 0
    assert gang.log("worker.leftovers")[-1]["pids"] == left["pids"] and not alive(left["pids"][0])


@pytest.mark.oom
def test_in_a_container_the_biggest_grower_makes_room_before_the_kernel_ends_all(scene: Scene) -> None:
    """A group with a limit, which the host may not divide: as most containers have it."""
    own = cgroup.detect()
    if own.kind != "v1" or shutil.which("unshare") is None:
        pytest.skip("wants memory cgroups of version 1, root and unshare")
    group = Path(own.leaf(f"ganger-test-container-{os.getpid()}", 320 * MB))
    enter = f'echo $$ > {group}/cgroup.procs; mount -o remount,ro,bind /sys/fs/cgroup/memory && exec "$@"'
    try:
        prefix = ["unshare", "-m", "--propagation", "private", "sh", "-c", enter, "sh"]
        gang = scene.gang(app="support.memory_app", prefix=prefix)
        assert gang.status()["fence"] == "rss"
        jid = scene.push(memory_app.grows, 120)
        small = scene.push_many(memory_app.small, [(number,) for number in range(50)])
        (crash,) = scene.await_crash(jid)
        assert crash["cause"] == "memory_limit" and "for all workers together" in " ".join(crash["evidence"])
        scene.await_all_done()
        assert [scene.journal.count("end")[jid] for jid in small] == [1] * 50
        assert len(gang.log("worker.died")) == 1 and cgroup.oom_kills(str(group)) == 0
        assert gang.drain() == 0
    finally:
        scene.close()
        cgroup.kill_leftovers(str(group))
        until(lambda: cgroup.remove(str(group)), "the group is removed")


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
