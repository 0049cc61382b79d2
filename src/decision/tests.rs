//! The two tables of `DESIGN.md` (4.1 and 4.2), row by row, for every combination of state,
//! presented credentials, client and path.
//!
//! A row reads `given -> expected`. A given column is a name, several (`nav/prog`), `some`
//! (credentials of any kind) or a pattern with one `*`. Each combination is found in exactly one
//! row, which is itself a test.
//!
//! Everything happens around a login at `/admin/login`, so its directory is `/admin/`.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::{request::fingerprint::FingerprintKey, request::path::Directory, session::Login};

/// What is known where: `in` is logged in, `due` to be asked about again, `nowhere` without a
/// directory, because the path was too long to be kept. `out` is logged out, with what is known of
/// the login that ended: both directory and header, one of them or neither. `here` and `else` say
/// whether the request is for the path of the challenge.
const STATES: &[&str] = &[
    "fresh",
    "in",
    "in-due",
    "in-again",
    "in-port",
    "in-nowhere",
    "out",
    "out-dir",
    "out-header",
    "out-blank",
    "rejected-here",
    "rejected-here-pending",
    "rejected-else",
    "rejected-else-pending",
    "asked-here",
    "asked-else",
];

/// `own` is the header of the login, also of the one that has ended.
const PRESENTED: &[&str] = &["nothing", "own", "other", "unusable", "reserved"];
const CLIENTS: &[&str] = &["nav", "sub", "prog"];
/// As seen from the directory of the login.
const PATHS: &[&str] = &["inside", "outside"];
const STYLES: &[&str] = &["challenge", "page", "redirect"];

const REQUESTS: &[&[&str]] = &[STATES, PRESENTED, CLIENTS, PATHS];
const CHALLENGED_SUBRESOURCES: &[&[&str]] = &[STATES, PRESENTED, &["sub"], PATHS];
const LOG_OUTS: &[&[&str]] = &[STYLES, STATES, PRESENTED, CLIENTS, PATHS];
const REPLACEMENTS: &[&[&str]] = &[STATES, PRESENTED];

