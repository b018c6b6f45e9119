//! The rooms of the library and what they may import, and the places where every experiment must stand.

use crate::program::{experiment_ids, json, root};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use syn::visit::{self, Visit};

/// Every room of the library, in their one order: a room imports only rooms that stand before it.
const ROOMS: &[&str] = &[
    "error",
    "files",
    "seed",
    "support",
    "table",
    "outcome",
    "theory",
    "statistics",
    "linalg",
    "operators",
    "networks",
    "data",
    "linearize",
    "training",
    "recovery",
    "estimators",
    "simulations",
    "pruning",
    "harness",
];

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in ticketsense::files::list_folder(folder).unwrap() {
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}

fn parse(path: &Path) -> syn::File {
    let text = std::fs::read_to_string(path).unwrap();
    syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The module that a file below `src/` is, as a path from the root of the crate.
fn module_of(path: &Path) -> Vec<String> {
    let inner = path.strip_prefix(root().join("src")).unwrap().with_extension("");
    let mut names: Vec<String> = inner.iter().map(|n| n.to_string_lossy().into_owned()).collect();
    if names.last().is_some_and(|n| n == "mod" || n == "lib" || n == "main") {
        names.pop();
    }
    names
}

/// Every file below `src/` with the module that it is; `#[path = "..."] mod name;` overrides the file's own name.
fn modules() -> Vec<(PathBuf, Vec<String>)> {
    let files = rust_files(&root().join("src"));
    let mut renamed: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    for file in &files {
        for item in parse(file).items {
            let syn::Item::Mod(item) = item else { continue };
            for attribute in &item.attrs {
                let syn::Meta::NameValue(pair) = &attribute.meta else {
                    continue;
                };
                if let syn::Expr::Lit(literal) = &pair.value
                    && let syn::Lit::Str(path) = &literal.lit
                    && pair.path.is_ident("path")
                {
                    let module = [module_of(file), vec![item.ident.to_string()]].concat();
                    renamed.insert(file.with_file_name(path.value()), module);
                }
            }
        }
    }
    let module = |file: &PathBuf| renamed.get(file).cloned().unwrap_or_else(|| module_of(file));
    files.iter().map(|file| (file.clone(), module(file))).collect()
}

/// Collects every path of a file that begins at the root of its crate, as it is written or through `super` and `self`.
struct Paths {
    module: Vec<String>,
    found: BTreeSet<Vec<String>>,
}

impl Paths {
    fn of(file: &syn::File, module: Vec<String>) -> BTreeSet<Vec<String>> {
        let mut paths = Paths {
            module,
            found: BTreeSet::new(),
        };
        paths.visit_file(file);
        paths.found
    }

    fn note(&mut self, segments: &[String]) {
        let mut absolute = match segments.first().map(String::as_str) {
            Some("crate") => Vec::new(),
            Some("self" | "super") => self.module.clone(),
            _ => return,
        };
        for segment in segments {
            match segment.as_str() {
                "crate" | "self" => {}
                "super" => drop(absolute.pop()),
                name => absolute.push(name.to_string()),
            }
        }
        self.found.insert(absolute);
    }

    fn note_use(&mut self, prefix: &[String], tree: &syn::UseTree) {
        let with = |name: &syn::Ident| [prefix, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.note_use(&with(&path.ident), &path.tree),
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| self.note_use(prefix, item)),
            syn::UseTree::Name(name) => self.note(&with(&name.ident)),
            syn::UseTree::Rename(rename) => self.note(&with(&rename.ident)),
            syn::UseTree::Glob(_) => self.note(prefix),
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.note_use(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        if segments.len() > 1 {
            self.note(&segments);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        // The tokens of a macro are no syntax tree; paths in them are found word by word.
        let text = item.tokens.to_string();
        let words: Vec<&str> = text.split_whitespace().collect();
        for (start, word) in words.iter().enumerate() {
            if matches!(*word, "crate" | "super") && words.get(start + 1) == Some(&"::") {
                let names = words[start..].chunks(2).take_while(|pair| pair.get(1) == Some(&"::"));
                let mut segments: Vec<String> = names.map(|pair| pair[0].to_string()).collect();
                let last = words.get(start + 2 * segments.len()).copied().unwrap_or_default();
                segments.push(last.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
                self.note(&segments);
            }
        }
        visit::visit_macro(self, item);
    }
}

/// The room behind every name that `lib.rs` offers at the root, and behind every exported macro.
fn root_names() -> BTreeMap<String, String> {
    let mut names = BTreeMap::from([("row".to_string(), "table".to_string())]);
    for item in parse(&root().join("src/lib.rs")).items {
        match item {
            syn::Item::Mod(item) => {
                names.insert(item.ident.to_string(), item.ident.to_string());
            }
            syn::Item::Use(item) => {
                let mut paths = Paths {
                    module: Vec::new(),
                    found: BTreeSet::new(),
                };
                paths.note_use(&["self".to_string()], &item.tree);
                for path in paths.found {
                    names.insert(path.last().unwrap().clone(), path[0].clone());
                }
            }
            _ => {}
        }
    }
    names
}

fn position(room: &str) -> usize {
    let found = ROOMS.iter().position(|known| *known == room);
    found.unwrap_or_else(|| panic!("the room '{room}' has no place in the order of rooms"))
}

#[test]
fn a_room_imports_only_rooms_that_stand_before_it() {
    let names = root_names();
    let mut wrong = Vec::new();
    for (path, module) in modules() {
        let Some(room) = module.first() else { continue };
        if room == "cli" {
            continue;
        }
        for imported in Paths::of(&parse(&path), module.clone()) {
            let Some(first) = imported.first() else { continue };
            let other = names
                .get(first)
                .unwrap_or_else(|| panic!("{}: crate::{first} is nothing that lib.rs offers", path.display()));
            if other != room && position(other) >= position(room) {
                wrong.push(format!("{}: {room} imports {other}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_order_of_rooms_and_the_check_of_imports_are_sound() {
    for room in root_names().values() {
        position(room);
    }
    let text =
        "use crate::{a::B, c}; mod inner { fn f() { super::super::d::g(); vec![crate::e::H, 1]; self::x::y() } }";
    let found = Paths::of(&syn::parse_file(text).unwrap(), vec!["room".into()]);
    let joined: Vec<String> = found.iter().map(|path| path.join("::")).collect();
    assert_eq!(joined, ["a::B", "c", "d::g", "e::H", "room::inner::x::y"]);
}

/// The module of a file under `experiments/`; `x_tests.rs` holds the tests inside module `x`.
fn module_of_experiment(path: &Path) -> Vec<String> {
    let relative = path.strip_prefix(root()).unwrap().with_extension("");
    let mut module: Vec<String> = relative
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    if module.last().is_some_and(|name| name == "mod") {
        module.pop();
    }
    if module.last().is_some_and(|name| name.ends_with("_tests")) {
        module.push("tests".to_string());
    }
    module
}

#[test]
fn the_program_and_the_experiments_use_the_public_library_alone() {
    for (folder, allowed) in [
        ("src/cli", &["cli", "experiments"][..]),
        ("experiments", &["experiments"]),
    ] {
        for path in rust_files(&root().join(folder)) {
            let module = match folder {
                "src/cli" => module_of(&path),
                _ => module_of_experiment(&path),
            };
            for imported in Paths::of(&parse(&path), module) {
                let first = imported.first().map(String::as_str).unwrap_or("experiments");
                assert!(allowed.contains(&first), "{}: crate::{first}", path.display());
            }
        }
    }
}

#[test]
fn no_file_is_too_long_to_be_read_in_a_sitting() {
    const LIMIT: usize = 600;
    for folder in ["src", "experiments", "tests", "benches", "examples"] {
        for path in rust_files(&root().join(folder)) {
            let lines = std::fs::read_to_string(&path).unwrap().lines().count();
            assert!(lines <= LIMIT, "{}: {lines} lines", path.display());
        }
    }
}

#[test]
fn every_experiment_stands_in_its_five_places_and_nothing_else_does() {
    let ids = experiment_ids();
    let listed: BTreeSet<&str> = ids.iter().map(String::as_str).collect();
    assert_eq!(listed.len(), ids.len(), "an id is listed twice");
    let mut missing = Vec::new();
    let summary = std::fs::read_to_string(root().join("docs/src/SUMMARY.md")).unwrap_or_default();
    for id in &ids {
        let file = id.replace('-', "_");
        let source = [format!("experiments/{file}.rs"), format!("experiments/{file}/mod.rs")];
        if !source.iter().any(|path| root().join(path).exists()) {
            missing.push(source[0].clone());
        }
        for name in ["figure.svg", "figure.png", "table.csv", "manifest.json"] {
            missing.push(format!("figures/{id}/{name}"));
        }
        missing.push(format!("docs/src/{id}.md"));
        if !summary.contains(&format!("({id}.md)")) {
            missing.push(format!("a line for {id}.md in docs/src/SUMMARY.md"));
        }
    }
    missing.retain(|path| !root().join(path).exists());
    assert!(missing.is_empty(), "missing: {missing:#?}");
    for path in ticketsense::files::list_folder(root().join("experiments")).unwrap() {
        let name = path.file_stem().unwrap().to_string_lossy().replace('_', "-");
        // What several experiments share stands in files of these names.
        assert!(
            [
                "comparison",
                "doctoring",
                "mod",
                "pruned-masks",
                "random-networks",
                "rows",
                "tickets"
            ]
            .contains(&name.as_str())
                || listed.contains(name.as_str()),
            "{} is not on the list of experiments",
            path.display()
        );
    }
    for path in ticketsense::files::list_folder(root().join("figures")).unwrap() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(
            name.starts_with('.') || listed.contains(name.as_str()),
            "figures/{name} belongs to no experiment"
        );
    }
}

#[test]
fn a_claim_belongs_to_exactly_one_experiment() {
    let list = json(&["list", "--json"]);
    let mut owners: BTreeMap<String, String> = BTreeMap::new();
    for experiment in list["experiments"].as_array().unwrap() {
        let id = experiment["id"].as_str().unwrap();
        for claim in experiment["claims"].as_array().unwrap() {
            let other = owners.insert(claim.as_str().unwrap().to_string(), id.to_string());
            assert_eq!(other, None, "claim {claim} belongs to {id} too");
        }
    }
}
