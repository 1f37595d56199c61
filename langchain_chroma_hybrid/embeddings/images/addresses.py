"""Which IP addresses belong to the public internet, the same for every version of Python."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_NOT_PUBLIC_4 = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16",  # Azure's services for its machines
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",  # 192.0.0.192: Oracle's metadata
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
# Of all the others, none is routed: ::/8, 5f00::/16, fc00::/7, fe80::/10, fec0::/10, ff00::/8, ...
_UNICAST_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    IPv6Network(block) for block in ("2001::/23", "2001:db8::/32", "3ffe::/16", "3fff::/20")
)
# Prefixes of addresses that stand for an IPv4 address, and how many bits are behind that.
_EMBEDDED = (
    (IPv6Network("::ffff:0:0/96"), 0),  # mapped
    (IPv6Network("64:ff9b::/96"), 0),  # NAT64
    (IPv6Network("2002::/16"), 80),  # 6to4
)


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet: not this machine, not its network.

    One that stands for an IPv4 address is as public as that. False for what is no address.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address):
        for prefix, behind in _EMBEDDED:
            if found in prefix:
                return _is_public_4(IPv4Address(int(found) >> behind & 0xFFFFFFFF))
        known = found in _UNICAST_6 and found.is_global
        return known and not any(found in block for block in _NOT_PUBLIC_6)
    return _is_public_4(found)


def _is_public_4(address: IPv4Address) -> bool:
    return address.is_global and not any(address in block for block in _NOT_PUBLIC_4)
