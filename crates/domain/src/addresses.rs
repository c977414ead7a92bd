//! Which addresses are those of the public internet, so that nothing is sent to whoever shares a network with us.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What of IPv4 is somebody's own, or nobody's: the beginning, and how many bits of it count (IANA's registry of special
/// purposes, multicast, and what is kept for later).
const NOT_PUBLIC: [([u8; 4], u32); 15] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

/// Whether an address is of the public internet; what is no address is not.
pub fn is_public(address: &str) -> bool {
    match address.parse() {
        Ok(IpAddr::V4(address)) => is_public_v4(address),
        Ok(IpAddr::V6(address)) => is_public_v6(address),
        Err(_) => false,
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = u32::from(address);
    NOT_PUBLIC
        .iter()
        .all(|(start, length)| (bits ^ u32::from_be_bytes(*start)) >> (32 - length) != 0)
}

/// Only what is given out (2000::/3). Whatever has an address of IPv4 in it is refused, mapped or tunnelled, but the one that
/// networks without IPv4 reach it by (NAT64): that one is as public as what it has in it.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, third, fourth, fifth, sixth, high, low] = address.segments();
    match (first, second) {
        (0x64, 0xff9b) => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            [third, fourth, fifth, sixth] == [0; 4] && is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        // Protocols' own, Teredo among them; documentation; 6to4; documentation.
        (0x2001, 0..=0x1ff | 0xdb8) | (0x2002, _) | (0x3fff, 0..=0xfff) => false,
        _ => first >> 13 == 1,
    }
}

#[cfg(test)]
mod tests {
    use super::is_public;

    #[test]
    fn what_everybody_reaches_is_public() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:200::1",
            "2606:4700::1111",
            "2a00::1",
            "3ffe::1",
            "64:ff9b::101:101",
        ] {
            assert!(is_public(address), "{address}");
        }
    }

    #[test]
    fn what_is_somebodys_own_is_not() {
        for address in [
            "0.0.0.0",
            "0.255.255.255",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "64:ff9b::7f00:1",
            "64:ff9b::a00:1",
            "64:ff9b:0:0:1::101:101",
            "64:ff9b:1::101:101",
            "100::1",
            "1fff::1",
            "2001::1",
            "2001:1ff::1",
            "2001:db8::1",
            "2002:101:101::1",
            "3fff::1",
            "4000::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(address), "{address}");
        }
    }

    #[test]
    fn what_is_no_address_is_not() {
        for address in [
            "",
            "example.com",
            "1.1.1",
            "01.1.1.1",
            "1.1.1.1 ",
            "::g",
            "fe80::1%eth0",
            "2130706433",
        ] {
            assert!(!is_public(address), "{address}");
        }
    }
}
