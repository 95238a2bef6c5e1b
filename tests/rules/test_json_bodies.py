"""What a JSON body must be before anybody reads its fields."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.api.json_bodies import DEPTH_LIMIT, require_sound
from marketplace.api.refusals import RequestRefused


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"a": "\xff"}', "body_not_utf8"),
        (b'\xed\xa0\x80"', "body_not_utf8"),
        (b"{", "body_not_json"),
        (b"", "body_not_json"),
        (b"{} {}", "body_not_json"),
        (b"\xef\xbb\xbf{}", "body_not_json"),
        (b'{"a": NaN}', "body_not_json"),
        (b'{"a": -Infinity}', "body_not_json"),
        (b'{"a": "\x00"}', "body_not_json"),
        (b'{"a": 01}', "body_not_json"),
        (b'{"a": 1, "a": 2}', "body_repeats_key"),
        (b'{"a": {"b": 1, "\\u0062": 2}}', "body_repeats_key"),
        (b'{"a": 9223372036854775808}', "body_number_refused"),
        (b'{"a": -9223372036854775809}', "body_number_refused"),
        (b'{"a": ' + b"9" * 60_000 + b"}", "body_number_refused"),
        (b'{"a": 1e999}', "body_number_refused"),
        (b'{"a": "x\\u0000y"}', "body_text_refused"),
        (b'{"\\u0000": 1}', "body_text_refused"),
        (b'{"a": ["\\ud800"]}', "body_text_refused"),
        (b"[" * (DEPTH_LIMIT + 1) + b"]" * (DEPTH_LIMIT + 1), "body_too_deep"),
        (b"[" * 60_000, "body_too_deep"),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "body_too_deep"),
    ],
)
def test_a_body_that_would_hurt_somebody_later_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        require_sound(body)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 9223372036854775807, "b": -9223372036854775808, "c": 1.5}',
        b'{"a": "\\ud83e\\udda6"}',  # a pair of surrogates is one otter
        b'{"a": "\\\\u0000"}',  # an escaped backslash, then four digits
        b'{"a": "' + b"[{" * 1000 + b'"}',  # brackets in a string nest nothing
        b'{"a": "\\"' + b"[" * 100 + b'"}',
        b"[" * DEPTH_LIMIT + b"]" * DEPTH_LIMIT,
        b"[" + b"[1]," * 5000 + b"[]]",
        '{"a": "\u202eolleh"}'.encode(),
    ],
)
def test_a_sound_body_is_read_as_it_is(body: bytes) -> None:
    assert require_sound(body) == json.loads(body)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(RequestRefused):
        assert require_sound(body) == json.loads(body)
