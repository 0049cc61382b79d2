//! Which address a failed login counts for, and in which networks.

use super::*;

#[actix_web::test]
async fn failed_logins_from_an_address_are_limited() {
    let (users, watch) = (Counted::new(), Watch::new());
    let site = site_of(throttle_of_three(&users, &watch), &watch).await;
    for number in 0..5 {
        let user_id = format!("user{number}");
        assert_eq!(status_of(&site, from("1.2.3.4"), &user_id, "x").await, 401);
    }
    assert_eq!(status_of(&site, from("1.2.3.4"), "alice", "wonderland").await, 429);
    assert_eq!(status_of(&site, from("1.2.3.5"), "alice", "wonderland").await, 200);
    watch.set(60);
    assert_eq!(status_of(&site, from("1.2.3.4"), "alice", "wonderland").await, 200);
}

#[actix_web::test]
async fn ipv6_clients_are_limited_by_their_64_bit_network() {
    let (users, watch) = (Counted::new(), Watch::new());
    let site = site_of(throttle_of_three(&users, &watch), &watch).await;
    for number in 0..5 {
        let (address, user_id) = (format!("[2001:db8:1:2::{number}]"), format!("user{number}"));
        assert_eq!(status_of(&site, from(&address), &user_id, "x").await, 401);
    }
    let (same, other) = ("[2001:db8:1:2:3:4:5:6]", "[2001:db8:1:3::1]");
    assert_eq!(status_of(&site, from(same), "alice", "wonderland").await, 429);
    assert_eq!(status_of(&site, from(other), "alice", "wonderland").await, 200);
}

#[actix_web::test]
async fn x_forwarded_for_is_ignored_unless_a_trusted_proxy_sends_it() {
    for (proxies, through, free) in [
        (&[][..], false, false),
        (&["10.0.0.0/8"][..], true, true),
        (&["10.9.0.0/16"][..], false, false),
    ] {
        let (users, watch) = (Counted::new(), Watch::new());
        let throttle = limits(&users, &watch).trusted_proxies(proxies).build().expect("networks");
        let site = site_of(throttle, &watch).await;
        let by = |forwarded: &str| from("10.0.0.1").insert_header(("X-Forwarded-For", forwarded));
        for number in 0..5 {
            // The client invented the first address. The proxy added the second.
            let forwarded = format!("9.9.9.{number}, 1.2.3.4");
            assert_eq!(status_of(&site, by(&forwarded), &format!("user{number}"), "x").await, 401);
        }
        let attacker = status_of(&site, by("9.9.9.9, 1.2.3.4"), "alice", "wonderland").await;
        assert_eq!(attacker, 429, "{proxies:?}");
        let other = status_of(&site, by("1.2.3.5"), "alice", "wonderland").await;
        assert_eq!(other == 200, through && free, "{proxies:?}");
    }
}

#[actix_web::test]
async fn forwarded_header_is_never_trusted() {
    for proxies in [&[][..], &["10.0.0.0/8"][..]] {
        let (users, watch) = (Counted::new(), Watch::new());
        let throttle = limits(&users, &watch).trusted_proxies(proxies).build().expect("networks");
        let site = site_of(throttle, &watch).await;
        for number in 0..6 {
            let by = from("10.0.0.1").insert_header(("Forwarded", format!("for=1.2.3.{number}")));
            let status = status_of(&site, by, &format!("user{number}"), "x").await;
            assert_eq!(status, if number < 5 { 401 } else { 429 }, "{proxies:?}");
        }
    }
}

#[actix_web::test]
async fn unnamed_proxy_is_logged_once() {
    let (users, watch) = (Counted::new(), Watch::new());
    let (log, guard) = Log::capture();
    let forwarded = || from("10.0.0.1").insert_header(("X-Forwarded-For", "1.2.3.4"));
    let site = site_of(throttle_of_three(&users, &watch), &watch).await;
    for _ in 0..3 {
        status_of(&site, forwarded(), "alice", "wonderland").await;
    }
    let named = limits(&users, &watch).trusted_proxies(["10.0.0.1"]).build().expect("an address");
    let site = site_of(named, &watch).await;
    status_of(&site, forwarded(), "alice", "wonderland").await;
    drop(guard);
    assert_eq!(log.count("no proxy is trusted"), 1, "{}", log.text());
}

/// Fails logins from these addresses, each with another user-id, until one is refused by the limits.
async fn failures_until_refused(site: &Site, addresses: impl Iterator<Item = String>) -> usize {
    let mut failures = 0;
    for address in addresses {
        let user_id = format!("user{failures}");
        match status_of(site, from(&address), &user_id, "x").await {
            401 => failures += 1,
            status => {
                assert_eq!(status, 429);
                break;
            }
        }
    }
    failures
}

#[actix_web::test]
async fn networks_of_a_client_have_4_8_and_16_times_the_limit_of_an_address() {
    for (network, address, multiple) in [
        ("/64", Box::new(|it| format!("[2001:db8:1:2::{it:x}]")) as Box<dyn Fn(usize) -> _>, 1),
        ("/56", Box::new(|it| format!("[2001:db8:1:{:x}::1]", it % 256)), 4),
        ("/48", Box::new(|it| format!("[2001:db8:1:{:x}::1]", it * 256)), 16),
        ("/24", Box::new(|it| format!("1.2.3.{}", it % 256)), 8),
    ] {
        let (users, watch) = (Counted::new(), Watch::new());
        let site = site_of(throttle_of_three(&users, &watch), &watch).await;
        let failures = failures_until_refused(&site, (0..200).map(&address)).await;
        assert_eq!(failures, 5 * multiple, "{network}");
        let valid = |it: &str| status_of(&site, from(it), "alice", "wonderland");
        assert_eq!(valid(&address(201)).await, 429, "{network}");
        for elsewhere in ["[2001:db8:2::1]", "1.2.4.1"] {
            assert_eq!(valid(elsewhere).await, 200, "{network}");
        }
    }
}

#[actix_web::test]
async fn one_address_at_its_limit_does_not_limit_its_neighbours() {
    let (users, watch) = (Counted::new(), Watch::new());
    let site = site_of(throttle_of_three(&users, &watch), &watch).await;
    for (attacker, neighbour) in
        [("1.2.3.4", "1.2.3.5"), ("[2001:db8:1:2::1]", "[2001:db8:1:3::1]")]
    {
        let guesses = (0..100).map(|_| attacker.to_owned());
        assert_eq!(failures_until_refused(&site, guesses).await, 5);
        assert_eq!(status_of(&site, from(neighbour), "alice", "wonderland").await, 200);
    }
}
