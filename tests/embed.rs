//! `embed`: encoders trained on pretexts, their files, and what is refused.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests")]

mod common;

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Sandbox, stderr};
use consilience_data::write::npy;
use consilience_data::{Seed, Stream, read_dataset};
use ndarray::Array2;

/// Series of 48 times: waves, the odd ones three times as fast, each with a phase of its own.
fn waves(n: usize) -> Array2<f32> {
    let mut rng = Seed(1).rng(Stream::Subset);
    let phases: Vec<f64> = (0..n).map(|_| rng.uniform() * 6.3).collect();
    Array2::from_shape_fn((n, 48), |(row, time)| {
        let speed = [0.3, 0.9][row % 2];
        (speed * time as f64 + phases[row]).sin() as f32
    })
}

fn embedding(sandbox: &Sandbox, name: &str) -> Array2<f32> {
    read_dataset(&[sandbox.path(name)], &[]).unwrap().features.view().to_owned()
}

#[test]
fn new_data_get_the_embedding_of_old_ones_and_threads_change_no_bit() {
    let sandbox = Sandbox::new();
    let train = "embed digits --pretext autoencoder --epochs 2 --quiet";
    let told = sandbox.done(&format!("{train} --threads 1 --out a.npy"));
    assert!(told.contains("consilience cluster a.npy"), "{told}");
    sandbox.done(&format!("{train} --threads 2 --out b.npy"));
    for (one, other) in [("a.npy", "b.npy"), ("a-encoder.safetensors", "b-encoder.safetensors")] {
        assert!(fs::read(sandbox.path(one)).unwrap() == fs::read(sandbox.path(other)).unwrap());
    }
    sandbox.done("embed digits --from a-encoder.safetensors --out again.npy --quiet");
    assert!(
        fs::read(sandbox.path("again.npy")).unwrap() == fs::read(sandbox.path("a.npy")).unwrap()
    );
    assert_eq!(embedding(&sandbox, "a.npy").dim(), (1797, 32));
    sandbox.done(&format!("{train} --seed 1 --out c.npy"));
    assert_ne!(embedding(&sandbox, "c.npy"), embedding(&sandbox, "a.npy"));
    let files = ["a-encoder.safetensors", "a.npy", "again.npy", "b-encoder.safetensors", "b.npy"];
    assert_eq!(sandbox.files("")[..5], files);
    sandbox.done("cluster a.npy -k 10 --effort quick --quiet --out run");
}

#[test]
fn every_pretext_and_kind_of_data_gives_an_embedding() {
    let sandbox = Sandbox::new();
    npy(&sandbox.path("waves.npy"), waves(60).view()).unwrap();
    let words = ["river water boat", "stone mountain ice", "river boat fish", "ice snow stone"];
    sandbox.file("texts.txt", (words.join("\n") + "\n").repeat(10));
    for (arguments, n, width) in [
        ("digits --pretext contrastive --epochs 1", 1797, 128),
        ("digits --pretext masked --epochs 1 --dense", 1797, 64),
        (
            "digits --pretext autoencoder --epochs 1 --variational 1 --l1 0.1 --kl-sparsity 0.1",
            1797,
            32,
        ),
        ("texts.txt --pretext masked --epochs 2", 40, 128),
        ("texts.txt --pretext contrastive --epochs 2 --preset text --width 8", 40, 8),
        ("texts.txt --pretext masked --words 5 --epochs 2 --width 12", 40, 12),
        ("waves.npy --pretext autoencoder --epochs 1 --hidden 20,10", 60, 32),
        ("waves.npy --pretext forecast --epochs 1 --window 16 --width 8", 60, 8),
        ("waves.npy --pretext forecast --epochs 1 --window 8 --channels 2", 60, 32),
    ] {
        let out = sandbox.done(&format!("embed {arguments} --out x.npy --json --quiet"));
        let told: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!((told["n_samples"].as_u64(), told["width"].as_u64()), (Some(n), Some(width)));
        assert!(told["loss"].is_number(), "{out}");
        let found = embedding(&sandbox, "x.npy");
        assert_eq!(found.dim(), (n as usize, width as usize), "{arguments}");
        let spread = found.column(0).iter().any(|&value| value != found[[0, 0]]);
        assert!(spread, "{arguments}: all samples are alike");
        for name in ["x.npy", "x-encoder.safetensors"] {
            fs::remove_file(sandbox.path(name)).unwrap();
        }
    }
}

