"""Bodies, whatever their bytes."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from controller.sidecar.http.body import parse
from controller.sidecar.http.response import ApiError


def parsed(body: bytes) -> tuple[dict[str, Any] | None, str]:
    try:
        return parse(body), ""
    except ApiError as refusal:
        return None, refusal.code


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(st.binary() | JSON_VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_an_object_or_a_bad_request(body: bytes) -> None:
    content, code = parsed(body)
    assert code == "BAD_REQUEST" if content is None else content == json.loads(body or b"{}")
