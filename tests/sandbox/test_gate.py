"""What a web page of another site can make a browser send, over HTTP and in Chromium."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from neptun_sdk.sandbox import Sandbox
from tests.needs import require

HTML = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def neptun() -> Iterator[Sandbox]:
    with Sandbox(host_names=["Neptun", "neptun.internal"]) as sandbox:
        yield sandbox


def ask(neptun: Sandbox, method: str, path: str, headers: dict[str, str], content: bytes = b"") -> httpx.Response:
    """Send a request with these headers, the Host among them."""
    neptun.reset()
    return httpx.request(method, f"{neptun.base_url}{path}", headers=headers, content=content)


SERVED = {
    **{
        name: {"Host": name}
        for name in ("localhost", "LOCALHOST:80", "localhost.", "127.0.0.1:1", "127.1.2.3", "[::1]:80")
    },
    "a name that was given": {"Host": "neptun:8080"},
    "another name, in upper case": {"Host": "NEPTUN.INTERNAL"},
    "a person who typed the address": {"Sec-Fetch-Site": "none"},
    "its own page": {"Host": "localhost:80", "Origin": "http://localhost:80", "Sec-Fetch-Site": "same-origin"},
}


@pytest.mark.parametrize("headers", SERVED.values(), ids=SERVED)
def test_loopback_and_the_names_given_are_served(headers: dict[str, str], neptun: Sandbox) -> None:
    assert neptun.session_cookie in ask(neptun, "GET", "/", {**HTML, **headers}).text
    assert ask(neptun, "PATCH", "/nope", headers).status_code == 404


FOREIGN = {
    "another host": ({"Host": "site.example"}, "'site.example'. To serve one more, start it with --host-name"),
    "another host with a port": ({"Host": "site.example:80"}, "'site.example:80'"),
    "a host of a name that was given": ({"Host": "neptun.internal.site.example"}, "loopback host names only"),
    "a host that begins as loopback does": ({"Host": "127.0.0.1.site.example"}, "loopback host names only"),
    "a host that ends as loopback does": ({"Host": "site.localhost.example"}, "loopback host names only"),
    "an address of a network": ({"Host": "192.168.0.1"}, "loopback host names only"),
    "every address": ({"Host": "0.0.0.0:80"}, "loopback host names only"),
    "user info": ({"Host": "localhost@site.example"}, "loopback host names only"),
    "an empty host": ({"Host": ""}, "loopback host names only"),
    "a long host": ({"Host": "x" * 10_000}, "x" * 100 + "'. To"),
    "another origin": ({"Origin": "https://site.example"}, "another origin, 'https://site.example'"),
    "another port": ({"Host": "127.0.0.1:80", "Origin": "http://127.0.0.1:8080"}, "another origin"),
    "another loopback name": ({"Host": "127.0.0.1:80", "Origin": "http://localhost:80"}, "another origin"),
    "an origin that is hidden": ({"Origin": "null"}, "another origin, 'null'"),
    "another site": ({"Sec-Fetch-Site": "cross-site"}, "another site (Sec-Fetch-Site: cross-site)"),
    "another port of the site": ({"Sec-Fetch-Site": "same-site"}, "another site"),
}
REQUESTS = {
    "the reference": ("GET", "/", b""),
    "the API": ("PATCH", "/api/users/1/projects/789", b"{}"),
    "a preflight": ("OPTIONS", "/api/users/1/projects/789", b""),
    "the requests": ("GET", "/_sandbox/requests", b""),
    "a script": ("POST", "/_sandbox/fail-next", b'{"status": 503}'),
}


@pytest.mark.parametrize(("method", "path", "content"), REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize(("headers", "message"), FOREIGN.values(), ids=FOREIGN)
def test_what_another_site_sends_is_refused(
    headers: dict[str, str], message: str, method: str, path: str, content: bytes, neptun: Sandbox
) -> None:
    headers = {
        **HTML,
        "Cookie": f"neptun-session={neptun.session_cookie}",
        "Content-Type": "application/json",
        **headers,
    }
    response = ask(neptun, method, path, headers, content)
    assert response.status_code == 403
    assert message in response.json()["message"]
    assert neptun.session_cookie not in response.text
    assert "Access-Control-Allow-Origin" not in response.headers
    assert neptun.requests == []
    assert httpx.get(neptun.base_url).status_code == 404, "nothing was scripted"


def test_http_1_0_without_a_host_is_refused(neptun: Sandbox) -> None:
    with socket.create_connection(("127.0.0.1", int(neptun.base_url.rsplit(":", 1)[1])), timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\nAccept: text/html\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 403 ")


def test_in_process_every_name_is_served() -> None:
    sandbox = Sandbox()
    with httpx.Client(transport=sandbox.transport()) as http:
        assert http.get("http://site.example/", headers=HTML).status_code == 200


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    """A page in Chromium, to which ``site.example`` is this machine."""
    pytest.importorskip("playwright")
    from playwright.sync_api import sync_playwright

    from tests.docs.conftest import CHROMIUM, FLAGS

    require("Chromium")
    flags = [*FLAGS[:-1], "--host-resolver-rules=MAP site.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
    with (
        sync_playwright() as playwright,
        closing(playwright.chromium.launch(executable_path=CHROMIUM, args=flags, headless=True)) as browser,
    ):
        yield browser.new_page()


class _AnotherSite(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Another site</title><body>")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def another_site() -> Iterator[str]:
    """The address of a page of another site, which allows its scripts everything."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _AnotherSite) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://site.example:{server.server_port}/"
        server.shutdown()
        thread.join()


