"""Which addresses are public, the same for every version of Python."""

import ipaddress
import random
import socket
from importlib.util import find_spec

import pytest

from langchain_chroma_hybrid.embeddings.images.addresses import is_public
from langchain_chroma_hybrid.embeddings.images.pictures import PicturePolicy, load
from langchain_chroma_hybrid.errors import PictureError

PRIVATE_4 = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "100.127.255.255",  # noqa: S104
    "127.0.0.1", "127.255.255.254", "168.63.129.16", "169.254.169.254", "172.16.5.4",
    "172.31.255.255", "192.0.0.0", "192.0.0.8", "192.0.0.9", "192.0.0.10", "192.0.0.170",
    "192.0.0.192", "192.0.0.255", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1",
    "198.19.255.255", "198.51.100.7", "203.0.113.7", "224.0.0.1", "239.255.255.255", "240.0.0.1",
    "255.255.255.255",
]  # fmt: skip
PUBLIC_4 = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.1", "100.63.255.255", "100.128.0.1",
    "126.255.255.255", "128.0.0.1", "168.63.129.15", "168.63.129.17", "169.253.255.255",
    "169.255.0.1", "172.15.255.255", "172.32.0.1", "191.255.255.255", "192.0.1.1", "192.88.98.1",
    "192.88.100.1", "192.167.255.255", "198.17.255.255", "198.20.0.1", "223.255.255.255",
]  # fmt: skip
PRIVATE_6 = [
    "::", "::1", "::2", "::127.0.0.1", "::10.0.0.1", "::8.8.8.8", "::ffff:0:127.0.0.1",
    "::ffff:0:8.8.8.8", "64:ff9b:1::", "64:ff9b:1::a00:1", "64:ff9b:1:ffff::1", "100::1",
    "100:0:0:1::1", "2001::1", "2001:0:7f00:1::", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "3ffe::1", "3fff::1", "3fff:fff::1",
    "4000::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fe80::1%1",
    "febf::1", "fec0::1", "fec0::1%2", "feff::1", "ff02::1", "ff0e::1",
]  # fmt: skip
PUBLIC_6 = [
    "2606:4700:4700::1111", "2001:4860:4860::8888", "2001:200::1", "2001:db7:ffff::1",
    "2001:db9::1", "2003::1", "2400:cb00::1", "2a00:1450::1", "2c0f:f248::1", "3ffd:ffff::1",
]  # fmt: skip

needs_pillow = pytest.mark.skipif(
    find_spec("PIL") is None, reason="pictures need the extra `image`"
)


def embedded(four):
    """The IPv6 addresses that lead to an IPv4 address."""
    number = int(ipaddress.IPv4Address(four))
    yield f"::ffff:{four}"
    yield f"::ffff:{number >> 16:x}:{number & 0xFFFF:x}"
    yield f"64:ff9b::{four}"
    yield f"2002:{number >> 16:x}:{number & 0xFFFF:x}::"
    yield f"2002:{number >> 16:x}:{number & 0xFFFF:x}:1:2:3:4:5"


@pytest.mark.parametrize("address", PRIVATE_4 + PRIVATE_6)
def test_private(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC_4 + PUBLIC_6)
def test_public(address):
    assert is_public(address)


@pytest.mark.parametrize("four", PRIVATE_4 + PUBLIC_4)
def test_an_address_that_stands_for_another_is_as_public_as_that(four):
    for six in embedded(four):
        assert is_public(six) == is_public(four), six


@pytest.mark.parametrize("text", ["", "x", "localhost", "010.0.0.1", "1.2.3", "8.8.8.8/32", "[::]"])
def test_what_is_no_address_is_not_public(text):
    assert not is_public(text)


def test_never_more_than_python_says():
    chance = random.Random(1)  # noqa: S311 - no secrets here
    for _ in range(5000):
        four = ipaddress.IPv4Address(chance.getrandbits(32))
        six = ipaddress.IPv6Address(chance.getrandbits(128))
        assert four.is_global or not is_public(str(four))
        assert six.is_global or not is_public(str(six))


@pytest.mark.parametrize("address", PRIVATE_4[::3] + PRIVATE_6[::3] + ["64:ff9b::7f00:1"])
@needs_pillow
def test_a_name_that_leads_there_is_not_connected_to(address, monkeypatch):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    entries = [(family, socket.SOCK_STREAM, 6, "", (address, 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: entries)
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("connected"))
    with pytest.raises(PictureError, match="public address"):
        load("http://somewhere.example/a.png", PicturePolicy(http=True))


@needs_pillow
def test_a_name_is_asked_for_once_and_the_checked_address_is_connected_to(monkeypatch):
    asked, connected = [], []
    answers = iter(["93.184.216.34", "127.0.0.1"])

    def resolve(host, port, **_):
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    def connect(address, **_):
        connected.append(address)
        raise OSError("no network in tests")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(PictureError, match="no network"):
        load("http://rebinding.example/a.png", PicturePolicy(http=True))
    assert asked == ["rebinding.example"]
    assert connected == [("93.184.216.34", 80)]
