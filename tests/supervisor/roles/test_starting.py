"""A role that starts while one node turns everybody away waits: the password is being changed there."""

import pytest

from chaos.ailments import other_password
from ganger.cluster import Cluster
from gangerd.messages import RoleFailed, RoleReady
from gangerd.roles.coordinator.service import Coordinator
from gangerd.roles.loop import LeaveLoop
from gangerd.roles.starting import Handler, Starting
from support import jobs
from support.roles import stage
from support.servers import ClusterServers


def test_a_password_refused_by_one_node_is_waited_for_and_by_all_is_final() -> None:
    with ClusterServers("valkey", primaries=2, password="top secret") as servers:
        servers.wait_ready()
        with stage(servers.url, partitions=4) as at, other_password(servers.nodes[0]):
            with pytest.raises(LeaveLoop), other_password(servers.nodes[1]):
                _start(at.role, [])
                at.run_until(lambda: False, "left")
            (failed,) = at.said()
            assert isinstance(failed, RoleFailed) and failed.exit_code == 78
        control = servers.nodes[servers.index_of(jobs.KEYS.slot)]
        with stage(servers.url, partitions=4) as at:
            tried: list[Cluster] = []
            with other_password(control):
                _start(at.role, tried)
                at.run_until(lambda: len(tried) > 1, "the first try failed")
            said = at.said()
            assert not said, "the master knows of no failure"
            at.run_until(lambda: said.extend(at.said()) or said, "ready")  # type: ignore[func-returns-value]
            assert isinstance(said[0], RoleReady)


def _start(role: object, tried: list[Cluster]) -> None:
    def begin(cluster: Cluster) -> tuple[Handler, str]:
        tried.append(cluster)
        made = Coordinator(role, cluster)  # type: ignore[arg-type]
        return made.handle, made.begin()

    Starting(role, begin)  # type: ignore[arg-type]
