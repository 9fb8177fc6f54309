//! TLS to Postgres and Redis: an untrusted certificate is rejected.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use testkit::servers::{Durability, LocalPostgres, LocalRedis, choose_dir};

use crate::support::{self, App, Database, scratch, tickerd};

/// A certificate authority, and the files of a certificate that it signed for 127.0.0.1.
struct Authority {
    ca_file: PathBuf,
    certificate: String,
    key: String,
}

impl Authority {
    fn new(dir: &Path, name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        let ca_file = dir.join(format!("{name}.pem"));
        std::fs::write(&ca_file, authority.pem()).unwrap();
        Self { ca_file, certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

/// Writes a file that only the owner of `dir` can read.
fn write_private(dir: &Path, name: &str, text: &str) -> PathBuf {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    let (path, owner) = (dir.join(name), dir.metadata().unwrap());
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
    path
}

/// Runs a short command that connects to both servers.
fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    support::run(tickerd(arguments).envs(variables.iter().copied()))
}

fn failure(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn postgres_is_reached_over_tls_only_under_a_trusted_certificate() {
    let scratch = scratch();
    let (trusted, other) =
        (Authority::new(scratch.path(), "trusted"), Authority::new(scratch.path(), "other"));
    let dir = choose_dir(&scratch.path().join("servers")).unwrap();
    let server = LocalPostgres::start(&dir, Durability::Throwaway).unwrap();
    let data = dir.join("postgres/data");
    write_private(&data, "server.crt", &trusted.certificate);
    write_private(&data, "server.key", &trusted.key);
    let (client, connection) =
        tokio_postgres::connect(&server.url(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let url = format!("{}?sslmode=require", server.url());
    let without = failure(&run(&["migrate"], &[("DATABASE_URL", &url)]));
    assert!(without.contains("server does not support TLS"), "{without}");
    client.execute("ALTER SYSTEM SET ssl = on", &[]).await.unwrap();
    client.execute("SELECT pg_reload_conf()", &[]).await.unwrap();

    let full = format!("{}?sslmode=verify-full", server.url());
    let ca = |authority: &Authority| authority.ca_file.to_str().unwrap().to_owned();
    for url in [&url, &full] {
        let migrated =
            run(&["migrate"], &[("DATABASE_URL", url), ("DATABASE_CA_FILE", &ca(&trusted))]);
        assert!(migrated.status.success(), "{migrated:?}");
    }
    // As providers print it, with the file in the URL.
    let printed = format!(
        "{}?ssl=true&sslrootcert={}&channel_binding=require",
        server.url().replace("postgres://", "postgresql+asyncpg://"),
        ca(&trusted)
    );
    let migrated = run(&["migrate"], &[("DATABASE_URL", &printed)]);
    assert!(migrated.status.success(), "{migrated:?}");
    let by_name = url.replace("127.0.0.1", "localhost");
    let wrong_host = failure(&run(
        &["migrate"],
        &[("DATABASE_URL", &by_name), ("DATABASE_CA_FILE", &ca(&trusted))],
    ));
    assert!(wrong_host.contains("certificate"), "{wrong_host}");
    let untrusted =
        failure(&run(&["migrate"], &[("DATABASE_URL", &url), ("DATABASE_CA_FILE", &ca(&other))]));
    assert!(untrusted.contains("certificate"), "{untrusted}");
    let by_system = failure(&run(&["migrate"], &[("DATABASE_URL", &url)]));
    assert!(by_system.contains("certificate"), "{by_system}");
}

/// A self-signed certificate as the manual of Postgres makes it: for itself and marked as an
/// authority.
#[tokio::test]
async fn a_server_whose_own_certificate_is_in_the_file_is_trusted_and_no_other() {
    let scratch = scratch();
    let self_signed = |name: &str, is_authority: bool| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["db.example.com".to_owned()]).unwrap();
        if is_authority {
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        }
        let pem = params.self_signed(&key).unwrap().pem();
        let file = scratch.path().join(format!("{name}.pem"));
        std::fs::write(&file, &pem).unwrap();
        (pem, key.serialize_pem(), file.to_str().unwrap().to_owned())
    };
    let other = self_signed("other", true);
    let dir = choose_dir(&scratch.path().join("servers")).unwrap();
    let server = LocalPostgres::start(&dir, Durability::Throwaway).unwrap();
    let (client, connection) =
        tokio_postgres::connect(&server.url(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let url = format!("{}?sslmode=require", server.url());
    for is_authority in [true, false] {
        let (certificate, key, file) = self_signed("own", is_authority);
        let data = dir.join("postgres/data");
        write_private(&data, "server.crt", &certificate);
        write_private(&data, "server.key", &key);
        client.execute("ALTER SYSTEM SET ssl = on", &[]).await.unwrap();
        client.execute("SELECT pg_reload_conf()", &[]).await.unwrap();
        let migrate = |ca: Option<&str>| {
            let mut variables = vec![("DATABASE_URL", url.as_str())];
            variables.extend(ca.map(|file| ("DATABASE_CA_FILE", file)));
            run(&["migrate"], &variables)
        };
        support::eventually("the certificate is in use", Duration::from_secs(10), async || {
            migrate(Some(&file)).status.success()
        })
        .await;
        for untrusted in [None, Some(other.2.as_str())] {
            let message = failure(&migrate(untrusted));
            assert!(message.contains("in the PEM file DATABASE_CA_FILE"), "{message}");
        }
    }
}

#[tokio::test]
async fn redis_is_reached_over_tls_only_under_a_trusted_certificate() {
    let scratch = scratch();
    let (trusted, other) =
        (Authority::new(scratch.path(), "trusted"), Authority::new(scratch.path(), "other"));
    let dir = choose_dir(&scratch.path().join("servers")).unwrap();
    let (postgres, redis) = (
        LocalPostgres::start(&dir, Durability::Throwaway).unwrap(),
        LocalRedis::start(&dir).unwrap(),
    );
    let home = dir.join("redis");
    let certificate = write_private(&home, "server.crt", &trusted.certificate);
    let key = write_private(&home, "server.key", &trusted.key);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (password, plain_port) = redis
        .url()
        .trim_start_matches("redis://:")
        .split_once("@127.0.0.1:")
        .map(|(p, rest)| (p.to_owned(), rest.trim_end_matches("/0").to_owned()))
        .unwrap();
    let set = [
        "tls-cert-file",
        certificate.to_str().unwrap(),
        "tls-key-file",
        key.to_str().unwrap(),
        "tls-ca-cert-file",
        certificate.to_str().unwrap(),
        "tls-auth-clients",
        "no",
        "tls-port",
        &port.to_string(),
    ]
    .map(str::to_owned);
    let output = std::process::Command::new("redis-cli")
        .args(["-p", &plain_port, "-a", &password, "--no-auth-warning", "config", "set"])
        .args(&set)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "OK", "{output:?}");

    let database_url = postgres.url();
    assert!(run(&["migrate"], &[("DATABASE_URL", &database_url)]).status.success());
    let url = format!("rediss://:{password}@127.0.0.1:{port}/0");
    let database = Database::at(&database_url);
    let is_up = async |ca: Option<&Authority>| {
        let mut variables = vec![("REDIS_URL", url.as_str())];
        variables
            .extend(ca.map(|authority| ("REDIS_CA_FILE", authority.ca_file.to_str().unwrap())));
        let app = App::with(&database, &variables).await;
        let started = Instant::now();
        while started.elapsed() < Duration::from_millis(1500) {
            let ready =
                app.request("GET", "/health/ready").send().await.unwrap().text().await.unwrap();
            if ready.contains("\"redis\":\"up\"") {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        false
    };
    assert!(is_up(Some(&trusted)).await);
    assert!(!is_up(Some(&other)).await);
    assert!(!is_up(None).await);
}