/// A forecast needs to know how fast a wave is, and phases are of no use to tell series apart.
#[test]
fn what_a_series_does_next_tells_its_kind() {
    let sandbox = Sandbox::new();
    npy(&sandbox.path("waves.npy"), waves(200).view()).unwrap();
    sandbox.done(
        "embed waves.npy --pretext forecast --window 24 --width 8 --epochs 40 --quiet --out x.npy",
    );
    let found = embedding(&sandbox, "x.npy");
    let distance = |a: usize, b: usize| -> f32 {
        found.row(a).iter().zip(found.row(b)).map(|(a, b)| (a - b).powi(2)).sum()
    };
    let nearest = |a: usize| {
        let others = (0..200).filter(|&b| b != a);
        others.min_by(|&b, &c| distance(a, b).total_cmp(&distance(a, c))).unwrap()
    };
    let same = (0..200).filter(|&a| nearest(a) % 2 == a % 2).count();
    assert!(same >= 190, "{same} of 200 are nearest to a series of their kind");
}

#[test]
fn ids_go_with_the_embedding() {
    let sandbox = Sandbox::new();
    let mut table = "id,a,b,c\n".to_owned();
    for row in 0..30 {
        let missing = if row == 4 { String::new() } else { (row * 7 % 5).to_string() };
        table += &format!("s{row},{row},{},{missing}\n", row * row % 11);
    }
    sandbox.file("table.csv", table);
    let embed = "embed table.csv --pretext autoencoder --epochs 1 --missing drop --quiet";
    sandbox.done(&format!("{embed} --out x.npy"));
    let samples = sandbox.text("x-samples.csv");
    assert!(samples.starts_with("sample,id\n0,s0\n1,s1\n2,s2\n3,s3\n5,s5\n"), "{samples}");
    for name in ["y.parquet", "z.npz"] {
        sandbox.done(&format!("{embed} --out {name}"));
        let data = read_dataset(&[sandbox.path(name)], &[]).unwrap();
        assert_eq!(data.ids.unwrap()[..5], ["s0", "s1", "s2", "s3", "s5"], "{name}");
        assert_eq!(data.features.view(), embedding(&sandbox, "x.npy"), "{name}");
    }
}

#[test]
fn settings_that_cannot_be() {
    let sandbox = Sandbox::new();
    npy(&sandbox.path("short.npy"), waves(20).slice(ndarray::s![.., ..3])).unwrap();
    npy(&sandbox.path("one.npy"), waves(1).view()).unwrap();
    npy(&sandbox.path("waves.npy"), waves(20).view()).unwrap();
    sandbox.file("words.txt", "one\ntwo\nthree\n");
    sandbox.file("texts.txt", "one two\nthree four\n");
    for (arguments, parts) in [
        ("digits", &["--pretext <PRETEXT>"][..]),
        ("digits --pretext jigsaw", &["autoencoder, contrastive, masked, forecast", "'jigsaw'"]),
        ("digits --pretext contrastive --temperature 0", &["temperature", "more than 0", "got 0"]),
        (
            "digits --pretext contrastive --batch-size 1",
            &["batch_size", "2 samples at least", "got 1"],
        ),
        ("digits --pretext autoencoder --batch-size 0", &["batch_size", "got 0"]),
        ("one.npy --pretext contrastive", &["2 samples at least, got 1"]),
        ("digits --pretext masked --hide 0", &["hide", "more than 0 and less than 1"]),
        ("digits --pretext masked --hide 1", &["hide", "got 1"]),
        ("digits --pretext autoencoder --width 0", &["width", "1 to 65,536", "got 0"]),
        ("digits --pretext autoencoder --width 99999999", &["width", "got 99999999"]),
        ("digits --pretext autoencoder --epochs 0", &["epochs", "1 at least"]),
        ("digits --pretext autoencoder --noise=-1", &["noise", "0 or more, got -1"]),
        ("digits --pretext autoencoder --learning-rate nan", &["learning_rate", "got NaN"]),
        ("digits --pretext autoencoder --hidden 0", &["hidden", "1 to 65,536", "got 0"]),
        (
            "short.npy --pretext forecast",
            &["window", "4 to the length of the series", "series of 3"],
        ),
        ("waves.npy --pretext forecast --window 50", &["window", "50 for series of 48"]),
        ("waves.npy --pretext forecast --window 7", &["an even number", "7 for"]),
        ("waves.npy --pretext forecast --channels 5", &["channels", "5 for 48"]),
        ("waves.npy --pretext forecast --width 7", &["width", "an even number"]),
        ("digits --pretext autoencoder --preset paper", &["preset", "auto, image"]),
        ("digits --pretext autoencoder --device cuda", &["--device cuda", "on the CPU"]),
        ("digits --pretext autoencoder --out x.csv", &["x.csv", ".npy, .npz or .parquet"]),
        ("none.npy --pretext autoencoder", &["none.npy: no such file"]),
        ("digits --pretext autoencoder --from x", &["cannot be used with"]),
        ("digits --from x --width 3", &["cannot be used with"]),
        ("digits --pretext masked --words 5", &["digits: holds no texts", "--words"]),
        ("words.txt --pretext masked --words 1", &["words", "2 words of a text at least", "got 1"]),
        (
            "words.txt --pretext masked --words 5",
            &["texts of 2 words at least, got 1 word at most"],
        ),
        ("words.txt --pretext contrastive --words 5", &["pretext", "masked", "contrastive"]),
        ("texts.txt --pretext masked --words 5 --width 10", &["width", "a multiple of 4"]),
        ("digits --from x --id-column a", &["cannot be used with"]),
    ] {
        sandbox.refused(&format!("embed {arguments}"), parts);
    }
}

