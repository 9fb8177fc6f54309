//! Clients that usual generators make from the OpenAPI document work as they are.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{App, Database, Files, run};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Runs a program of `make test-openapi` to its end, and returns what it printed.
fn output_of(command: &mut Command) -> String {
    let output = run(command);
    let text =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{command:?}: {text:?}");
    text.concat()
}

/// A server with the sample, a key, and the document in a file.
async fn served(files: &Files) -> (App, String, String) {
    let database = Database::sample().await;
    let app = App::without_redis(&database).await;
    let document = app.request("GET", "/openapi.json").send().await.unwrap().text().await.unwrap();
    let path = files.write("openapi.json", document);
    (app, database.issue("pro"), path)
}

#[tokio::test]
#[ignore = "needs openapi-python-client: make test-openapi"]
async fn a_generated_python_client_reads_prices_and_errors() {
    let files = Files::new();
    let (app, key, document) = served(&files).await;
    let bin = Path::new(ROOT).join("target/schemathesis/bin");
    let generated = format!("{}/python", files.path());
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let printed = output_of(
        Command::new(bin.join("openapi-python-client"))
            .args(["generate", "--fail-on-warning", "--path", &document])
            .args(["--config", "tests/openapi/python-client.yaml", "--output-path", &generated])
            .env("PATH", path),
    );
    assert!(!printed.to_lowercase().contains("warning"), "{printed}");
    output_of(
        Command::new(bin.join("python"))
            .args(["tests/openapi/client.py", &app.url(""), &key])
            .env("PYTHONPATH", generated),
    );
}

#[tokio::test]
#[ignore = "needs openapi-typescript: make test-openapi"]
async fn a_generated_typescript_client_compiles_and_reads_prices_and_errors() {
    let files = Files::new();
    let (app, key, document) = served(&files).await;
    let dir: PathBuf = Path::new(ROOT).join("tests/openapi");
    let program = |name: &str| {
        let mut command = Command::new(dir.join("node_modules/.bin").join(name));
        command.current_dir(&dir);
        command
    };
    let printed = output_of(program("openapi-typescript").args([
        &document,
        "--output",
        "generated/schema.d.ts",
    ]));
    assert!(!printed.to_lowercase().contains("warn"), "{printed}");
    output_of(program("tsc").args([
        "--strict",
        "--noUncheckedIndexedAccess",
        "--target",
        "es2022",
        "--module",
        "esnext",
        "--moduleResolution",
        "bundler",
        "--skipLibCheck",
        "--outDir",
        "generated",
        "client.ts",
    ]));
    output_of(Command::new("node").current_dir(&dir).args([
        "generated/client.js",
        &app.url(""),
        &key,
    ]));
}
