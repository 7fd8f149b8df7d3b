"""The repository's own source files and who imports whom, read with ast and never by importing them.

Leaves judging to the tests under tests/repo, which are its only callers.
"""

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE_ROOTS = {"ganger": ROOT / "engine", "gangerd": ROOT / "supervisor"}
LUA = ROOT / "engine" / "ganger" / "lua"
SKIPPED = {"__pycache__", "node_modules", ".venv"}


@dataclass(frozen=True)
class Module:
    """One Python file of a package: `name` is dotted; `typing_only` are imports under TYPE_CHECKING."""

    name: str
    path: Path
    tree: ast.Module
    imports: frozenset[str]
    typing_only: frozenset[str]


@cache
def modules() -> dict[str, Module]:
    """Every module of both packages, by dotted name."""
    found: dict[str, Module] = {}
    for package, root in SOURCE_ROOTS.items():
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            tree = ast.parse(path.read_text(), str(path))
            in_package = name if path.name == "__init__.py" else name.rpartition(".")[0]
            running, typing_only = _imports(tree, in_package)
            found[name] = Module(name, path, tree, frozenset(running), frozenset(typing_only))
    return found


def _imports(tree: ast.Module, package: str) -> tuple[set[str], set[str]]:
    typing_nodes = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for child in ast.walk(node)
    }
    running: set[str] = set()
    typing_only: set[str] = set()
    for node in ast.walk(tree):
        into = typing_only if id(node) in typing_nodes else running
        if isinstance(node, ast.Import):
            into.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                base = package.split(".")[: len(package.split(".")) - node.level + 1]
                origin = ".".join([*base, *([node.module] if node.module else [])])
            into.add(origin)
            # `from ganger import keys` may mean a module: kept as a candidate, known() sorts it out.
            into.update(f"{origin}.{alias.name}" for alias in node.names)
    return running, typing_only


def owned(module: Module) -> set[str]:
    """The modules of our own packages that it imports, TYPE_CHECKING included, in their narrowest form."""
    names = (module.imports | module.typing_only) & modules().keys()
    # `from ganger.operations import claim` names the package too: only the module is meant.
    return {name for name in names if not any(other.startswith(f"{name}.") for other in names)} - {
        module.name
    }


def reached(module: Module) -> dict[str, str]:
    """Every top-level library that running it imports, directly or through modules of the same package.

    Library -> the chain of modules that leads to it. Packages on the way count, as Python runs them too.
    """
    top = module.name.split(".")[0]
    found: dict[str, str] = {}
    chains = {module.name: module.name}
    waiting = [module.name]
    while waiting:
        current = modules()[waiting.pop()]
        for name in sorted(current.imports):
            found.setdefault(name.split(".")[0], chains[current.name])
            steps = [".".join(name.split(".")[: n + 1]) for n in range(name.count(".") + 1)]
            for step in steps:
                if step.split(".")[0] == top and step in modules() and step not in chains:
                    chains[step] = f"{chains[current.name]} > {step}"
                    waiting.append(step)
    return found


def scripts() -> list[Path]:
    """The Lua scripts (not the shared parts in lib/)."""
    return sorted(LUA.glob("*.lua"))


def text_files() -> list[Path]:
    """Every file of ours that a person writes."""
    folders = ("engine", "supervisor", "tests", "docs", "benchmarks", "systemd", ".ci")
    named = [path for folder in folders for path in sorted((ROOT / folder).rglob("*"))]
    named += sorted(ROOT.glob("*.md"))
    named += [ROOT / name for name in ("Makefile", "pyproject.toml", "requirements.lock")]
    kinds = {".py", ".lua", ".md", ".toml", ".service", ".slice", ".lock", ".typed", ""}
    return [
        path for path in named if path.is_file() and path.suffix in kinds and not SKIPPED & set(path.parts)
    ]
