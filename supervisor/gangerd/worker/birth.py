"""What a newborn worker is given, as plain data: the template fills it in, the worker lives by it."""

from dataclasses import dataclass

from gangerd.config import Config


@dataclass(frozen=True, slots=True)
class Birth:
    """Numbers of inherited descriptors and the identity of one worker.

    `host` is the master's incarnation, under which every claim is made; `leaf` is the memory cgroup to join,
    empty when there is none; `import_app` is true where the app may not be imported before the fork."""

    slot: int
    incarnation: str
    generation: int
    channel_fd: int
    crash_fd: int
    recorder_fd: int
    doorbell_fd: int
    master_pid: int
    host: str
    config: Config
    leaf: str = ""
    import_app: bool = False
