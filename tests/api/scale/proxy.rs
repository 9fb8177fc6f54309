//! The samples of proxies in deploy/, as they are but for addresses and TLS: a client can't choose
//! the address that it is counted under.

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

/// Replaces what has to be there.
fn put(text: &str, sample: &str, ours: &str) -> String {
    assert!(text.contains(sample), "the sample no longer says {sample}");
    text.replace(sample, ours)
}

pub fn addresses(apps: &[App]) -> Vec<String> {
    apps.iter().map(|app| app.address().to_owned()).collect()
}

/// `deploy/nginx.conf` without TLS, before the instances at these addresses.
pub async fn nginx(parent: &Path, instances: &[String]) -> Proxy {
    let (dir, port) = (server_dir(parent, "nginx"), free_port());
    let sample = std::fs::read_to_string("deploy/nginx.conf").unwrap();
    let (_, secure) = sample.split_once("listen 443 ssl;").expect("the sample speaks TLS");
    let upstream = sample
        .split_once("server {\n    listen 80")
        .expect("the sample names its instances first")
        .0;
    let line = |address: &String| format!("server {address} max_fails=1 fail_timeout=1s;\n");
    let upstream = put(upstream, "server 127.0.0.1:3001 max_fails=1 fail_timeout=1s;", "");
    let all = instances.iter().map(line).collect::<String>();
    let upstream = put(&upstream, "server 127.0.0.1:3000 max_fails=1 fail_timeout=1s;", &all);
    let secure = secure
        .lines()
        .filter(|line| !line.trim_start().starts_with("ssl_"))
        .collect::<Vec<_>>()
        .join("\n");
    let secure = put(&secure, "/var/log/nginx/access.log", "access.log");
    let secure = put(&secure, "/var/log/nginx/error.log", "error.log");
    let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("{what}_temp_path {what};\n"));
    let config = format!(
        "daemon off;\npid nginx.pid;\nevents {{ worker_connections 512; }}\nhttp {{\naccess_log off;\n{}{upstream}
         server {{\nlisten 127.0.0.1:{port};\n{secure}\n}}\n",
        paths.concat()
    );
    std::fs::write(dir.join("nginx.conf"), config).unwrap();
    let prefix = dir.to_str().unwrap();
    let program =
        Program::start(&dir, "nginx", &["-p", prefix, "-c", "nginx.conf", "-e", "stderr"]);
    listening(Proxy { url: format!("http://127.0.0.1:{port}"), _program: program }).await
}

/// `deploy/Caddyfile`, told to speak no TLS, before the instances at these addresses.
async fn caddy(parent: &Path, instances: &[String]) -> Proxy {
    let (dir, port) = (server_dir(parent, "caddy"), free_port());
    let sample = std::fs::read_to_string("deploy/Caddyfile").unwrap();
    let (addresses, sample) =
        (instances.join(" "), put(&sample, "{\n\t# What", "{\n\tadmin off\n\t# What"));
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
    listening(Proxy { url: format!("http://127.0.0.1:{port}"), _program: program }).await
}

async fn listening(proxy: Proxy) -> Proxy {
    eventually("the proxy answers", Duration::from_secs(10), async || {
        reqwest::get(&proxy.url).await.is_ok()
    })
    .await;
    proxy
}

/// Requests from an address of this machine, each on a connection of its own.
struct Caller(Client);

impl Caller {
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

    async fn ask(&self, url: &str, key: &str, forged: &str) -> StatusCode {
        let request = self
            .0
            .get(format!("{url}{PATH}"))
            .header("x-api-key", key)
            .header("x-forwarded-for", forged);
        request.send().await.expect("an answer").status()
    }
}