#[test]
fn encoders_of_other_data_and_damaged_ones_are_refused() {
    let sandbox = Sandbox::new();
    npy(&sandbox.path("waves.npy"), waves(20).view()).unwrap();
    sandbox.done("embed digits --pretext autoencoder --epochs 1 --quiet --out x.npy");
    let encoder = "x-encoder.safetensors";
    let parts = ["waves: 48 features", "the encoder x-encoder.safetensors takes 64"];
    sandbox.refused(&format!("embed waves.npy --from {encoder} --out y.npy"), &parts);
    sandbox
        .refused(&format!("embed digits --from {encoder} --out x.npy"), &["x.npy: exists already"]);
    // Beside the name that is free there is an encoder.
    fs::remove_file(sandbox.path("x.npy")).unwrap();
    let taken = ["x-encoder.safetensors: exists already"];
    sandbox.refused("embed digits --pretext autoencoder --out x.npy", &taken);
    sandbox.refused("embed digits --from none.safetensors", &["none.safetensors"]);
    let bytes = fs::read(sandbox.path(encoder)).unwrap();
    sandbox.file("cut.safetensors", &bytes[..bytes.len() - 4]);
    sandbox.refused(
        "embed digits --from cut.safetensors",
        &["cut.safetensors", "can't be read as a model"],
    );
    let text = String::from_utf8_lossy(&bytes[..4096]).into_owned();
    assert!(text.contains("{\\\"format\\\":1,"), "{text}");
    let other = replaced(&bytes, b"{\\\"format\\\":1,", b"{\\\"format\\\":9,");
    sandbox.file("later.safetensors", other);
    sandbox.refused(
        "embed digits --from later.safetensors",
        &["its format is 9, and this program reads 1"],
    );
    let other = replaced(&bytes, b"\\\"width\\\":32", b"\\\"width\\\":31");
    sandbox.file("changed.safetensors", other);
    sandbox.refused("embed digits --from changed.safetensors", &["its layers don't fit"]);
    sandbox
        .done("cluster digits -k 10 --models 1 --rounds 1 --config quick.toml --quiet --out run");
    let models = sandbox.files("run/models");
    let model = models.iter().find(|name| name.ends_with(".safetensors")).unwrap();
    sandbox.refused(&format!("embed digits --from run/models/{model}"), &["it is no encoder"]);
}

/// `bytes` with the first `from` replaced by as long a `to`.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let place = bytes.windows(from.len()).position(|window| window == from).unwrap();
    [&bytes[..place], to, &bytes[place + from.len()..]].concat()
}

#[test]
fn training_ends_when_the_time_is_up() {
    let sandbox = Sandbox::new();
    let output = sandbox
        .run("embed digits --pretext autoencoder --epochs 1000000 --max-time 2s --out x.npy");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("the time was up after"), "{}", stderr(&output));
    assert_eq!(embedding(&sandbox, "x.npy").dim(), (1797, 32));
}

#[cfg(unix)]
#[test]
fn an_interrupted_program_leaves_nothing() {
    let sandbox = Sandbox::new();
    let before = sandbox.files("");
    let mut child = Command::new(env!("CARGO_BIN_EXE_consilience"))
        .args("embed digits --pretext contrastive --epochs 100000 --out x.npy".split(' '))
        .current_dir(sandbox.path(""))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while !sandbox.path("x.npy.consilience.partial").exists()
        && start.elapsed() < Duration::from_secs(60)
    {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(500));
    let signal = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(signal.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(sandbox.files(""), before);
}
