"""Forms as PHP writes and reads them: every byte comes through, and nested names become maps and lists."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.contracts.http import php_form


def raw(value: bytes, _: str) -> Any:
    return value


@given(st.binary(max_size=40) | st.text("%4aF+Я &=", max_size=30).map(str.encode))
def test_a_value_is_what_the_standard_library_makes_of_it(value: bytes) -> None:
    sent = value.replace(b"&", b"")
    assert php_form(b"a=" + sent, raw) == {"a": unquote_to_bytes(sent.replace(b"+", b" "))}
    assert php_form(b"a=" + quote_from_bytes(value).encode(), raw) == {"a": value}


@pytest.mark.parametrize(("body", "tree"), [
    (b"a=1&b=", {"a": "1", "b": ""}),
    (b"i[0][n]=x&i[1][n]=y", {"i": [{"n": "x"}, {"n": "y"}]}),
    (b"i[1]=y&i[0]=x", {"i": {"1": "y", "0": "x"}}),
    (b"i[0]=x&i[2]=y", {"i": {"0": "x", "2": "y"}}),
    (b"i[]=x&i[]=y", {"i": ["x", "y"]}),
    (b"i[a][]=x&i[a][]=y&i[b]=z", {"i": {"a": ["x", "y"], "b": "z"}}),
    (b"i[0][0][0]=x", {"i": [[["x"]]]}),
    (b"i=1&i[n]=2", {"i": {"n": "2"}}),
    (b"i[n]=2&i=1", {"i": "1"}),
    (b"0=x&1=y", {"0": "x", "1": "y"}),
    ("n[имя]=%D0%AF".encode(), {"n": {"имя": "Я"}}),
    (b"", {}),
])
def test_names_make_maps_and_lists(body: bytes, tree: Any) -> None:
    assert php_form(body) == tree
