"""The servers that a process uses unless told others: those of its settings, found at the first use.

One set of connections, one keeper and one turnstile a name for the whole process. Called by block.py and by
rate_limit.
"""

import os
import threading
import weakref

from ganger.config import discover_throttles
from ganger.throttle.keeper import Keeper
from ganger.throttle.listener import Listener
from ganger.throttle.servers import Servers
from ganger.throttle.waiting import Turnstile


class Throttles:
    """What a process shares of these servers."""

    def __init__(self, servers: Servers, namespace: str) -> None:
        self.servers = servers
        self.namespace = namespace
        self.keeper = Keeper(servers)
        self._listener = Listener(servers)
        self._forget()
        _living.add(self)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._turnstiles: weakref.WeakValueDictionary[str, Turnstile] = weakref.WeakValueDictionary()

    def turnstile(self, name: str) -> Turnstile:
        """That of this name; as long as anybody has it, it is the same for all."""
        with self._lock:
            found = self._turnstiles.get(name)
            if found is None:
                found = self._turnstiles[name] = Turnstile(self._listener)
            return found


_default: Throttles | None = None
_default_lock = threading.Lock()


def default_throttles() -> Throttles:
    """Those of the settings. Raises NotConfigured, BadSettings."""
    global _default
    with _default_lock:
        if _default is None:
            namespace, urls = discover_throttles()
            _default = Throttles(Servers(urls), namespace)
        return _default


def set_default_throttles(throttles: Throttles | None) -> None:
    """Use these from now on (tests, an application with settings of its own)."""
    global _default
    with _default_lock:
        _default = throttles


_living: "weakref.WeakSet[Throttles]" = weakref.WeakSet()


def _after_fork_in_child() -> None:
    global _default_lock
    _default_lock = threading.Lock()
    for throttles in list(_living):
        throttles._forget()


os.register_at_fork(after_in_child=_after_fork_in_child)
