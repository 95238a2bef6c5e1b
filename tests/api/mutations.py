"""Bodies a few edits away from a good one, and the pieces that hurt."""

import random
from collections.abc import Iterator

PIECES = [
    b'"\\u0000"', b'"\\ud800"', b"\xff", b"1e999", b"99999999999999999999", b"-0", b"NaN", b"null",
    b"[" * 40, b'{"a":' * 40, b'"amount": 7,', b"\\", b'"', b"{", b"}", b",", b":", b"\x00", b"\xed\xa0\x80",
    b"true", b"1.0", b'"1"', b"-1", b"0", b"\xef\xbb\xbf", b"\xe2\x80\xae",
]  # fmt: skip


def mutations(chance: random.Random, count: int, good: bytes) -> Iterator[bytes]:
    """Bodies a few edits away from a good one."""
    for _ in range(count):
        body = bytearray(good)
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(body) + 1)
            match chance.randrange(4):
                case 0:
                    body[at:at] = chance.choice(PIECES)
                case 1:
                    del body[at : at + chance.randint(1, 8)]
                case 2:
                    body[at : at + 1] = bytes([chance.randrange(256)])
                case _:
                    value = body.find(b"500")
                    piece = chance.choice(PIECES)
                    body[value : value + 3] = piece if value >= 0 else b""
        yield bytes(body)
