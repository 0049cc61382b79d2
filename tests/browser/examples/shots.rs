//! Takes screenshots of the demo, in the light and the dark color scheme:
//! `cargo run -p browser-suite --example shots -- DIRECTORY`. `examples/admin/logged-in.png` and
//! `logged-out.png` are two of those in the light scheme.

use std::{env, path::PathBuf};

use browser_suite::{Engine, Fixture};

#[tokio::main]
async fn main() {
    let directory = PathBuf::from(env::args().nth(1).expect("usage: shots DIRECTORY"));
    for scheme in ["light", "dark"] {
        let fixture = Fixture::open(Engine::Chromium, &[]).await;
        let tab = fixture.tab().await;
        tab.set_color_scheme(scheme).await;
        tab.resize(800, 560).await;
        let shoot = async |name: &str| {
            tab.screenshot(&directory.join(format!("{name}-{scheme}.png"))).await;
        };
        tab.visit("/").await;
        tab.page().await;
        shoot("public").await;
        tab.visit("/admin/").await;
        tab.dialog().await.submit("alice", "wonderland").await;
        tab.page().await;
        tab.wait_for_text("alice, at ").await;
        shoot("logged-in").await;
        tab.click("form button").await;
        tab.dialog().await.cancel().await;
        tab.page().await;
        shoot("logged-out").await;
        tab.visit("/admin/").await;
        tab.dialog().await.submit("alice", "x").await;
        tab.dialog().await.cancel().await;
        tab.page().await;
        shoot("wrong").await;
    }
}
