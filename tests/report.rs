//! `report.html`: what a browser makes of it, and what it makes of hostile data.
//!
//! Where there is no Chromium (`tools/browser.sh` installs it), tests that need one are skipped, and say so; with `CI=true` they fail.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use common::{Sandbox, stderr, stdout};
use consilience::report::{self, Data};
use consilience::run_folder::RunFolder;
use consilience_data::{Features, read_dataset};
use consilience_testing::skip;
use image::GrayImage;
use proptest::prelude::*;
use serde_json::Value;

/// A headless browser with a profile of its own.
struct Browser {
    program: PathBuf,
    profile: tempfile::TempDir,
}

impl Browser {
    /// None, said aloud, where there is none.
    #[track_caller]
    fn find() -> Option<Self> {
        let paths = std::env::var_os("PATH").unwrap_or_default();
        let folders: Vec<PathBuf> = std::env::split_paths(&paths).collect();
        let named =
            |name: &&str| folders.iter().map(|folder| folder.join(name)).find(|at| at.is_file());
        let Some(program) =
            ["chromium", "chromium-browser", "google-chrome"].iter().find_map(named)
        else {
            skip("no Chromium on the path; tools/browser.sh installs it");
            return None;
        };
        Some(Self { program, profile: tempfile::tempdir().unwrap() })
    }

    /// Opens an address, and prints its elements when all is loaded.
    fn open(&self, address: &str, more: &[&str]) -> Output {
        let profile = format!("--user-data-dir={}", self.profile.path().display());
        let mut command = Command::new(&self.program);
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"]);
        command.args(["--no-first-run", "--disable-background-networking", "--disable-sync"]);
        command.args(["--disable-component-update", "--enable-logging=stderr", "--dump-dom"]);
        // Nothing leaves the machine.
        command.arg("--host-resolver-rules=MAP * ~NOTFOUND");
        command.args(["--virtual-time-budget=2000", &profile]).args(more).arg(address);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        output
    }

    /// Opens a page, which must say nothing on the console and ask for nothing but itself; its elements.
    fn quietly(&self, page: &Path) -> String {
        let (shown, told, asked) = self.watched(page);
        assert!(told.is_empty() && asked == 0, "{told:?}, {asked} requests");
        shown
    }

    /// Opens a page; its elements, what it said on the console, and how often it asked for anything. What the browser asks for
    /// on its own account has no initiator.
    fn watched(&self, page: &Path) -> (String, Vec<String>, usize) {
        let log = self.profile.path().join("net.json");
        let output = self.open(&address(page), &[&format!("--log-net-log={}", log.display())]);
        let lines = stderr(&output);
        let told = lines.lines().filter(|line| line.contains("CONSOLE")).map(Into::into).collect();
        let asked = fs::read_to_string(log).unwrap();
        assert!(asked.contains("URL_REQUEST"), "no log of requests");
        let asked = asked.split("\"initiator\":\"").skip(1);
        let asked = asked.filter(|rest| !rest.starts_with("not an origin\"")).count();
        (stdout(&output), told, asked)
    }

    /// What is seen of a page, at this width, on a light screen or a dark one. Kept for a person to look at.
    fn screenshot(&self, page: &Path, name: &str, width: u32, is_dark: bool) -> GrayImage {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let scheme = format!("--blink-settings=preferredColorScheme={}", u8::from(!is_dark));
        let (size, file) =
            (format!("--window-size={width},1600"), format!("--screenshot={}", kept.display()));
        self.open(&address(page), &["--hide-scrollbars", &scheme, &size, &file]);
        let picture = image::open(kept).unwrap().into_luma8();
        assert_eq!(picture.dimensions(), (width, 1600), "{name}");
        picture
    }

    fn time(&self, address: &str) -> Duration {
        let once = || {
            let start = Instant::now();
            self.open(address, &[]);
            start.elapsed()
        };
        (0..3).map(|_| once()).min().unwrap()
    }
}

fn address(page: &Path) -> String {
    format!("file://{}", page.display())
}

