"""Types that wait while no live worker knows them, and what a push of one leads to."""

import pytest

from ganger import jid as jids
from ganger.client import Client
from ganger.cluster import Cluster, Command
from ganger.config import EngineConfig, parse_redis_url
from ganger.errors import BadSettings, UnknownType, UnknownTypeWarning
from ganger.inspect import all_partitions
from ganger.job import FailureRecord, NewJob, State, encode_state
from ganger.keys import Control
from ganger.operations import control, enqueue
from ganger.unserved import Unserved, known_types, unserved

KEYS = Control("ganger")


def client(cluster: Cluster, unknown_types: str) -> Client:
    settings = EngineConfig(parse_redis_url("redis://h"), unknown_types=unknown_types)
    return Client(settings, cluster=cluster)


def announce(cluster: Cluster) -> None:
    control.heartbeat(cluster, KEYS, "a" * 16, {"host": "h1"})
    control.announce(cluster, KEYS, {"shop.send": {"queue": "mail"}})


def test_a_push_of_an_unknown_type_is_refused_warned_of_or_allowed(cluster: Cluster) -> None:
    assert client(cluster, "refuse").push("shop.sned")  # nobody has announced anything
    announce(cluster)
    with pytest.raises(UnknownType, match=r"type 'shop\.sned': did you mean 'shop\.send'"):
        client(cluster, "refuse").push("shop.sned")
    with pytest.warns(UnknownTypeWarning, match="did you mean"):
        assert client(cluster, "warn").push("shop.sned")
    assert client(cluster, "allow").push("shop.sned")
    assert client(cluster, "refuse").push("shop.send")
    with pytest.raises(BadSettings, match="unknown_types"):
        client(cluster, "shrug")


def test_a_type_is_known_while_a_live_host_announces_it(cluster: Cluster) -> None:
    control.announce(cluster, KEYS, {"shop.send": {}, "shop.old": {}})
    assert known_types(cluster, KEYS) == set(), "there is no host"
    announce(cluster)
    assert known_types(cluster, KEYS) == {"shop.send", "shop.old"}
    cluster.run(Command(KEYS.slot, ("HSET", KEYS.types, "shop.old", "5 {}")))
    assert known_types(cluster, KEYS) == {"shop.send"}


def test_what_waits_for_nobody_is_told_by_type_and_queue(cluster: Cluster) -> None:
    announce(cluster)
    pushing = client(cluster, "allow")
    for _ in range(3):
        pushing.push("shop.sned", queue="mail")
    pushing.push("shop.send", queue="mail")
    pushing.push("shop.later", queue="mail", delay=60)
    groups = all_partitions(cluster, KEYS)
    state = State(attempts=1, failures=[FailureRecord("unknown_type", "UnknownType", "not here")])
    place = groups["mail"][0]
    (jid,) = jids.mint("mail", 0)
    record = b"shop.gone\n5\n%d\n%s{}" % (len(encode_state(state)), encode_state(state))
    enqueue.push(cluster, place, 5, [NewJob(jids.mint("mail", 0)[0], "shop.send", b"{}")])
    cluster.run(Command(place.slot, ("HSET", place.jobs_bucket(jid), jid, record)))
    cluster.run(Command(place.slot, ("ZADD", place.dead, 1000, jid)))
    assert unserved(cluster, KEYS, groups) == [
        Unserved("shop.sned", "mail", 3, 0, True),
        Unserved("shop.later", "mail", 1, 0, True),
        Unserved("shop.gone", "mail", 0, 1, True),
    ]
