//! The library from end to end: cluster, score, look at what the models agree on, and cluster new samples.
//!
//! `cargo run --release --example library`

#![expect(clippy::print_stdout, reason = "it shows what came out")]

use std::error::Error;

use consilience::evaluation::Scores;
use consilience::{Config, Predictor, run};
use consilience_data::{Features, Seed, read_dataset};
use consilience_ensembles::MemberKind;
use ndarray::s;

fn main() -> Result<(), Box<dyn Error>> {
    let threads = std::thread::available_parallelism()?.get();
    let digits = read_dataset(&["digits".into()], &[])?;

    // The last 297 images are kept aside.
    let all = digits.features.view();
    let known = Features::new(all.slice(s![..1500, ..]).to_owned(), "digits")?;
    let new = Features::new(all.slice(s![1500.., ..]).to_owned(), "new digits")?;

    // Settings by a look at the data, made shorter.
    let mut config = Config { seed: Seed(7), rounds: 2, candidates: 0, ..Config::auto(&known, 10) };
    config.members = vec![MemberKind::Ladder; 5];
    config.network.hidden = vec![100];
    config.first.min_steps = 400;
    config.retrain.min_steps = 100;

    let outcome = run(&known, &config.check(&known, threads)?, &())?;
    for (number, round) in outcome.rounds.iter().enumerate() {
        println!(
            "round {}: the models agree on {} of {} images",
            number + 1,
            round.pseudo_labels.len(),
            known.n_samples(),
        );
    }
    let sizes = outcome.answer.assignments.sizes();
    println!("clusters of {sizes:?} images");

    // Nothing above has seen the truth. With it, the clusters can be scored.
    let predictor = Predictor::of(outcome, threads)?;
    let found = predictor.predict(&digits.features)?;
    let truth = digits.truth.ok_or("the embedded set has its labels beside it")?;
    println!("ACC on all images: {:.3}", Scores::of_assignments(&truth, &found.assignments)?.acc);

    let unsure = predictor.predict(&new)?.confident(0.9).filter(Option::is_none).count();
    println!("of {} new images, {unsure} are in no cluster with confidence 0.9", new.n_samples());
    Ok(())
}
