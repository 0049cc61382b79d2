//! The address of a client, behind the proxies that the application trusts.

use std::net::{IpAddr, Ipv6Addr};

use actix_web::{HttpRequest, http::header::HeaderName};

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// An address, or a network as in `10.0.0.0/8`. None if it is neither, or has bits set beyond
    /// its prefix: then something else was meant.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => width,
            Some(digits) if digits.bytes().all(|it| it.is_ascii_digit()) => digits.parse().ok()?,
            Some(_) => return None,
        };
        let network = Self { address, prefix };
        let fits = prefix <= width && bits(address) == network.first_bits(address);
        fits.then_some(network)
    }

    fn first_bits(self, address: IpAddr) -> u128 {
        let width: u32 = if address.is_ipv4() { 32 } else { 128 };
        let rest = width.saturating_sub(u32::from(self.prefix));
        // No prefix at all leaves none of the 128.
        bits(address).checked_shr(rest).and_then(|it| it.checked_shl(rest)).unwrap_or_default()
    }

    fn holds(self, address: IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4()
            && self.first_bits(address) == bits(self.address)
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(it) => u128::from(it.to_bits()),
        IpAddr::V6(it) => it.to_bits(),
    }
}

/// The address that a request comes from: the peer's, or, if that is a trusted proxy's, what the
/// proxy says (`X-Forwarded-For`), and so on from proxy to proxy. What lies beyond the last trusted
/// one is hearsay.
///
/// None where there is no peer's address, as on a Unix socket, and nobody says.
pub(crate) fn of(req: &HttpRequest, trusted: &[Network]) -> Option<IpAddr> {
    let peer = req.peer_addr().map(|it| it.ip().to_canonical());
    let values = req.headers().get_all(&X_FORWARDED_FOR);
    let said: Vec<&str> = values.map(|it| it.to_str().unwrap_or_default()).collect();
    client(peer, &said, trusted)
}

/// Whether a proxy that the application has not named seems to stand in front.
pub(crate) fn seems_proxied(req: &HttpRequest, trusted: &[Network]) -> bool {
    trusted.is_empty() && req.headers().contains_key(&X_FORWARDED_FOR)
}

fn client(peer: Option<IpAddr>, said: &[&str], trusted: &[Network]) -> Option<IpAddr> {
    if trusted.is_empty() {
        return peer;
    }
    let is_trusted = |it: IpAddr| trusted.iter().any(|network| network.holds(it));
    // Who reaches a Unix socket is on this machine.
    if peer.is_some_and(|peer| !is_trusted(peer)) {
        return peer;
    }
    let mut client = peer;
    for hop in said.iter().rev().flat_map(|it| it.rsplit(',')) {
        let Some(hop) = read(hop.trim()) else { break };
        client = Some(hop);
        if !is_trusted(hop) {
            break;
        }
    }
    client
}

/// An address as proxies write it: some add the port.
fn read(hop: &str) -> Option<IpAddr> {
    let address = hop.parse::<IpAddr>().ok();
    let address = address.or_else(|| Some(hop.parse::<std::net::SocketAddr>().ok()?.ip()));
    let bracketed = || hop.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    Some(address.or_else(bracketed)?.to_canonical())
}

/// What one client may have many of: an IPv6 network of 64 bits is one connection of a household.
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

    fn networks(texts: &[&str]) -> Vec<Network> {
        texts.iter().map(|it| Network::parse(it).expect("a network")).collect()
    }

    #[test]
    fn a_client_is_told_by_trusted_proxies_alone() {
        let proxy = ["10.0.0.0/8", "2001:db8::1"];
        for (name, trusted, peer, said, client_is) in [
            ("nobody is trusted", &[][..], Some("10.0.0.1"), &["1.2.3.4"][..], Some("10.0.0.1")),
            ("no proxy", &proxy, Some("5.6.7.8"), &[], Some("5.6.7.8")),
            ("forged without a proxy", &proxy, Some("5.6.7.8"), &["1.2.3.4"], Some("5.6.7.8")),
            ("a proxy says", &proxy, Some("10.0.0.1"), &["1.2.3.4"], Some("1.2.3.4")),
            (
                "forged through one",
                &proxy,
                Some("10.0.0.1"),
                &["9.9.9.9, 1.2.3.4"],
                Some("1.2.3.4"),
            ),
            (
                "forged as a proxy's",
                &proxy,
                Some("10.0.0.1"),
                &["10.9.9.9, 1.2.3.4"],
                Some("1.2.3.4"),
            ),
            ("two proxies", &proxy, Some("10.0.0.1"), &["1.2.3.4, 10.0.0.2"], Some("1.2.3.4")),
            ("two headers", &proxy, Some("10.0.0.1"), &["9.9.9.9", "1.2.3.4"], Some("1.2.3.4")),
            ("of v6", &proxy, Some("2001:db8::1"), &["2001:db8::7"], Some("2001:db8::7")),
            ("with ports", &proxy, Some("10.0.0.1"), &["1.2.3.4:567"], Some("1.2.3.4")),
            (
                "v6 with ports",
                &proxy,
                Some("10.0.0.1"),
                &["[2001:db8::7]:567"],
                Some("2001:db8::7"),
            ),
            ("v6 in brackets", &proxy, Some("10.0.0.1"), &["[2001:db8::7]"], Some("2001:db8::7")),
            ("v4 written as v6", &proxy, Some("10.0.0.1"), &["::ffff:1.2.3.4"], Some("1.2.3.4")),
            ("nonsense", &proxy, Some("10.0.0.1"), &["unknown"], Some("10.0.0.1")),
            (
                "nonsense on the way",
                &proxy,
                Some("10.0.0.1"),
                &["1.2.3.4, ?, 10.0.0.2"],
                Some("10.0.0.2"),
            ),
            ("it says nothing", &proxy, Some("10.0.0.1"), &[], Some("10.0.0.1")),
            ("an empty header", &proxy, Some("10.0.0.1"), &[""], Some("10.0.0.1")),
            ("a Unix socket", &proxy, None, &["1.2.3.4"], Some("1.2.3.4")),
            ("a Unix socket, nobody trusted", &[], None, &["1.2.3.4"], None),
        ] {
            let found = client(peer.map(ip), said, &networks(trusted));
            assert_eq!(found, client_is.map(ip), "{name}");
        }
    }

    #[test]
    fn networks_hold_what_begins_alike() {
        for (network, address, holds) in [
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
        ] {
            let network = Network::parse(network).expect("a network");
            assert_eq!(network.holds(ip(address)), holds, "{network:?} {address}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
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
        ] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }

    #[test]
    fn one_client_has_a_whole_v6_network() {
        assert_eq!(one_client(ip("2001:db8:1:2:3:4:5:6")), ip("2001:db8:1:2::"));
        assert_eq!(one_client(ip("2001:db8:1:2:ffff::")), ip("2001:db8:1:2::"));
        assert_ne!(one_client(ip("2001:db8:1:3::1")), ip("2001:db8:1:2::"));
        assert_eq!(one_client(ip("::ffff:1.2.3.4")), ip("1.2.3.4"));
        assert_ne!(one_client(ip("1.2.3.4")), one_client(ip("1.2.3.5")));
    }
}
