//! Explores attacks on logins at random: every cookie that the server has ever set may come again, with
//! any credentials or none.
//!
//! The model in `model` has one honest browser and all orders of its events. This one has clients that
//! plant, steal and replay cookies, and a server that restarts with other keys and deadlines. Its own
//! record of the logins decides whether a request may be served.

mod world;

use actix_basic_logout::LogoutScope;
use proptest::{
    prelude::*,
    sample::{Index, select},
    test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner},
};

use self::world::World;
use crate::support::site::{Bug, Credentials, Setup, Store};

const ALICE: Credentials = ("alice", "one");
/// Alice's password after she has changed it.
const ALICE_NEW: Credentials = ("alice", "new");
const BOB: Credentials = ("bob", "two");
const WRONG: Credentials = ("alice", "wrong");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Page,
    Fetch,
    /// A request that passes with the session alone, sent by a page of this site.
    Socket,
    /// The same request, sent by a page of a sibling subdomain.
    SiblingSocket,
    Logout,
    LogoutByFetch,
}

/// The cookie of a request.
#[derive(Clone, Debug)]
enum Cookie {
    None,
    /// The newest one of a client.
    Of(usize),
    /// Any that was ever set.
    Old(Index),
    Forged,
    Two(Index, Index),
}

#[derive(Clone, Debug)]
enum Step {
    /// A request. The client stores the cookie that it receives.
    Send {
        client: usize,
        kind: Kind,
        cookie: Cookie,
        credentials: Option<Credentials>,
    },
    /// A client visits a page and answers the challenge.
    LogIn {
        client: usize,
        credentials: Credentials,
    },
    /// A client gets any cookie planted.
    Plant {
        client: usize,
        cookie: Index,
    },
    /// A login waits for the authenticator, until `Release`.
    Hold {
        client: usize,
        credentials: Credentials,
    },
    Release,
    /// The newest user with a login opens a connection that stays open.
    OpenSocket,
    ChangePassword,
    RevokeAlice,
    /// So many seconds pass.
    Wait(u64),
    /// The server restarts with one of two fingerprint keys, and with short or long deadlines.
    Restart {
        key: u8,
        short: bool,
    },
    /// Many logouts without a login, which fill the revocation list.
    Flood,
}

fn step() -> impl Strategy<Value = Step> {
    let client = || 0..3_usize;
    let credentials = || select(vec![ALICE, ALICE, ALICE_NEW, BOB, WRONG]);
    let kind = select(vec![
        Kind::Page,
        Kind::Page,
        Kind::Fetch,
        Kind::Socket,
        Kind::Socket,
        Kind::SiblingSocket,
        Kind::Logout,
        Kind::LogoutByFetch,
    ]);
    let cookie = prop_oneof![
        1 => Just(Cookie::None),
        4 => client().prop_map(Cookie::Of),
        5 => any::<Index>().prop_map(Cookie::Old),
        1 => Just(Cookie::Forged),
        1 => (any::<Index>(), any::<Index>()).prop_map(|(one, two)| Cookie::Two(one, two)),
    ];
    prop_oneof![
        14 => (client(), kind, cookie, proptest::option::of(credentials())).prop_map(
            |(client, kind, cookie, credentials)| Step::Send { client, kind, cookie, credentials }
        ),
        4 => (client(), credentials())
            .prop_map(|(client, credentials)| Step::LogIn { client, credentials }),
        2 => (client(), any::<Index>()).prop_map(|(client, cookie)| Step::Plant { client, cookie }),
        2 => (client(), credentials())
            .prop_map(|(client, credentials)| Step::Hold { client, credentials }),
        2 => Just(Step::Release),
        2 => Just(Step::OpenSocket),
        1 => Just(Step::ChangePassword),
        1 => Just(Step::RevokeAlice),
        3 => select(vec![1, 60, 15 * 60, 21 * 60, 2 * 60 * 60]).prop_map(Step::Wait),
        1 => (0..2_u8, any::<bool>()).prop_map(|(key, short)| Step::Restart { key, short }),
        1 => Just(Step::Flood),
    ]
}

fn setup(bug: Option<Bug>) -> impl Strategy<Value = Setup> {
    let scopes = vec![LogoutScope::Session, LogoutScope::Realm];
    (select(vec![Store::Cookie, Store::Memory]), select(scopes))
        .prop_map(move |(store, logout_scope)| Setup { logout_scope, bug, ..Setup::new(store) })
}

