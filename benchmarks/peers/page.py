"""The figures of a run as tables, and where they go: between two markers of docs/performance.md. Pure.

Called by run.py, and by tests/benchmarks/test_peers_page.py.
"""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

NONE = "-"
BEGIN, END = "<!-- peers -->", "<!-- /peers -->"
OURS = "ganger"

Found = Mapping[str, Any]
"""What run.py wrote: `measured_on`, `quick`, `systems` and `crash`, by name each."""


THROUGHPUT_SAID = "**No-op jobs, two worker processes, everything pushed before the start.**"
LATENCY_SAID = (
    "**Latency, idleness, memory.** Push to the handler's first line with four idle workers, and with two"
    " under half of the load that they were measured to take just before; then four workers that have"
    " nothing to do."
)


class NoPlace(Exception):
    """The page has no markers, or has them twice."""


def filled(page: str, section: str) -> str:
    """The page with `section` between its markers, whatever stood there."""
    if page.count(BEGIN) != 1 or page.count(END) != 1 or page.index(BEGIN) > page.index(END):
        raise NoPlace(f"the page needs a line {BEGIN} and after it a line {END}, once each")
    head, _, rest = page.partition(BEGIN)
    return f"{head}{BEGIN}\n\n{section.strip()}\n\n{END}{rest.partition(END)[2]}"


def section(found: Found) -> str:
    systems = found["systems"]
    parts = [introduction(found), table(SETTINGS, systems)]
    if any(one["turns"] for one in systems.values()):
        parts += [f"{THROUGHPUT_SAID} {headline(systems)}", table(THROUGHPUT, systems)]
    if any(one["figures"] for one in systems.values()):
        parts += [LATENCY_SAID, table(LATENCY, systems)]
    parts.append(left_out(found))
    if found.get("crash"):
        parts += [crash_introduction(found), table(CRASH, found["crash"]), crash_notes(found["crash"])]
    return "\n\n".join(part for part in parts if part)


def introduction(found: Found) -> str:
    on = found["measured_on"]
    return flowing(f"""
        Written by `make peers` on {on["date"]}: {on["cores"]} cores, {on["memory_gb"]} GB, {on["processor"]},
        Python {on["python"]}, node {on["node"]}, Ruby {on["ruby"]}.
        {"" if on["load"] < 0.5 else f"**The machine was busy otherwise (a load of {on['load']:.1f}).**"}
        {"**A short run: the figures are rough.**" if found["quick"] else ""}
        Servers, workers and producer share the cores. The server is redis-server {on["redis"]} for all, with
        the same settings (append-only file, written out each second): standalone for the others, a cluster of
        one node for ganger. The systems take turns, case by case; throughput and pushes
        {turns_said(on["rounds"])}. A handler tells that it ran by one write to a file, the same in each
        language. Log level is WARNING for all.
    """)


def flowing(text: str) -> str:
    return " ".join(text.split())


def turns_said(rounds: int) -> str:
    return f"are medians of {rounds} turns, the best in brackets" if rounds > 1 else "have one turn"


def headline(systems: Mapping[str, Found]) -> str:
    """How many times the best of the others, of those that don't lose jobs and of all."""
    if OURS not in systems or not values(systems[OURS], "jobs_s"):
        return ""
    ours = median(values(systems[OURS], "jobs_s"))
    said = []
    for which, allowed in (("of those that deliver at least once", True), ("of all", False)):
        others = {
            name: median(values(one, "jobs_s"))
            for name, one in systems.items()
            if name != OURS and values(one, "jobs_s") and (one["at_least_once"] or not allowed)
        }
        if others:
            best = max(others, key=lambda name: others[name])
            said.append(f"{ours / others[best]:.1f} times the best {which} ({best})")
    return f"ganger does {', '.join(said)}." if said else ""


def left_out(found: Found) -> str:
    rows = [f"- {name}: {why}" for name, why in found.get("missing", {}).items()]
    for name, one in found["systems"].items():
        rows += [f"- {name}, {case}: {why}" for case, why in one.get("failed", {}).items()]
    return "Not measured:\n\n" + "\n".join(rows) if rows else ""


def crash_introduction(found: Found) -> str:
    return flowing(f"""
        **The crash run.** Four workers; 500 jobs of 5 ms wait, among them one that segfaults, one that gets a
        SIGKILL and one that hangs in C, holding the interpreter's lock, under a limit of 3 s where there is
        such a setting; three attempts each where there is such a setting. Then a job a second,
        {found["measured_on"]["ticks"]} of them. All systems at the same time, a server each; their
        processes are looked at twenty times a second. What runs them restarts a main process a second after
        its end, as systemd would, and ends what is left of it before. Logs are at INFO. *Unfinished* (at the
        end of the run), *twice* and *late* (begun more than 10 s after its push) count the normal jobs;
        *replaced* is from a culprit's first death until as many processes are there as before.
    """)