/// Expected: what good credentials lead to (`-`: nobody is asked about them), else how the request
/// is refused, what it is told (`why`: what the state remembers), and the next state.
///
/// "Refusal" is a challenge for a navigation or a program, a quiet refusal for a subresource.
/// `unusable` and `reserved` are credentials that are wrong without asking.
const MIDDLEWARE: &str = "
    # LoggedIn, the same as at login: pass
    in/in-again/in-port/in-nowhere own             nav/sub/prog *       -> pass
    # ... once due it is checked; one that is no longer accepted counts as LoggedOut
    in-due                own                     nav/prog     *       -> confirm challenge no-longer rejected
    in-due                own                     sub          *       -> confirm quiet     no-longer out
    # LoggedIn, another: check, else refuse
    in*                   other                   nav/prog     *       -> login   challenge wrong     same
    in*                   other                   sub          *       -> login   quiet     wrong     same
    in*                   unusable/reserved       nav/prog     *       -> -       challenge wrong     same
    in*                   unusable/reserved       sub          *       -> -       quiet     wrong     same
    # LoggedIn, none, at or below the directory, subresource: quietly; otherwise: challenge
    in/in-due/in-again/in-port nothing            sub          inside  -> -       quiet     required  same
    in/in-due/in-again/in-port nothing            sub          outside -> -       challenge required  same
    in-nowhere            nothing                 sub          *       -> -       challenge required  same
    # ... and where it would have sent them, it has dropped them: the directory proves no more
    in/in-due             nothing                 nav/prog     inside  -> -       challenge required  asked-again
    in/in-due             nothing                 nav/prog     outside -> -       challenge required  same
    in-again/in-port/in-nowhere nothing           nav/prog     *       -> -       challenge required  same

    # LoggedOut, some, navigation: Rechallenged here, pending unless it was the ended login's header
    out*                  own                     nav/prog     *       -> -       challenge why       rejected
    out/out-header        other/unusable          nav/prog     *       -> -       challenge why       rejected+pending
    # ... nor the reserved user's, which has taken its place
    out/out-header        reserved                nav/prog     *       -> -       challenge why       rejected
    out-dir/out-blank     other/unusable/reserved nav/prog     *       -> -       challenge why       rejected
    # LoggedOut, some, subresource: quietly
    out*                  some                    sub          *       -> -       quiet     why       same
    # LoggedOut, none, at or below the remembered directory, navigation: Prompted here
    out/out-dir           nothing                 nav/prog     inside  -> -       challenge why       asked
    # LoggedOut, none, otherwise: refuse
    out/out-dir           nothing                 nav/prog     outside -> -       challenge why       same
    out-header/out-blank  nothing                 nav/prog     *       -> -       challenge why       same
    out*                  nothing                 sub          *       -> -       quiet     why       same

    # Rechallenged, the pending header: nothing is pending any more
    rejected-*-pending    own                     nav/prog     *       -> -       challenge why       rejected
    rejected-*-pending    own                     sub          *       -> -       quiet     why       same
    # Rechallenged, another, at its path: check
    rejected-here         own/other               nav/prog     *       -> login   challenge wrong     same
    rejected-here         own/other               sub          *       -> login   quiet     wrong     same
    rejected-here-pending other                   nav/prog     *       -> login   challenge wrong     same
    rejected-here-pending other                   sub          *       -> login   quiet     wrong     same
    rejected-here*        unusable/reserved       nav/prog     *       -> -       challenge wrong     same
    rejected-here*        unusable/reserved       sub          *       -> -       quiet     wrong     same
    # Rechallenged, another, elsewhere, navigation: Rechallenged here, pending kept
    rejected-else         some                    nav/prog     *       -> -       challenge why       rejected
    rejected-else-pending other/unusable/reserved nav/prog     *       -> -       challenge why       rejected+pending
    # Rechallenged, another, elsewhere, subresource: 403
    rejected-else         some                    sub          *       -> -       403       why       same
    rejected-else-pending other/unusable/reserved sub          *       -> -       403       why       same
    # Rechallenged, none: Prompted here, or unchanged while something is pending
    rejected-here         nothing                 nav/prog     *       -> -       challenge why       asked
    rejected-else         nothing                 nav/prog     *       -> -       challenge why       asked
    rejected-*-pending    nothing                 nav/prog     *       -> -       challenge why       same
    rejected-*            nothing                 sub          *       -> -       quiet     why       same

    # Prompted, some: check
    asked-*               own/other               nav/prog     *       -> login   challenge wrong     same
    asked-*               own/other               sub          *       -> login   quiet     wrong     same
    asked-*               unusable                nav/prog     *       -> -       challenge wrong     same
    asked-*               unusable                sub          *       -> -       quiet     wrong     same
    # ... but the page answer's stand-in was typed by nobody
    asked-*               reserved                nav/prog     *       -> -       challenge why       same
    asked-*               reserved                sub          *       -> -       quiet     why       same
    # Prompted, none: refuse
    asked-*               nothing                 nav/prog     *       -> -       challenge why       same
    asked-*               nothing                 sub          *       -> -       quiet     why       same

    # Fresh, navigation: Rechallenged here, or Prompted here
    fresh                 some                    nav          *       -> -       challenge required  rejected
    fresh                 nothing                 nav          *       -> -       challenge required  asked
    # Fresh, subresource: quietly
    fresh                 *                       sub          *       -> -       quiet     required  same
    # Fresh, program: plain Basic, nothing is remembered
    fresh                 own/other               prog         *       -> once    challenge wrong     same
    fresh                 unusable/reserved       prog         *       -> -       challenge wrong     same
    fresh                 nothing                 prog         *       -> -       challenge required  same
";

