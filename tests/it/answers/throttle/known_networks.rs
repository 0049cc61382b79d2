//! A user has a limit of its own in each network from which it logged in.

use super::*;

const DAY: u64 = 24 * 60 * 60;

/// Guesses from many networks until the limit of a user-id is reached.
async fn use_up_limit(site: &Site, user_id: &str) {
    for number in 0..4 {
        let status = status_of(site, from(&format!("6.6.{number}.6")), user_id, "x").await;
        assert_eq!(status, if number < 3 { 401 } else { 429 });
    }
}

#[actix_web::test]
async fn guesses_from_elsewhere_do_not_lock_out_a_known_network() {
    let (users, watch) = (Counted::new(), Watch::new());
    let site = site_of(throttle_of_three(&users, &watch), &watch).await;
    for address in ["1.2.3.4", "[2001:db8::1]"] {
        assert_eq!(status_of(&site, from(address), "alice", "wonderland").await, 200);
    }
    use_up_limit(&site, "alice").await;
    for address in ["1.2.3.4", "[2001:db8::2]"] {
        assert_eq!(status_of(&site, from(address), "alice", "wonderland").await, 200, "{address}");
        let status = status_of(&site, from(address), "ALICE", "wonderland").await;
        assert_eq!(status, 429, "that may be another user: {address}");
    }
    for address in ["1.2.3.5", "[2001:db8:0:1::1]"] {
        assert_eq!(status_of(&site, from(address), "alice", "wonderland").await, 429, "{address}");
    }
}

#[actix_web::test]
async fn known_network_has_one_limit_for_each_user_id() {
    let (users, watch) = (Counted::new(), Watch::new());
    let site = site_of(throttle_of_three(&users, &watch), &watch).await;
    for user_id in ["alice", "bob"] {
        assert_eq!(status_of(&site, from("1.2.3.4"), user_id, "wonderland").await, 200);
    }
    for status in [401, 401, 401, 429] {
        assert_eq!(status_of(&site, from("1.2.3.4"), "alice", "x").await, status);
    }
    assert_eq!(status_of(&site, from("1.2.3.4"), "alice", "wonderland").await, 429);
    assert_eq!(status_of(&site, from("1.2.3.4"), "bob", "wonderland").await, 200);
    // Elsewhere nobody has guessed.
    use_up_limit(&site, "alice").await;
}

#[actix_web::test]
async fn login_of_one_user_does_not_make_a_network_known_to_another() {
    let (users, watch) = (Counted::new(), Watch::new());
    let site = site_of(throttle_of_three(&users, &watch), &watch).await;
    assert_eq!(status_of(&site, from("6.6.6.6"), "mallory", "wonderland").await, 200);
    use_up_limit(&site, "alice").await;
    assert_eq!(status_of(&site, from("6.6.6.6"), "alice", "wonderland").await, 429);
}

/// A user-id that differs only by a dot shares the limit of the other, but not its networks.
#[actix_web::test]
async fn namesake_gains_no_guesses_by_its_own_logins() {
    let (users, watch) = (Counted::new(), Watch::new());
    let site = site_of(throttle_of_three(&users, &watch), &watch).await;
    for number in 0..50 {
        let address = format!("6.6.{number}.6");
        status_of(&site, from(&address), "a.lice", "wonderland").await;
        status_of(&site, from(&address), "alice", &format!("guess{number}")).await;
    }
    assert_eq!(users.checks(), 3 + 3, "three valid logins, and then three guesses");
}

#[actix_web::test]
async fn wrong_or_unchecked_credentials_make_no_network_known() {
    let (users, watch) = (Counted::new(), Watch::new());
    let site = site_of(throttle_of_three(&users, &watch), &watch).await;
    assert_eq!(status_of(&site, from("1.2.3.4"), "alice", "x").await, 401);
    users.down.store(true, Relaxed);
    assert_eq!(status_of(&site, from("1.2.3.4"), "alice", "wonderland").await, 503);
    users.down.store(false, Relaxed);
    watch.set(120);
    use_up_limit(&site, "alice").await;
    assert_eq!(status_of(&site, from("1.2.3.4"), "alice", "wonderland").await, 429);
}

#[actix_web::test]
async fn network_is_known_for_seven_days_after_the_last_login() {
    let (users, watch) = (Counted::new(), Watch::new());
    let site = site_of(throttle_of_three(&users, &watch), &watch).await;
    for (seconds, status) in [(0, 200), (7 * DAY - 1, 200), (14 * DAY - 1, 429)] {
        watch.set(seconds);
        if seconds > 0 {
            use_up_limit(&site, "alice").await;
        }
        let own = status_of(&site, from("1.2.3.4"), "alice", "wonderland").await;
        assert_eq!(own, status, "after {seconds} s");
    }
}

#[actix_web::test]
async fn address_limit_is_asked_before_user_ids_are_compared() {
    let (users, watch) = (Counted::new(), Watch::new());
    let compared = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&compared);
    let throttle = limits(&users, &watch).user_id_key(move |it| {
        counter.fetch_add(1, Relaxed);
        it.to_owned()
    });
    let site = site_of(throttle.build().expect("limits"), &watch).await;
    for number in 0..100 {
        status_of(&site, from("6.6.6.6"), &format!("user{number}"), "x").await;
    }
    assert_eq!(compared.load(Relaxed), 5, "the limit of an address");
}
