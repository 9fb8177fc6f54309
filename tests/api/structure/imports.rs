//! Which source file imports which: reads `use` items and paths, and follows re-exports to the
//! file that defines an item.

use std::collections::{BTreeMap, BTreeSet};

/// A module by its names from the crate's root down; the root is empty.
pub type Module = Vec<String>;

/// The modules of a crate, and for each the modules whose items it names.
pub struct Imports(pub BTreeMap<Module, BTreeSet<Module>>);

impl Imports {
    /// `sources`: each file's path inside `src`, and its text. Unit tests count like other code.
    pub fn of(sources: &[(String, String)]) -> Self {
        let files: BTreeMap<Module, String> =
            sources.iter().map(|(path, text)| (module(path), without_comments(text))).collect();
        let mut re_exports = BTreeMap::new();
        for (module, code) in &files {
            for (is_public, path) in uses(code).into_iter().filter(|(is_public, _)| *is_public) {
                let (Some(target), true) = (absolute(module, &path, &files), is_public) else {
                    continue;
                };
                if let Some(item) = target.last() {
                    re_exports.insert([module.clone(), vec![item.clone()]].concat(), target);
                }
            }
        }
        let imports = |(module, code): (&Module, &String)| {
            let (code, tests) = code.split_once("mod tests {").unwrap_or((code, ""));
            let private = uses(code).into_iter().filter(|(is_public, _)| !is_public);
            let in_tests = uses(tests).into_iter().map(|(_, path)| path);
            let in_tests = in_tests.chain(inline_paths(tests)).map(from_inner_module);
            let named = private.map(|(_, path)| path).chain(inline_paths(code)).chain(in_tests);
            let targets = named.filter_map(|path| absolute(module, &path, &files));
            let modules = targets.map(|target| defining(target, &files, &re_exports));
            (module.clone(), modules.filter(|used| used != module).collect())
        };
        Self(files.iter().map(imports).collect())
    }

    /// Pairs of files that import each other.
    pub fn mutual(&self) -> Vec<(Module, Module)> {
        let pairs = self.0.iter().flat_map(|(a, used)| used.iter().map(move |b| (a, b)));
        let mutual =
            pairs.filter(|(a, b)| a < b && self.0.get(*b).is_some_and(|it| it.contains(*a)));
        mutual.map(|(a, b)| (a.clone(), b.clone())).collect()
    }

    /// Cycles among the files and folders of one folder, as the names along each cycle. The
    /// folder's own `mod.rs` is left out: it declares the others.
    pub fn cycles(&self) -> Vec<Vec<Module>> {
        let folders: BTreeSet<_> =
            self.0.keys().filter_map(|m| m.split_last()).map(|it| it.1).collect();
        folders.into_iter().filter_map(|folder| cycle(&self.entries(folder))).collect()
    }

    /// The entries of a folder, and for each the other entries that it uses.
    fn entries(&self, folder: &[String]) -> BTreeMap<Module, BTreeSet<Module>> {
        let entry = |module: &Module| {
            let is_inside = module.len() > folder.len() && module.starts_with(folder);
            is_inside.then(|| module[..=folder.len()].to_vec())
        };
        let mut entries: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
        for (module, used) in &self.0 {
            let Some(from) = entry(module) else { continue };
            let to = used.iter().filter_map(entry).filter(|to| *to != from);
            entries.entry(from.clone()).or_default().extend(to);
        }
        entries
    }
}

/// One cycle of a graph, if there is any: entries that nothing in the rest uses, or that use
/// nothing in the rest, are taken away until only cycles are left.
fn cycle(graph: &BTreeMap<Module, BTreeSet<Module>>) -> Option<Vec<Module>> {
    let mut left: BTreeSet<&Module> = graph.keys().collect();
    loop {
        let uses_some = |entry: &&Module| graph[*entry].iter().any(|used| left.contains(used));
        let is_used = |entry: &&Module| left.iter().any(|user| graph[*user].contains(*entry));
        let next: BTreeSet<_> =
            left.iter().copied().filter(|entry| uses_some(entry) && is_used(entry)).collect();
        if next.len() == left.len() {
            return (!left.is_empty()).then(|| left.into_iter().cloned().collect());
        }
        left = next;
    }
}

