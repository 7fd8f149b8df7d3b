"""From a role's exec to its service: find Redis, say what is wrong with it, wait for it within reason.

What no waiting cures (a password that no node accepts, no cluster, too old a server) is told to the master at
once; a server that can't be reached, or turns us away where others don't, is waited for: the embedded ones
may not be up yet. Until the service stands, the master's messages are kept for it. Used by the coordinator
and the scheduler.
"""

import time
from collections.abc import Callable
from dataclasses import replace

from ganger.cluster import Cluster
from ganger.errors import (
    BadSettings,
    BadThrottleServer,
    EvictionEnabled,
    GangerError,
    NoDisk,
    NotACluster,
    ServerTooOld,
    WrongPassword,
)
from gangerd import log
from gangerd.config import EXIT_CONFIG, EXIT_FAILED
from gangerd.messages import Drain, Message, RoleFailed, RoleReady
from gangerd.roles.loop import LeaveLoop
from gangerd.roles.role import Role, engine_config

TRY_MS = 300
MANIFEST_MS = 10
CHECK_S = 1.5
PATIENCE_S = 10.0
HOPELESS = (NotACluster, ServerTooOld, EvictionEnabled, BadSettings, BadThrottleServer, NoDisk)
SOCKET_S, CONNECT_S = 0.9, 0.5
"""No I/O of a role may keep its loop for longer."""

Handler = Callable[[Message], None]
_logger = log.get()


class Starting:
    """`begin(cluster)` makes the service and answers the handler of the master's messages and a line for
    status; it may raise GangerError for "not yet" and ValueError for "never"."""

    def __init__(
        self, role: Role, begin: Callable[[Cluster], tuple[Handler, str]], *, needs_manifest: bool = True
    ) -> None:
        self._role = role
        self._begin = begin
        self._needs_manifest = needs_manifest
        self._cluster: Cluster | None = None
        self._handler: Handler | None = None
        self._early: list[Message] = []
        self._since_s = time.monotonic()
        self._told = False
        role.listen(self._handle)
        role.loop.every("start", TRY_MS, self._try)

    def _handle(self, message: Message) -> None:
        if self._handler is not None:
            self._handler(message)
        elif isinstance(message, Drain):
            raise LeaveLoop(0)
        else:
            self._early.append(message)

    def _try(self) -> None:
        try:
            cluster = self._cluster = self._cluster or self._connect()
            if self._needs_manifest and not self._role.has_manifest():
                # The app is still being imported, however long that takes.
                self._since_s = time.monotonic()
                self._role.loop.soon("start", MANIFEST_MS)
                return
            handler, detail = self._begin(cluster)
        except (GangerError, ValueError) as error:
            if self._is_hopeless(error):
                self._fail(error, EXIT_CONFIG)
            self._wait(error)
        else:
            self._role.loop.stop("start")
            self._handler = handler
            early, self._early = self._early, []
            for message in early:
                handler(message)
            self._role.tell(RoleReady(self._role.name, detail))

    def _is_hopeless(self, error: Exception) -> bool:
        """A password is, when no node accepts it; once one has, it is being changed at the others."""
        if isinstance(error, WrongPassword):
            return self._cluster is None
        return isinstance(error, (*HOPELESS, ValueError))

    def _wait(self, error: Exception) -> None:
        """Within reason."""
        if time.monotonic() - self._since_s > PATIENCE_S:
            self._fail(error, EXIT_FAILED)
        if not self._told:
            _logger.warning(log.REDIS_DOWN, error=str(error))
            self._told = True

    def _connect(self) -> Cluster:
        """A transport to a Redis that will do."""
        settings = engine_config(self._role.config).redis
        cluster = Cluster(replace(settings, socket_timeout_s=SOCKET_S, connect_timeout_s=CONNECT_S))
        durability = self._role.config.durability
        for warning in cluster.check(durability=durability, deadline_s=CHECK_S):
            _logger.warning(log.REDIS_REFUSED, warning=warning)
        if durability == "fsynced":
            cluster.check_disks(deadline_s=CHECK_S)
        return cluster

    def _fail(self, error: Exception, code: int) -> None:
        # The master says so in the log; once is enough.
        self._role.tell(RoleFailed(self._role.name, str(error), code))
        raise LeaveLoop(code)