/// Subresources once the application has them challenged as well: the rows of navigations, but for
/// the two that say otherwise.
const SUBRESOURCES_CHALLENGED: &str = "
    in/in-again/in-port/in-nowhere own             sub * -> pass
    in-due                own                     sub * -> confirm challenge no-longer rejected
    in*                   other                   sub * -> login   challenge wrong     same
    in*                   unusable/reserved       sub * -> -       challenge wrong     same
    in*                   nothing                 sub * -> -       challenge required  same

    out*                  own                     sub * -> -       challenge why       rejected
    out/out-header        other/unusable          sub * -> -       challenge why       rejected+pending
    out/out-header        reserved                sub * -> -       challenge why       rejected
    out-dir/out-blank     other/unusable/reserved sub * -> -       challenge why       rejected
    # Not as for a navigation: a subresource without credentials proves nothing. There are WebSocket
    # handshakes and requests of service workers that leave them at home
    out*                  nothing                 sub * -> -       challenge why       same

    rejected-*-pending    own                     sub * -> -       challenge why       rejected
    rejected-here         own/other               sub * -> login   challenge wrong     same
    rejected-here-pending other                   sub * -> login   challenge wrong     same
    rejected-here*        unusable/reserved       sub * -> -       challenge wrong     same
    # Not as for a navigation: a 401 would make Chromium drop what its user is typing elsewhere
    rejected-else         some                    sub * -> -       403       why       same
    rejected-else-pending other/unusable/reserved sub * -> -       403       why       same
    rejected-here         nothing                 sub * -> -       challenge why       asked
    rejected-else         nothing                 sub * -> -       challenge why       asked
    rejected-*-pending    nothing                 sub * -> -       challenge why       same

    asked-*               own/other               sub * -> login   challenge wrong     same
    asked-*               unusable                sub * -> -       challenge wrong     same
    asked-*               reserved                sub * -> -       challenge why       same
    asked-*               nothing                 sub * -> -       challenge why       same

    fresh                 some                    sub * -> -       challenge required  rejected
    fresh                 nothing                 sub * -> -       challenge required  asked
";

/// Expected: whether the login is forgotten, the reply, and the next state; `out` with what is left
/// to know.
const LOG_OUT: &str = "
    # Rechallenged at this path, nothing pending, some: typed at log-out's own prompt
    *              rejected-here               some           nav/prog * -> keep   landing   asked

    # Any other, some: Rechallenged here, pending unless it was the login's header (nor the reserved
    # user's, whom only the page answer knows)
    challenge      in*/out/out-header          own/reserved   nav/prog * -> forget challenge rejected
    challenge      in*/out/out-header          other/unusable nav/prog * -> forget challenge rejected+pending
    challenge      out-dir/out-blank           some           nav/prog * -> forget challenge rejected
    challenge      rejected-else/asked-*/fresh some           nav/prog * -> forget challenge rejected
    # ... a pending one is kept until it came itself
    challenge      rejected-*-pending          own            nav/prog * -> forget challenge rejected
    challenge      rejected-else-pending       reserved       nav/prog * -> forget challenge rejected
    challenge      rejected-else-pending       other/unusable nav/prog * -> forget challenge rejected+pending
    # ... but at this path they are typed, or another realm's: the landing page finds out which
    challenge      rejected-here-pending       other/unusable/reserved nav/prog * -> keep   landing   landing+pending

    # LoggedIn, LoggedOut, none: the same challenge
    challenge      in*/out*                    nothing        nav/prog * -> forget challenge out
    # Prompted, Rechallenged elsewhere, none: forget, \"you are logged out\"
    challenge      asked-*/rejected-else*      nothing        nav/prog * -> forget done      out

    # Page and Redirect: LoggedOut, without a dialog. Where nothing is left to forget, as above
    # and below
    page           in*/out*/asked-*            *              nav/prog * -> forget page      out
    page           rejected-else*              *              nav/prog * -> forget page      out
    page           rejected-here-pending/fresh some           nav/prog * -> forget page      out
    redirect       in*/out*/asked-*            *              nav/prog * -> forget redirect  out
    redirect       rejected-else*              *              nav/prog * -> forget redirect  out
    redirect       rejected-here-pending/fresh some           nav/prog * -> forget redirect  out

    # Fresh, Rechallenged at this path, none: nothing left to forget
    challenge/page fresh/rejected-here*        nothing        nav/prog * -> keep   done      same
    redirect       fresh/rejected-here*        nothing        nav/prog * -> keep   redirect  same

    # Subresource, any but Fresh, or credentials sent: 204, no dialog
    *              in*/out*/rejected-*/asked-* *              sub      * -> forget nothing   out
    *              fresh                       some           sub      * -> forget nothing   out
    # Subresource, Fresh
    *              fresh                       nothing        sub      * -> keep   nothing   same
