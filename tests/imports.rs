//! **Architecture Invariant:** no circle of imports. A file can be read, and understood, after those that it uses.
//!
//! The rule, for each crate:
//!
//! - A module is a file. It uses another if it names something that is *defined* there: in a `use`, or in a path that starts with
//!   `crate`, `self`, `super` or a child's name.
//! - Names are followed through re-exports and imports to the file that defines them. So a parent that only declares
//!   its children and hands on their names is used by nobody, and uses nobody.
//! - Something defined in the parent itself is as anywhere else: a parent that uses its child must not be used by it.
//! - Tests may use everything. What is under `#[cfg(test)]` doesn't count, nor do comments.
//!
//! There are no exceptions.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::Path;

/// Roots of crates.
const ROOTS: &[&str] = &[
    "data/truth/src/lib.rs",
    "data/src/lib.rs",
    "ensembles/src/lib.rs",
    "graph/src/lib.rs",
    "python/src/lib.rs",
    "tests/support/src/lib.rs",
    "src/lib.rs",
    "src/main.rs",
];

/// A path in code, such as `crate::config::Config`, by its names.
type CodePath = Vec<String>;

/// A file.
#[derive(Debug, Default)]
struct Module {
    file: String,
    children: BTreeSet<String>,
    /// What it calls names that are defined elsewhere, imports and re-exports alike.
    names: BTreeMap<String, CodePath>,
    /// What it uses, re-exports left out.
    uses: Vec<CodePath>,
}

/// The modules of a crate by their path from its root, which is the empty one.
type Crate = BTreeMap<CodePath, Module>;

#[test]
fn no_module_imports_itself_by_way_of_others() {
    let mut circles = Vec::new();
    for root in ROOTS {
        let modules = read_crate(Path::new(env!("CARGO_MANIFEST_DIR")), root);
        circles.extend(shortest_circles(&graph(&modules)));
    }
    assert!(circles.is_empty(), "circles of imports:\n{}", circles.join("\n"));
}

fn read_crate(folder: &Path, root: &str) -> Crate {
    let mut modules = Crate::new();
    read_module(folder, root, Vec::new(), &mut modules);
    modules
}

fn read_module(folder: &Path, file: &str, path: CodePath, modules: &mut Crate) {
    let code = without_tests(&without_comments(&fs::read_to_string(folder.join(file)).unwrap()));
    let module = parse(file, &code);
    let (parent, name) = file.rsplit_once('/').unwrap();
    let beside = match name {
        "lib.rs" | "main.rs" | "mod.rs" => parent.to_owned(),
        _ => file.trim_end_matches(".rs").to_owned(),
    };
    for child in &module.children {
        let places = [format!("{beside}/{child}.rs"), format!("{beside}/{child}/mod.rs")];
        let place = places.iter().find(|place| folder.join(place).is_file());
        let place = place.unwrap_or_else(|| panic!("{file}: no file for mod {child}"));
        let path = [path.as_slice(), std::slice::from_ref(child)].concat();
        read_module(folder, place, path, modules);
    }
    modules.insert(path, module);
}

fn without_comments(text: &str) -> String {
    let code = |line: &str| {
        let comment = line.find("//").filter(|&at| at == 0 || !line[..at].ends_with(':'));
        line[..comment.unwrap_or(line.len())].to_owned() + "\n"
    };
    text.lines().map(code).collect()
}

/// Cuts items under `#[cfg(test)]`.
fn without_tests(code: &str) -> String {
    const TEST: &str = "#[cfg(test)]";
    let Some(start) = code.find(TEST) else { return code.to_owned() };
    let item = &code[start + TEST.len()..];
    let mut depth = 0;
    let end = item.char_indices().find(|&(_, character)| {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        depth == 0 && (character == '}' || character == ';')
    });
    let rest = end.map_or("", |(end, _)| &item[end + 1..]);
    code[..start].to_owned() + &without_tests(rest)
}

fn parse(file: &str, code: &str) -> Module {
    let mut module = Module { file: file.into(), ..Module::default() };
    let mut rest = String::new();
    // Statements end at semicolons and braces but for the braces of a `use`.
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        let words = line.trim_start();
        let bare = words.strip_prefix("pub ").or_else(|| {
            let scope = words.strip_prefix("pub(")?;
            Some(scope.split_once(") ")?.1)
        });
        let statement = bare.unwrap_or(words);
        if let Some(name) = statement.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) {
            module.children.insert(name.into());
        } else if let Some(tree) = statement.strip_prefix("use ") {
            let mut tree = tree.to_owned();
            while !tree.trim_end().ends_with(';') {
                tree += lines.next().expect("a use ends");
            }
            let mut leaves = Vec::new();
            expand(tree.trim_end().trim_end_matches(';'), &[], &mut leaves);
            for (name, path) in leaves {
                if bare.is_none() {
                    module.uses.push(path.clone());
                }
                module.names.insert(name, path);
            }
        } else {
            rest += line;
            rest.push('\n');
        }
    }
    module.uses.extend(paths(&rest, &module.children));
    module
}

/// The names that a tree such as `a::{b, c as d}` brings, each with its path.
fn expand(tree: &str, before: &[String], leaves: &mut Vec<(String, CodePath)>) {
    let tree = tree.trim();
    if let Some((head, inner)) = tree.split_once('{').filter(|_| tree.ends_with('}')) {
        let mut path = before.to_vec();
        path.extend(
            head.split("::").map(str::trim).filter(|name| !name.is_empty()).map(Into::into),
        );
        let (mut depth, mut start) = (0, 0);
        let inner = &inner[..inner.len() - 1];
        for (at, character) in inner.char_indices() {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    expand(&inner[start..at], &path, leaves);
                    start = at + 1;
                }
                _ => {}
            }
        }
        expand(&inner[start..], &path, leaves);
    } else if !tree.is_empty() {
        let (path, name) = tree.split_once(" as ").unwrap_or((tree, ""));
        let mut names = before.to_vec();
        names.extend(path.split("::").map(|name| name.trim().to_owned()));
        if names.len() > 1 && names.last().is_some_and(|last| last == "self") {
            names.pop();
        }
        let name = if name.is_empty() { names[names.len() - 1].clone() } else { name.into() };
        leaves.push((name, names));
    }
}

