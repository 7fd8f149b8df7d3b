"""Every message survives the wire; what is none is refused by name."""

import msgspec
import pytest

from gangerd import messages as m
from gangerd.recorder import ClaimToken, Held

EXAMPLES = [
    m.Spawn(1, "a" * 16, 2),
    m.TemplateReady(3, 120, ["x"]),
    m.TemplateFailed("no module", 78),
    m.Spawned("a" * 16, 77),
    m.SpawnFailed("a" * 16, "EAGAIN"),
    m.Ready("a" * 16),
    m.Go(),
    m.Wake(),
    m.Leaving("a" * 16, "retired"),
    m.RoleReady("coordinator"),
    m.RoleFailed("coordinator", "wrong password", 78),
    m.Drain(),
    m.Death(
        id="d",
        consumer="c",
        worker="w",
        slot=0,
        pid=5,
        generation=1,
        at_ms=1,
        cause="segfault",
        uses_attempt=True,
        counts_as_crash=True,
        signal=11,
        held=[Held("q", 1, 5, "1-1", "j", "t", 1)],
        running=0,
        claim=ClaimToken(3, "q", 1),
    ),
    m.Left("b1", [1, 2]),
    m.DeathSettled("d"),
    m.EndRun("a" * 16, 7),
]


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: type(message).__name__)
def test_a_message_survives_the_wire(message: m.Message) -> None:
    assert m.decode(m.encode(message)) == message


def test_every_message_has_an_example() -> None:
    assert {type(example) for example in EXAMPLES} == set(m.Message.__subclasses__())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\xc1garbage",
        m.encode(m.Go())[:-1],
        b"\x81\xa4type\xa4Nope",
        b"\x81\xa4type\xa2\xff\xfe",
    ],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        m.decode(data)