/// All numbers on a page: where each is in `metrics.json`, its value, and how it is shown.
fn figures(page: &str) -> Vec<(String, f64, String)> {
    let elements = page.split("<data value=\"").skip(1).map(|rest| {
        let (value, rest) = rest.split_once("\" data-metric=\"").unwrap();
        let (pointer, rest) = rest.split_once("\">").unwrap();
        let text = rest.split_once("</data>").unwrap().0;
        (pointer.into(), value.parse().unwrap(), text.replace("&nbsp;", "\u{a0}"))
    });
    elements.collect()
}

/// Numbers have to be those of the metrics, and what is shown has to be these, rounded.
fn check_figures(page: &str, metrics: &Value) {
    let found = figures(page);
    for (pointer, value, text) in &found {
        let expected = metrics.pointer(pointer).and_then(Value::as_f64);
        assert_eq!(expected, Some(*value), "{pointer}");
        let is_share = text.contains('%');
        let digits: String =
            text.chars().filter(|c| c.is_ascii_digit() || ".-".contains(*c)).collect();
        let decimals = digits.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        if text.contains("min") || text.contains(" h ") || text.contains(" of ") {
            continue;
        }
        let shown = digits.parse::<f64>().unwrap() / if is_share { 100.0 } else { 1.0 };
        let unit =
            0.1f64.powi(i32::try_from(decimals).unwrap()) / if is_share { 100.0 } else { 1.0 };
        assert!((shown - value).abs() <= 0.5001 * unit, "{pointer}: {value}, shown as {text}");
    }
    for pointer in
        ["/n_clusters", "/pseudo_labels/coverage", "/mean_confidence", "/clusters/0/size"]
    {
        assert!(found.iter().any(|(place, _, _)| place == pointer), "no {pointer}");
    }
}

#[test]
fn the_report_on_digits_is_what_the_browser_shows() {
    let sandbox = Sandbox::new();
    sandbox.done("cluster digits --config quick.toml --out run");
    let page = sandbox.text("run/report.html");
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
    let metrics = sandbox.json("run/metrics.json");
    check_figures(&page, &metrics);
    let found = figures(&page);
    for pointer in [
        "/acc",
        "/nmi",
        "/ari",
        "/curve/0/coverage",
        "/cluster_agreement/9/9",
        "/model_ari/0/1",
        "/rounds/1/diversity",
        "/scores/contingency/0/",
        "/confused_pairs/0/count",
        "/seconds",
    ] {
        assert!(found.iter().any(|(place, _, _)| place.starts_with(pointer)), "no {pointer}");
    }
    let sections = ["result", "trust", "members", "mistakes", "map", "run"];
    let places: Vec<_> = sections.map(|id| page.find(&format!("id=\"{id}\"")).unwrap()).into();
    assert!(places.is_sorted());
    assert_eq!(
        page.matches("src=\"data:image/png").count(),
        30 + metrics["confused_pairs"].as_array().unwrap().len()
    );
    assert_eq!(page.matches("</title></circle>").count(), 1797, "a point for each sample");

    sandbox.file("run/report.html", "old");
    let told = sandbox.done("report run");
    assert!(told.contains("report.html") && told.lines().count() == 1, "{told}");
    assert_eq!(
        sandbox.text("run/report.html"),
        page,
        "the same folder and data give the same bytes"
    );

    let Some(browser) = Browser::find() else { return };
    let path = sandbox.path("run/report.html");
    let shown = browser.quietly(&path);
    assert!(figures(&shown) == found, "the browser shows other figures");
    let load = browser.time(&address(&path)).saturating_sub(browser.time("about:blank"));
    assert!(load < Duration::from_secs(2), "{load:?}");
    check_screenshots(&browser, &path);
}

/// Light and dark pages are light and dark, and on a phone's width, too, something is written in every part of the screen.
fn check_screenshots(browser: &Browser, page: &Path) {
    for (name, width) in [("desktop", 1280), ("phone", 390)] {
        for is_dark in [false, true] {
            let name = format!("report-{name}-{}.png", if is_dark { "dark" } else { "light" });
            let picture = browser.screenshot(page, &name, width, is_dark);
            let mean =
                picture.iter().map(|&grey| f64::from(grey)).sum::<f64>() / f64::from(width * 1600);
            assert!(if is_dark { mean < 80.0 } else { mean > 200.0 }, "{name}: {mean}");
            for band in 0..8 {
                let rows = picture.rows().skip(200 * band).take(200);
                let greys: BTreeSet<u8> = rows.flatten().map(|pixel| pixel.0[0]).collect();
                assert!(greys.len() > 16, "{name}: nothing in band {band}");
            }
        }
    }
}

