"""What may lie in Redis although ganger never wrote it: entries, records, hashes and rows of the cluster's
own that are nearly right. For the fuzz tests; soil.py puts it there.
"""

from typing import Any

from hypothesis import strategies as st

from ganger.jid import mint
from ganger.keys import Control

KEYS = Control("ganger")
BID = "b-" + "0" * 21
GOOD = mint("q", 0, 3)
small = st.binary(max_size=12)
jids = st.one_of(
    st.sampled_from([word.encode() for word in GOOD]),
    small,
    st.just("é".encode() * 32),
    st.just(b"7" + b"z" * 28),
)
types = st.one_of(st.sampled_from([b"fuzz.count", b"no.such", b"x" * 120]), small)
states = st.one_of(
    st.sampled_from(
        [
            b"",
            b"[1]",
            b"[2147483647,0,0]",
            b"[1,-5,99999999999999,-1]",
            b'[0,0,0,0,0,[["lost"]]]',
            b"[" * 3000,
        ]
    ),
    small,
)
bodies = st.one_of(
    st.sampled_from(
        [
            b"{}",
            b'{"args":[7]}',
            b'{"args":[7],"overrides":{"timeout":1e999}}',
            b'{"args":7}',
            b'{"sealed":"k:x"}',
            b'{"args":[7],"headers":{"a":1}}',
            b"[" * 3000,
            b'{"args":' + b"[" * 900 + b"]" * 900 + b"}",
        ]
    ),
    small,
)
labels = st.one_of(
    st.sampled_from(
        [
            b"",
            b"x1\n",
            b"x99999999999999999999\n",
            b"xq\n",
            b"u\n",
            b"uabc s\n",
            b"bb-000000000000000000000:1\n",
            b"b:\n",
            b"bx\n",
            b"t1\n",
            b"t99999999999999999999\n",
            b"tx\n",
            b"r:\n",
            b"r1:2:3\n",
            b"\n",
            b" \n",
        ]
    ),
    small.map(lambda word: word + b"\n"),
)
ids = st.one_of(st.integers(1, 2**63).map(lambda ms: b"%d-1" % ms), st.just(b"*"))


@st.composite
def entries(draw: st.DrawFn) -> list[bytes]:
    """The fields of a stream entry that looks like a job's."""
    fields = {b"j": draw(jids), b"t": draw(types), b"b": draw(labels) + draw(bodies)}
    if draw(st.booleans()):
        fields[b"s"] = draw(states)
    if draw(st.booleans()):
        fields[draw(st.sampled_from([b"p", b"e", b"h", b"k"]))] = draw(
            st.one_of(st.sampled_from([b"5", b"0", b"99", b"-1", b""]), small)
        )
    if draw(st.integers(0, 3)) == 0:
        del fields[draw(st.sampled_from(list(fields)))]
    return [word for pair in fields.items() for word in pair] or [b"", b""]


