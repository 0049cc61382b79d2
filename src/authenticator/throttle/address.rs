//! Finds the address of a client behind trusted proxies.

use std::net::{IpAddr, SocketAddr};

use actix_web::{
    HttpRequest,
    http::header::{HeaderName, HeaderValue},
};
use ipnet::IpNet;

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// How many addresses in `X-Forwarded-For` are read. More trusted proxies in a row are unlikely, and
/// a client at a trusted address could fill the header with trusted addresses.
const MAX_HOPS: usize = 32;

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
    let forwarded: Vec<&[u8]> = values.map(HeaderValue::as_bytes).collect();
    client(peer, &forwarded, trusted)
}

/// Whether a proxy seems to be in front of the server that the application has not listed as
/// trusted.
pub(crate) fn seems_proxied(req: &HttpRequest, trusted: &[IpNet]) -> bool {
    trusted.is_empty() && req.headers().contains_key(&X_FORWARDED_FOR)
}

fn client(peer: Option<IpAddr>, forwarded: &[&[u8]], trusted: &[IpNet]) -> Option<IpAddr> {
    if trusted.is_empty() {
        return peer;
    }
    let is_trusted = |it: IpAddr| trusted.iter().any(|network| network.contains(&it));
    // A peer without an address is on a Unix socket, so on this machine, and counts as trusted.
    if peer.is_some_and(|peer| !is_trusted(peer)) {
        return peer;
    }
    let mut client = peer;
    let hops = forwarded.iter().rev().flat_map(|it| it.rsplit(|byte| *byte == b','));
    for hop in hops.take(MAX_HOPS) {
        // Each hop is decoded alone: a client can write any bytes before its own address.
        let Some(hop) = str::from_utf8(hop).ok().and_then(|it| parse_hop(it.trim())) else { break };
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

/// The networks for which a client is counted, and the multiple of an address's limit that each has.
///
/// An internet connection usually has a whole IPv6 /64 network, and a customer of a provider a /56
/// or a /48 (RFC 6177). A /24 is the smallest IPv4 network that is routed on its own.
pub(crate) fn networks(address: IpAddr) -> impl Iterator<Item = (IpNet, u32)> {
    let address = address.to_canonical();
    let prefixes: &[(u8, u32)] =
        if address.is_ipv4() { &[(32, 1), (24, 8)] } else { &[(64, 1), (56, 4), (48, 16)] };
    prefixes.iter().filter_map(move |(length, multiple)| {
        Some((IpNet::new(address, *length).ok()?.trunc(), *multiple))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn networks_of(texts: &[&str]) -> Vec<IpNet> {
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
            ("not ASCII", &proxy, Some("10.0.0.1"), &["é, 1.2.3.4"], Some("1.2.3.4")),
            ("no header", &proxy, Some("10.0.0.1"), &[], Some("10.0.0.1")),
            ("empty header", &proxy, Some("10.0.0.1"), &[""], Some("10.0.0.1")),
            ("Unix socket", &proxy, None, &["1.2.3.4"], Some("1.2.3.4")),
            ("Unix socket, no trusted proxy", &[], None, &["1.2.3.4"], None),
        ] {
            let forwarded: Vec<_> = forwarded.iter().map(|it| it.as_bytes()).collect();
            let found = client(peer.map(ip), &forwarded, &networks_of(trusted));
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
    fn only_the_last_addresses_are_read() {
        let trusted = networks_of(&["10.0.0.0/8"]);
        let found = |forwarded: &[&[u8]]| client(Some(ip("10.0.0.1")), forwarded, &trusted);
        let proxies = |number| "10.0.0.2,".repeat(number) + "10.0.0.3";
        for (invented, expected) in [(30, "1.2.3.4"), (31, "10.0.0.2"), (100_000, "10.0.0.2")] {
            let forwarded = format!("1.2.3.4, {}", proxies(invented));
            assert_eq!(found(&[forwarded.as_bytes()]), Some(ip(expected)), "{invented}");
        }
        let lines: Vec<&[u8]> = vec![b"1.2.3.4,10.0.0.2"; 1000];
        assert_eq!(found(&lines), Some(ip("1.2.3.4")));
    }

    proptest! {
        /// The address that the proxy appends counts, whatever bytes the client sends before it.
        #[test]
        fn client_cannot_hide_its_address_behind_any_bytes(
            invented in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..4),
        ) {
            let trusted = networks_of(&["10.0.0.0/8"]);
            let expected = Some(ip("6.6.6.6"));
            let mut lines: Vec<&[u8]> = invented.iter().map(Vec::as_slice).collect();
            let appended = [lines.pop().unwrap_or_default(), b", 6.6.6.6"].concat();
            prop_assert_eq!(client(Some(ip("10.0.0.1")), &[&lines[..], &[&appended]].concat(), &trusted), expected);
            // Some proxies add a line instead.
            prop_assert_eq!(client(Some(ip("10.0.0.1")), &[&lines[..], &[b"6.6.6.6"]].concat(), &trusted), expected);
        }
    }

    #[test]
    fn client_counts_for_networks_of_three_or_two_lengths() {
        for (address, expected) in [
            (
                "2001:db8:1:2345:6:7:8:9",
                &[
                    ("2001:db8:1:2345::/64", 1),
                    ("2001:db8:1:2300::/56", 4),
                    ("2001:db8:1::/48", 16),
                ][..],
            ),
            ("1.2.3.4", &[("1.2.3.4/32", 1), ("1.2.3.0/24", 8)]),
            ("::ffff:1.2.3.4", &[("1.2.3.4/32", 1), ("1.2.3.0/24", 8)]),
        ] {
            let found: Vec<_> = networks(ip(address)).map(|(it, n)| (it.to_string(), n)).collect();
            let expected: Vec<_> = expected.iter().map(|(it, n)| ((*it).to_owned(), *n)).collect();
            assert_eq!(found, expected);
        }
    }
}