/// A run of votes: 120 samples in `k` clusters, of which the last is hardly anybody's.
fn voted(sandbox: &Sandbox, k: usize, n_models: usize) -> RunFolder {
    let vote = |sample: usize, model: usize| (sample + usize::from(sample % 13 == model)) % k;
    let row = |sample: usize| {
        let votes: Vec<String> =
            (0..n_models).map(|model| vote(sample, model).to_string()).collect();
        votes.join(",") + "\n"
    };
    sandbox.file("votes.csv", (0..3 * k).map(row).collect::<String>());
    let truth: String = (0..3 * k).map(|sample| format!("class {}\n", sample % k)).collect();
    sandbox.file("truth.txt", truth);
    sandbox.run(&format!("pseudo-label votes.csv -k {k} --labels truth.txt --out run"));
    RunFolder::open(&sandbox.path("run")).unwrap()
}

/// Names of all elements of a page, in order.
fn elements(page: &str) -> Vec<&str> {
    let names = page.split('<').skip(1).map(|rest| rest.split([' ', '>', '\n']).next().unwrap());
    names.collect()
}

/// `run` with every text that data may choose replaced by `name`.
fn named(mut run: RunFolder, name: &str) -> RunFolder {
    run.ids = Some(vec![name.into(); run.n_samples()]);
    run.recipe.feature_names = Some(vec![name.into(); 3]);
    run.source.data = vec![name.into()];
    run.source.labels = vec![name.into()];
    run.config.insert("preset".into(), name.into());
    let metrics = &mut run.metrics;
    for class in metrics["scores"]["per_class"].as_array_mut().unwrap() {
        class["class"] = name.into();
    }
    for pair in metrics["confused_pairs"].as_array_mut().unwrap() {
        pair["class"] = name.into();
        pair["taken_for"] = name.into();
    }
    for model in metrics["rounds"][0]["models"].as_array_mut().unwrap() {
        model["name"] = name.into();
    }
    metrics["machine"]["cpu"] = name.into();
    metrics["stop"]["reason"] = name.into();
    metrics["preset"] = name.into();
    run
}

fn features(n_samples: usize) -> Features {
    let value = |(sample, feature): (usize, usize)| {
        f32::from(u8::try_from((sample * 7 + feature * 11) % 23).unwrap())
    };
    Features::new(ndarray::Array2::from_shape_fn((n_samples, 3), value), "x").unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// No text makes an element, an attribute or a script: elements stay the same, whatever things are called.
    #[test]
    fn names_are_escaped(name in "[<>&\"'`/a-z={}%!\\\\ -]{1,30}") {
        let sandbox = Sandbox::new();
        let run = voted(&sandbox, 3, 4);
        let features = features(run.n_samples());
        let page = |name: &str| {
            report::render(&named(run.clone(), name), Data::Features(&features)).unwrap()
        };
        let (plain, hostile) = (page("plain"), page(&name));
        prop_assert_eq!(elements(&hostile), elements(&plain));
        // Attributes, too: quotation marks of the page itself are as many as ever.
        prop_assert_eq!(hostile.matches('"').count(), plain.matches('"').count());
    }
}

