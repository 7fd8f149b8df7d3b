"""A network of its own for a chaos run: each host in a network namespace, the servers where the harness is.

All of it hangs on this process: the namespaces have no names, each lives as long as the process that holds
it, and these die with this one. Nothing outside is touched. Where it can't be had (no root, no `ip`) all are
on loopback and nothing can be cut. world.py lays it, starts servers at `address` and a host's processes
behind `prefix`; nemeses/network.py cuts. The nodes of the cluster have an address each, from which they also
call each other, so that they can be parted while all clients reach all of them (nemeses/partition.py).

A line is cut in silence: packets vanish, connections stay, as in a network that is lost. `slow` narrows it,
so that what is sent queues for some hundred milliseconds, or is dropped.
"""

import ctypes
import itertools
import os
import shutil
import signal
import subprocess
from collections.abc import Iterable, Iterator
from typing import Protocol

from chaos.nemesis import Lacking
from gangerd.linux import processes

_CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)
_PARTED, _LOCAL, _HOLE = 1, 10, 77
"""Places of rules for packets (who is parted comes before who is here), and the table of a way to nowhere."""
_TRIAL = (
    "ip link add br0 type bridge && ip link add p1 type veth peer name p2"
    " && tc qdisc add dev p1 root tbf rate 1mbit burst 1600 latency 400ms"
    " && ip rule add pref 1 from 10.77.1.0 to 10.77.1.1 lookup 77"
)


class Network(Protocol):
    """Lines between hosts and servers."""

    address: str
    """Where servers listen, for this process and every host alike."""

    def nodes(self) -> Iterator[str]:
        """Addresses for the nodes of a cluster, as many as you like."""

    def prefix(self, host: int) -> list[str]:
        """Words in front of a command that runs on this host; its pid is the command's."""

    def cut(self, host: int) -> None:
        """Nothing comes through, in either direction. Lacking where there are no lines to cut."""

    def deafen(self, host: int) -> None:
        """What the host sends arrives, and what is sent to it is lost."""

    def slow(self, host: int, kbit_s: int) -> None:
        """So much comes through in a second, in each direction."""

    def mend(self, host: int) -> None:
        """As it was."""

    def part(self, here: Iterable[str], there: Iterable[str]) -> None:
        """Nothing comes through between nodes here and nodes there. Lacking where they have one address."""

    def unite(self) -> None:
        """All nodes reach each other again."""

    def close(self) -> None:
        """No more hosts."""


class Loopback:
    """All on 127.0.0.1; `why` says what for."""

    address = "127.0.0.1"

    def __init__(self, why: str) -> None:
        self.why = why

    def nodes(self) -> Iterator[str]:
        return itertools.repeat(self.address)

    def prefix(self, host: int) -> list[str]:
        return []

    def cut(self, host: int) -> None:
        raise Lacking(self.why)

    def deafen(self, host: int) -> None:
        raise Lacking(self.why)

    def slow(self, host: int, kbit_s: int) -> None:
        raise Lacking(self.why)

    def mend(self, host: int) -> None:
        """Nothing is ever cut here."""

    def part(self, here: Iterable[str], there: Iterable[str]) -> None:
        raise Lacking(self.why)

    def unite(self) -> None:
        """Nobody is ever parted here."""

    def close(self) -> None:
        """Nothing to end."""