@st.composite
def records(draw: st.DrawFn) -> bytes:
    """What a jobs bucket holds, nearly."""
    state = draw(states)
    length = draw(
        st.one_of(st.just(b"%d" % len(state)), st.sampled_from([b"-1", b"0", b"999999", b"x", b"9" * 5000]))
    )
    priority = draw(st.one_of(st.just(b"5"), st.sampled_from([b"0", b"10", b"-1", b"x", b"1e9"])))
    made = b"\n".join([draw(types), priority, length, state + draw(labels) + draw(bodies)])
    return draw(st.sampled_from([made, made[: len(made) // 2], b""]))


scores = st.one_of(st.sampled_from([b"0", b"1", b"-1", b"inf", b"-inf", b"1e300", b"2000000000000", b"1.5"]))
numbers = st.one_of(st.sampled_from([b"0", b"-1", b"1.5", b"9" * 30, b"nan", b"", b"1 2 3", b"inf"]), small)
documents = st.one_of(
    st.sampled_from(
        [
            b"{}",
            b"[]",
            b"1",
            b"null",
            b'{"workers":5}',
            b'{"workers":[5]}',
            b'{"workers":[{"state":[]}],"limits":[1]}',
            b'{"host":[],"queues":7,"pid":"x"}',
            b'{"jid":5,"at_ms":"x","cause":[]}',
            b"[" * 3000,
        ]
    ),
    small,
)
stamped = st.builds(lambda ms, doc: ms + b" " + doc, st.one_of(st.just(b"9999999999999"), numbers), documents)
crons = st.one_of(
    st.sampled_from(
        [
            b"1 1 d a",
            b"1 x d a",
            b"9 9 d",
            b'[{"name":"n","type":"t","cron":"x","tz":"y","queue":"q","priority":5}]',
            b'[{"name":"n{","type":"t","cron":"* * * * *","tz":"UTC","queue":"{","priority":55}]',
            b'[{"name":"n","type":"fuzz.count","cron":"* * * * *","tz":"UTC","queue":"q","priority":5,'
            b'"expires_in":1e308}]',
            b"1|1|0|0|0|0|* * * * * UTC\n1 2 fired x",
            b"1|1|0|0|x|0|t",
            b"q x",
            b"q 99",
            b"q",
        ]
    ),
    numbers,
)
names = st.one_of(
    st.sampled_from([b"q", b"n", b"h:a", b"d:d", b"p:n", b"q:n", b"fuzz.count", b"bad{name"]), small
)
effects = st.one_of(
    st.sampled_from(
        [
            b"- q 0 1 5 now 0 -\nx y 0 2\n{}",
            b"- q 0 1 55 now 0 -\nx y 0 2\n{}",
            b"- q 0 1 5 in x -\nx y 0 2\n{}",
            b"- q 0 1 5 in -7 -\nx y -5 2\n{}",
            b"5 q 0 1 5 now 0 b-000000000000000000000\nx y 0 2\n{}",
            b"1 ok",
            b"1 succeeded",
            b"x",
            b"1",
        ]
    ),
    numbers,
)
effect_names = st.one_of(
    st.sampled_from(
        [
            b"j:" + GOOD[0].encode(),
            b"m:b-000000000000000000000:1",
            b"mb-000000000000000000000:1",
            b"jx",
            b"cb-000000000000000000000",
            b"a",
            b"b",
            b"m",
            b"j\xff",
            b"m\xff:1",
        ]
    ),
    st.builds(lambda kind, rest: kind + rest, st.sampled_from([b"j", b"m", b"a", b"c", b"b", b"p"]), small),
)


@st.composite
def streams(draw: st.DrawFn) -> tuple[str, Any]:
    """One thing that is no job's: (where, what)."""
    where = draw(st.sampled_from(["ready", "ready", "returned", "parked", "log"]))
    return where, (draw(st.integers(1, 9)), draw(ids), draw(entries()))


@st.composite
def shelves(draw: st.DrawFn) -> tuple[str, Any]:
    where = draw(st.sampled_from(["later", "dead"]))
    return where, (draw(jids), draw(scores), draw(st.one_of(st.none(), records())))


@st.composite
def hashes(draw: st.DrawFn) -> tuple[str, Any]:
    where = draw(st.sampled_from(["memo", "locks", "tracks", "outbox", "crons"]))
    match where:
        case "tracks":
            name = draw(st.sampled_from([b"p:", b"c:", b"e:", b""])) + draw(jids)
            value = draw(
                st.one_of(
                    st.sampled_from(
                        [
                            b"1|1|how|type|1|1|-\n[1]",
                            b"1|1|how|type|x|1|kq\n[1]",
                            b"x|1|how|type",
                            b"1|nan|m",
                            b"1|1|",
                            b"1|9|h|t|1|1|k\xff\n",
                        ]
                    ),
                    numbers,
                )
            )
        case "outbox":
            name, value = draw(effect_names), draw(effects)
        case "crons":
            name, value = draw(names), draw(crons)
        case _:
            name = draw(
                st.one_of(
                    names,
                    st.builds(
                        lambda kind, jid: kind + jid,
                        st.sampled_from([b"x:", b"c:", b"p:", b"o", b"w:"]),
                        jids,
                    ),
                )
            )
            value = draw(
                st.one_of(
                    st.sampled_from([b"1 2 3", b"|", b"1|2", b"a:1", GOOD[0].encode() + b" 1"]), numbers
                )
            )
    return where, (name, value)


@st.composite
def controls(draw: st.DrawFn) -> tuple[str, Any]:
    where = draw(
        st.sampled_from(
            [
                "catalog",
                "types",
                "hosts",
                "crash",
                "totals",
                "retains",
                "runs",
                "paused",
                "paused_types",
                "limits",
                "control.crons",
                "leader",
                "batches",
                "batches",
                "head",
            ]
        )
    )
    match where:
        case "types" | "hosts":
            return where, (draw(names), draw(stamped))
        case "paused" | "paused_types":
            ours = (b"q", b"fuzz.count")  # those would be paused, and rightly
            return where, (draw(names.filter(lambda name: name not in ours)), draw(stamped))
        case "limits" | "crash" | "runs" | "retains" | "totals" | "catalog":
            return where, (draw(names), draw(st.one_of(documents, numbers, stamped)))
        case "control.crons":
            return where, (draw(names), draw(crons))
        case "head":
            fields = [
                b"state",
                b"total",
                b"ended",
                b"ok",
                b"complete",
                b"success",
                b"parent",
                b"told",
                b"f:1",
                b"f:x",
                b"active_ms",
                b"bid",
                b"complete_job",
            ]
            value = st.one_of(st.sampled_from([b"open", b"committed", b"fired", b"b-1:2", b"x"]), numbers)
            return where, (draw(st.sampled_from(fields)), draw(value))
    return where, (draw(st.one_of(st.just(BID.encode()), small)), draw(scores))


dirt = st.lists(st.one_of(streams(), shelves(), hashes(), controls()), min_size=1, max_size=6)