#[test]
fn a_hostile_page_does_nothing_in_the_browser() {
    let sandbox = Sandbox::new();
    let run = voted(&sandbox, 4, 5);
    let name = "</title></style></script><script>document.title='owned';fetch('http://example.org')</script>\
                <img src=x onerror=\"console.log('owned')\">'\"&amp;{{ name }}";
    let page = report::render(&named(run.clone(), name), Data::Features(&features(12))).unwrap();
    assert_eq!(page.matches("<script").count(), 1);
    let Some(browser) = Browser::find() else { return };
    sandbox.file("hostile.html", &page);
    let shown = browser.quietly(&sandbox.path("hostile.html"));
    assert_eq!(shown.matches("<script").count(), 1);
    // Were there a hole, the page's policy would close it.
    let hole = "<main><script>console.log('owned')</script><img src=\"http://hole.invalid/x.png\">";
    let hole = page.replace("<main>", hole);
    sandbox.file("hole.html", &hole);
    let (_, told, asked) = browser.watched(&sandbox.path("hole.html"));
    assert_eq!((told.iter().any(|line| line.contains("\"owned\"")), asked), (false, 0), "{told:?}");
    let is_refusal = |line: &String| line.contains("Content Security Policy");
    assert!(!told.is_empty() && told.iter().all(is_refusal), "{told:?}");
    sandbox.file("open.html", hole.replace("Content-Security-Policy", "No-Policy"));
    let (_, told, asked) = browser.watched(&sandbox.path("open.html"));
    assert!(told.iter().any(|line| line.contains("\"owned\"")) && asked > 0, "{told:?}, {asked}");
}

#[test]
fn what_a_run_does_not_have_is_left_out() {
    let sandbox = Sandbox::new();
    let run = voted(&sandbox, 3, 1);
    let told = sandbox.done("report run");
    assert!(told.contains("made of votes, without data"), "{told}");
    let page = sandbox.text("run/report.html");
    check_figures(&page, &run.metrics);
    assert!(page.contains("There is one model"), "{page}");
    for absent in ["id=\"members\"", "id=\"map\"", "Do the models differ?", "NaN"] {
        assert!(!page.contains(absent), "{absent}");
    }
    // Neither truth nor anything that later versions write.
    let mut old = run;
    let kept = ["n_samples", "n_clusters", "complete", "mean_confidence", "pseudo_labels"];
    old.metrics.as_object_mut().unwrap().retain(|name, _| kept.contains(&name.as_str()));
    let page = report::render(&old, Data::Missing("No data.")).unwrap();
    assert!(page.contains("No data.") && !page.contains("id=\"mistakes\""));
}

#[test]
fn signs_say_no_more_than_figures_do() {
    let sandbox = Sandbox::new();
    // One sample without a vote: the table of classes has a column more than there are clusters.
    let votes = "0,0,0\n0,0,0\n1,1,1\n1,1,1\n,,\n";
    sandbox.file("votes.csv", votes);
    sandbox.file("truth.txt", "a\na\nb\nb\nb\n");
    sandbox.done("pseudo-label votes.csv -k 2 --labels truth.txt --out run");
    let run = RunFolder::open(&sandbox.path("run")).unwrap();
    let page = |run: &RunFolder| report::render(run, Data::Missing("No data."));
    let shown = page(&run).unwrap();
    assert!(shown.contains("1 of class b in no cluster") && !shown.contains("in cluster 2"));
    for part in ["in every cluster", "keep each cluster together", "mean over samples with votes"] {
        assert!(shown.contains(part), "no {part}");
    }

    let mut other = run.clone();
    other.metrics["pseudo_labels"]["sizes"] = vec![4, 0].into();
    other.metrics["cluster_agreement"] = serde_json::json!([[null, null], [null, null]]);
    let shown = page(&other).unwrap();
    assert!(shown.contains("not in every cluster"));
    assert!(!shown.contains("keep each cluster together") && !shown.contains("clusters apart?"));
    // A chain of samples that all run together: still a number for each cluster that was asked for.
    sandbox.file("one.csv", "0,0,0\n0,0,1\n0,1,1\n1,1,1\n");
    sandbox.run("pseudo-label one.csv -k 2 --min-agree 2 --max-agree 0 --no-curve --out one");
    let metrics = sandbox.json("one/metrics.json");
    assert_eq!(metrics["pseudo_labels"]["sizes"], serde_json::json!([3, 0]));
    for length in ["/clusters", "/cluster_agreement"] {
        assert_eq!(metrics.pointer(length).unwrap().as_array().unwrap().len(), 2, "{length}");
    }

    for (place, value) in [
        ("/scores/matching", serde_json::json!([0])),
        ("/scores/matching/0", 7.into()),
        ("/scores/per_class", serde_json::json!([])),
        ("/scores/contingency/1", serde_json::json!([2])),
        ("/cluster_agreement", serde_json::json!([[0.5], [0.5, 0.5]])),
        ("/model_ari/0", serde_json::json!([1.0])),
    ] {
        let mut damaged = run.clone();
        *damaged.metrics.pointer_mut(place).unwrap() = value;
        let message = page(&damaged).unwrap_err().to_string();
        assert!(message.contains("another size") && message.lines().count() == 1, "{message}");
    }
}