# What the script of such a page can do to an address. Each ends when the browser is done.
FAIL = """{"status": 503}"""
ATTACKS = {
    "fetch": "fetch(url + '/_sandbox/fail-next', {method: 'POST', mode: 'no-cors', body: FAIL})",
    "fetch of JSON": "fetch(url + '/_sandbox/fail-next', {method: 'POST', body: FAIL, headers: JSON_TYPE})",
    "fetch without a body": "fetch(url + '/_sandbox/reset', {method: 'POST', mode: 'no-cors'})",
    "beacon": "navigator.sendBeacon(url + '/_sandbox/fail-next', FAIL), new Promise(done => setTimeout(done, 500))",
    "image": "new Promise((_, failed) => Object.assign(new Image(), {onerror: failed, src: url + '/image'}))",
    "form": """new Promise(done => {
        document.body.innerHTML = `<iframe name=f></iframe>
            <form method=post target=f enctype=text/plain action="${url}/_sandbox/fail-next">
            <input name='{"status": 503, "retry_after":' value='1}'></form>`
        document.querySelector('iframe').onload = done
        document.forms[0].submit()
    })""",
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_a_page_of_another_site_does_nothing_in_a_real_browser(
    attack: str, neptun: Sandbox, page: Any, another_site: str
) -> None:
    neptun.reset()
    httpx.get(f"{neptun.base_url}/kept")
    page.goto(another_site)
    constants = f"const FAIL = '{FAIL}', JSON_TYPE = {{'Content-Type': 'application/json'}}"
    page.evaluate(f"async url => {{ {constants}; try {{ await ({attack}) }} catch {{}} }}", neptun.base_url)
    assert [request.path for request in neptun.requests] == ["/kept"], "no request, and no reset"
    assert httpx.get(neptun.base_url).status_code == 404, "nothing was scripted"


def test_a_page_whose_name_points_here_reads_nothing_in_a_real_browser(neptun: Sandbox, page: Any) -> None:
    """DNS rebinding."""
    rebound = f"http://site.example:{neptun.base_url.rsplit(':', 1)[1]}/"
    assert page.goto(rebound).status == 403
    assert neptun.session_cookie not in page.content()
    read = page.evaluate("() => fetch('/', {headers: {Accept: 'text/html'}}).then(response => response.text())")
    assert neptun.session_cookie not in read


def test_a_scripted_page_runs_nothing_in_a_real_browser(neptun: Sandbox, page: Any) -> None:
    neptun.reset()
    body = "<title>as sent</title><script>document.title = 'ran'</script><img src=x onerror=\"document.title = 'ran'\">"
    script = {"headers": {"Content-Type": "text/html"}, "body": body}
    httpx.post(f"{neptun.base_url}/_sandbox/respond", json=script).raise_for_status()
    assert page.goto(f"{neptun.base_url}/scripted").status == 200
    page.wait_for_timeout(200)
    assert page.title() == "as sent"


def test_a_person_who_types_the_address_sees_the_reference(neptun: Sandbox, page: Any) -> None:
    page.goto(neptun.base_url)
    assert neptun.session_cookie in page.content()
