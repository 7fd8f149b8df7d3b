"""How the fuzz tests draw their inputs: few examples, always the same ones, in `make test`; as many as
GANGER_FUZZ_EXAMPLES says, and other ones each time, in a long run. Whatever a long run has found is mended
and stands as an @example beside its test.
"""

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

LONG = os.environ.get("GANGER_FUZZ_EXAMPLES")


def fuzz(few: int) -> Callable[[Any], Any]:
    """The settings of one test; `few` examples where nobody asked for more."""
    return settings(
        max_examples=int(LONG) if LONG else few,
        derandomize=not LONG,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )


def texts(alphabet: str, most: int = 40) -> st.SearchStrategy[str]:
    """Texts that look nearly right, and any others."""
    return st.one_of(st.text(st.sampled_from(alphabet), max_size=most), st.text(max_size=most))


integers = st.one_of(
    st.integers(-3, 300),
    st.integers(),
    st.sampled_from([2**31 - 1, 2**31, 2**32, 2**53, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), 10**400]),
)
scalars = st.one_of(
    st.none(), st.booleans(), integers, st.floats(), st.text(max_size=20), st.binary(max_size=20)
)
json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        integers,
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=20),
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=10,
)


spans = texts("0123456789.smhd -/ago")
sizes = texts("0123456789.KMGTiB ")
urls = texts("redis://@:[]0123456789,/%h", 60)
clocks = texts("0123456789-:T+.Z aonw")
fields = texts("0123456789*,-/?#LWRH@daily JANMON", 30)
huge = "9" * 400
digits = "1" * 5000
words = st.one_of(
    spans, sizes, urls, clocks, fields, st.sampled_from([huge, f"{huge}d", digits, "h:²", "1:1"])
)
values = st.one_of(words, anything)

# What a page or a death may say, nearly.
odd_text = st.one_of(
    st.text(max_size=6), st.sampled_from(["mail", "x" * 300, "1-1", "99999999999999999999-1", "-", "{"])
)
odd_int = st.one_of(st.integers(-2, 12), st.integers(-(2**63), 2**64 - 1))
held = st.builds(
    lambda *row: row,
    st.one_of(st.just("mail"), odd_text),
    st.one_of(st.just(0), odd_int),
    odd_int,
    st.one_of(st.just("1-1"), odd_text),
    odd_text,
    odd_text,
    odd_int,
)
