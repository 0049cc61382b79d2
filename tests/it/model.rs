//! A model that checks the guarantees against random orders of events.

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
    site::{A, B, Credentials, Hole, Setup, Store},
};

const PAGES: [&str; 7] =
    ["/a/", "/a/x/y", "/a/write", "/a/b/", "/a/b/x/write", "/free", "/free/write"];
const BACKGROUND: [&str; 4] = ["/a/poll", "/a/x/write", "/a/b/poll", "/free/write"];
const LOG_OUTS: [&str; 5] =
    ["/a/logout", "/logout", "/deep/below/logout", "/a/b/logout", "/a/out-of-b"];
const FORGED: [&str; 5] = ["/a/", "/a/b/x/write", "/a/logout", "/logout", "/a/out-of-b"];

#[derive(Clone, Debug)]
enum Step {
    Open {
        tab: usize,
        path: &'static str,
    },
    /// A `fetch` that the browser may hold back: Chromium has attached its cookie by then, but
    /// not its credentials.
    Fetch {
        tab: usize,
        path: &'static str,
        is_held_back: bool,
    },
    Socket {
        path: &'static str,
    },
    LogOut {
        tab: usize,
        path: &'static str,
    },
    LogOutByFetch {
        path: &'static str,
    },
    /// The user opens a page and types until it is shown. Nothing else happens meanwhile.
    LogIn {
        tab: usize,
        path: &'static str,
        who: Who,
    },
    /// Another site's page sends a form here.
    Forge {
        tab: usize,
        path: &'static str,
        is_plain_http: bool,
    },
    /// One request advances by one step: to the server, through it, or back.
    Progress(usize),
    /// All requests in flight complete, in order.
    Settle,
    Type {
        dialog: usize,
        who: Who,
    },
    Cancel {
        dialog: usize,
    },
    /// The user closes a page before it has loaded.
    Abort(usize),
    Program {
        path: &'static str,
    },
    /// This many seconds pass.
    Wait(u64),
    /// The application revokes all logins of a user, without a request.
    Revoke {
        realm: &'static str,
        who: Who,
    },
    /// The application revokes the browser's login in a realm by its id.
    EndLogin {
        realm: &'static str,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    First,
    Second,
    Wrong,
    /// A user of both realms, with the same password.
    Both,
}

impl Who {
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

fn steps(who: Vec<Who>) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..2_usize, select(&PAGES)).prop_map(|(tab, path)| Step::Open { tab, path }),
        3 => (0..2_usize, select(&BACKGROUND), any::<bool>())
            .prop_map(|(tab, path, is_held_back)| Step::Fetch { tab, path, is_held_back }),
        1 => select(&BACKGROUND).prop_map(|path| Step::Socket { path }),
        3 => (0..2_usize, select(&LOG_OUTS)).prop_map(|(tab, path)| Step::LogOut { tab, path }),
        1 => select(&LOG_OUTS).prop_map(|path| Step::LogOutByFetch { path }),
        2 => (0..2_usize, select(&PAGES), select(who.clone()))
            .prop_map(|(tab, path, who)| Step::LogIn { tab, path, who }),
        1 => (0..2_usize, select(&FORGED), any::<bool>())
            .prop_map(|(tab, path, is_plain_http)| Step::Forge { tab, path, is_plain_http }),
        9 => (0..8_usize).prop_map(Step::Progress),
        5 => Just(Step::Settle),
        7 => (0..8_usize, select(who)).prop_map(|(dialog, who)| Step::Type { dialog, who }),
        2 => (0..8_usize).prop_map(|dialog| Step::Cancel { dialog }),
        1 => (0..8_usize).prop_map(Step::Abort),
        1 => select(&PAGES).prop_map(|path| Step::Program { path }),
        1 => select(&[3, 15, 45]).prop_map(Step::Wait),
        1 => select(&[A, A, B]).prop_map(|realm| Step::Revoke { realm, who: Who::First }),
        1 => select(&[A, A, B]).prop_map(|realm| Step::EndLogin { realm }),
    ];
    proptest::collection::vec(step, 10..70)
}

