//! What the binary carries: the page for people, the reference and their parts, packed. Migrations
//! are embedded by a macro, which alone would not notice a new file.
//!
//! A file below `web/` names another as `"/assets/NAME"`. It is served under a name that changes
//! with its content, so that browsers may keep it for good; the names are put in here.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};
use std::{env, fs};

use flate2::Compression;
use flate2::write::GzEncoder;

/// Pages are served under a path of their own, as they are: what is theirs has to be looked for at
/// each visit.
const PAGES: [&str; 2] = ["index.html", "docs.html"];
const OWN: [&str; 6] = ["app.js", "docs.js", "base.css", "page.css", "docs.css", "icon.svg"];
/// What is taken from packages: (path there, name here).
const TAKEN: [(&str, &str); 3] = [
    (
        "lightweight-charts/dist/lightweight-charts.standalone.production.mjs",
        "lightweight-charts.js",
    ),
    ("swagger-ui-dist/swagger-ui-bundle.js", "swagger-ui.js"),
    ("swagger-ui-dist/swagger-ui.css", "swagger-ui.css"),
];
/// The terms that those packages are passed on under.
const TERMS: [&str; 4] = [
    "lightweight-charts/LICENSE",
    "swagger-ui-dist/LICENSE",
    "swagger-ui-dist/NOTICE",
    "swagger-ui-dist/swagger-ui-bundle.js.LICENSE.txt",
];
const TERMS_NAME: &str = "licences.txt";
/// What the first needs to be told beside its licence; a package inside it that has no file of its
/// own.
const NOTICES: &str = "TradingView Lightweight Charts\u{2122}\nCopyright (c) 2026 TradingView, Inc. https://www.tradingview.com/\n\
    fancy-canvas, inside it: MIT licence, by smakarov@tradingview.com\n\n";

fn main() {
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-changed=web/package-lock.json");
    println!("cargo:rerun-if-changed=web/app");
    for name in PAGES.iter().chain(&OWN) {
        println!("cargo:rerun-if-changed=web/{name}");
    }
    let packages = packages();
    let mut files = own_files();
    let taken = TAKEN.map(|(path, name)| (name.to_owned(), read(&packages.join(path))));
    files.extend(taken);
    files.insert(TERMS_NAME.to_owned(), terms(&packages));
    let names = served_names(&files);
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo says where"));
    let (mut pages, mut assets) = (String::new(), String::new());
    for (name, content) in &files {
        let taken = TAKEN.iter().any(|(_, taken)| taken == name);
        let content =
            if taken || name == TERMS_NAME { content.clone() } else { linked(content, &names) };
        let packed = out.join(format!("{name}.gz"));
        fs::write(&packed, gzip(content.as_bytes())).expect("cargo's directory can be written to");
        let (served, media, tag) = (&names[name], media(name), hash(&content));
        let file =
            format!("File::new({served:?}, {media:?}, \"{tag:016x}\", include_bytes!({packed:?}))");
        match PAGES.iter().position(|page| page == name) {
            Some(at) => writeln!(pages, "pub static {}: File = {file};", ["PAGE", "REFERENCE"][at]),
            None => writeln!(assets, "    {file},"),
        }
        .expect("a text takes any text");
    }
    let code = format!(
        "{pages}pub static ASSETS: [File; {}] = [\n{assets}];\n",
        files.len() - PAGES.len()
    );
    fs::write(out.join("site.rs"), code).expect("cargo's directory can be written to");
}

/// Where the packages are that `web/package-lock.json` names; npm is asked for them where they are
/// not there yet.
fn packages() -> PathBuf {
    let (lock, installed) =
        (Path::new("web/package-lock.json"), Path::new("web/node_modules/.package-lock.json"));
    let written = |path: &Path| path.metadata().and_then(|it| it.modified()).ok();
    if written(installed) < written(lock) {
        let npm = [
            "ci",
            "--prefix",
            "web",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
        ];
        match Command::new("npm").args(npm).status() {
            Ok(status) if status.success() => {}
            Ok(status) => stop(&format!(
                "npm could not install what web/package-lock.json names ({status}): see above"
            )),
            Err(_) => stop(
                "npm is missing, which the page is built with: install Node.js 18 or newer, or run `make tools`",
            ),
        }
    }
    PathBuf::from("web/node_modules")
}

fn own_files() -> BTreeMap<String, String> {
    let own = PAGES.iter().chain(&OWN).map(|name| (*name).to_owned());
    let mut files: BTreeMap<_, _> =
        own.map(|name| (name.clone(), read(&Path::new("web").join(name)))).collect();
    for entry in fs::read_dir("web/app").expect("the page's parts are there") {
        let path = entry.expect("a directory can be read").path();
        let name =
            path.file_name().and_then(|name| name.to_str()).expect("names are plain").to_owned();
        let before = files.insert(name, read(&path));
        assert!(before.is_none(), "{} has a name that is taken", path.display());
    }
    files
}

fn terms(packages: &Path) -> String {
    let texts = TERMS.iter().map(|path| format!("{path}\n\n{}\n\n", read(&packages.join(path))));
    std::iter::once(NOTICES.to_owned()).chain(texts).collect()
}

/// The name that each file is served under: one hash of all, since they name each other.
fn served_names(files: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let hash = hash(files);
    let served = |name: &String| {
        let (stem, extension) = name.rsplit_once('.').expect("a file has an extension");
        format!("{stem}.{hash:016x}.{extension}")
    };
    files.keys().map(|name| (name.clone(), served(name))).collect()
}

fn linked(text: &str, names: &BTreeMap<String, String>) -> String {
    names.iter().fold(text.to_owned(), |text, (name, served)| {
        text.replace(&format!("\"/assets/{name}\""), &format!("\"/assets/{served}\""))
    })
}

fn media(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    }
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder
        .write_all(content)
        .and_then(|()| encoder.finish())
        .expect("memory takes what is written")
}

fn hash(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path)
        .unwrap_or_else(|error| stop(&format!("can't read {}: {error}", path.display())))
}

fn stop(sentence: &str) -> ! {
    eprintln!("{sentence}");
    exit(1)
}