/// Two instances that count three wrong keys a minute from one address, and believe proxies on this
/// one.
async fn counting() -> (TempDir, Database, [App; 2]) {
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

/// Wrong keys under a new name each, until that is refused, which takes three on each instance.
async fn is_refused_whatever_it_says(caller: &Caller, url: &str, like: &str) {
    let mut statuses = Vec::new();
    for n in 0..12 {
        let wrong = with_checksum(&format!("tk_live_{n:012}_{}", &like[21..53]));
        statuses
            .push(caller.ask(url, &wrong, &format!("198.51.100.{n}, 10.0.0.{n}")).await.as_u16());
    }
    assert!(statuses.starts_with(&[401]) && statuses.ends_with(&[429, 429]), "{statuses:?}");
}

#[tokio::test]
#[ignore = "needs nginx and caddy: make test-scale"]
async fn behind_nginx_and_behind_caddy_a_client_is_counted_under_its_own_address_whatever_it_says()
{
    let (scratch, database, apps) = counting().await;
    let at_both = addresses(&apps);
    for (at, proxy) in
        [(10, nginx(scratch.path(), &at_both).await), (20, caddy(scratch.path(), &at_both).await)]
    {
        let [forger, other, direct] = [1, 2, 3].map(|n| Caller::at(&format!("127.0.0.{}", at + n)));
        let (known, new) = (database.issue("free"), database.issue("free"));
        is_refused_whatever_it_says(&forger, &proxy.url, &known).await;
        // Nobody else pays for it: neither who comes from elsewhere nor who was named.
        assert_eq!(other.ask(&proxy.url, &new, "").await, 200);
        assert_eq!(other.ask(&proxy.url, &known, "198.51.100.1").await, 200);
        // Past the proxy nobody is believed at all.
        is_refused_whatever_it_says(&direct, &format!("http://{}", apps[0].address()), &known)
            .await;
    }
}

#[tokio::test]
#[ignore = "needs nginx and caddy: make test-scale"]
async fn nginx_as_in_the_sample_writes_down_no_key_that_came_in_a_url() {
    let (scratch, database, apps) = counting().await;
    let (proxy, key) = (nginx(scratch.path(), &addresses(&apps)).await, database.issue("free"));
    let answer = reqwest::get(format!("{}/api/stocks?apikey={key}", proxy.url)).await.unwrap();
    assert_eq!(answer.status(), 200);
    let log = scratch.path().join("nginx/access.log");
    let read = || std::fs::read_to_string(&log).unwrap_or_default();
    eventually("it is logged", Duration::from_secs(5), async || {
        read().contains("\"GET /api/stocks\" 200")
    })
    .await;
    assert!(!read().contains(id_of(&key)), "{}", read());
}

/// Everything that was written below a directory.
fn written(dir: &Path) -> String {
    let files = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file());
    files.map(|path| std::fs::read_to_string(path).unwrap_or_default()).collect()
}

#[tokio::test]
#[ignore = "needs nginx and caddy: make test-scale"]
async fn neither_sample_writes_down_a_key_when_no_instance_answers() {
    let (scratch, key) = (scratch(), Database::sample().await.issue("free"));
    let away = [format!("127.0.0.1:{}", free_port())];
    let proxies = [nginx(scratch.path(), &away).await, caddy(scratch.path(), &away).await];
    for (proxy, (name, logged)) in
        proxies.iter().zip([("nginx", "\"GET /api/stocks\" 502"), ("caddy", "/api/stocks?...")])
    {
        let request = client().get(format!("{}/api/stocks?apikey={key}&APIKEY={key}", proxy.url));
        let answer = request.header("x-api-key", &key).bearer_auth(&key).send().await.unwrap();
        assert!(answer.status().is_server_error(), "{name}");
        let log = || written(&scratch.path().join(name));
        eventually("it is logged", Duration::from_secs(5), async || log().contains(logged)).await;
        assert!(!log().contains(id_of(&key)), "{}", log());
    }
}

/// An instance that is well and goes away with each request that it has read. It writes down what
/// that was.
async fn dying(read: Arc<Mutex<Vec<String>>>) -> String {
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
async fn what_writes_is_sent_to_one_instance_only_and_what_reads_to_the_next_one_too() {
    let (scratch, read) = (scratch(), Arc::new(Mutex::new(Vec::new())));
    let instances = [dying(read.clone()).await, dying(read.clone()).await];
    let proxies = [
        ("nginx", nginx(scratch.path(), &instances).await),
        ("caddy", caddy(scratch.path(), &instances).await),
    ];
    for (name, proxy) in proxies {
        for (method, again) in [(Method::GET, true), (Method::POST, false), (Method::PATCH, false)]
        {
            // One that has failed is left out for a second. Of four that arrive, one at least had
            // both to go to.
            let (mut asked, mut arrived) = (0, 0);
            eventually("it is sent", Duration::from_secs(20), async || {
                asked += 1;
                let path = format!("/{name}/{asked}");
                let answer = client()
                    .request(method.clone(), format!("{}{path}", proxy.url))
                    .send()
                    .await
                    .unwrap();
                assert!(answer.status().is_server_error());
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
async fn what_writes_goes_to_the_next_instance_where_one_can_not_be_reached() {
    let (scratch, database) = (scratch(), Database::sample().await);
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let instances = [format!("127.0.0.1:{}", free_port()), app.address().to_owned()];
    let proxies =
        [nginx(scratch.path(), &instances).await, caddy(scratch.path(), &instances).await];
    for (at, proxy) in proxies.iter().enumerate() {
        for n in 0..8 {
            let body = serde_json::json!({ "name": format!("{at} {n}") });
            let request =
                client().post(format!("{}/api/watchlists", proxy.url)).header("x-api-key", &key);
            assert_eq!(request.json(&body).send().await.unwrap().status(), 201, "{body}");
            // Whoever was left out for having failed is tried again meanwhile.
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
    let sample = put(&sample, "/etc/letsencrypt/live/api.example.com", dir.to_str().unwrap());
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