fn setups(hole: Option<Hole>) -> impl Strategy<Value = (Setup, Engine)> {
    let answers = vec![
        LogoutResponse::Challenge,
        LogoutResponse::Challenge,
        LogoutResponse::Page,
        LogoutResponse::Redirect("/free".to_owned()),
    ];
    let ports = match hole {
        None => vec![false, true],
        Some(hole) => vec![hole == Hole::PortsAreOne],
    };
    let machines = match hole {
        None => vec![false, true],
        Some(hole) => vec![hole == Hole::MachinesAreApart],
    };
    let engines = [Engine::Chromium, Engine::Firefox, Engine::WebKit];
    (
        select(vec![Store::Cookie, Store::Memory]),
        select(answers),
        select(vec![LogoutScope::Session, LogoutScope::Realm]),
        select(engines.to_vec()),
        any::<bool>(),
        (select(ports), select(machines)),
    )
        .prop_map(
            move |(store, answer, clears, engine, deadlines, (two_ports, two_machines))| {
                let setup = Setup::new(store);
                let setup =
                    Setup { answer, clears, hole, deadlines, two_ports, two_machines, ..setup };
                (setup, engine)
            },
        )
}

/// Statistics: how much was tried, and what occurred.
#[derive(Debug, Default)]
struct Tally {
    served: usize,
    log_outs: usize,
    prompts: usize,
    limits: BTreeMap<Limit, usize>,
}

type Failure = TestError<((Setup, Engine), Vec<Step>)>;

/// Runs random cases until one breaks a guarantee (with a bug: the guarantee that it should
/// break). `MODEL_CASES` is the number of cases.
fn try_all(cases: u32, hole: Option<(Hole, &str)>) -> (Result<(), Failure>, Tally) {
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
        &(setups(hole.map(|(hole, _)| hole)), steps(EVERYBODY.to_vec())),
        |((setup, engine), steps)| {
            let mut model = system.block_on(Model::new(setup, engine));
            if let Err(broken) = steps.iter().try_for_each(|step| model.step(step)) {
                let is_wanted = hole.is_none_or(|(_, promise)| broken.starts_with(promise));
                return if is_wanted { Err(TestCaseError::fail(broken)) } else { Ok(()) };
            }
            let mut tally = tally.borrow_mut();
            tally.served += model.site.seen().served.len();
            tally.log_outs += model.log_outs();
            tally.prompts += model.browser.asked;
            for limit in model.limits {
                *tally.limits.entry(limit).or_default() += 1;
            }
            Ok(())
        },
    );
    (result, Rc::into_inner(tally).unwrap().into_inner())
}

/// The shortest failure, as a list of events.
fn tell(error: Failure) -> String {
    let TestError::Fail(reason, ((setup, engine), steps)) = error else { return error.to_string() };
    let system = actix_web::rt::System::new();
    let mut model = system.block_on(Model::new(setup.clone(), engine));
    let _ = steps.iter().try_for_each(|step| model.step(step));
    format!("{reason}\n{engine:?} {setup:?}\n{}\n", model.story.join("\n"))
}

const EVERYBODY: [Who; 5] = [Who::First, Who::First, Who::First, Who::Second, Who::Wrong];

#[test]
fn no_order_of_events_breaks_a_guarantee() {
    let (result, tally) = try_all(2_000, None);
    eprintln!("{tally:?}");
    if let Err(error) = result {
        panic!("{}", tell(error));
    }
    // The model would prove little if few requests were served.
    assert!(tally.served > 1_000 && tally.log_outs > 1_000 && tally.prompts > 1_000, "{tally:?}");
}

/// With a bug reintroduced, the model must find that it breaks its guarantee.
#[track_caller]
fn finds(hole: Hole, promise: &str) {
    let (result, _) = try_all(20_000, Some((hole, promise)));
    let story = tell(result.expect_err("the hole was not found"));
    eprintln!("{story}");
    assert!(story.starts_with(promise), "{story}");
}

#[test]
fn model_finds_request_in_flight_taken_for_an_answer() {
    finds(Hole::KeyIsNotRenewed, "1:");
}

#[test]
fn model_finds_challenge_taken_for_a_prompt() {
    finds(Hole::ChallengedMeansAsked, "1:");
}

#[test]
fn model_finds_non_browsers_locked_out() {
    finds(Hole::ProgramsNeedASession, "4:");
}

#[test]
fn model_finds_login_that_outlives_its_timeout() {
    finds(Hole::DeadlinesAreForgotten, "1:");
}

#[test]
fn model_finds_logout_that_prompts_again() {
    finds(Hole::LogoutAlwaysChallenges, "2:");
}

#[test]
fn model_finds_cross_site_logout() {
    finds(Hole::OtherSitesAreNotTold, "3:");
}

#[test]
fn model_finds_old_credentials_accepted_on_another_port() {
    finds(Hole::PortsAreOne, "1:");
}

#[test]
fn model_finds_revoked_login_still_accepted() {
    finds(Hole::RevocationsAreLost, "1:");
}

#[test]
fn model_finds_logout_unknown_to_the_other_machine() {
    finds(Hole::MachinesAreApart, "1:");
}