class Namespaces:
    """A bridge here, and a namespace for each host at the other end of a veth."""

    address = "10.77.0.254"

    def __init__(self, hosts: int) -> None:
        _unshare()
        run("ip link set lo up")
        # Without an address of its own a bridge takes that of a port, which then is heard when it is cut off.
        run("ip link add br0 address 02:00:00:00:00:fe type bridge forward_delay 0 stp_state 0")
        run(f"ip addr add {self.address}/16 dev br0")
        run("ip link set br0 up")
        # A packet between two addresses of one machine is asked about as well, if this comes first.
        run(f"ip rule add pref {_LOCAL} lookup local")
        run("ip rule del pref 0")
        # A bridge to nowhere swallows packets in silence. Told that there is no way, a server would try again
        # from another address.
        run("ip link add hole type bridge")
        run("ip link set hole arp off up")
        run(f"ip route add default dev hole table {_HOLE}")
        self._parted: list[str] = []
        self._keepers = [self._lay(host) for host in range(hosts)]

    def _lay(self, host: int) -> subprocess.Popen[bytes]:
        parent = os.getpid()

        def apart() -> None:
            processes.die_with_parent(parent, signal.SIGKILL)
            _unshare()

        # A Popen returns when the command has been executed: the namespace is there.
        keeper = subprocess.Popen(["sleep", "infinity"], preexec_fn=apart, stdin=subprocess.DEVNULL)
        run(f"ip link add p{host} type veth peer name eth0 netns {keeper.pid}")
        run(f"ip link set p{host} master br0 up")
        inside = f"nsenter -t {keeper.pid} -n"
        run(f"{inside} ip link set lo up")
        run(f"{inside} ip addr add 10.77.0.{host + 1}/16 dev eth0")
        run(f"{inside} ip link set eth0 up")
        return keeper

    def nodes(self) -> Iterator[str]:
        for number in itertools.count():
            address = f"10.77.{1 + number // 250}.{1 + number % 250}"
            run(f"ip addr add {address}/16 dev br0")
            yield address

    def prefix(self, host: int) -> list[str]:
        return ["nsenter", "-t", str(self._keepers[host].pid), "-n", "--"]

    def cut(self, host: int) -> None:
        run(f"ip link set p{host} nomaster")

    def deafen(self, host: int) -> None:
        run(f"tc qdisc replace dev p{host} root bfifo limit 1")

    def slow(self, host: int, kbit_s: int) -> None:
        narrow = f"root tbf rate {kbit_s}kbit burst 1600 latency 400ms"
        run(f"tc qdisc replace dev p{host} {narrow}")
        run(" ".join([*self.prefix(host), f"tc qdisc replace dev eth0 {narrow}"]))

    def mend(self, host: int) -> None:
        run(f"ip link set p{host} master br0")
        run(f"tc qdisc del dev p{host} root", may_fail=True)
        run(" ".join([*self.prefix(host), "tc qdisc del dev eth0 root"]), may_fail=True)

    def part(self, here: Iterable[str], there: Iterable[str]) -> None:
        for one, other in itertools.product(here, there):
            for way in (f"from {one} to {other}", f"from {other} to {one}"):
                run(f"ip rule add pref {_PARTED} {way} lookup {_HOLE}")
                self._parted.append(way)

    def unite(self) -> None:
        while self._parted:
            run(f"ip rule del pref {_PARTED} {self._parted.pop()} lookup {_HOLE}", may_fail=True)

    def close(self) -> None:
        for keeper in self._keepers:
            keeper.kill()
            keeper.wait()


def lay(hosts: int) -> Network:
    """Namespaces for so many hosts where they can be had. They move this process into a namespace of its own:
    call it in a process made for the run, before it starts a thread or reaches a server."""
    reason = missing()
    return Loopback(reason) if reason else Namespaces(hosts)


def missing() -> str:
    """Why there can be no namespaces here; "" when there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for word in ("ip", "tc", "nsenter", "unshare"):
        if shutil.which(word) is None:
            return f"no command {word} here"
    done = subprocess.run(["unshare", "--net", "sh", "-c", _TRIAL], capture_output=True, text=True)
    return "" if done.returncode == 0 else f"no network namespaces here: {done.stderr.strip()}"


def run(line: str, *, may_fail: bool = False) -> None:
    """One command of iproute2."""
    done = subprocess.run(line.split(), capture_output=True, text=True)
    if done.returncode and not may_fail:
        raise RuntimeError(f"`{line}` failed: {done.stderr.strip()}")


def _unshare() -> None:
    if _LIBC.unshare(_CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWNET)")
