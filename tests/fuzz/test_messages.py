"""Any bytes as a message between processes, and any death, from a channel or from the spool on disk."""

import contextlib
import random
import time
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ganger.cluster import Cluster
from ganger.operations import control
from gangerd.master.deaths import Deaths
from gangerd.messages import Death, decode, encode
from gangerd.roles.coordinator.burial import Undertaker
from gangerd.roles.coordinator.deathbed import Deathbed
from gangerd.roles.coordinator.figures import Figures
from gangerd.roles.queues import Queues
from support import jobs
from support.fuzzing import fuzz, held, odd_int, odd_text
from support.roles import HOST, MANIFEST, stage
from support.servers import ClusterServers

WORKER = "00000000000000b1"
deaths = st.builds(
    lambda **given: {"type": "Death", **{name: value for name, value in given.items() if value is not ...}},
    id=st.one_of(st.just(WORKER), odd_text),
    consumer=st.one_of(st.just(HOST), odd_text),
    worker=odd_text,
    slot=odd_int,
    pid=odd_int,
    generation=odd_int,
    at_ms=odd_int,
    cause=st.one_of(st.sampled_from(["segfault", "cancelled", "lost", "released"]), odd_text),
    uses_attempt=st.booleans(),
    counts_as_crash=st.booleans(),
    signal=st.one_of(st.none(), odd_int),
    exit_code=st.one_of(st.just(...), odd_int),
    evidence=st.one_of(st.just(...), st.lists(odd_text, max_size=2)),
    rusage=st.one_of(st.just(...), st.dictionaries(odd_text, st.floats(), max_size=2)),
    held=st.lists(held, max_size=3),
    states=st.lists(odd_int, max_size=3),
    running=st.one_of(st.none(), odd_int),
    claim=st.one_of(
        st.none(),
        st.builds(
            lambda op, queue, index: {"op": op, "queue": queue, "partition": index},
            odd_int,
            st.one_of(st.just("mail"), odd_text),
            odd_int,
        ),
    ),
    counters=st.lists(odd_int, max_size=3),
    ran_ms=odd_int,
    peak_rss_bytes=odd_int,
)


@fuzz(60)
@given(
    told=st.one_of(deaths, st.dictionaries(st.text(max_size=8), odd_int, max_size=4)),
    name=st.one_of(st.just(""), odd_text),
)
@example(
    told={
        "type": "Death",
        "id": "b1",
        "consumer": "c",
        "worker": "w",
        "slot": 0,
        "pid": 1,
        "generation": 1,
        "at_ms": 1,
        "cause": "exit",
        "uses_attempt": True,
        "counts_as_crash": True,
        "running": 7,
    },
    name="",
)
def test_a_spoiled_death_is_settled_or_set_aside(
    told: dict[str, Any],
    name: str,
    tmp_path_factory: pytest.TempPathFactory,
    fuzz_servers: ClusterServers,
    fuzz_cluster: Cluster,
) -> None:
    spool = tmp_path_factory.mktemp("spool")
    blob = msgspec.msgpack.encode(told)
    with contextlib.suppress(OSError, ValueError):
        (spool / (name or f"{told.get('at_ms', 0):015d}-{told.get('id', '')}.death")).write_bytes(blob)
    kept = Deaths(spool)
    kept.load()
    for death in kept.unsent():
        kept.sent(death.id)
        assert repr(decode(encode(death))) == repr(death)  # a NaN is not equal to itself
    kept.retry_disk()
    try:
        found = decode(blob)
    except msgspec.MsgspecError:
        return
    assert isinstance(found, Death)
    death = found
    fuzz_servers.flush()
    jobs.queue(fuzz_cluster, count=1)
    settled: list[str] = []
    types = MANIFEST["types"]
    undertaker = Undertaker(
        fuzz_cluster, jobs.KEYS, Queues(fuzz_cluster, jobs.KEYS), types, "h", random.Random(1)
    )
    deathbed = Deathbed(undertaker, lambda death, fate: settled.append(death.id))
    with stage(fuzz_servers.url, statsd="127.0.0.1:9") as at:
        figures = Figures(at.config, at.role.header, fresh=True)
        figures.death(death)
        figures.close(at.role.pages)
    deathbed.arrived(death)
    end_s = time.monotonic() + 5
    while len(deathbed) and time.monotonic() < end_s:
        deathbed.work()
    assert settled == [death.id]
    assert len(control.crashes(fuzz_cluster, jobs.KEYS)) <= 1


@fuzz(100)
@given(
    data=st.one_of(
        st.binary(max_size=60),
        deaths.map(msgspec.msgpack.encode),
        st.dictionaries(st.text(max_size=8), odd_text, max_size=3).map(msgspec.msgpack.encode),
    )
)
def test_any_datagram_is_a_message_or_none(data: bytes) -> None:
    with contextlib.suppress(msgspec.MsgspecError):
        assert decode(encode(decode(data))) == decode(data) or "nan" in repr(decode(data))