/// Runs random cases until one breaks a rule. With a bug, only the rule that the bug is expected to
/// break counts. The environment variable `MODEL_CASES` overrides the number of cases.
fn run_cases(cases: u32, bug: Option<(Bug, &str)>) -> Result<(usize, usize), String> {
    let cases = std::env::var("MODEL_CASES").map_or(cases, |it| it.parse().expect("a number"));
    let max_shrink_iters = if bug.is_some() { 100 } else { 5_000 };
    let config = Config { cases, failure_persistence: None, max_shrink_iters, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let system = actix_web::rt::System::new();
    let play = |setup: &Setup, steps: &[Step]| {
        system.block_on(async {
            let mut world = World::new(setup.clone()).await;
            for step in steps {
                world.step(step).await?;
            }
            Ok::<_, String>((world.served, world.ended))
        })
    };
    let total = std::cell::Cell::new((0, 0));
    let steps = proptest::collection::vec(step(), 5..50);
    let result = runner.run(&(setup(bug.map(|it| it.0)), steps), |(setup, steps)| {
        match play(&setup, &steps) {
            Ok((served, ended)) => {
                let (all_served, all_ended) = total.get();
                total.set((all_served + served, all_ended + ended));
                Ok(())
            }
            Err(rule) if bug.is_none_or(|(_, expected)| expected == rule) => {
                Err(TestCaseError::fail(rule))
            }
            Err(_) => Ok(()),
        }
    });
    match result {
        Ok(()) => Ok(total.get()),
        Err(TestError::Fail(rule, (setup, steps))) => Err(format!("{rule}\n{setup:?}\n{steps:?}")),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn no_replay_breaks_a_rule() {
    let (served, ended) = run_cases(700, None).unwrap_or_else(|it| panic!("{it}"));
    eprintln!("{served} requests served, {ended} logins ended");
    // A run in which few requests are served proves little.
    assert!(served > 1_000 && ended > 500, "{served} served, {ended} ended");
}

/// Asserts that the model finds a reintroduced bug, by the rule that it breaks.
#[track_caller]
fn assert_found(bug: Bug, rule: &str) {
    let failure = run_cases(20_000, Some((bug, rule))).expect_err("the bug was not found");
    eprintln!("{failure}");
    assert!(failure.starts_with(rule), "{failure}");
}

#[test]
fn replay_model_finds_sibling_page_that_passes_with_the_session_alone() {
    assert_found(Bug::SameSiteCountsAsSameOrigin, world::SIBLING_SERVED);
}

#[test]
fn replay_model_finds_planted_session_that_passes_alone() {
    assert_found(Bug::SessionNotRenewed, world::PLANTED_SERVED);
}

#[test]
fn replay_model_finds_ended_login_that_is_still_served() {
    assert_found(Bug::RevocationsLost, world::ENDED_SERVED);
}

#[test]
fn replay_model_finds_socket_that_outlives_its_login() {
    assert_found(Bug::RevocationsLost, world::SOCKET_OPEN);
}

#[test]
fn replay_model_finds_changed_password_that_continues_the_old_login() {
    assert_found(Bug::OtherCredentialsKeepTheLogin, world::SAME_ID);
}

#[test]
fn replay_model_finds_old_challenge_that_is_answered() {
    assert_found(Bug::ChallengeNeverExpires, world::OLD_CHALLENGE);
}

#[test]
fn replay_model_finds_absolute_timeout_that_begins_again() {
    assert_found(Bug::LoginTimeNotKept, world::TIME_CHANGED);
}

#[test]
fn replay_model_finds_login_revived_by_longer_deadlines() {
    assert_found(Bug::OldDeadlinesForgotten, world::EXPIRED_SERVED);
}

#[test]
fn replay_model_finds_logout_that_overlooks_a_second_cookie() {
    assert_found(Bug::SecondCookieIgnored, world::UNCERTAIN_LOGOUT);
}

#[test]
fn replay_model_finds_anonymous_logouts_that_fill_the_list() {
    assert_found(Bug::AnonymousEntriesKeptLong, world::ANONYMOUS_KEPT);
}

#[test]
fn replay_model_finds_challenge_whose_logout_ends_no_login() {
    assert_found(Bug::SuccessForgotten, world::ENDED_SERVED);
}
