//! Finds the address of a client behind trusted proxies.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use actix_web::{HttpRequest, http::header::HeaderName};
use ipnet::IpNet;

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Parses a network in CIDR notation, such as `10.0.0.0/8`, or a single address. None if the text
/// is neither, or if the address has bits set beyond the prefix, which is probably a mistake.
pub(crate) fn network(text: &str) -> Option<IpNet> {
    let single = || text.parse::<IpAddr>().ok().map(IpNet::from);
    let network = text.parse::<IpNet>().ok().or_else(single)?;
    if network.addr() != network.network() {
        return None;
    }
    // IPv4-mapped IPv6 addresses are compared as IPv4.
    match (network.addr(), network.addr().to_canonical()) {
        (IpAddr::V6(_), v4 @ IpAddr::V4(_)) => {
            IpNet::new(v4, network.prefix_len().checked_sub(96)?).ok()
        }
        _ => Some(network),
    }
}

/// The client address of a request: the peer address, or, if the peer is a trusted proxy, the last
/// address in `X-Forwarded-For` that is not a trusted proxy's. A client can forge everything before
/// that address.
///
/// None if there is no peer address (as on a Unix socket), and either no proxy is trusted or the
/// header contains no address.
pub(crate) fn of(req: &HttpRequest, trusted: &[IpNet]) -> Option<IpAddr> {
    let peer = req.peer_addr().map(|it| it.ip().to_canonical());
    let values = req.headers().get_all(&X_FORWARDED_FOR);
    let forwarded: Vec<&str> = values.map(|it| it.to_str().unwrap_or_default()).collect();
    client(peer, &forwarded, trusted)
}

/// Whether a proxy seems to be in front of the server that the application has not listed as
/// trusted.
pub(crate) fn seems_proxied(req: &HttpRequest, trusted: &[IpNet]) -> bool {
    trusted.is_empty() && req.headers().contains_key(&X_FORWARDED_FOR)
}

fn client(peer: Option<IpAddr>, forwarded: &[&str], trusted: &[IpNet]) -> Option<IpAddr> {
    if trusted.is_empty() {
        return peer;
    }
    let is_trusted = |it: IpAddr| trusted.iter().any(|network| network.contains(&it));
    // A peer without an address is on a Unix socket, so on this machine, and counts as trusted.
    if peer.is_some_and(|peer| !is_trusted(peer)) {
        return peer;
    }
    let mut client = peer;
    for hop in forwarded.iter().rev().flat_map(|it| it.rsplit(',')) {
        let Some(hop) = parse_hop(hop.trim()) else { break };
        client = Some(hop);
        if !is_trusted(hop) {
            break;
        }
    }
    client
}

/// Parses an address in `X-Forwarded-For`. Some proxies append the port.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    let address = hop.parse::<IpAddr>().ok();
    let address = address.or_else(|| Some(hop.parse::<SocketAddr>().ok()?.ip()));
    let bracketed = || hop.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    Some(address.or_else(bracketed)?.to_canonical())
}