/// Twelve samples with names and two features.
fn named_table(first: &str) -> String {
    let row = |sample: usize| {
        let id = if sample == 0 { first.into() } else { format!("s{sample}") };
        format!("{id},{}.5,{}.25\n", sample % 3 * 10, sample)
    };
    "id,width,height\n".to_owned() + &(0..12).map(row).collect::<String>()
}

#[test]
fn data_of_a_run_of_votes_say_what_features_are_called() {
    let sandbox = Sandbox::new();
    voted(&sandbox, 4, 5);
    sandbox.file("data.csv", named_table("s0"));
    sandbox.done("report run data.csv");
    let page = sandbox.text("run/report.html");
    assert!(page.contains(">width<") && page.contains(">height<"), "no names of features");
}

#[test]
fn a_report_is_not_replaced_by_a_poorer_or_a_wrong_one() {
    let sandbox = Sandbox::new();
    sandbox.file("data.csv", named_table("s0"));
    let quick = "--preset tabular --config quick.toml --labelling clusters --id-column id";
    sandbox.run(&format!("cluster data.csv -k 3 {quick} --out run --quiet"));
    let page = sandbox.text("run/report.html");
    assert!(page.contains("no curve") && !page.contains("What does strictness cost?"));
    assert!(page.contains("--id-column id"), "the command reads the data as this run did");
    sandbox.done("report run");
    assert_eq!(sandbox.text("run/report.html"), page);

    let refused = |part: &str| {
        let output = sandbox.run("report run");
        let message = stderr(&output);
        assert_eq!((output.status.code(), message.lines().count()), (Some(2), 1), "{message}");
        assert!(message.contains(part), "{message}");
        assert_eq!(sandbox.text("run/report.html"), page);
    };
    sandbox.file("data.csv", named_table("other"));
    refused("'s0' is not in");
    fs::remove_file(sandbox.path("data.csv")).unwrap();
    refused("name the data");
    // Where there is none, a report without data is better than none.
    fs::remove_file(sandbox.path("run/report.html")).unwrap();
    assert!(sandbox.done("report run").contains("data.csv"));
}

#[test]
fn many_clusters_fit_on_the_page() {
    let sandbox = Sandbox::new();
    let mut run = voted(&sandbox, 100, 6);
    run.metrics["n_features"] = 3.into();
    let page = report::render(&run, Data::Features(&features(300))).unwrap();
    check_figures(&page, &run.metrics);
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
    let Some(browser) = Browser::find() else { return };
    sandbox.file("many.html", &page);
    browser.quietly(&sandbox.path("many.html"));
}

#[test]
fn other_data_than_the_runs_are_refused() {
    let sandbox = Sandbox::new();
    voted(&sandbox, 3, 4);
    for (arguments, part) in [
        ("report run digits", "has 9 samples, the data 1,797"),
        ("report run none.csv", "none.csv: no such file"),
        ("report none", "none: no such run folder"),
    ] {
        let output = sandbox.run(arguments);
        let message = stderr(&output);
        assert_eq!((output.status.code(), message.lines().count()), (Some(2), 1), "{message}");
        assert!(message.contains(part), "{message}");
    }
    assert!(!sandbox.files("run").contains(&"report.html".to_owned()));
    let digits = read_dataset(&["digits".into()], &[]).unwrap().features;
    let run = RunFolder::open(&sandbox.path("run")).unwrap();
    assert!(report::render(&run, Data::Features(&digits)).is_err());
}
