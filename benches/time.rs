//! The time of each request: `cargo bench -p benchmarks --bench time`. As a test, each request is
//! sent once.

use benchmarks::CASES;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};

fn requests(criterion: &mut Criterion) {
    for (name, case) in CASES {
        criterion.bench_function(name, |bencher| {
            let case = case();
            case.check();
            let serve = |request| case.serve(request);
            // A small batch, so that the requests are still in the processor's caches.
            bencher.iter_batched(|| case.prepare(), serve, BatchSize::NumIterations(16));
        });
    }
}

criterion_group!(benches, requests);
criterion_main!(benches);
