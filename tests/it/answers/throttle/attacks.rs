//! Attacks on the rate limits: evasion, and lockout of other users.

use actix_web::http::header::HeaderValue;

use super::*;

/// Spellings that some database compares as equal to "alice".
const SPELLINGS_OF_ALICE: [&str; 12] = [
    "alice",
    "ALICE",
    "álice",
    "a\u{301}lice",
    "ali\u{AD}ce",
    "al\u{200B}ice",
    "ａｌｉｃｅ",
    "𝒶lice",
    "alıce",
    "alice  ",
    "alice \u{AD}",
    "\talice\0",
];

#[actix_web::test]
async fn spelling_a_user_id_differently_gains_no_guesses() {
    let (users, watch) = (Counted::new(), Watch::new());
    let site = site_of(throttle_of_three(&users, &watch), &watch).await;
    for (number, user_id) in SPELLINGS_OF_ALICE.iter().cycle().take(100).enumerate() {
        let status = status_of(&site, from(&format!("1.2.{number}.4")), user_id, "x").await;
        // A user-id with a control character is malformed, and no authenticator is asked.
        let expected = if user_id.contains(char::is_control) || number < 3 { 401 } else { 429 };
        assert_eq!(status, expected, "{user_id:?}");
    }
    assert_eq!(users.checks(), 3);
    for user_id in ["alicea", "bob", "аlice (Cyrillic)"] {
        assert_eq!(status_of(&site, from("1.2.3.4"), user_id, "wonderland").await, 200);
    }
}

#[actix_web::test]
async fn padding_a_user_id_to_any_length_gains_no_guesses() {
    let (users, watch) = (Counted::new(), Watch::new());
    let site = site_of(throttle_of_three(&users, &watch), &watch).await;
    // A database that ignores soft hyphens finds the same user under each of these.
    for number in 0..2000 {
        let user_id = format!("alice{}", "\u{AD}".repeat(number));
        let address = format!("1.{}.{}.4", number / 256, number % 256);
        status_of(&site, from(&address), &user_id, "x").await;
    }
    assert_eq!(users.checks(), 3, "overlong user-ids are malformed");
}

#[actix_web::test]
async fn flood_from_one_customer_of_a_provider_is_limited() {
    let (users, watch) = (Counted::new(), Watch::new());
    let throttle = Throttle::builder(users.clone()).clock(watch.instant()).build();
    let site = site_of(throttle.expect("the defaults"), &watch).await;
    for number in 0..2000 {
        let address = format!("[2001:db8:1:{number:x}::1]");
        status_of(&site, from(&address), &format!("user{number}"), "x").await;
    }
    assert_eq!(users.checks(), 16 * 50, "all are in one /48 network");
}

#[actix_web::test]
async fn unreadable_addresses_before_the_proxys_do_not_charge_the_proxy() {
    let (users, watch) = (Counted::new(), Watch::new());
    let throttle = limits(&users, &watch).trusted_proxies(["10.0.0.1"]).build().expect("a proxy");
    let site = site_of(throttle, &watch).await;
    let by_proxy = |forwarded: &[u8]| {
        let forwarded = HeaderValue::from_bytes(forwarded).expect("a header");
        from("10.0.0.1").insert_header(("X-Forwarded-For", forwarded))
    };
    for (number, status) in [401, 401, 401, 401, 401, 429, 429].into_iter().enumerate() {
        let guess = by_proxy(b"\xFF\xE9, 6.6.6.6");
        assert_eq!(status_of(&site, guess, &format!("user{number}"), "x").await, status);
    }
    for honest in [&b"1.2.3.4"[..], b"\xE9, 1.2.3.5"] {
        assert_eq!(status_of(&site, by_proxy(honest), "alice", "wonderland").await, 200);
    }
}

/// Starts this many guesses. Returns those that wait or are checked; the others are answered 503.
fn guesses_that_wait(
    site: &Site,
    number: usize,
    guess: impl Fn(usize) -> (String, String),
) -> Vec<Pin<Box<impl Future<Output = u16>>>> {
    let mut waiting = Vec::new();
    for it in 0..number {
        let (address, user_id) = guess(it);
        let mut guess =
            Box::pin(async move { status_of(site, from(&address), &user_id, "x").await });
        match poll_once(&mut guess) {
            None => waiting.push(guess),
            Some(status) => assert_eq!(status, 503),
        }
    }
    waiting
}

#[actix_web::test]
async fn guesses_at_one_user_id_do_not_fill_the_queue() {
    let (mut users, watch) = (Counted::new(), Watch::new());
    users.held = Some(Arc::default());
    let site = site_of(throttle_of_three(&users, &watch), &watch).await;
    let at_alice = |it| (format!("1.{}.{}.4", it / 256, it % 256), "alice".to_owned());
    let guesses = guesses_that_wait(&site, 1500, at_alice);
    assert_eq!((guesses.len(), users.checks()), (3 + 200, 3));
    let at_bob = |it| (format!("2.0.{it}.4"), "bob".to_owned());
    assert_eq!(guesses_that_wait(&site, 10, at_bob).len(), 10, "others wait");
    drop(guesses);
    watch.set(180);
    assert_eq!(guesses_that_wait(&site, 1500, at_alice).len(), 3 + 200, "freed places");
}

#[actix_web::test]
async fn guesses_from_one_network_do_not_fill_the_queue() {
    for address in [|_| "1.2.3.4".to_owned(), |it| format!("1.2.3.{}", it % 256)] {
        let (mut users, watch) = (Counted::new(), Watch::new());
        users.held = Some(Arc::default());
        let site = site_of(throttle_of_three(&users, &watch), &watch).await;
        let from_network = |it| (address(it), format!("user{it}"));
        let guesses = guesses_that_wait(&site, 1500, from_network);
        assert_eq!(guesses.len() - usize::try_from(users.checks()).expect("few"), 200);
        let from_another = |it| ("1.2.4.4".to_owned(), format!("user{it}"));
        assert_eq!(guesses_that_wait(&site, 10, from_another).len(), 10, "others wait");
    }
}
