//! From votes to pseudo-labels: 70,000 samples, ten models, ten clusters.

mod noisy;

use consilience_graph::{AgreementParams, Signatures, Strictness, Threads, extract};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use noisy::noisy_votes;

const N_SAMPLES: usize = 70_000;
const N_MODELS: usize = 10;
const K: u16 = 10;

fn votes_to_pseudo_labels(criterion: &mut Criterion) {
    let threads = Threads::new(2).expect("two threads");
    let mut group = criterion.benchmark_group("votes_to_pseudo_labels");
    group.sample_size(10);
    for noise in [0.01, 0.1, 0.3] {
        let votes = noisy_votes(N_MODELS, N_SAMPLES, K, noise);
        for min_agree in [10, 9, 8] {
            let min_agree = Strictness::Count(min_agree);
            let params = AgreementParams { min_agree, ..AgreementParams::default() };
            let agreement = params.check(N_MODELS).expect("settings fit");
            let id = BenchmarkId::new(format!("min_agree {min_agree}"), noise);
            group.bench_function(id, |bencher| {
                bencher.iter(|| extract(&votes, usize::from(K), &agreement, &threads));
            });
        }
    }
    group.finish();
}

fn grouping(criterion: &mut Criterion) {
    let agreement = AgreementParams::default().check(N_MODELS).expect("settings fit");
    let mut group = criterion.benchmark_group("grouping");
    group.sample_size(10);
    let votes = noisy_votes(N_MODELS, N_SAMPLES, K, 0.1);
    for n_threads in [1, 2] {
        let threads = Threads::new(n_threads).expect("two threads");
        group.bench_function(BenchmarkId::new("threads", n_threads), |bencher| {
            bencher.iter(|| Signatures::group(&votes, &agreement, &threads));
        });
    }
    group.finish();
}

criterion_group!(benches, votes_to_pseudo_labels, grouping);
criterion_main!(benches);
