"""The unit files of a service, filled in: which lines change and how, from the commented originals.

Texts and answers in, texts out; nothing is written. The originals lie in systemd/ at the project's root and,
in an installed package, in systemd/ beside this module. Called by `ganger install-units`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

SERVICE, TEMPLATE, SLICE, ENVIRONMENT = "ganger.service", "ganger@.service", "ganger.slice", "environment"
KEY = re.compile(r"([A-Za-z]+)=(.*)")

# A user's own manager has no say over these: accounts, the network, the machine's memory order. Its sandbox
# would need a user namespace, in which the worker's cgroups can't be made.
NOT_FOR_A_USER = {
    *("Wants", "After", "User", "OOMScoreAdjust", "CapabilityBoundingSet", "AmbientCapabilities"),
    *("ProtectSystem", "PrivateTmp", "ReadWritePaths", "ProtectHome", "PrivateDevices", "ProtectClock"),
    *("ProtectHostname", "ProtectKernelLogs", "ProtectKernelModules", "ProtectKernelTunables"),
    *("ProtectProc", "RestrictNamespaces", "RemoveIPC"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What the lines marked CHANGE are to say.

    `instance`: for any app, %i being its name; else for the one named `name`. `account` empty: DynamicUser.
    `personal`: for a user's own manager."""

    name: str
    command: str
    app: str
    directory: str
    settings: str
    workers: int | None = None
    account: str = "ganger"
    memory_max: str = "80%"
    stop_s: float = 40
    environment: str = "/etc/ganger/environment"
    instance: bool = False
    personal: bool = False

    @property
    def unit(self) -> str:
        if self.instance:
            return TEMPLATE
        return SERVICE if self.name == "ganger" else f"ganger-{self.name}.service"

    @property
    def own_directory(self) -> str:
        """Below /run and /var/lib; two services of a host must not share it."""
        if self.instance:
            return "ganger/%i"
        return "ganger" if self.name == "ganger" else f"ganger/{self.name}"

    @property
    def start(self) -> str:
        words = [self.command, "run", *filter(None, [self.app])]
        words += ["-w", str(self.workers)] if self.workers is not None else []
        words += ["-c", self.settings] if self.settings else []
        return " ".join(words if self.instance else map(_quoted, words))


def an_instance(command: str = "/srv/%i/.venv/bin/ganger", account: str = "ganger") -> Service:
    """An app per instance: /srv/NAME with its .venv, /etc/ganger/NAME.toml and NAME.env."""
    return Service(
        name="%i",
        command=command,
        app="",
        directory="/srv/%i",
        settings="/etc/ganger/%i.toml",
        account=account,
        environment="/etc/ganger/%i.env",
        instance=True,
    )


def original(name: str) -> str:
    """One of the commented files. Raises OSError when this installation has lost them."""
    packaged = Path(__file__).with_name("systemd") / name
    return (packaged if packaged.exists() else Path(__file__).parents[2] / "systemd" / name).read_text()


def render(text: str, service: Service) -> str:
    """The service's unit, from the text of ganger.service."""
    changed = {
        "Description": f"ganger, background jobs of {service.name}",
        "ExecStart": service.start,
        "WorkingDirectory": service.directory if service.instance else service.directory.replace("%", "%%"),
        "EnvironmentFile": f"-{service.environment}",
        "User": service.account,
        "RuntimeDirectory": service.own_directory,
        "StateDirectory": service.own_directory,
        "MemoryMax": service.memory_max,
        "TimeoutStopSec": f"{service.stop_s:g}",
        "ReadWritePaths": f"-{service.directory}/var",
    }
    if service.directory.startswith(("/home/", "/root/")) or service.command.startswith(("/home/", "/root/")):
        changed["ProtectHome"] = "read-only"
    if service.personal:
        changed["WantedBy"] = "default.target"
        changed["LimitNOFILE"] = "16384"
    kept: list[str] = []
    for comments, lines in _blocks(text):
        new = [line for each in lines if (line := _line(each, changed, service)) is not None]
        if new or not lines:
            kept += [*map(_unmarked, comments), *new]
    return "\n".join(kept) + "\n"


def _line(line: str, changed: Mapping[str, str], service: Service) -> str | None:
    """The line as it is to be, None for gone."""
    found = KEY.fullmatch(line)
    if found is None:
        return line
    key = found[1]
    if service.personal and key in NOT_FOR_A_USER:
        return None
    if key == "User" and not service.account:
        return "DynamicUser=yes"
    return f"{key}={changed[key]}" if key in changed else line


def _unmarked(comment: str) -> str:
    """CHANGE: has been heeded."""
    mark, _, rest = comment.partition("CHANGE: ")
    return f"{mark}{rest[0].upper()}{rest[1:]}" if rest else comment


def _quoted(word: str) -> str:
    """As systemd.service(5) wants a word of a command: % begins a specifier, $ a variable."""
    word = word.replace("\\", "\\\\").replace("%", "%%").replace("$", "$$")
    return '"' + word.replace('"', '\\"') + '"' if re.search(r"[\s\"']", word) else word


def _blocks(text: str) -> Iterator[tuple[list[str], list[str]]]:
    """(comments, the settings that they explain), in their order; blank lines and heads are blocks of their
    own."""
    comments: list[str] = []
    lines: list[str] = []
    for line in text.splitlines():
        is_setting = KEY.fullmatch(line) is not None
        if (lines and not is_setting) or (comments and not is_setting and not line.startswith("#")):
            yield comments, lines
            comments, lines = [], []
        if is_setting:
            lines.append(line)
        elif line.startswith("#"):
            comments.append(line)
        else:
            yield [], [line]
    if comments or lines:
        yield comments, lines
