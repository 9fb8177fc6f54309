//! The proxy samples in deploy/, unchanged except for addresses and TLS. Behind them a client can't
//! choose the address that it is counted under.

use std::net::IpAddr;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::auth::with_checksum;
use crate::support::{
    App, Database, Program, client, eventually, free_port, id_of, run, scratch, server_dir,
};

const PATH: &str = "/api/stocks/AAPL";

pub struct Proxy {
    pub url: String,
    _program: Program,
}

/// Replaces a part of a sample, which must be there.
fn replace_part(text: &str, sample: &str, replacement: &str) -> String {
    assert!(text.contains(sample), "the sample no longer contains {sample}");
    text.replace(sample, replacement)
}

pub fn addresses(apps: &[App]) -> Vec<String> {
    apps.iter().map(|app| app.address().to_owned()).collect()
}

/// Starts nginx with `deploy/nginx.conf`, without TLS, in front of the instances at these
/// addresses.
pub async fn nginx(parent: &Path, instances: &[String]) -> Proxy {
    let dir = server_dir(parent, "nginx");
    let port = free_port();
    let sample = std::fs::read_to_string("deploy/nginx.conf").unwrap();
    let (_, secure) =
        sample.split_once("listen 443 ssl;").expect("the sample has a server with TLS");
    let upstream = sample
        .split_once("server {\n    listen 80")
        .expect("the sample begins with its instances")
        .0;
    let line = |address: &String| format!("server {address} max_fails=1 fail_timeout=1s;\n");
    let upstream = replace_part(upstream, "server 127.0.0.1:3001 max_fails=1 fail_timeout=1s;", "");
    let all = instances.iter().map(line).collect::<String>();
    let upstream =
        replace_part(&upstream, "server 127.0.0.1:3000 max_fails=1 fail_timeout=1s;", &all);
    let secure = secure
        .lines()
        .filter(|line| !line.trim_start().starts_with("ssl_"))
        .collect::<Vec<_>>()
        .join("\n");
    let secure = replace_part(&secure, "/var/log/nginx/access.log", "access.log");
    let secure = replace_part(&secure, "/var/log/nginx/error.log", "error.log");
    let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {kind};\n"));
    let config = format!(
        "daemon off;\npid nginx.pid;\nevents {{ worker_connections 512; }}\n\
         http {{\naccess_log off;\n{}{upstream}
         server {{\nlisten 127.0.0.1:{port};\n{secure}\n}}\n",
        paths.concat()
    );
    std::fs::write(dir.join("nginx.conf"), config).unwrap();
    let prefix = dir.to_str().unwrap();
    let program =
        Program::start(&dir, "nginx", &["-p", prefix, "-c", "nginx.conf", "-e", "stderr"]);
    wait_until_ready(Proxy { url: format!("http://127.0.0.1:{port}"), _program: program }).await
}

/// Starts Caddy with `deploy/Caddyfile`, without TLS, in front of the instances at these addresses.
async fn caddy(parent: &Path, instances: &[String]) -> Proxy {
    let dir = server_dir(parent, "caddy");
    let port = free_port();
    let sample = std::fs::read_to_string("deploy/Caddyfile").unwrap();
    let addresses = instances.join(" ");
    let sample = replace_part(&sample, "{\n\t# What", "{\n\tadmin off\n\t# What");
    std::fs::write(dir.join("Caddyfile"), sample).unwrap();
    let variables = [
        ("HOME", dir.to_str().unwrap()),
        ("SITE", &format!("http://127.0.0.1:{port}")),
        ("INSTANCES", &addresses),
    ];
    let variables = variables.map(|(name, value)| format!("{name}={value}"));
    let run = ["caddy", "run", "--adapter", "caddyfile", "--config", "Caddyfile"];
    let run = [variables.each_ref().map(String::as_str).as_slice(), &run].concat();
    let program = Program::start(&dir, "env", &run);
    wait_until_ready(Proxy { url: format!("http://127.0.0.1:{port}"), _program: program }).await
}

async fn wait_until_ready(proxy: Proxy) -> Proxy {
    eventually("the proxy responds", Duration::from_secs(10), async || {
        reqwest::get(&proxy.url).await.is_ok()
    })
    .await;
    proxy
}

/// A client that sends requests from one address of this machine, each over a new connection.
struct LocalClient(Client);

impl LocalClient {
    fn at(address: &str) -> Self {
        let address: IpAddr = address.parse().unwrap();
        Self(
            Client::builder()
                .local_address(address)
                .timeout(Duration::from_secs(60))
                .pool_max_idle_per_host(0)
                .build()
                .unwrap(),
        )
    }

