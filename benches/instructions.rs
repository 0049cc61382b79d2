//! The number of instructions of each request: `cargo bench -p benchmarks --bench instructions`.
//!
//! It needs valgrind, and `cargo install gungraun-runner` in the version of the dependency
//! `gungraun`.

#![expect(unused_qualifications, reason = "gungraun's macros")]

use std::hint::black_box;

use actix_http::Request;
use benchmarks::{Answer, CASES, Case};
use gungraun::{library_benchmark, library_benchmark_group, main};

/// Sends three requests first, to fill caches.
fn prepare(number: usize) -> (Case, Request) {
    let case = CASES[number].1();
    for _ in 0..3 {
        case.check();
    }
    let request = case.prepare();
    (case, request)
}

#[library_benchmark]
#[benches::case(iter = 0..CASES.len(), setup = prepare)]
fn requests((case, request): (Case, Request)) -> (Case, Answer) {
    let answer = black_box(case.serve(black_box(request)));
    (case, answer)
}

library_benchmark_group!(name = group, benchmarks = requests);

main!(library_benchmark_groups = group);
