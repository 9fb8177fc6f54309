//! Embeds the web pages with their assets, compressed, and the migrations.
//!
//! A file below `web/` refers to another as `"/assets/NAME"`. The server serves it under a name
//! with a hash of the content, so that browsers may cache it forever; this script puts those names
//! in.

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

/// Pages keep their path, so browsers check them at each visit.
const PAGES: [&str; 2] = ["index.html", "docs.html"];
const OWN: [&str; 6] = ["app.js", "docs.js", "base.css", "page.css", "docs.css", "icon.svg"];
/// Files of npm packages: (path in node_modules, name here).
const PACKAGED: [(&str, &str); 3] = [
    (
        "lightweight-charts/dist/lightweight-charts.standalone.production.mjs",
        "lightweight-charts.js",
    ),
    ("swagger-ui-dist/swagger-ui-bundle.js", "swagger-ui.js"),
    ("swagger-ui-dist/swagger-ui.css", "swagger-ui.css"),
];
/// The licences of those packages. The server publishes them as one file.
const LICENCES: [&str; 4] = [
    "lightweight-charts/LICENSE",
    "swagger-ui-dist/LICENSE",
    "swagger-ui-dist/NOTICE",
    "swagger-ui-dist/swagger-ui-bundle.js.LICENSE.txt",
];
const LICENCES_NAME: &str = "licences.txt";
/// The attribution that lightweight-charts requires, and a package inside it that ships no licence
/// file.
const NOTICES: &str = "TradingView Lightweight Charts\u{2122}\n\
    Copyright (c) 2026 TradingView, Inc. https://www.tradingview.com/\n\
    fancy-canvas, inside it: MIT licence, by smakarov@tradingview.com\n\n";

fn main() {
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-changed=web/package-lock.json");
    println!("cargo:rerun-if-changed=web/app");
    for name in PAGES.iter().chain(&OWN) {
        println!("cargo:rerun-if-changed=web/{name}");
    }
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it"));
    let write = |name: &str, content: &[u8]| {
        fs::write(out.join(name), content).expect("cargo's directory is writable");
    };
    write("migrations.rs", migrations().as_bytes());

    let packages = packages();
    let mut files = own_files();
    let packaged = PACKAGED.map(|(path, name)| (name.to_owned(), read(&packages.join(path))));
    files.extend(packaged);
    files.insert(LICENCES_NAME.to_owned(), licences(&packages));
    let names = served_names(&files);
    let (mut pages, mut assets) = (String::new(), String::new());
    for (name, content) in &files {
        let is_packaged = PACKAGED.iter().any(|(_, packaged)| packaged == name);
        let content = if is_packaged || name == LICENCES_NAME {
            content.clone()
        } else {
            linked(content, &names)
        };
        let compressed = format!("{name}.gz");
        write(&compressed, &gzip(content.as_bytes()));
        let (served, media, tag) = (&names[name], media(name), hash(&content));
        let path = out.join(compressed);
        let file =
            format!("File::new({served:?}, {media:?}, \"{tag:016x}\", include_bytes!({path:?}))");
        match PAGES.iter().position(|page| page == name) {
            Some(at) => writeln!(pages, "pub static {}: File = {file};", ["PAGE", "REFERENCE"][at]),
            None => writeln!(assets, "    {file},"),
        }
        .expect("a string takes any text");
    }
    let code = format!(
        "{pages}pub static ASSETS: [File; {}] = [\n{assets}];\n",
        files.len() - PAGES.len()
    );
    write("site.rs", code.as_bytes());
}

/// Code that names every migration and includes its SQL, in the order of their versions.
fn migrations() -> String {
    let mut migrations = Vec::new();
    for entry in fs::read_dir("migrations").expect("the migrations are there") {
        let path = entry.expect("a directory is readable").path();
        if path.extension().is_none_or(|extension| extension != "sql") {
            continue;
        }
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name in UTF-8");
        let version = name.strip_prefix('V').and_then(|rest| rest.split_once("__"));
        let Some(version) = version.and_then(|(version, _)| version.parse::<u32>().ok()) else {
            stop(&format!("{}: expected a name such as V1__tables.sql", path.display()))
        };
        let absolute = fs::canonicalize(&path).expect("the file is there");
        migrations.push((version, format!("    ({name:?}, include_str!({absolute:?})),\n")));
    }
    migrations.sort();
    let items: String = migrations.iter().map(|(_, item)| item.as_str()).collect();
    format!("const MIGRATIONS: [(&str, &str); {}] = [\n{items}];\n", migrations.len())
}

/// The directory of the packages that `web/package-lock.json` lists. Runs npm if they are missing
/// or older than that file.
fn packages() -> PathBuf {
    let (lock, installed) =
        (Path::new("web/package-lock.json"), Path::new("web/node_modules/.package-lock.json"));
    let changed_at = |path: &Path| path.metadata().and_then(|it| it.modified()).ok();
    if changed_at(installed) < changed_at(lock) {
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
                "npm could not install the packages of web/package-lock.json ({status}): see above"
            )),
            Err(_) => stop(
                "npm is missing, and the web page needs it: \
                 install Node.js 18 or newer, or run `make tools`",
            ),
        }
    }
    PathBuf::from("web/node_modules")
}

fn own_files() -> BTreeMap<String, String> {
    let own = PAGES.iter().chain(&OWN).map(|name| (*name).to_owned());
    let mut files: BTreeMap<_, _> =
        own.map(|name| (name.clone(), read(&Path::new("web").join(name)))).collect();
    for entry in fs::read_dir("web/app").expect("the modules of the page are there") {
        let path = entry.expect("a directory is readable").path();
        let name =
            path.file_name().and_then(|name| name.to_str()).expect("a name in UTF-8").to_owned();
        let before = files.insert(name, read(&path));
        assert!(before.is_none(), "{}: another file has the same name", path.display());
    }
    files
}

fn licences(packages: &Path) -> String {
    let texts = LICENCES.iter().map(|path| format!("{path}\n\n{}\n\n", read(&packages.join(path))));
    std::iter::once(NOTICES.to_owned()).chain(texts).collect()
}

/// The name that each file is served under. All share one hash, because they refer to each other.
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
        .expect("writing to memory does not fail")
}

fn hash(content: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path)
        .unwrap_or_else(|error| stop(&format!("cannot read {}: {error}", path.display())))
}

fn stop(message: &str) -> ! {
    eprintln!("{message}");
    exit(1)
}
