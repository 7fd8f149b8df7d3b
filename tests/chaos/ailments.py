"""What may ail one server, of the cluster or for semaphores: each holds for as long as its block, and is put
right after it, whatever has become of the server meanwhile.

`ailing` is how nemeses/refusals.py and nemeses/semaphores.py use them, on several servers at once.
"""

import os
import resource
import shutil
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from chaos.nemesis import NotNow
from chaos.servers import restart
from support.server import Server

Ailment = Callable[[Server], AbstractContextManager[None]]
Client = redis.Redis  # type: ignore[type-arg, unused-ignore]

OTHER_PASSWORD = "close sesame"


@contextmanager
def ailing(servers: Iterable[Server], ailment: Ailment) -> Iterator[None]:
    """All of these, until the end of the block; then each of them runs and answers."""
    chosen = list(servers)
    try:
        with ExitStack() as stack:
            for server in chosen:
                stack.enter_context(ailment(server))
            yield
    finally:
        for server in chosen:
            restart(server)


@contextmanager
def held(server: Server) -> Iterator[Client]:
    """A connection that stays when others are refused one. A server that can't be put right over it is ended:
    it starts again with its first settings."""
    client = Client(
        host=server.host,
        port=server.port,
        password=server.password,
        single_connection_client=True,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=5,
    )
    try:
        yield client
    except redis.RedisError as error:
        server.signal(signal.SIGKILL)
        raise NotNow("the server did not answer") from error
    finally:
        client.close()


def _part_with_clients(client: Client) -> None:
    client.execute_command("CLIENT KILL TYPE NORMAL SKIPME YES")  # type: ignore[no-untyped-call]


# ---- turning away --------------------------------------------------------------------------------------


@contextmanager
def no_disk(server: Server) -> Iterator[None]:
    """Nothing can be written, as on a disk that is full: it refuses what it can't write down, and ends
    where that is what it knows of its cluster, or what its primary sends."""
    assert server.process is not None
    pid = server.process.pid
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        with suppress(ProcessLookupError):  # it has ended
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@contextmanager
def no_connections(server: Server) -> Iterator[None]:
    """It has as many clients as it may, and those that it had must come anew."""
    with held(server) as client:
        before = str(client.config_get("maxclients")["maxclients"])
        client.config_set("maxclients", 1)
        _part_with_clients(client)
        try:
            yield
        finally:
            client.config_set("maxclients", before)


@contextmanager
def other_password(server: Server) -> Iterator[None]:
    """It wants one that nobody has been told, and parts with all who have come with the old one."""
    with held(server) as client:
        client.config_set("requirepass", OTHER_PASSWORD)
        client.config_set("masterauth", OTHER_PASSWORD)
        _part_with_clients(client)
        try:
            yield
        finally:
            client.config_set("requirepass", server.password or "")
            client.config_set("masterauth", server.password or "")


@contextmanager
def no_memory(server: Server) -> Iterator[None]:
    """Less is allowed than it has already, and nothing may be thrown away."""
    with held(server) as client:
        client.config_set("maxmemory", 1)
        try:
            yield
        finally:
            client.config_set("maxmemory", 0)


@contextmanager
def read_only(server: Server) -> Iterator[None]:
    """A replica of a server that is not there: it keeps what it has, and takes nothing new."""
    with held(server) as client:
        client.replicaof("127.0.0.1", "1")
        try:
            yield
        finally:
            client.replicaof("NO", "ONE")


# ---- being slow, or gone -------------------------------------------------------------------------------


@contextmanager
def slow(server: Server) -> Iterator[None]:
    """It stands still most of the time, so that an answer takes up to a fifth of a second."""
    over = threading.Event()

    def stutter() -> None:
        while not over.wait(0.02):
            server.signal(signal.SIGSTOP)
            over.wait(0.2)
            server.signal(signal.SIGCONT)

    thread = threading.Thread(target=stutter, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def silent(server: Server) -> Iterator[None]:
    server.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        server.signal(signal.SIGCONT)


@contextmanager
def dead(server: Server) -> Iterator[None]:
    server.signal(signal.SIGKILL)
    yield


@contextmanager
def wiped(server: Server) -> Iterator[None]:
    """Dead, and its data with it."""
    server.signal(signal.SIGKILL)
    for path in server.directory.glob("appendonlydir"):
        shutil.rmtree(path)
    yield


@contextmanager
def emptied(server: Server) -> Iterator[None]:
    """It lives on without its data."""
    server.call("FLUSHALL")
    yield


@contextmanager
def torn(server: Server) -> Iterator[None]:
    """Dead, and what it last wrote down is missing, as after a loss of power."""
    server.signal(signal.SIGKILL)
    tear(server)
    yield


def tear(server: Server) -> None:
    """The last third of the append-only file of a server that is dead goes, wherever that ends: in the middle
    of a word, mostly."""
    tails = sorted(server.directory.glob("appendonlydir/*.incr.aof"), key=lambda path: path.stat().st_mtime)
    for path in tails[-1:]:
        os.truncate(path, path.stat().st_size * 2 // 3)
