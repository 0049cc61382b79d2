//! Checks the guarantees under random interleavings of events.
//!
//! The events are those of a user with two tabs on one or two ports, of another site's page, and of a
//! server that handles requests in any order, stops in the middle of them, and answers late. They
//! drive the real middleware behind the real `SessionMiddleware`. After each step the model checks the
//! guarantees of DESIGN.md. The known cases in which a guarantee does not hold have names ([`Limit`]),
//! and each has a test that shows it.

mod limits;
mod world;

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use actix_basic_logout::{LogoutResponse, LogoutScope};
use proptest::{
    prelude::*,
    sample::select,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner},
};

use self::{limits::Limit, world::Model};
use crate::support::{
    browser::Engine,
    site::{A, B, Bug, Credentials, Setup, Store},
};

const PAGES: [&str; 7] =
    ["/a/", "/a/x/y", "/a/write", "/a/b/", "/a/b/x/write", "/free", "/free/write"];
const BACKGROUND: [&str; 4] = ["/a/poll", "/a/x/write", "/a/b/poll", "/free/write"];
const LOGOUTS: [&str; 5] =
    ["/a/logout", "/logout", "/deep/below/logout", "/a/b/logout", "/a/out-of-b"];
const CROSS_SITE_FORMS: [&str; 5] = ["/a/", "/a/b/x/write", "/a/logout", "/logout", "/a/out-of-b"];

#[derive(Clone, Debug)]
enum Step {
    Open {
        tab: usize,
        path: &'static str,
    },
    /// A fetch, which the browser may hold back. In Chromium it then has the cookie of that time, but
    /// takes its credentials when it is sent.
    Fetch {
        tab: usize,
        path: &'static str,
        is_held_back: bool,
    },
    WebSocket {
        path: &'static str,
    },
    Logout {
        tab: usize,
        path: &'static str,
    },
    LogoutByFetch {
        path: &'static str,
    },
    /// The user opens a page and types credentials at each prompt. Nothing else happens meanwhile.
    Login {
        tab: usize,
        path: &'static str,
        account: Account,
    },
    /// Another site's page submits a form to this site.
    CrossSiteForm {
        tab: usize,
        path: &'static str,
        is_plain_http: bool,
    },
    /// One request advances by a step: to the server, through it, or back to the browser.
    Progress(usize),
    /// All requests in flight complete, in the order in which they were sent.
    Settle,
    Type {
        dialog: usize,
        account: Account,
    },
    Cancel {
        dialog: usize,
    },
    /// The user closes a page before its answer arrives.
    Abort(usize),
    NonBrowser {
        path: &'static str,
    },
    /// So many seconds pass.
    Wait(u64),
    /// `revoke_user` ends all logins of a user.
    RevokeUser {
        realm: &'static str,
        account: Account,
    },
    /// `revoke_login` ends the browser's login in a realm.
    RevokeLogin {
        realm: &'static str,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Account {
    First,
    Second,
    Wrong,
    /// Valid in both realms, with the same password.
    Both,
}

impl Account {
    fn credentials(self, realm: &str) -> Credentials {
        match (self, realm) {
            (Self::First, A) => ("alice", "one"),
            (Self::First, _) => ("carol", "three"),
            (Self::Second, A) => ("bob", "two"),
            (Self::Second, _) => ("dave", "four"),
            (Self::Wrong, _) => ("alice", "wrong"),
            (Self::Both, _) => ("both", "same"),
        }
    }
}

fn steps(accounts: Vec<Account>) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..2_usize, select(&PAGES)).prop_map(|(tab, path)| Step::Open { tab, path }),
        3 => (0..2_usize, select(&BACKGROUND), any::<bool>())
            .prop_map(|(tab, path, is_held_back)| Step::Fetch { tab, path, is_held_back }),
        1 => select(&BACKGROUND).prop_map(|path| Step::WebSocket { path }),
        3 => (0..2_usize, select(&LOGOUTS)).prop_map(|(tab, path)| Step::Logout { tab, path }),
        1 => select(&LOGOUTS).prop_map(|path| Step::LogoutByFetch { path }),
        2 => (0..2_usize, select(&PAGES), select(accounts.clone()))
            .prop_map(|(tab, path, account)| Step::Login { tab, path, account }),
        1 => (0..2_usize, select(&CROSS_SITE_FORMS), any::<bool>())
            .prop_map(|(tab, path, is_plain_http)| Step::CrossSiteForm { tab, path, is_plain_http }),
        9 => (0..8_usize).prop_map(Step::Progress),
        5 => Just(Step::Settle),
        7 => (0..8_usize, select(accounts)).prop_map(|(dialog, account)| Step::Type { dialog, account }),
        2 => (0..8_usize).prop_map(|dialog| Step::Cancel { dialog }),
        1 => (0..8_usize).prop_map(Step::Abort),
        1 => select(&PAGES).prop_map(|path| Step::NonBrowser { path }),
        1 => select(&[3, 15, 45]).prop_map(Step::Wait),
        1 => select(&[A, A, B]).prop_map(|realm| Step::RevokeUser { realm, account: Account::First }),
        1 => select(&[A, A, B]).prop_map(|realm| Step::RevokeLogin { realm }),
    ];
    proptest::collection::vec(step, 10..70)
}