/// The address by which a client is counted. For IPv6 it is the first 64 bits, because an internet
/// connection usually has a whole /64 network.
pub(crate) fn one_client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(it) => Ipv6Addr::from_bits(it.to_bits() & (u128::MAX << 64)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn networks(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|it| network(it).expect("a network")).collect()
    }

    #[test]
    fn only_trusted_proxies_name_the_client() {
        let proxy = ["10.0.0.0/8", "2001:db8::1"];
        for (name, trusted, peer, forwarded, expected) in [
            ("no trusted proxy", &[][..], Some("10.0.0.1"), &["1.2.3.4"][..], Some("10.0.0.1")),
            ("direct peer", &proxy, Some("5.6.7.8"), &[], Some("5.6.7.8")),
            ("forged by a direct peer", &proxy, Some("5.6.7.8"), &["1.2.3.4"], Some("5.6.7.8")),
            ("one proxy", &proxy, Some("10.0.0.1"), &["1.2.3.4"], Some("1.2.3.4")),
            (
                "forged behind a proxy",
                &proxy,
                Some("10.0.0.1"),
                &["9.9.9.9, 1.2.3.4"],
                Some("1.2.3.4"),
            ),
            (
                "forged as a proxy's address",
                &proxy,
                Some("10.0.0.1"),
                &["10.9.9.9, 1.2.3.4"],
                Some("1.2.3.4"),
            ),
            ("two proxies", &proxy, Some("10.0.0.1"), &["1.2.3.4, 10.0.0.2"], Some("1.2.3.4")),
            ("two headers", &proxy, Some("10.0.0.1"), &["9.9.9.9", "1.2.3.4"], Some("1.2.3.4")),
            ("IPv6", &proxy, Some("2001:db8::1"), &["2001:db8::7"], Some("2001:db8::7")),
            ("with a port", &proxy, Some("10.0.0.1"), &["1.2.3.4:567"], Some("1.2.3.4")),
            (
                "IPv6 with a port",
                &proxy,
                Some("10.0.0.1"),
                &["[2001:db8::7]:567"],
                Some("2001:db8::7"),
            ),
            ("IPv6 in brackets", &proxy, Some("10.0.0.1"), &["[2001:db8::7]"], Some("2001:db8::7")),
            ("IPv4-mapped IPv6", &proxy, Some("10.0.0.1"), &["::ffff:1.2.3.4"], Some("1.2.3.4")),
            ("invalid address", &proxy, Some("10.0.0.1"), &["unknown"], Some("10.0.0.1")),
            (
                "invalid address between valid ones",
                &proxy,
                Some("10.0.0.1"),
                &["1.2.3.4, ?, 10.0.0.2"],
                Some("10.0.0.2"),
            ),
            ("no header", &proxy, Some("10.0.0.1"), &[], Some("10.0.0.1")),
            ("empty header", &proxy, Some("10.0.0.1"), &[""], Some("10.0.0.1")),
            ("Unix socket", &proxy, None, &["1.2.3.4"], Some("1.2.3.4")),
            ("Unix socket, no trusted proxy", &[], None, &["1.2.3.4"], None),
        ] {
            let found = client(peer.map(ip), forwarded, &networks(trusted));
            assert_eq!(found, expected.map(ip), "{name}");
        }
    }

    #[test]
    fn network_contains_addresses_with_its_prefix() {
        for (text, address, contains) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("0.0.0.0/0", "255.1.2.3", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "1.2.3.4", false),
            ("2001:db8::/32", "2001:db8:ffff::", true),
            ("2001:db8::/32", "2001:db9::", false),
            ("::1", "::1", true),
            ("::ffff:10.0.0.1", "10.0.0.1", true),
            ("::ffff:10.0.0.0/104", "10.255.0.1", true),
            ("::ffff:10.0.0.0/104", "11.0.0.1", false),
        ] {
            let network = network(text).expect("a network");
            assert_eq!(network.contains(&ip(address)), contains, "{text} {address}");
        }
    }

    #[test]
    fn invalid_network_is_an_error() {
        for text in [
            "",
            "proxy",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.1/8",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "/8",
            "10.0.0.0/8/8",
            "::ffff:10.0.0.1/104",
        ] {
            assert_eq!(network(text), None, "{text}");
        }
    }

    #[test]
    fn ipv6_client_is_a_64_bit_network() {
        assert_eq!(one_client(ip("2001:db8:1:2:3:4:5:6")), ip("2001:db8:1:2::"));
        assert_eq!(one_client(ip("2001:db8:1:2:ffff::")), ip("2001:db8:1:2::"));
        assert_ne!(one_client(ip("2001:db8:1:3::1")), ip("2001:db8:1:2::"));
        assert_eq!(one_client(ip("::ffff:1.2.3.4")), ip("1.2.3.4"));
        assert_ne!(one_client(ip("1.2.3.4")), one_client(ip("1.2.3.5")));
    }
}
