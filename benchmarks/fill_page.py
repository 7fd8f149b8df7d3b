"""Fill the tables of docs/performance.md from the figures that `ganger bench --out docs` has written.

A table stands between `<!-- bench NAME -->` and `<!-- /bench -->`: NAME is a case, `machine` or `targets`.
What was not measured stays as it is. `make performance` calls."""

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gangerd.cli.bench import amount, missed, ratio, sentence

DOCS = Path(__file__).resolve().parent.parent / "docs"


def main() -> int:
    found = json.loads((DOCS / "performance.json").read_text())
    tables = {
        "machine": sentence(found["measured_on"], found["quick"]),
        "targets": targets(found["targets"]),
        **{case["name"]: case_table(case) for case in found["cases"] if case["figures"]},
    }
    page = DOCS / "performance.md"
    text = page.read_text()
    for name, table in tables.items():
        text, count = re.subn(
            rf"(<!-- bench {name} -->\n).*?(<!-- /bench -->)",
            lambda match, table=table: f"{match[1]}\n{table}\n\n{match[2]}",
            text,
            flags=re.DOTALL,
        )
        if count != 1:
            print(f"{page} has no place for {name}", file=sys.stderr)
            return 1
    page.write_text(text)
    return 0


def targets(found: Sequence[dict[str, Any]]) -> str:
    rows = [
        (
            one["what"],
            one["wanted"],
            f"{amount(one['measured'])} {one['unit']}".rstrip(),
            "yes" if one["held"] else f"**{missed(one['missed_by'])}**",
        )
        for one in found
    ]
    return table(("", "wanted", "measured", "held"), rows)


def case_table(case: dict[str, Any]) -> str:
    rows = [
        (one["name"], f"{amount(one['value'])} {one['unit']}", ratio(one["ratio"], one["to"]))
        for one in case["figures"]
    ]
    return table(("", "measured", "ratio"), rows)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (columns, ["---"] * len(columns), *rows))


if __name__ == "__main__":
    sys.exit(main())
