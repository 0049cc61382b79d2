//! Requests per second over the network, of the demo and of its peers:
//! `cargo bench -p benchmarks --bench wire`.
//!
//! It builds the demo in release mode, logs in, and repeats the browser's request with
//! [wrk](https://github.com/wg/wrk) (`apt install wrk`) over sixteen persistent connections for ten
//! seconds. The peers serve the same bytes from the same number of workers. Clients and servers
//! share the machine.

#![expect(clippy::print_stdout, reason = "a benchmark")]

use std::{net::SocketAddr, process::Command};

use actix_web::{
    App, HttpResponse, HttpServer, Resource, rt,
    web::{self, Bytes, ServiceConfig},
};
use actix_web_httpauth::middleware::HttpAuthentication;
use benchmarks::{
    PAGE, PASSWORD, argon2id,
    client::{BROWSER, Client},
    demo::{self, Demo},
    validator,
};

fn page(body: Bytes) -> Resource {
    web::resource(PAGE).get(move || {
        let body = body.clone();
        async { HttpResponse::Ok().content_type("text/html; charset=utf-8").body(body) }
    })
}

/// A site with as many workers as the demo.
fn serve(configure: impl Fn(&mut ServiceConfig) + Clone + Send + 'static) -> SocketAddr {
    let server = HttpServer::new(move || App::new().configure(configure.clone()));
    let server = server.workers(2).disable_signals().bind(("127.0.0.1", 0)).expect("a port");
    let address = server.addrs()[0];
    rt::spawn(server.run());
    address
}

struct Figures {
    per_second: f64,
    median: String,
    p99: String,
}

/// Requests the page again and again with this client's headers.
async fn load(address: SocketAddr, client: &Client) -> Figures {
    let mut wrk = Command::new("wrk");
    wrk.args(["--threads", "1", "--connections", "16", "--duration", "10s", "--latency"]);
    for header in client.headers.lines().filter(|it| !it.starts_with("Host: ")) {
        wrk.args(["--header", header]);
    }
    if let Some(cookie) = &client.cookie {
        wrk.args(["--header", &format!("Cookie: {cookie}")]);
    }
    wrk.arg(format!("http://{address}{PAGE}"));
    // Off this thread, which runs the servers of the peers.
    let output = web::block(move || wrk.output()).await.expect("wrk runs");
    let output = output.unwrap_or_else(|error| panic!("wrk: {error}; `apt install wrk`"));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && !text.contains("Non-2xx"), "wrk: {text}");
    let after = |label: &str| {
        let line = text.lines().map(str::trim).find(|line| line.starts_with(label));
        let value = line.and_then(|line| line.split_whitespace().last());
        value.unwrap_or_else(|| panic!("no {label} in the output of wrk: {text}")).to_owned()
    };
    let per_second = after("Requests/sec:").parse().expect("a number");
    assert_ne!(per_second, 0.0, "no responses");
    Figures { per_second, median: after("50%"), p99: after("99%") }
}

#[actix_web::main]
async fn main() {
    let demo = Demo::start(&demo::build(), &[]);
    let mut browser = Client::new(demo.address, BROWSER).await;
    assert_eq!(browser.get(PAGE).await, 401);
    browser.add_credentials("alice", PASSWORD);
    assert_eq!(browser.get(PAGE).await, 200);
    let body = Bytes::copy_from_slice(browser.body());
    // The peers set no cookie.
    let mut elsewhere = Client::new(demo.address, BROWSER).await;
    elsewhere.headers.clone_from(&browser.headers);

    let of = body.clone();
    let unprotected = serve(move |app| {
        app.service(page(of.clone()));
    });
    let of = body.clone();
    let trivial = serve(move |app| {
        app.service(page(of.clone()).wrap(HttpAuthentication::basic(validator)));
    });
    let hashing = serve(move |app| {
        app.service(page(body.clone()).wrap(HttpAuthentication::basic(argon2id::validator)));
    });
    println!("| | requests per second | | median | 99th percentile |");
    println!("|---|---|---|---|---|");
    let mut first = None;
    for (name, address, client) in [
        ("unprotected", unprotected, &elsewhere),
        ("`HttpAuthentication::basic`, trivial validator", trivial, &elsewhere),
        ("the demo, logged in", demo.address, &browser),
        ("`HttpAuthentication::basic`, Argon2id", hashing, &elsewhere),
    ] {
        let Figures { per_second, median, p99 } = load(address, client).await;
        let share = per_second / *first.get_or_insert(per_second);
        println!("| {name} | {per_second:.0} | {share:.3} | {median} | {p99} |");
    }
}