    async fn get_status(&self, url: &str, key: &str, forged: &str) -> StatusCode {
        let request = self
            .0
            .get(format!("{url}{PATH}"))
            .header("x-api-key", key)
            .header("x-forwarded-for", forged);
        request.send().await.expect("a response").status()
    }
}

/// Two instances that allow three invalid keys a minute from one address, and trust proxies on this
/// machine.
async fn two_counting_failures() -> (TempDir, Database, [App; 2]) {
    let database = Database::sample().await;
    let start = || {
        App::with(
            &database,
            &[("AUTH_FAILURES_PER_MINUTE_MAX", "3"), ("TRUSTED_PROXIES", "127.0.0.1")],
        )
    };
    let apps = [start().await, start().await];
    (scratch(), database, apps)
}

/// Sends invalid keys, each with another forged address, until they are refused. That takes three
/// on each instance.
async fn assert_forged_addresses_are_ignored(client: &LocalClient, url: &str, like: &str) {
    let mut statuses = Vec::new();
    for n in 0..12 {
        let wrong = with_checksum(&format!("tk_live_{n:012}_{}", &like[21..53]));
        statuses.push(
            client.get_status(url, &wrong, &format!("198.51.100.{n}, 10.0.0.{n}")).await.as_u16(),
        );
    }
    assert!(statuses.starts_with(&[401]) && statuses.ends_with(&[429, 429]), "{statuses:?}");
}

#[tokio::test]
#[ignore = "needs nginx and caddy: make test-scale"]
async fn behind_nginx_and_caddy_a_client_cannot_choose_the_address_it_is_counted_under() {
    let (scratch, database, apps) = two_counting_failures().await;
    let both = addresses(&apps);
    for (offset, proxy) in
        [(10, nginx(scratch.path(), &both).await), (20, caddy(scratch.path(), &both).await)]
    {
        let [forger, other, direct] =
            [1, 2, 3].map(|n| LocalClient::at(&format!("127.0.0.{}", offset + n)));
        let (known, new) = (database.issue("free"), database.issue("free"));
        assert_forged_addresses_are_ignored(&forger, &proxy.url, &known).await;
        // Other clients are not affected: neither one with another address nor the forged address.
        assert_eq!(other.get_status(&proxy.url, &new, "").await, 200);
        assert_eq!(other.get_status(&proxy.url, &known, "198.51.100.1").await, 200);
        // A client that bypasses the proxy is not trusted either.
        assert_forged_addresses_are_ignored(
            &direct,
            &format!("http://{}", apps[0].address()),
            &known,
        )
        .await;
    }
}

#[tokio::test]
#[ignore = "needs nginx and caddy: make test-scale"]
async fn the_nginx_sample_logs_no_key_from_a_url() {
    let (scratch, database, apps) = two_counting_failures().await;
    let proxy = nginx(scratch.path(), &addresses(&apps)).await;
    let key = database.issue("free");
    let response = reqwest::get(format!("{}/api/stocks?apikey={key}", proxy.url)).await.unwrap();
    assert_eq!(response.status(), 200);
    let log = scratch.path().join("nginx/access.log");
    let read = || std::fs::read_to_string(&log).unwrap_or_default();
    eventually("the request is logged", Duration::from_secs(5), async || {
        read().contains("\"GET /api/stocks\" 200")
    })
    .await;
    assert!(!read().contains(id_of(&key)), "{}", read());
}

/// The text of all files in a directory.
fn text_of_files(dir: &Path) -> String {
    let files = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file());
    files.map(|path| std::fs::read_to_string(path).unwrap_or_default()).collect()
}

#[tokio::test]
#[ignore = "needs nginx and caddy: make test-scale"]
async fn neither_sample_logs_a_key_when_no_instance_responds() {
    let scratch = scratch();
    let key = Database::sample().await.issue("free");
    let away = [format!("127.0.0.1:{}", free_port())];
    let proxies = [nginx(scratch.path(), &away).await, caddy(scratch.path(), &away).await];
    for (proxy, (name, logged)) in
        proxies.iter().zip([("nginx", "\"GET /api/stocks\" 502"), ("caddy", "/api/stocks?...")])
    {
        let request = client().get(format!("{}/api/stocks?apikey={key}&APIKEY={key}", proxy.url));
        let response = request.header("x-api-key", &key).bearer_auth(&key).send().await.unwrap();
        assert!(response.status().is_server_error(), "{name}");
        let log = || text_of_files(&scratch.path().join(name));
        eventually("the request is logged", Duration::from_secs(5), async || {
            log().contains(logged)
        })
        .await;
        assert!(!log().contains(id_of(&key)), "{}", log());
    }
}