fn module(path: &str) -> Module {
    let mut names: Module = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if names.last().is_some_and(|name| ["mod", "lib", "main"].contains(&name.as_str())) {
        names.pop();
    }
    names
}

fn without_comments(text: &str) -> String {
    text.lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Every path that a `use` item names, and whether the item re-exports it.
fn uses(code: &str) -> Vec<(bool, Module)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let line_start = code[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let before = code[line_start..at].trim();
        if !(before.is_empty() || before == "pub" || before.starts_with("pub(")) {
            continue;
        }
        let Some((tree, _)) = code[at + "use ".len()..].split_once(';') else { continue };
        let mut paths = Vec::new();
        flatten(tree, &[], &mut paths);
        found.extend(paths.into_iter().map(|path| (!before.is_empty(), path)));
    }
    found
}

/// The paths of a `use` tree: `a::{b, c::d}` names `a::b` and `a::c::d`.
fn flatten(tree: &str, prefix: &[String], into: &mut Vec<Module>) {
    let names = |text: &str| -> Module {
        let text = text.split(" as ").next().unwrap_or_default();
        text.split("::")
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect()
    };
    let Some((head, rest)) = tree.split_once('{') else {
        into.push([prefix.to_vec(), names(tree)].concat());
        return;
    };
    let prefix = [prefix.to_vec(), names(head)].concat();
    let inner = rest.rfind('}').map_or(rest, |end| &rest[..end]);
    let (mut depth, mut start) = (0_usize, 0);
    for (at, c) in inner.char_indices().chain([(inner.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !inner[start..at].trim().is_empty() {
                    flatten(inner[start..at].trim(), &prefix, into);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// Paths that code writes out: `crate::a::B`, `super::c`.
fn inline_paths(code: &str) -> Vec<Module> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let words = code.split(|c| !is_part(c)).filter(|word| word.contains("::"));
    let paths = words.map(|word| word.split("::").map(str::to_owned).collect::<Module>());
    paths.filter(|path| ["crate", "super"].contains(&path[0].as_str())).collect()
}

/// A path of a module inside of a file, as the file itself would write it.
fn from_inner_module(mut path: Module) -> Module {
    if path.first().is_some_and(|name| name == "super") {
        path.remove(0);
        if path.first().is_none_or(|name| name != "super") {
            path.insert(0, "self".to_owned());
        }
    }
    path
}

/// A path from the crate's root; `None` where it leads into another crate.
fn absolute(module: &Module, path: &[String], files: &BTreeMap<Module, String>) -> Option<Module> {
    let supers = path.iter().take_while(|name| *name == "super").count();
    let base = match path.first()?.as_str() {
        "crate" => vec![],
        "self" => module.clone(),
        "super" => module[..module.len().checked_sub(supers)?].to_vec(),
        // A module inside of this one, by its name alone.
        name => {
            let inside = [module.clone(), vec![name.to_owned()]].concat();
            return files.contains_key(&inside).then(|| [module.clone(), path.to_vec()].concat());
        }
    };
    let rest = &path[supers.max(usize::from(path[0] != "super"))..];
    Some(
        [base, rest.iter().filter(|name| *name != "*" && *name != "self").cloned().collect()]
            .concat(),
    )
}

/// The module that defines what a path names.
fn defining(
    path: Module,
    files: &BTreeMap<Module, String>,
    re_exports: &BTreeMap<Module, Module>,
) -> Module {
    let mut path = path;
    loop {
        let length = (0..=path.len()).rev().find(|length| files.contains_key(&path[..*length]));
        let length = length.expect("the crate has a root");
        match re_exports.get(&path[..path.len().min(length + 1)]) {
            Some(target) if target[..] != path[..path.len().min(length + 1)] => {
                path = [target.clone(), path[(length + 1).min(path.len())..].to_vec()].concat();
            }
            _ => return path[..length].to_vec(),
        }
    }
}