";

/// The page answer's script, whatever its client and path.
const REPLACE: &str = "
    # Challenged until it comes with the reserved user's credentials
    out*                 nothing/own/other/unusable -> challenge
    out*                 reserved                   -> replaced  asked
    # It has done its work before, in another tab
    asked-*              reserved                   -> replaced  same
    # There is no log-out to complete: nothing here may be replaced, nor asked for
    asked-*              nothing/own/other/unusable -> forbid
    fresh/in*/rejected-* *                          -> forbid
";

const WHYS: [Cause; 5] = [
    Cause::NeverLoggedIn,
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

/// Whether a column of a row means this name.
fn means(column: &str, name: &str) -> bool {
    column.split('/').any(|pattern| match pattern.split_once('*') {
        Some((start, end)) => name.strip_prefix(start).is_some_and(|rest| rest.ends_with(end)),
        None if pattern == "some" => PRESENTED.contains(&name) && name != "nothing",
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
        row.given.iter().zip(combination).all(|(column, name)| means(column, name))
    };
    rows.iter().filter(matches).collect()
}

/// What is wrong with a table: combinations in no row or in several, and names that mean nothing.
fn faults(table: &str, dimensions: &[&[&'static str]]) -> Vec<String> {
    let rows = rows(table);
    let mut faults = Vec::new();
    for Row { line, given, .. } in &rows {
        if given.len() != dimensions.len() {
            faults.push(format!("{line}: not {} columns", dimensions.len()));
        }
        for (column, names) in given.iter().zip(dimensions) {
            let idle = |pattern: &&str| !names.iter().any(|name| means(pattern, name));
            faults.extend(column.split('/').find(idle).map(|it| format!("{line}: what is {it}?")));
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
    Place::of("/admin/login").directory()
}

/// What a name in a row stands for, and what it is for a request to this path.
fn state(name: &str, path: &str, why: Cause) -> State {
    let logged_in = |directory| {
        let (user, fingerprint) = ("alice".to_owned(), header("own"));
        State::LoggedIn(Login {
            user,
            fingerprint,
            since: 1,
            verified: 1,
            visited: 1,
            directory,
            reprompted: false,
            epoch: None,
            foreign_origin: None,
        })
    };
    let (here, elsewhere, own) = (Place::of(path), Place::of(ELSEWHERE), Some(header("own")));
    match name {
        "fresh" => State::Fresh,
        "in" | "in-due" => logged_in(admin()),
        "in-again" => again(logged_in(admin())),
        "in-port" => typed_elsewhere(logged_in(admin())),
        "in-nowhere" => logged_in(None),
        "out" => State::LoggedOut { directory: admin(), fingerprint: own, why },
        "out-dir" => State::LoggedOut { directory: admin(), fingerprint: None, why },
        "out-header" => State::LoggedOut { directory: None, fingerprint: own, why },
        "out-blank" => State::LoggedOut { directory: None, fingerprint: None, why },
        "rejected-here" => State::Rechallenged { path: here, pending: None, why },
        "rejected-here-pending" => State::Rechallenged { path: here, pending: own, why },
        "rejected-else" => State::Rechallenged { path: elsewhere, pending: None, why },
        "rejected-else-pending" => State::Rechallenged { path: elsewhere, pending: own, why },
        "asked-here" => State::Prompted { path: here, why },
        "asked-else" => State::Prompted { path: elsewhere, why },
        _ => panic!("no state is called {name}"),
    }
}

const LANDING: &str = "/landing/";

/// A login whose browser has been asked again in its directory.
fn again(state: State) -> State {
    match state {
        State::LoggedIn(login) => State::LoggedIn(Login { reprompted: true, ..login }),
        _ => panic!("not logged in"),
    }
}

/// A login of another port.
fn typed_elsewhere(state: State) -> State {
    let elsewhere = Some("http://localhost:9090".to_owned());
    match state {
        State::LoggedIn(login) => State::LoggedIn(Login { foreign_origin: elsewhere, ..login }),
        _ => panic!("not logged in"),
    }
}

/// What is left to know after a log-out: the login's directory and header, or the pending header.
fn left(name: &str, why: Cause) -> State {
    let own = Some(header("own"));
    let (directory, fingerprint) = match name {
        "fresh" | "out-blank" | "rejected-here" | "rejected-else" | "asked-here" | "asked-else" => {
            (None, None)
        }
        "in" | "in-due" | "out" => (admin(), own),
        "in-again"
        | "in-port"
        | "in-nowhere"
        | "out-header"
        | "rejected-here-pending"
        | "rejected-else-pending" => (None, own),
        "out-dir" => (admin(), None),
        _ => panic!("no state is called {name}"),
    };
    State::LoggedOut { directory, fingerprint, why }
}

fn next(name: &str, from: &str, path: &str, why: Cause) -> Option<State> {
    let here = Place::of(path);
    match name {
        "same" => None,
        "asked-again" => Some(again(state(from, path, why))),
        "asked" => Some(State::Prompted { path: here, why }),
        "rejected" => Some(State::Rechallenged { path: here, pending: None, why }),
        "rejected+pending" => {
            Some(State::Rechallenged { path: here, pending: Some(header("own")), why })
        }
        "landing+pending" => {
            let (path, pending) = (Place::of(LANDING), Some(header("own")));
            Some(State::Rechallenged { path, pending, why })
        }
        "out" => Some(left(from, why)),
        _ => panic!("no next state is called {name}"),
    }
}

fn client(name: &str) -> RequestKind {
    match name {
        "nav" => RequestKind::Navigation,
        "sub" => RequestKind::Subresource,
        "prog" => RequestKind::NonBrowser,
        _ => panic!("no client is called {name}"),
    }
}

fn paths(name: &str) -> &'static [&'static str] {
    match name {
        "inside" => &["/admin/", "/admin/page", "/admin/a/b"],
        "outside" => &["/", "/admin", "/administrator", "/public/admin/"],
        _ => panic!("no path is called {name}"),
    }
}

/// Runs what a combination of names stands for: each path, and each reason for a challenge.
fn each_request(
    [name, presented, client_name, path]: [&str; 4],
    challenge_subresources: bool,
    mut run: impl FnMut(&Facts<'_>, Cause),
) {
    let (own, other) = (header("own"), header("other"));
    for path in paths(path) {
        for why in WHYS {
            let state = state(name, path, why);
            let presented = match presented {
                "nothing" => Credentials::Missing,
                "own" => Credentials::Given(Some(&own)),
                "other" => Credentials::Given(Some(&other)),
                "unusable" => Credentials::Malformed,
                "reserved" => Credentials::Reserved,
                _ => panic!("nothing presented is called {presented}"),
            };
            let (client, due) = (client(client_name), name == "in-due");
            let state = &state;
            let (session_suffices, raced_logout, is_cross_site_write, is_cookieless) =
                (false, false, false, false);
            let ask = Facts {
                state,
                presented,
                client,
                path,
                due,
                challenge_subresources,
                session_suffices,
                raced_logout,
                is_cross_site_write,
                is_cookieless,
            };
            run(&ask, why);
        }
    }
}

fn expected_decision(expected: &[&str], from: &str, path: &str, state_says: Cause) -> Decision {
    let [good, how, says, next_name] = expected else {
        assert_eq!(expected, ["pass"]);
        return Decision::Pass;
    };
    let reason_of = |why| match why {
        Cause::NeverLoggedIn => Reason::LoginRequired,
        Cause::LoggedOut => Reason::LoggedOut,
        Cause::CredentialsChanged => Reason::CredentialsChanged,
        Cause::Expired => Reason::LoginExpired,
        Cause::Revoked => Reason::LoginRevoked,
    };
    let (reason, why) = match *says {
        "required" => (Reason::LoginRequired, Cause::NeverLoggedIn),
        "no-longer" => (Reason::CredentialsChanged, Cause::CredentialsChanged),
        "wrong" => (Reason::WrongCredentials, state_says),
        "why" => (reason_of(state_says), state_says),
        _ => panic!("{says} says nothing"),
    };
    let how = match *how {
        "challenge" => RefusalKind::Challenge,
        "quiet" => RefusalKind::Quietly,
        "403" => RefusalKind::Forbid,
        _ => panic!("{how} is no way to refuse"),
    };
    let bad = Refusal { how, reason, next: next(next_name, from, path, why) };
    let good = match *good {
        "-" => return Decision::Refuse(bad),
        "login" => OnSuccess::LogIn,
        "confirm" => OnSuccess::Confirm,
        "once" => OnSuccess::Stateless,
        _ => panic!("{good} is nothing good"),
    };
    Decision::Check { good, bad }
}

fn assert_decisions(table: &str, dimensions: &[&[&'static str]], challenge_subresources: bool) {
    let rows = rows(table);
    for combination in combinations(dimensions) {
        let row = matching(&rows, &combination)[0];
        let request: [&str; 4] = combination[..].try_into().expect("four names");
        each_request(request, challenge_subresources, |ask, why| {
            let expected = expected_decision(&row.expected, request[0], ask.path, why);
            assert_eq!(
                authenticate(ask),
                expected,
                "{}\n{request:?} {} {why:?}",
                row.line,
                ask.path
            );
        });
    }
}

#[test]
fn the_middleware_decides_as_its_table_says() {
    assert_decisions(MIDDLEWARE, REQUESTS, false);
}

#[test]
fn subresources_are_challenged_where_the_application_wants_it() {
    assert_decisions(SUBRESOURCES_CHALLENGED, CHALLENGED_SUBRESOURCES, true);
}

#[test]
fn challenging_subresources_changes_nothing_for_others() {
    for combination in combinations(&[STATES, PRESENTED, &["nav", "prog"], PATHS]) {
        let request: [&str; 4] = combination[..].try_into().expect("four names");
        each_request(request, true, |ask, why| {
            let without = Facts { challenge_subresources: false, ..*ask };
            assert_eq!(authenticate(ask), authenticate(&without), "{request:?} {why:?}");
        });
    }
}

#[test]
fn log_out_does_as_its_table_says() {
    let rows = rows(LOG_OUT);
    for combination in combinations(LOG_OUTS) {
        let row = matching(&rows, &combination)[0];
        let [forget, reply, next_name] = row.expected[..] else { panic!("{}", row.line) };
        let style = match combination[0] {
            "challenge" => Style::Challenge,
            "page" => Style::Page,
            "redirect" => Style::Redirect,
            style => panic!("no style is called {style}"),
        };
        let forget = match forget {
            "forget" => true,
            "keep" => false,
            _ => panic!("{}", row.line),
        };
        let reply = match reply {
            "landing" => LogoutReply::Landing,
            "challenge" => LogoutReply::Challenge,
            "done" => LogoutReply::Done,
            "page" => LogoutReply::Page,
            "redirect" => LogoutReply::Redirect,
            "nothing" => LogoutReply::Nothing,
            _ => panic!("{}", row.line),
        };
        let request: [&str; 4] = combination[1..].try_into().expect("four names");
        for challenge_subresources in [false, true] {
            each_request(request, challenge_subresources, |ask, why| {
                // Whoever typed at log-out's prompt has not logged out again.
                let why = if forget { Cause::LoggedOut } else { why };
                let mut next = next(next_name, request[0], ask.path, why);
                // Where no login is known, the credentials that came are what is left to know.
                if let (Some(State::LoggedOut { fingerprint, .. }), Credentials::Given(Some(it))) =
                    (&mut next, ask.presented)
                {
                    fingerprint.get_or_insert(*it);
                }
                let expected = LogoutDecision { forget, next, reply };
                let case = format!("{}\n{combination:?} {}", row.line, ask.path);
                assert_eq!(logout(ask, style, LANDING), expected, "{case}");
            });
        }
    }
}

#[test]
fn credentials_are_replaced_as_the_table_says() {
    let rows = rows(REPLACE);
    for combination in combinations(REQUESTS) {
        let row = matching(&rows, &combination[..2])[0];
        let request: [&str; 4] = combination[..].try_into().expect("four names");
        each_request(request, false, |ask, why| {
            let expected = match row.expected[..] {
                ["challenge"] => ScriptDecision::Challenge,
                ["forbid"] => ScriptDecision::Forbid,
                ["replaced", name] => {
                    ScriptDecision::Replaced { next: next(name, request[0], ask.path, why) }
                }
                _ => panic!("{}", row.line),
            };
            assert_eq!(replace(ask), expected, "{}\n{combination:?} {}", row.line, ask.path);
        });
    }
}

#[test]
fn every_table_has_one_row_for_each_combination() {
    for (table, dimensions) in [
        (MIDDLEWARE, REQUESTS),
        (SUBRESOURCES_CHALLENGED, CHALLENGED_SUBRESOURCES),
        (LOG_OUT, LOG_OUTS),
        (REPLACE, REPLACEMENTS),
    ] {
        assert_eq!(faults(table, dimensions), Vec::<String>::new());
    }
}

#[test]
fn a_row_that_is_missing_or_there_twice_is_noticed() {
    for row in rows(REPLACE) {
        let missing = REPLACE.replace(row.line, "");
        assert!(!faults(&missing, REPLACEMENTS).is_empty(), "without {}", row.line);
        let twice = format!("{REPLACE}\n{}", row.line);
        assert!(!faults(&twice, REPLACEMENTS).is_empty(), "twice {}", row.line);
    }
    let misspelt = format!("{REPLACE}\nloggedin * -> forbid");
    assert_eq!(
        faults(&misspelt, REPLACEMENTS),
        ["loggedin * -> forbid: what is loggedin?"],
        "a name that means nothing"
    );
    assert_eq!(combinations(REQUESTS).len(), 16 * 5 * 3 * 2);
}

#[test]
fn an_overtaken_background_request_leaves_the_credentials_alone() {
    for name in ["out", "out-dir", "out-header", "out-blank"] {
        for presented in ["own", "other", "unusable", "reserved"] {
            for challenge_subresources in [false, true] {
                let request = [name, presented, "sub", "inside"];
                each_request(request, challenge_subresources, |ask, why| {
                    let decision = authenticate(&Facts { raced_logout: true, ..*ask });
                    let (how, reason) = (RefusalKind::Forbid, Reason::from(why));
                    let expected = Decision::Refuse(Refusal { how, reason, next: None });
                    assert_eq!(decision, expected, "{request:?}");
                });
            }
        }
    }
}

#[test]
fn what_another_site_has_sent_neither_asks_nor_writes_where_nothing_is_known() {
    for presented in PRESENTED {
        for client in ["nav", "sub"] {
            each_request(["fresh", presented, client, "inside"], false, |ask, _| {
                let decision = authenticate(&Facts { is_cross_site_write: true, ..*ask });
                let (how, reason) = (RefusalKind::Forbid, Reason::CrossSite);
                assert_eq!(decision, Decision::Refuse(Refusal { how, reason, next: None }));
            });
        }
        each_request(["fresh", presented, "prog", "inside"], false, |ask, _| {
            assert_eq!(
                authenticate(&Facts { is_cross_site_write: true, ..*ask }),
                authenticate(ask),
                "no browser"
            );
        });
    }
}

#[test]
fn a_browser_without_cookies_is_told_so_and_not_asked_again() {
    for presented in ["own", "other"] {
        each_request(["fresh", presented, "nav", "inside"], false, |ask, _| {
            let decision = authenticate(&Facts { is_cookieless: true, ..*ask });
            let (how, reason) = (RefusalKind::Quietly, Reason::CookiesRequired);
            assert_eq!(decision, Decision::Refuse(Refusal { how, reason, next: None }));
        });
    }
}

#[test]
fn the_session_alone_suffices_for_a_login_of_this_origin_and_for_nothing_else() {
    for client in CLIENTS {
        for place in PATHS {
            for state in STATES {
                each_request([state, "nothing", client, place], false, |ask, _| {
                    let decision = authenticate(&Facts { session_suffices: true, ..*ask });
                    match ask.state {
                        State::LoggedIn(login) if login.foreign_origin.is_none() => {
                            assert_eq!(decision, Decision::Pass, "{state} {client} {place}");
                        }
                        _ => assert_eq!(decision, authenticate(ask), "{state} {client} {place}"),
                    }
                });
                // Whoever does bring credentials has to bring the right ones.
                for presented in ["own", "other", "unusable", "reserved"] {
                    each_request([state, presented, client, place], false, |ask, _| {
                        assert_eq!(
                            authenticate(&Facts { session_suffices: true, ..*ask }),
                            authenticate(ask),
                            "{state} {presented}"
                        );
                    });
                }
            }
        }
    }
}

/// What leads from one state to another, as `from-to` and the lines beside that arrow, for every
/// request there is. What leads back to the same state is left out.
fn arrows() -> BTreeMap<String, BTreeSet<&'static str>> {
    let mut arrows = BTreeMap::<_, BTreeSet<_>>::new();
    let mut draw = |from: &State, to: &Option<State>, line| {
        if let Some(to) = to
            && kind(from) != kind(to)
        {
            arrows.entry(format!("{}-{}", kind(from), kind(to))).or_default().insert(line);
        }
    };
    for combination in combinations(REQUESTS) {
        let request: [&str; 4] = combination[..].try_into().expect("four names");
        each_request(request, false, |ask, _| {
            let from = ask.state;
            let brought = match ask.presented {
                Credentials::Missing => "no credentials",
                _ => "credentials",
            };
            match authenticate(ask) {
                Decision::Pass => {}
                Decision::Refuse(refuse) => draw(from, &refuse.next, brought),
                Decision::Check { good: OnSuccess::Confirm, bad } => {
                    draw(from, &bad.next, "no longer accepted");
                }
                Decision::Check { good: OnSuccess::LogIn, bad } => {
                    draw(from, &Some(state("in", ask.path, Cause::LoggedOut)), "good credentials");
                    draw(from, &bad.next, "wrong credentials");
                }
                Decision::Check { good: OnSuccess::Stateless, bad } => {
                    draw(from, &bad.next, brought);
                }
            }
            for style in [Style::Challenge, Style::Page, Style::Redirect] {
                let out = logout(ask, style, LANDING);
                let line = if out.forget { "logout" } else { "typed at logout" };
                draw(from, &out.next, line);
            }
            if let ScriptDecision::Replaced { next } = replace(ask) {
                draw(from, &next, "page's script");
            }
            if let State::LoggedIn(_) = from {
                draw(from, &Some(from.logged_out(Cause::Expired)), "deadline, revocation");
            }
        });
    }
    arrows
}

fn kind(state: &State) -> &'static str {
    match state {
        State::Fresh => "Fresh",
        State::LoggedIn(_) => "LoggedIn",
        State::LoggedOut { .. } => "LoggedOut",
        State::Rechallenged { .. } => "Rechallenged",
        State::Prompted { .. } => "Prompted",
    }
}

#[test]
fn the_picture_shows_what_the_tables_say() {
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
    assert_eq!(drawn, arrows().len(), "besides the tip of an arrow");
}