/// An instance that reports itself healthy and closes the connection after each other request. It
/// records the heads of the requests.
async fn failing_instance(read: Arc<Mutex<Vec<String>>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n")
                && connection.read_buf(&mut head).await.is_ok_and(|count| count > 0)
            {}
            if head.starts_with(b"GET /health ") {
                let _ = connection
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                    .await;
            }
            read.lock().unwrap().push(String::from_utf8_lossy(&head).into_owned());
        }
    });
    address
}

#[tokio::test]
#[ignore = "needs nginx and caddy: make test-scale"]
async fn writes_are_sent_to_one_instance_only_and_reads_are_retried_on_the_next() {
    let scratch = scratch();
    let read = Arc::new(Mutex::new(Vec::new()));
    let instances = [failing_instance(read.clone()).await, failing_instance(read.clone()).await];
    let proxies = [
        ("nginx", nginx(scratch.path(), &instances).await),
        ("caddy", caddy(scratch.path(), &instances).await),
    ];
    for (name, proxy) in proxies {
        for (method, again) in [(Method::GET, true), (Method::POST, false), (Method::PATCH, false)]
        {
            // The proxy skips a failed instance for a second. Of four requests that arrive, at
            // least one finds both instances in use.
            let mut sent = 0;
            let mut arrived = 0;
            eventually("enough requests arrive", Duration::from_secs(20), async || {
                sent += 1;
                let path = format!("/{name}/{sent}");
                let response = client()
                    .request(method.clone(), format!("{}{path}", proxy.url))
                    .send()
                    .await
                    .unwrap();
                assert!(response.status().is_server_error());
                let head = format!("{method} {path} ");
                let times = read.lock().unwrap().iter().filter(|it| it.starts_with(&head)).count();
                assert!(again || times <= 1, "{name} sent a {method} {times} times");
                arrived += usize::from(times > 0);
                if again { times > 1 } else { arrived == 4 }
            })
            .await;
        }
    }
}

#[tokio::test]
#[ignore = "needs nginx and caddy: make test-scale"]
async fn writes_go_to_the_next_instance_if_one_is_unreachable() {
    let scratch = scratch();
    let database = Database::sample().await;
    let app = App::without_redis(&database).await;
    let key = database.issue("pro");
    let instances = [format!("127.0.0.1:{}", free_port()), app.address().to_owned()];
    let proxies =
        [nginx(scratch.path(), &instances).await, caddy(scratch.path(), &instances).await];
    for (at, proxy) in proxies.iter().enumerate() {
        for n in 0..8 {
            let body = serde_json::json!({ "name": format!("{at} {n}") });
            let request =
                client().post(format!("{}/api/watchlists", proxy.url)).header("x-api-key", &key);
            assert_eq!(request.json(&body).send().await.unwrap().status(), 201, "{body}");
            // The proxy tries the failed instance again meanwhile.
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }
}

#[tokio::test]
#[ignore = "needs nginx and caddy: make test-scale"]
async fn the_samples_are_accepted_by_the_programs_they_are_for() {
    let scratch = scratch();
    let dir = server_dir(scratch.path(), "samples");
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["api.example.com".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    std::fs::write(dir.join("fullchain.pem"), certificate.pem()).unwrap();
    std::fs::write(dir.join("privkey.pem"), key.serialize_pem()).unwrap();
    let sample = std::fs::read_to_string("deploy/nginx.conf").unwrap();
    let sample =
        replace_part(&sample, "/etc/letsencrypt/live/api.example.com", dir.to_str().unwrap());
    let config = format!("pid {0}/pid;\nevents {{}}\nhttp {{\n{sample}\n}}\n", dir.display());
    std::fs::write(dir.join("nginx.conf"), config).unwrap();
    let config = dir.join("nginx.conf");
    let mut nginx = Command::new("nginx");
    nginx.args(["-t", "-e", "stderr", "-p", dir.to_str().unwrap(), "-c", config.to_str().unwrap()]);
    let mut caddy = Command::new("caddy");
    caddy
        .args(["validate", "--adapter", "caddyfile", "--config", "deploy/Caddyfile"])
        .env("HOME", &dir);
    for mut checks in [nginx, caddy] {
        let output = run(&mut checks);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