/// Paths in expressions and types that start in the crate.
fn paths(code: &str, children: &BTreeSet<String>) -> Vec<CodePath> {
    let is_name = |character: char| character.is_alphanumeric() || character == '_';
    let words = code.split(|character| !is_name(character) && character != ':');
    let split = |word: &str| word.split("::").map(str::to_owned).collect::<CodePath>();
    let ours = |path: &CodePath| {
        path.len() > 1
            && (["crate", "self", "super"].contains(&path[0].as_str())
                || children.contains(&path[0]))
    };
    words.map(split).filter(ours).collect()
}

/// Which file uses which.
fn graph(modules: &Crate) -> BTreeMap<String, BTreeSet<String>> {
    let mut graph = BTreeMap::new();
    for (path, module) in modules {
        let used = module.uses.iter().filter_map(|used| resolve(modules, path, used, 0));
        let used = used.map(|path| modules[&path].file.clone());
        let others = used.filter(|file| *file != module.file);
        graph.insert(module.file.clone(), others.collect::<BTreeSet<_>>());
    }
    graph
}

/// The module that defines what `module` calls `path`; `None` outside the crate.
fn resolve(modules: &Crate, module: &CodePath, path: &[String], depth: usize) -> Option<CodePath> {
    assert!(depth < 20, "{path:?} in {module:?} leads nowhere");
    let mut place = module.clone();
    let mut names = path;
    match path[0].as_str() {
        "crate" => place = Vec::new(),
        "self" => {}
        "super" => {
            place.pop();
        }
        name if modules[module].children.contains(name) => place.push(name.into()),
        // Of another crate, or imported, which is a use of its own.
        _ => return None,
    }
    names = &names[1..];
    while let Some((name, rest)) = names.split_first() {
        let here = &modules[&place];
        if name == "super" {
            place.pop();
        } else if here.children.contains(name) {
            place.push(name.clone());
        } else if let Some(original) = here.names.get(name) {
            let whole = [original.as_slice(), rest].concat();
            return resolve(modules, &place, &whole, depth + 1);
        } else {
            return Some(place);
        }
        names = rest;
    }
    Some(place)
}

/// For each file that uses itself by way of others, the shortest way; each circle once.
fn shortest_circles(graph: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let (mut circles, mut seen) = (Vec::new(), BTreeSet::new());
    for start in graph.keys() {
        let mut from: BTreeMap<&String, &String> = BTreeMap::new();
        let mut border = VecDeque::from([start]);
        while let Some(file) = border.pop_front() {
            for used in graph.get(file).into_iter().flatten() {
                if !from.contains_key(used) {
                    from.insert(used, file);
                    border.push_back(used);
                }
            }
        }
        if from.contains_key(start) {
            let mut circle = vec![start];
            while circle.len() == 1 || circle[circle.len() - 1] != start {
                circle.push(from[circle[circle.len() - 1]]);
            }
            circle.reverse();
            if seen.insert(circle.iter().copied().collect::<BTreeSet<_>>()) {
                let names: Vec<&str> = circle.into_iter().map(String::as_str).collect();
                circles.push(names.join(" -> "));
            }
        }
    }
    circles
}

/// The test of the test: a crate on disk, with a circle or without.
fn circles_of(files: &[(&str, &str)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, code) in files {
        let path = folder.path().join("src").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, code).unwrap();
    }
    shortest_circles(&graph(&read_crate(folder.path(), "src/lib.rs")))
}

#[test]
fn a_circle_is_found_through_re_exports_and_paths() {
    let root = ("lib.rs", "mod a;\nmod b;\npub use a::A;\npub use b::{B, make as build};\n");
    let uses_a = ("a.rs", "use crate::{\n    B,\n    build,\n};\npub struct A;\n");
    let one_way = [root, uses_a, ("b.rs", "pub struct B; // not crate::A\npub fn make() {}\n")];
    assert_eq!(circles_of(&one_way), [""; 0]);
    let both = [root, uses_a, ("b.rs", "pub struct B;\npub fn make(_: super::A) {}\n")];
    assert_eq!(circles_of(&both), ["src/a.rs -> src/b.rs -> src/a.rs"]);
    let tests = "pub struct B;\n#[cfg(test)]\nmod tests {\n    use crate::A;\n}\n";
    assert_eq!(circles_of(&[root, uses_a, ("b.rs", tests)]), [""; 0]);
}

#[test]
fn a_parent_counts_by_what_it_defines() {
    let child = ("a/b.rs", "use super::Shared;\npub(super) fn made() -> Shared { Shared }\n");
    let root = ("lib.rs", "mod a;\n");
    let hands_on = ("a/mod.rs", "mod b;\nmod c;\npub use self::b::made;\nuse self::c::Shared;\n");
    let other = ("a/c.rs", "pub(super) struct Shared;\n");
    assert_eq!(circles_of(&[root, hands_on, child, other]), [""; 0]);
    let defines = ("a/mod.rs", "mod b;\npub struct Shared;\npub fn f() { b::made(); }\n");
    let found = circles_of(&[root, defines, child]);
    assert_eq!(found, ["src/a/b.rs -> src/a/mod.rs -> src/a/b.rs"]);
}
