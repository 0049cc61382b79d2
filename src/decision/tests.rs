//! Compares the decisions with the state tables, for every combination of state, presented
//! credentials, kind of request and path.
//!
//! The tables are the files in `tables/`, which also explain their columns. A row reads
//! `given -> expected`. A given column is a name, several names (`nav/simple`), `some`
//! (credentials of any kind) or a pattern with one `*`. A test checks that each combination matches
//! exactly one row.
//!
//! Every state belongs to a login at `/admin/login`, so its directory is `/admin/`.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    authenticate::{Decision, OnSuccess, authenticate},
    facts::{Credentials, Facts, Refusal, RefusalKind},
    logout::{LogoutDecision, LogoutFacts, LogoutReply, LogoutResponse, logout},
    page_script::{ScriptDecision, script},
};
use crate::{
    refusal_reason::Reason,
    request::{
        fingerprint::{Fingerprint, FingerprintKey},
        kind::RequestKind,
        path::{Directory, RequestPath},
    },
    session::{
        login::Login,
        state::{Cause, State},
    },
};

const STATES: &[&str] = &[
    "fresh",
    "in",
    "in-due",
    "in-reprompted",
    "in-foreign",
    "in-no-dir",
    "out",
    "out-dir",
    "out-header",
    "out-unknown",
    "rechallenged-here",
    "rechallenged-here-pending",
    "rechallenged-elsewhere",
    "rechallenged-elsewhere-pending",
    "prompted-here",
    "prompted-elsewhere",
];

const CREDENTIALS: &[&str] = &["none", "own", "other", "unusable", "reserved"];
const KINDS: &[&str] = &["nav", "sub", "simple", "non-browser"];
const PATHS: &[&str] = &["inside", "outside"];
const RESPONSES: &[&str] = &["challenge", "page", "redirect"];

const REQUESTS: &[&[&str]] = &[STATES, CREDENTIALS, KINDS, PATHS];
const SUBRESOURCE_REQUESTS: &[&[&str]] = &[STATES, CREDENTIALS, &["sub"], PATHS];
const LOGOUT_REQUESTS: &[&[&str]] = &[RESPONSES, STATES, CREDENTIALS, KINDS, PATHS];
const SCRIPT_REQUESTS: &[&[&str]] = &[STATES, CREDENTIALS];

const AUTHENTICATE: &str = include_str!("tables/authenticate.txt");
const CHALLENGED_SUBRESOURCES: &str = include_str!("tables/challenged_subresources.txt");
const LOGOUT: &str = include_str!("tables/logout.txt");
const SCRIPT: &str = include_str!("tables/page_script.txt");

const CAUSES: [Cause; 5] = [
    Cause::LoginRequired,
    Cause::LoggedOut,
    Cause::CredentialsChanged,
    Cause::Expired,
    Cause::Revoked,
];
const ELSEWHERE: &str = "/admin/elsewhere";

struct Row<'t> {
    line: &'t str,
    given: Vec<&'t str>,
    expected: Vec<&'t str>,
}

fn rows(table: &str) -> Vec<Row<'_>> {
    let lines = table.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (given, expected) = line.split_once("->").expect("a row has an arrow");
            Row {
                line,
                given: given.split_whitespace().collect(),
                expected: expected.split_whitespace().collect(),
            }
        })
        .collect()
}

/// Whether a column of a row matches this name.
fn matches_name(column: &str, name: &str) -> bool {
    column.split('/').any(|pattern| match pattern.split_once('*') {
        Some((start, end)) => name.strip_prefix(start).is_some_and(|rest| rest.ends_with(end)),
        None if pattern == "some" => CREDENTIALS.contains(&name) && name != "none",
        None => pattern == name,
    })
}

fn combinations(dimensions: &[&[&'static str]]) -> Vec<Vec<&'static str>> {
    dimensions.iter().fold(vec![Vec::new()], |found, names| {
        let longer = |start: &Vec<&'static str>| {
            let start = start.clone();
            names.iter().map(move |name| [&start[..], &[*name]].concat())
        };
        found.iter().flat_map(longer).collect()
    })
}

fn matching<'r, 't>(rows: &'r [Row<'t>], combination: &[&str]) -> Vec<&'r Row<'t>> {
    let matches = |row: &&Row<'_>| {
        row.given.iter().zip(combination).all(|(column, name)| matches_name(column, name))
    };
    rows.iter().filter(matches).collect()
}