def crash_notes(crash: Mapping[str, Found]) -> str:
    harms: dict[str, list[str]] = {}
    for name, one in crash.items():
        harms.setdefault(one["harm"], []).append(name)
    rows = [f"- {name}: {one['settings']}" for name, one in crash.items()]
    rows += [f"- **{name}: {one['trouble']}**" for name, one in crash.items() if one.get("trouble")]
    said = "; ".join(f"{', '.join(names)}: {harm}" for harm, names in harms.items())
    return f"What the culprits did, in this order. {said}.\n\nSettings of this run:\n\n" + "\n".join(rows)


# ---- tables --------------------------------------------------------------------------------------------

Column = tuple[str, Callable[[Found], str]]


def table(columns: Sequence[Column], systems: Mapping[str, Found]) -> str:
    heads = ["", *(head for head, _ in columns)]
    rows = [[name, *(show(one) for _, show in columns)] for name, one in systems.items()]
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |".replace("|  |", "| |") for cells in lines)


def values(one: Found, name: str) -> list[float]:
    """One for each turn in which it could be measured."""
    return [turn[name] for turn in one.get("turns", ()) if name in turn]


def turns(name: str) -> Callable[[Found], str]:
    """The median over the turns, and the best."""

    def show(one: Found) -> str:
        found = values(one, name)
        if not found:
            return NONE
        middle, best = amount(median(found)), amount(max(found))
        return middle if len(found) == 1 else f"{middle} ({best})"

    return show


def middle(*names: str) -> Callable[[Found], str]:
    def show(one: Found) -> str:
        found = [values(one, name) for name in names]
        return " / ".join(amount(median(each)) if each else NONE for each in found)

    return show


def figure(*names: str, unit: str = "") -> Callable[[Found], str]:
    """Figures that are measured once."""

    def show(one: Found) -> str:
        found = [one.get("figures", {}).get(name) for name in names]
        if all(each is None for each in found):
            return NONE
        return " / ".join(NONE if each is None else amount(each) for each in found) + unit

    return show


def total_cpu(one: Found) -> str:
    workers, server = values(one, "workers_us"), values(one, "server_us")
    return amount(median(workers) + median(server)) if workers and server else NONE


def seconds(value: float | None) -> str:
    """As exactly as a look each 50 ms allows."""
    if value is None:
        return "not"
    return "< 0.1 s" if value < 0.1 else f"{value:.1f} s" if value < 10 else f"{value:.0f} s"


def hang_ended(one: Found) -> str:
    return "died with another culprit" if one["hang_shared"] else seconds(one["hang_ended_s"])


def replaced(one: Found) -> str:
    shown = seconds(one["replaced_s"])
    ends = one["main_ends"]
    return f"{shown}; main process restarted {times(ends)}" if ends else shown


def runs(one: Found) -> str:
    return " / ".join(str(one["runs"][kind]) for kind in ("a", "b", "c"))


def named(one: Found) -> str:
    said = [one["named"][kind] for kind in ("a", "b", "c")]
    return said[0] if len(set(said)) == 1 else " / ".join(said)


def times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def amount(value: float) -> str:
    """Two digits or three, as many as such a figure can be trusted for."""
    if isinstance(value, int):
        return f"{value:,}"
    if value >= 1000:
        digits = len(str(int(value)))
        return f"{round(value, 3 - digits):,.0f}"
    return f"{value:.0f}" if value >= 20 else f"{value:.1f}" if value >= 2 else f"{value:.2f}"


SETTINGS: Sequence[Column] = (
    ("version", lambda one: str(one["version"])),
    ("delivery", lambda one: "at least once" if one["at_least_once"] else "**may lose jobs**"),
    ("a job that died with its process comes back", lambda one: one["redelivered"] or "not"),
    ("settings", lambda one: str(one["settings"])),
)
THROUGHPUT: Sequence[Column] = (
    ("jobs/s", turns("jobs_s")),
    ("CPU per job, µs", total_cpu),
    ("workers / server", middle("workers_us", "server_us")),
    ("push one by one, /s", turns("push_single")),
    ("in bulk, /s", turns("push_bulk")),
)
LATENCY: Sequence[Column] = (
    ("idle, p50 / p99 ms", figure("idle_p50_ms", "idle_p99_ms")),
    ("half load, p50 / p99 ms", figure("load_p50_ms", "load_p99_ms")),
    ("at jobs/s", figure("load_rate")),
    ("idle CPU, workers / server", figure("idle_cpu", "idle_server_cpu", unit=" %")),
    ("processes", figure("processes")),
    ("memory (PSS)", figure("pss_mb", unit=" MB")),
    ("with pandas", figure("pss_imports_mb", unit=" MB")),
)
CRASH: Sequence[Column] = (
    ("limit", lambda one: str(one["limit"])),
    ("unfinished", lambda one: f"{one['unfinished']} of {one['normal']}"),
    ("twice", lambda one: str(one["twice"])),
    ("late", lambda one: str(one["late"])),
    ("runs: segfault / SIGKILL / hang", runs),
    ("replaced after", replaced),
    ("hang ended after", hang_ended),
    ("named in its log or data", named),
)
