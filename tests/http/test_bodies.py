"""Bodies: read within bounds, decompressed, and decoded as strict JSON; those of errors are kept as they can be."""

import gzip
import json
import time
import zlib
from collections.abc import Iterator

import httpx
import pytest

from neptun_sdk import BadRequestError, NeptunClient, NeptunTimeoutError, ResponseError
from tests.conftest import CANARY, PROJECT, ClientFor
from tests.http.servers import update

OK = json.dumps({"project": PROJECT}).encode()
DEEP = b"[" * 100_000 + b"]" * 100_000
ENCODINGS = {
    "none": ("", OK),
    "identity": ("identity", OK),
    "gzip": ("gzip", gzip.compress(OK)),
    "GZIP": (" GZIP ", gzip.compress(OK)),
    "deflate": ("deflate", zlib.compress(OK)),
}


@pytest.mark.parametrize(("encoding", "content"), ENCODINGS.values(), ids=ENCODINGS)
def test_a_body_is_read_in_every_encoding_that_was_asked_for(
    encoding: str, content: bytes, client_for: ClientFor
) -> None:
    headers = {"Content-Encoding": encoding} if encoding else {}
    stream = httpx.ByteStream(b"\xef\xbb\xbf" * (not encoding) + content)
    assert update(client_for(lambda _: httpx.Response(200, headers=headers, stream=stream))) == 123


UNUSABLE: dict[str, tuple[str, bytes, str]] = {
    "an encoding that was not asked for": ("br", OK, "is encoded as 'br', which was not asked for"),
    "two encodings": ("gzip, gzip", OK, "is encoded as 'gzip, gzip'"),
    "gzip that is none": ("gzip", OK, "cannot be decompressed"),
    "too many bytes": ("", b" " * 2_000, r"is larger than max_response_size \(1,000 bytes\)"),
    "too many bytes, decompressed": ("gzip", gzip.compress(b" " * 2_000_000), "is larger than max_response_size"),
    "too much memory": ("", b"[" + b"[]," * 300 + b"0]", "takes more memory than max_response_size"),
    "invalid UTF-8": ("", b'"\xff"', "is not JSON"),
    "no JSON": ("", b"{", "is not JSON"),
    "NaN": ("", b"[NaN]", "is not JSON"),
}


@pytest.mark.parametrize(("encoding", "content", "problem"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_body_that_cannot_be_used_says_why(encoding: str, content: bytes, problem: str) -> None:
    def respond(_: httpx.Request) -> httpx.Response:
        headers = {"Content-Encoding": encoding} if encoding else {}
        return httpx.Response(200, headers=headers, stream=httpx.ByteStream(content))

    transport = httpx.MockTransport(respond)
    with (
        NeptunClient(CANARY, 1, base_url="https://neptun.test", transport=transport, max_response_size=1_000) as client,
        pytest.raises(ResponseError, match=f"the body {problem}|its body {problem}"),
    ):
        update(client)


def test_a_body_that_is_nested_too_deeply_says_so(client_for: ClientFor) -> None:
    with pytest.raises(ResponseError, match="nested too deeply"):
        update(client_for(lambda _: httpx.Response(200, content=DEEP)))


ERRORS: dict[str, tuple[bytes, object]] = {
    "nothing": (b"", None),
    "white space": (b" \n", None),
    "JSON": (b'\xef\xbb\xbf{"a": [1]}', {"a": [1]}),
    "text": (b"Bad", "Bad"),
    "invalid UTF-8": (b"\xff", "\N{REPLACEMENT CHARACTER}"),
    "99 levels": (b"[" * 99 + b"]" * 99, json.loads("[" * 99 + "]" * 99)),
    "too deep to copy": (b"[" * 200 + b"]" * 200, "[" * 200 + "]" * 200),
    "too deep to decode": (DEEP, DEEP.decode()),
    "too much memory": (b"[" + b"[]," * 3_000_000 + b"0]", "[" + "[]," * 3_000_000 + "0]"),
}


@pytest.mark.parametrize(("content", "body"), ERRORS.values(), ids=ERRORS)
def test_the_body_of_an_error_is_kept_as_it_can_be(content: bytes, body: object, client_for: ClientFor) -> None:
    with pytest.raises(BadRequestError) as caught:
        update(client_for(lambda _: httpx.Response(400, content=content)))
    assert caught.value.body == body


def test_reading_from_a_transport_of_the_callers_own_ends_at_the_deadline(client_for: ClientFor) -> None:
    """Its timeouts count for each read again."""

    class Drips(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            while True:
                time.sleep(0.02)
                yield b" "

    client = client_for(lambda _: httpx.Response(200, stream=Drips())).with_options(timeout=0.2)
    with pytest.raises(NeptunTimeoutError):
        update(client)