/// Finds the faults of a table: combinations that match no row or several rows, and unknown names.
fn faults(table: &str, dimensions: &[&[&'static str]]) -> Vec<String> {
    let rows = rows(table);
    let mut faults = Vec::new();
    for Row { line, given, .. } in &rows {
        if given.len() != dimensions.len() {
            faults.push(format!("{line}: not {} columns", dimensions.len()));
        }
        for (column, names) in given.iter().zip(dimensions) {
            let is_unknown = |pattern: &&str| !names.iter().any(|name| matches_name(pattern, name));
            faults.extend(
                column.split('/').find(is_unknown).map(|it| format!("{line}: unknown name {it}")),
            );
        }
    }
    for combination in combinations(dimensions) {
        let found = matching(&rows, &combination);
        if found.len() != 1 {
            faults.push(format!("{} rows for {combination:?}", found.len()));
        }
    }
    faults
}

fn header(name: &str) -> Fingerprint {
    use actix_web_httpauth::headers::authorization::Basic;

    FingerprintKey::new(&[7; 32]).of("Admin area", &Basic::new(name.to_owned(), Some("x")).into())
}

fn admin() -> Option<Directory> {
    RequestPath::of("/admin/login").directory()
}

/// The state of a row's name, for a request to this path.
fn state(name: &str, path: &str, cause: Cause) -> State {
    let logged_in = |directory| {
        let (user, fingerprint) = ("alice".to_owned(), header("own"));
        State::LoggedIn(Login {
            user,
            fingerprint,
            logged_in_at: 1,
            verified_at: 1,
            visited_at: 1,
            ends_by: 1,
            revocation_list: None,
            ended_by: Vec::new(),
            directory,
            reprompted: false,
            epoch: None,
            foreign_origin: None,
        })
    };
    let (here, elsewhere, own) =
        (RequestPath::of(path), RequestPath::of(ELSEWHERE), Some(header("own")));
    match name {
        "fresh" => State::Fresh,
        "in" | "in-due" => logged_in(admin()),
        "in-reprompted" => reprompted(logged_in(admin())),
        "in-foreign" => foreign(logged_in(admin())),
        "in-no-dir" => logged_in(None),
        "out" => State::LoggedOut { directory: admin(), fingerprint: own, cause },
        "out-dir" => State::LoggedOut { directory: admin(), fingerprint: None, cause },
        "out-header" => State::LoggedOut { directory: None, fingerprint: own, cause },
        "out-unknown" => State::LoggedOut { directory: None, fingerprint: None, cause },
        "rechallenged-here" => State::Rechallenged { path: here, pending: None, cause },
        "rechallenged-here-pending" => State::Rechallenged { path: here, pending: own, cause },
        "rechallenged-elsewhere" => State::Rechallenged { path: elsewhere, pending: None, cause },
        "rechallenged-elsewhere-pending" => {
            State::Rechallenged { path: elsewhere, pending: own, cause }
        }
        "prompted-here" => State::Prompted { path: here, cause },
        "prompted-elsewhere" => State::Prompted { path: elsewhere, cause },
        _ => panic!("unknown state: {name}"),
    }
}

const LANDING: &str = "/landing/";

/// This login, after its browser was prompted again in the login's directory.
fn reprompted(state: State) -> State {
    match state {
        State::LoggedIn(login) => State::LoggedIn(Login { reprompted: true, ..login }),
        _ => panic!("not logged in"),
    }
}

/// This login, as a request to another origin sees it.
fn foreign(state: State) -> State {
    let foreign_origin = Some("http://localhost:9090".to_owned());
    match state {
        State::LoggedIn(login) => State::LoggedIn(Login { foreign_origin, ..login }),
        _ => panic!("not logged in"),
    }
}

/// The state after a logout. It holds the directory and header of the login, or the pending header.
fn logged_out(name: &str, cause: Cause) -> State {
    let own = Some(header("own"));
    let (directory, fingerprint) = match name {
        "fresh"
        | "out-unknown"
        | "rechallenged-here"
        | "rechallenged-elsewhere"
        | "prompted-here"
        | "prompted-elsewhere" => (None, None),
        "in" | "in-due" | "out" => (admin(), own),
        "in-reprompted"
        | "in-foreign"
        | "in-no-dir"
        | "out-header"
        | "rechallenged-here-pending"
        | "rechallenged-elsewhere-pending" => (None, own),
        "out-dir" => (admin(), None),
        _ => panic!("unknown state: {name}"),
    };
    State::LoggedOut { directory, fingerprint, cause }
}

fn next(name: &str, from: &str, path: &str, cause: Cause) -> Option<State> {
    let here = RequestPath::of(path);
    match name {
        "same" => None,
        "reprompted" => Some(reprompted(state(from, path, cause))),
        "prompted" => Some(State::Prompted { path: here, cause }),
        "rechallenged" => Some(State::Rechallenged { path: here, pending: None, cause }),
        "rechallenged+pending" => {
            Some(State::Rechallenged { path: here, pending: Some(header("own")), cause })
        }
        "landing+pending" => {
            let (path, pending) = (RequestPath::of(LANDING), Some(header("own")));
            Some(State::Rechallenged { path, pending, cause })
        }
        "out" => Some(logged_out(from, cause)),
        _ => panic!("unknown next state: {name}"),
    }
}

fn request_kind(name: &str) -> RequestKind {
    match name {
        "nav" => RequestKind::Navigation,
        "sub" => RequestKind::Subresource,
        "simple" => RequestKind::SimpleBrowser,
        "non-browser" => RequestKind::NonBrowser,
        _ => panic!("unknown kind of request: {name}"),
    }
}

fn paths(name: &str) -> &'static [&'static str] {
    match name {
        "inside" => &["/admin/", "/admin/page", "/admin/a/b"],
        "outside" => &["/", "/admin", "/administrator", "/public/admin/"],
        _ => panic!("unknown path: {name}"),
    }
}

/// Calls `run` for each request of a combination of names: for every path and every cause.
fn each_request(
    [name, presented, kind_name, path]: [&str; 4],
    challenge_subresources: bool,
    mut run: impl FnMut(&Facts<'_>, Cause),
) {
    let (own, other) = (header("own"), header("other"));
    for path in paths(path) {
        for cause in CAUSES {
            let state = state(name, path, cause);
            let credentials = match presented {
                "none" => Credentials::Missing,
                "own" => Credentials::Given(Some(&own)),
                "other" => Credentials::Given(Some(&other)),
                "unusable" => Credentials::Malformed,
                "reserved" => Credentials::Reserved,
                _ => panic!("unknown credentials: {presented}"),
            };
            let (request_kind, due) = (request_kind(kind_name), name == "in-due");
            let state = &state;
            let (session_only_allowed, raced_logout, is_cross_site_write, is_cookieless) =
                (false, false, false, false);
            let facts = Facts {
                state,
                credentials,
                request_kind,
                path,
                due,
                challenge_subresources,
                session_only_allowed,
                raced_logout,
                is_cross_site_write,
                is_cookieless,
            };
            run(&facts, cause);
        }
    }
}

/// A logout that is not forbidden, without a login at its prompt.
fn logout_facts(facts: Facts<'_>) -> LogoutFacts<'_> {
    LogoutFacts { facts, is_forbidden: false, is_uncertain: false, logged_in_here: false }
}

#[test]
fn forbidden_logout_and_login_at_logout_prompt_clear_nothing() {
    for combination in combinations(REQUESTS) {
        let request: [&str; 4] = combination[..].try_into().expect("four names");
        each_request(request, false, |facts, _| {
            let keeps = |reply| LogoutDecision { clear: false, next: None, reply };
            let response = LogoutResponse::Challenge;
            let forbidden = LogoutFacts { is_forbidden: true, ..logout_facts(*facts) };
            assert_eq!(logout(&forbidden, &response, LANDING), keeps(LogoutReply::Forbidden));
            let typed = LogoutFacts { logged_in_here: true, ..logout_facts(*facts) };
            let expected = match facts.request_kind {
                RequestKind::Subresource => logout(&logout_facts(*facts), &response, LANDING),
                _ => keeps(LogoutReply::Landing),
            };
            assert_eq!(logout(&typed, &response, LANDING), expected);
            let uncertain = LogoutFacts { is_uncertain: true, ..logout_facts(*facts) };
            let (uncertain, certain) = (
                logout(&uncertain, &response, LANDING),
                logout(&logout_facts(*facts), &response, LANDING),
            );
            assert_eq!((uncertain.clear, &uncertain.next), (certain.clear, &certain.next));
            let reply = match certain.reply {
                LogoutReply::Landing => LogoutReply::Landing,
                _ => LogoutReply::Uncertain,
            };
            assert_eq!(uncertain.reply, reply);
            assert_eq!(script(facts, true), ScriptDecision::Forbid);
        });
    }
}

fn expected_decision(expected: &[&str], from: &str, path: &str, state_cause: Cause) -> Decision {
    let [success, refusal, reason_name, next_name] = expected else {
        assert_eq!(expected, ["pass"]);
        return Decision::Pass;
    };
    let reason_of = |cause| match cause {
        Cause::LoginRequired => Reason::LoginRequired,
        Cause::LoggedOut => Reason::LoggedOut,
        Cause::CredentialsChanged => Reason::CredentialsChanged,
        Cause::Expired => Reason::LoginExpired,
        Cause::Revoked => Reason::LoginRevoked,
    };
    let (reason, cause) = match *reason_name {
        "required" => (Reason::LoginRequired, Cause::LoginRequired),
        "changed" => (Reason::CredentialsChanged, Cause::CredentialsChanged),
        "wrong" => (Reason::WrongCredentials, state_cause),
        "cause" => (reason_of(state_cause), state_cause),
        _ => panic!("unknown reason: {reason_name}"),
    };
    let kind = match *refusal {
        "challenge" => RefusalKind::Challenge,
        "quiet" => RefusalKind::Quiet,
        "403" => RefusalKind::Forbid,
        _ => panic!("unknown refusal: {refusal}"),
    };
    let on_failure =
        Refusal { kind, reason, next: next(next_name, from, path, cause).map(Box::new) };
    let on_success = match *success {
        "-" => return Decision::Refuse(on_failure),
        "log-in" => OnSuccess::LogIn,
        "confirm" => OnSuccess::Confirm,
        "stateless" => OnSuccess::Stateless,
        _ => panic!("unknown success: {success}"),
    };
    Decision::Check { on_success, on_failure }
}

fn assert_decisions(table: &str, dimensions: &[&[&'static str]], challenge_subresources: bool) {
    let rows = rows(table);
    for combination in combinations(dimensions) {
        let row = matching(&rows, &combination)[0];
        let request: [&str; 4] = combination[..].try_into().expect("four names");
        each_request(request, challenge_subresources, |facts, cause| {
            let expected = expected_decision(&row.expected, request[0], facts.path, cause);
            assert_eq!(
                authenticate(facts),
                expected,
                "{}\n{request:?} {} {cause:?}",
                row.line,
                facts.path
            );
        });
    }
}

#[test]
fn authenticate_agrees_with_its_table() {
    assert_decisions(AUTHENTICATE, REQUESTS, false);
}

#[test]
fn challenge_subresources_agrees_with_its_table() {
    assert_decisions(CHALLENGED_SUBRESOURCES, SUBRESOURCE_REQUESTS, true);
}

#[test]
fn challenge_subresources_affects_no_other_kind_of_request() {
    for combination in
        combinations(&[STATES, CREDENTIALS, &["nav", "simple", "non-browser"], PATHS])
    {
        let request: [&str; 4] = combination[..].try_into().expect("four names");
        each_request(request, true, |facts, cause| {
            let without = Facts { challenge_subresources: false, ..*facts };
            assert_eq!(authenticate(facts), authenticate(&without), "{request:?} {cause:?}");
        });
    }
}

#[test]
fn logout_agrees_with_its_table() {
    let rows = rows(LOGOUT);
    for combination in combinations(LOGOUT_REQUESTS) {
        let row = matching(&rows, &combination)[0];
        let [clear, reply, next_name] = row.expected[..] else { panic!("{}", row.line) };
        let response = match combination[0] {
            "challenge" => LogoutResponse::Challenge,
            "page" => LogoutResponse::Page,
            "redirect" => LogoutResponse::Redirect("/".to_owned()),
            response => panic!("unknown response: {response}"),
        };
        let clear = match clear {
            "clear" => true,
            "keep" => false,
            _ => panic!("{}", row.line),
        };
        let reply = match reply {
            "landing" => LogoutReply::Landing,
            "challenge" => LogoutReply::Challenge,
            "done" => LogoutReply::Done,
            "page" => LogoutReply::Page,
            "redirect" => LogoutReply::Redirect,
            "no-content" => LogoutReply::NoContent,
            "no-login" => LogoutReply::NoLogin,
            _ => panic!("{}", row.line),
        };
        let request: [&str; 4] = combination[1..].try_into().expect("four names");
        for challenge_subresources in [false, true] {
            each_request(request, challenge_subresources, |facts, cause| {
                // A user who typed credentials at the logout's prompt has not logged out again.
                let cause = if clear { Cause::LoggedOut } else { cause };
                let mut next = next(next_name, request[0], facts.path, cause);
                // If no fingerprint is known, the state keeps that of the request's credentials.
                if let (Some(State::LoggedOut { fingerprint, .. }), Credentials::Given(Some(it))) =
                    (&mut next, facts.credentials)
                {
                    fingerprint.get_or_insert(*it);
                }
                let expected = LogoutDecision { clear, next, reply };
                let shown = format!("{}\n{combination:?} {}", row.line, facts.path);
                assert_eq!(logout(&logout_facts(*facts), &response, LANDING), expected, "{shown}");
            });
        }
    }
}

#[test]
fn logout_page_script_agrees_with_its_table() {
    let rows = rows(SCRIPT);
    for combination in combinations(REQUESTS) {
        let row = matching(&rows, &combination[..2])[0];
        let request: [&str; 4] = combination[..].try_into().expect("four names");
        each_request(request, false, |facts, cause| {
            let expected = match row.expected[..] {
                ["challenge"] => ScriptDecision::Challenge,
                ["403"] => ScriptDecision::Forbid,
                ["replaced", name] => {
                    let next = next(name, request[0], facts.path, cause).map(Box::new);
                    ScriptDecision::Replaced { next }
                }
                _ => panic!("{}", row.line),
            };
            assert_eq!(
                script(facts, false),
                expected,
                "{}\n{combination:?} {}",
                row.line,
                facts.path
            );
        });
    }
}

#[test]
fn every_request_matches_exactly_one_row() {
    for (table, dimensions) in [
        (AUTHENTICATE, REQUESTS),
        (CHALLENGED_SUBRESOURCES, SUBRESOURCE_REQUESTS),
        (LOGOUT, LOGOUT_REQUESTS),
        (SCRIPT, SCRIPT_REQUESTS),
    ] {
        assert_eq!(faults(table, dimensions), Vec::<String>::new());
    }
}

#[test]
fn missing_and_duplicate_rows_are_detected() {
    for row in rows(SCRIPT) {
        let missing = SCRIPT.replace(row.line, "");
        assert!(!faults(&missing, SCRIPT_REQUESTS).is_empty(), "without {}", row.line);
        let twice = format!("{SCRIPT}\n{}", row.line);
        assert!(!faults(&twice, SCRIPT_REQUESTS).is_empty(), "twice {}", row.line);
    }
    let misspelled = format!("{SCRIPT}\nloggedin * -> 403");
    assert_eq!(
        faults(&misspelled, SCRIPT_REQUESTS),
        ["loggedin * -> 403: unknown name loggedin"],
        "an unknown name"
    );
    assert_eq!(combinations(REQUESTS).len(), 16 * 5 * 4 * 2);
}

#[test]
fn subresource_that_raced_logout_gets_403() {
    for name in ["out", "out-dir", "out-header", "out-unknown"] {
        for presented in ["own", "other", "unusable", "reserved"] {
            for challenge_subresources in [false, true] {
                let request = [name, presented, "sub", "inside"];
                each_request(request, challenge_subresources, |facts, cause| {
                    let decision = authenticate(&Facts { raced_logout: true, ..*facts });
                    let (kind, reason) = (RefusalKind::Forbid, Reason::from(cause));
                    let expected = Decision::Refuse(Refusal { kind, reason, next: None });
                    assert_eq!(decision, expected, "{request:?}");
                });
            }
        }
    }
}

#[test]
fn cross_site_write_gets_403_in_fresh() {
    for presented in CREDENTIALS {
        for kind_name in ["nav", "sub"] {
            each_request(["fresh", presented, kind_name, "inside"], false, |facts, _| {
                let decision = authenticate(&Facts { is_cross_site_write: true, ..*facts });
                let (kind, reason) = (RefusalKind::Forbid, Reason::CrossSite);
                assert_eq!(decision, Decision::Refuse(Refusal { kind, reason, next: None }));
            });
        }
        each_request(["fresh", presented, "non-browser", "inside"], false, |facts, _| {
            assert_eq!(
                authenticate(&Facts { is_cross_site_write: true, ..*facts }),
                authenticate(facts),
                "not a browser"
            );
        });
    }
}

#[test]
fn browser_without_cookies_is_refused_quietly() {
    for presented in ["own", "other"] {
        each_request(["fresh", presented, "nav", "inside"], false, |facts, _| {
            let decision = authenticate(&Facts { is_cookieless: true, ..*facts });
            let (kind, reason) = (RefusalKind::Quiet, Reason::CookiesRequired);
            let next = Some(Box::new(State::Fresh.without_proof(Cause::LoginRequired)));
            assert_eq!(decision, Decision::Refuse(Refusal { kind, reason, next }));
        });
    }
}

#[test]
fn session_only_request_needs_login_of_same_origin() {
    for kind_name in KINDS {
        for path_name in PATHS {
            for state in STATES {
                each_request([state, "none", kind_name, path_name], false, |facts, _| {
                    let decision = authenticate(&Facts { session_only_allowed: true, ..*facts });
                    match facts.state {
                        State::LoggedIn(login) if login.foreign_origin.is_none() => {
                            assert_eq!(decision, Decision::Pass, "{state} {kind_name} {path_name}");
                        }
                        _ => assert_eq!(
                            decision,
                            authenticate(facts),
                            "{state} {kind_name} {path_name}"
                        ),
                    }
                });
                // Credentials that come with such a request must still be valid.
                for presented in ["own", "other", "unusable", "reserved"] {
                    each_request([state, presented, kind_name, path_name], false, |facts, _| {
                        assert_eq!(
                            authenticate(&Facts { session_only_allowed: true, ..*facts }),
                            authenticate(facts),
                            "{state} {presented}"
                        );
                    });
                }
            }
        }
    }
}

/// The transitions between states for every request: `from-to`, with the labels of that arrow.
/// Transitions to the same state are omitted.
fn arrows() -> BTreeMap<String, BTreeSet<&'static str>> {
    let mut arrows = BTreeMap::<_, BTreeSet<_>>::new();
    let mut draw = |from: &State, to: Option<&State>, label| {
        if let Some(to) = to
            && state_name(from) != state_name(to)
        {
            arrows
                .entry(format!("{}-{}", state_name(from), state_name(to)))
                .or_default()
                .insert(label);
        }
    };
    for combination in combinations(REQUESTS) {
        let request: [&str; 4] = combination[..].try_into().expect("four names");
        each_request(request, false, |facts, _| {
            let from = facts.state;
            let presented = match facts.credentials {
                Credentials::Missing => "no credentials",
                _ => "credentials",
            };
            match authenticate(facts) {
                Decision::Pass => {}
                Decision::Refuse(refuse) => draw(from, refuse.next.as_deref(), presented),
                Decision::Check { on_success: OnSuccess::Confirm, on_failure } => {
                    draw(from, on_failure.next.as_deref(), "no longer accepted");
                }
                Decision::Check { on_success: OnSuccess::LogIn, on_failure } => {
                    let logged_in = state("in", facts.path, Cause::LoggedOut);
                    draw(from, Some(&logged_in), "good credentials");
                    draw(from, on_failure.next.as_deref(), "wrong credentials");
                }
                Decision::Check { on_success: OnSuccess::Stateless, on_failure } => {
                    draw(from, on_failure.next.as_deref(), presented);
                }
            }
            for response in [
                LogoutResponse::Challenge,
                LogoutResponse::Page,
                LogoutResponse::Redirect("/".to_owned()),
            ] {
                let out = logout(&logout_facts(*facts), &response, LANDING);
                let label = if out.clear { "logout" } else { "typed at logout" };
                draw(from, out.next.as_ref(), label);
            }
            if let ScriptDecision::Replaced { next } = script(facts, false) {
                draw(from, next.as_deref(), "page's script");
            }
            if let State::LoggedIn(_) = from {
                draw(from, Some(&from.logged_out(Cause::Expired)), "deadline, revocation");
            }
        });
    }
    arrows
}

fn state_name(state: &State) -> &'static str {
    match state {
        State::Fresh => "Fresh",
        State::LoggedIn(_) => "LoggedIn",
        State::LoggedOut { .. } => "LoggedOut",
        State::Rechallenged { .. } => "Rechallenged",
        State::Prompted { .. } => "Prompted",
    }
}

#[test]
fn states_svg_agrees_with_the_tables() {
    let picture = include_str!("../guide/states.svg");
    let groups = picture.split("<g id=\"").skip(1).map(|group| {
        let (name, rest) = group.split_once('"').expect("an id ends");
        let (texts, _) = rest.split_once("</g>").expect("a group ends");
        let lines = texts.split("</text>").filter_map(|it| it.rsplit_once('>'));
        let lines = lines.map(|(_, line)| line).filter(|it| !it.is_empty());
        (name.to_owned(), lines.collect())
    });
    assert_eq!(groups.collect::<BTreeMap<_, BTreeSet<_>>>(), arrows());
    let drawn = picture.matches("<path d=").count() - 1;
    assert_eq!(drawn, arrows().len(), "one path draws the tip of the arrows");
}