fn setups(bug: Option<Bug>) -> impl Strategy<Value = (Setup, Engine)> {
    let responses = vec![
        LogoutResponse::Challenge,
        LogoutResponse::Challenge,
        LogoutResponse::Page,
        LogoutResponse::Redirect("/free".to_owned()),
    ];
    let ports = match bug {
        None => vec![false, true],
        Some(bug) => vec![bug == Bug::PortsNotDistinguished],
    };
    let machines = match bug {
        None => vec![false, true],
        Some(bug) => vec![bug == Bug::RevocationListPerMachine],
    };
    let engines = [Engine::Chromium, Engine::Firefox, Engine::WebKit, Engine::W3m];
    (
        select(vec![Store::Cookie, Store::Memory]),
        select(responses),
        select(vec![LogoutScope::Session, LogoutScope::Realm]),
        select(engines.to_vec()),
        any::<bool>(),
        (select(ports), select(machines)),
    )
        .prop_map(
            move |(
                store,
                logout_response,
                logout_scope,
                engine,
                deadlines,
                (two_ports, two_machines),
            )| {
                let setup = Setup::new(store);
                let setup = Setup {
                    logout_response,
                    logout_scope,
                    bug,
                    deadlines,
                    two_ports,
                    two_machines,
                    ..setup
                };
                (setup, engine)
            },
        )
}

/// The counts of a run.
#[derive(Debug, Default)]
struct Tally {
    served: usize,
    logouts: usize,
    prompts: usize,
    limits: BTreeMap<Limit, usize>,
}

type Failure = TestError<((Setup, Engine), Vec<Step>)>;

/// Runs random cases until one breaks a guarantee. With a bug, only the guarantee that the bug is
/// expected to break counts. The environment variable `MODEL_CASES` overrides the number of cases.
fn run_cases(cases: u32, bug: Option<(Bug, &str)>) -> (Result<(), Failure>, Tally) {
    let cases = match std::env::var("MODEL_CASES") {
        Ok(cases) => cases.parse().expect("MODEL_CASES is a number"),
        Err(_) => cases,
    };
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let system = actix_web::rt::System::new();
    let tally = Rc::new(RefCell::new(Tally::default()));
    let result = runner.run(
        &(setups(bug.map(|(bug, _)| bug)), steps(ACCOUNTS.to_vec())),
        |((setup, engine), steps)| {
            let mut model = system.block_on(Model::new(setup, engine));
            if let Err(failure) = steps.iter().try_for_each(|step| model.step(step)) {
                let is_expected = bug.is_none_or(|(_, guarantee)| failure.starts_with(guarantee));
                return if is_expected { Err(TestCaseError::fail(failure)) } else { Ok(()) };
            }
            let mut tally = tally.borrow_mut();
            tally.served += model.site.seen().served.len();
            tally.logouts += model.logouts();
            tally.prompts += model.browser.prompts;
            for limit in model.limits {
                *tally.limits.entry(limit).or_default() += 1;
            }
            Ok(())
        },
    );
    (result, Rc::into_inner(tally).unwrap().into_inner())
}

/// Describes the shortest failing case, step by step.
fn describe(error: Failure) -> String {
    let TestError::Fail(reason, ((setup, engine), steps)) = error else { return error.to_string() };
    let system = actix_web::rt::System::new();
    let mut model = system.block_on(Model::new(setup.clone(), engine));
    let _ = steps.iter().try_for_each(|step| model.step(step));
    format!("{reason}\n{engine:?} {setup:?}\n{}\n", model.transcript.join("\n"))
}

const ACCOUNTS: [Account; 5] =
    [Account::First, Account::First, Account::First, Account::Second, Account::Wrong];

#[test]
fn no_order_of_events_breaks_a_guarantee() {
    let (result, tally) = run_cases(2_000, None);
    eprintln!("{tally:?}");
    if let Err(error) = result {
        panic!("{}", describe(error));
    }
    // A run in which few requests are served proves little.
    assert!(tally.served > 1_000 && tally.logouts > 1_000 && tally.prompts > 1_000, "{tally:?}");
}

/// Asserts that the model finds a reintroduced bug, by the guarantee that it breaks.
#[track_caller]
fn assert_found(bug: Bug, guarantee: &str) {
    let (result, _) = run_cases(20_000, Some((bug, guarantee)));
    let transcript = describe(result.expect_err("the bug was not found"));
    eprintln!("{transcript}");
    assert!(transcript.starts_with(guarantee), "{transcript}");
}

#[test]
fn model_finds_request_in_flight_taken_for_an_answer() {
    assert_found(Bug::SessionNotRenewed, "1:");
}

#[test]
fn model_finds_challenge_taken_for_a_prompt() {
    assert_found(Bug::ChallengeCountsAsPrompt, "1:");
}

#[test]
fn model_finds_non_browsers_locked_out() {
    assert_found(Bug::NonBrowsersNeedASession, "4:");
}

#[test]
fn model_finds_login_that_outlives_its_timeout() {
    assert_found(Bug::TimeoutsIgnored, "1:");
}

#[test]
fn model_finds_logout_that_prompts_again() {
    assert_found(Bug::LogoutAlwaysChallenges, "2:");
}

#[test]
fn model_finds_cross_site_logout() {
    assert_found(Bug::CrossSiteNotRecognized, "3:");
}

#[test]
fn model_finds_old_credentials_accepted_on_another_port() {
    assert_found(Bug::PortsNotDistinguished, "1:");
}

#[test]
fn model_finds_revoked_login_still_accepted() {
    assert_found(Bug::RevocationsLost, "1:");
}

#[test]
fn model_finds_logout_unknown_to_the_other_machine() {
    assert_found(Bug::RevocationListPerMachine, "1:");
}
