"""The documentation and the code agree: links resolve; every command, setting and metric is written down."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from gangerd.cli.entry import ganger
from gangerd.values import SETTINGS
from support.sources import ROOT, modules

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
DECISIONS = sorted(path for path in (DOCS / "adr").glob("*.md") if path.name != "README.md")
LINK = re.compile(r"(?<!\!)\[[^\]]*\]\(([^)\s]+)\)")


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prose(path: Path) -> str:
    """The page without its code blocks, in which brackets are code."""
    return re.sub(r"^```.*?^```", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)


def anchors(path: Path) -> set[str]:
    """The fragments that headings make."""
    heads = re.findall(r"^#+ (.+)$", prose(path), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("path", PAGES, ids=short)
def test_links_lead_somewhere(path: Path) -> None:
    for link in LINK.findall(prose(path)):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, fragment = link.partition("#")
        resolved = (path.parent / target).resolve() if target else path
        assert resolved.exists(), link
        assert not fragment or fragment in anchors(resolved), link


@pytest.mark.parametrize("path", PAGES[1:], ids=short)
def test_a_page_is_reachable_from_the_readme(path: Path) -> None:
    seen = {PAGES[0]}
    waiting = [PAGES[0]]
    while waiting:
        page = waiting.pop()
        links = [(page.parent / link.partition("#")[0]).resolve() for link in LINK.findall(prose(page))]
        new = {link for link in links if link.suffix == ".md" and link.exists()} - seen
        seen |= new
        waiting += new
    assert path in seen


def test_every_decision_is_in_the_index() -> None:
    index = (DOCS / "adr" / "README.md").read_text()
    assert DECISIONS
    assert not [path.name for path in DECISIONS if f"]({path.name})" not in index]


@pytest.mark.parametrize("path", DECISIONS, ids=short)
def test_a_decision_has_its_parts(path: Path) -> None:
    text = path.read_text()
    assert re.match(rf"# {path.name[:4]}\. ", text)
    for part in ("Context", "Decision", "Consequences"):
        assert f"\n## {part}\n" in text


def commands(group: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """(full name, command) of every command that acts."""
    if not isinstance(group, click.Group):
        yield path, group
        return
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield from commands(command, f"{path} {name}")


COMMANDS = dict(commands(ganger, "ganger"))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented_with_its_options(name: str) -> None:
    """A section of docs/commands.md each, which names every option."""
    _, head, rest = (DOCS / "commands.md").read_text().partition(f"\n### {name}")
    assert head
    section = rest.split("\n### ")[0]
    options = [p for p in COMMANDS[name].params if isinstance(p, click.Option) and not p.hidden]
    # Those that most commands share have a section of their own.
    shared = {"-c", "--config", "--json", "--dir", "--help"}
    assert not [p.name for p in options if not any(o in section or o in shared for o in p.opts)]
    assert f"`{name}" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("key", sorted(SETTINGS))
def test_every_setting_is_documented(key: str) -> None:
    assert f"| `{key}` |" in (DOCS / "config.md").read_text()


def test_every_metric_is_documented() -> None:
    """Names are dotted words in gangerd/metrics.py; what varies stands in angle brackets there."""
    page = (DOCS / "metrics.md").read_text()
    literals = [
        node.value
        for node in ast.walk(modules()["gangerd.metrics"].tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    names = {name for name in literals if re.fullmatch(r"[a-z_]+(\.(<[a-z]+>|[a-z_]+))+", name)}
    assert not {name for name in names if f"| `{name}` |" not in page}


def test_every_metric_is_told_by_somebody() -> None:
    tree = modules()["gangerd.metrics"].tree
    names = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id.isupper()
    }
    users = [node for module in modules().values() for node in ast.walk(module.tree)]
    used = {node.attr for node in users if isinstance(node, ast.Attribute)}
    used |= {node.id for node in users if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    assert not {name for name in names if name not in used}
