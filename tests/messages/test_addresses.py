"""Where webhooks may go: public addresses over HTTPS, however the others are written."""

import pytest

from marketplace.messages.addresses import checked_url, host_shown, is_allowed
from marketplace.messages.errors import WebhookUrlRefused

PRIVATE = [
    "0.0.0.0",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",  # carrier-grade NAT; some clouds' metadata
    "169.254.169.254",  # metadata of most clouds
    "168.63.129.16",  # Azure's own answering machine
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "203.0.113.7",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::7f00:1",  # NAT64
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",  # 6to4 of 127.0.0.1
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",  # Teredo
    "2001:db8::1",
    "fc00::1",
    "fd00:ec2::254",  # metadata over IPv6
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]
LOOPBACK = ["127.0.0.1", "127.8.8.8", "::1"]
PUBLIC = ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111"]


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_inside_are_never_connected_to(address: str) -> None:
    assert not is_allowed(address, loopback_allowed=False)
    assert not is_allowed(address, loopback_allowed=True)


@pytest.mark.parametrize("address", LOOPBACK)
def test_this_machine_is_for_the_sandboxed_program_only(address: str) -> None:
    assert not is_allowed(address, loopback_allowed=False)
    assert is_allowed(address, loopback_allowed=True)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_allowed(address, loopback_allowed=False)


@pytest.mark.parametrize("address", [*PRIVATE, *LOOPBACK])
def test_a_url_with_such_an_address_is_refused_when_it_is_given(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(WebhookUrlRefused) as refused:
        checked_url(f"https://{host}/hook", loopback_allowed=False)
    assert refused.value.why in ("not_public", "malformed")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://shop.example/hook", "not_https"),
        ("ftp://shop.example/hook", "not_https"),
        ("file:///etc/passwd", "not_https"),
        ("shop.example/hook", "not_https"),
        ("https://user:secret@shop.example/", "has_credentials"),
        ("https://shop.example@127.0.0.1/", "has_credentials"),
        ("https://shop.example/#part", "has_fragment"),
        ("https://shop.example:22/", "port_refused"),
        ("https://shop.example:80/", "port_refused"),
        ("https://shop.example:99999/", "malformed"),
        ("https:///hook", "malformed"),
        ("https://", "malformed"),
        ("https://2130706433/", "malformed"),  # 127.0.0.1 as one number
        ("https://0x7f000001/", "malformed"),
        ("https://0x7f.1/", "malformed"),
        ("https://0177.0.0.1/", "malformed"),
        ("https://127.1/", "malformed"),
        ("https://shop.0/", "malformed"),
        ("https://localhost/", "not_public"),
        ("https://LOCALHOST/", "not_public"),
        ("https://api.localhost/", "not_public"),
        ("https://localhost./", "malformed"),
        ("https://shop.example\\@127.0.0.1/", "malformed"),
        ("https://shop.example/\r\nHost: inside", "malformed"),
        ("https://shop example/", "malformed"),
        ("https://gr\u00fcn.example/", "malformed"),
        ("https://127\u30020\u30020\u30021/", "malformed"),
        ("https://[::1/", "malformed"),
        ("https://" + "a" * 2000 + ".example/", "malformed"),
        ("", "malformed"),
    ],
)
def test_a_url_we_do_not_send_to_is_refused_with_the_reason(url: str, why: str) -> None:
    with pytest.raises(WebhookUrlRefused) as refused:
        checked_url(url, loopback_allowed=False)
    assert refused.value.why == why


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example/hooks/1?token=a%20b",
        "https://Shop.Example:8443/",
        "https://xn--grn-hoa.example/",
        "https://1.1.1.1/",
        "https://[2606:4700:4700::1111]/hook",
        "https://4chan.example/",
    ],
)
def test_public_urls_are_taken_as_they_are(url: str) -> None:
    assert checked_url(url, loopback_allowed=False) == url


def test_the_sandboxed_program_may_send_to_its_own_machine_without_tls() -> None:
    for url in ("http://127.0.0.1:9000/hook", "http://localhost:80/", "https://[::1]:1/"):
        assert checked_url(url, loopback_allowed=True) == url
    for url in ("http://10.0.0.1/", "http://shop.example/", "http://169.254.169.254/"):
        with pytest.raises(WebhookUrlRefused):
            checked_url(url, loopback_allowed=True)


def test_a_path_that_may_hold_a_secret_is_not_shown() -> None:
    assert host_shown("https://shop.example:8443/hooks/s3cret?k=v") == "https://shop.example:8443"
