//! Connecting to Postgres: the URL, TLS, and connections that are driven by one shared runtime.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use deadpool_postgres::{Connect, Manager, ManagerConfig};
use secrecy::{ExposeSecret, SecretString};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::StoreError;
use super::error::{NO_ANSWER, describe};
use crate::config::{DatabaseConfig, PostgresUrl};
use crate::tls;

/// How long sent data may go unacknowledged before a connection counts as dead.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a load or a migration waits for a lock that another one holds.
const LOCK_TIMEOUT_S: u32 = 600;
/// The silence after which a keepalive probe is sent, and the interval between probes. A connection
/// whose other end vanished is dead after both: the first probe is older than `TCP_USER_TIMEOUT` by
/// then.
const TCP_KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const TCP_KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// The address of Postgres and the credentials for it.
#[derive(Clone)]
pub struct Database {
    config: Config,
    connect_timeout: Duration,
    /// For one step of a load.
    pub(super) load_timeout: Duration,
    connector: Connector,
}

impl Database {
    /// Postgres without a transaction pooler, for work that needs a session of its own.
    ///
    /// # Errors
    /// If only the URL of a transaction pooler is known, or the URL or the certificate authority
    /// can't be read.
    pub fn new(config: &DatabaseConfig) -> Result<Self, StoreError> {
        let (variable, url) = config.direct_url().ok_or(StoreError::NeedsSession)?;
        let ca_file = config.database_direct_url.as_ref().unwrap_or(&config.database_url).ca_file();
        Self::with_url(variable, url, ca_file, config)
    }

    /// The Postgres at the URL in `variable`.
    pub(super) fn at(
        variable: &'static str,
        url: &PostgresUrl,
        config: &DatabaseConfig,
    ) -> Result<Self, StoreError> {
        Self::with_url(variable, url.url(), url.ca_file(), config)
    }

    fn with_url(
        variable: &'static str,
        url: &SecretString,
        ca_file: Option<&Path>,
        config: &DatabaseConfig,
    ) -> Result<Self, StoreError> {
        let mut pg = parse_url(url.expose_secret())
            .map_err(|reason| StoreError::Url { variable, reason })?;
        let connect_timeout = Duration::from_millis(config.database_connect_timeout_ms);
        pg.connect_timeout(connect_timeout)
            .tcp_user_timeout(TCP_USER_TIMEOUT)
            .keepalives(true)
            .keepalives_idle(TCP_KEEPALIVE_IDLE)
            .keepalives_interval(TCP_KEEPALIVE_INTERVAL)
            .application_name("tickerd");
        let load_timeout = Duration::from_secs(config.database_load_timeout_s);
        let tls = match pg.get_ssl_mode() {
            SslMode::Disable => None,
            _ => Some(MakeRustlsConnect::new(tls::client_config(
                config.database_ca_file.as_deref().or(ca_file),
            )?)),
        };
        Ok(Self {
            config: pg,
            connect_timeout,
            load_timeout,
            connector: Connector { tls, runtime: Handle::current(), links: Arc::default() },
        })
    }

    /// What happens to the connections to this Postgres.
    pub(super) fn links(&self) -> Arc<Links> {
        self.connector.links.clone()
    }

    /// Creates the connections of a pool. The server cancels statements after `statement_timeout`.
    pub(super) fn manager(
        mut self,
        manager_config: ManagerConfig,
        statement_timeout: Option<Duration>,
    ) -> Manager {
        if let Some(timeout) = statement_timeout {
            self.add_options(&format!("-c statement_timeout={}", timeout.as_millis()));
        }
        Manager::from_connect(self.config, self.connector, manager_config)
    }

    /// A connection outside of the pools, for work without a time limit.
    ///
    /// # Errors
    /// If Postgres can't be reached, rejects the credentials, or is behind a pooler that keeps no
    /// session.
    pub async fn connect_unpooled(&self) -> Result<Client, StoreError> {
        let mut direct = self.clone();
        // Overrides the defaults of the role. A transaction pooler rejects options, which is how it
        // is detected.
        direct.add_options(&format!("-c lock_timeout={LOCK_TIMEOUT_S}s -c statement_timeout=0"));
        direct.connect().await.map_err(|error| match error {
            StoreError::BehindPooler(_) => StoreError::NeedsSession,
            error => error,
        })
    }

    pub(super) async fn connect(&self) -> Result<Client, StoreError> {
        // The driver's own time-out ends once the server accepts, and a hanging server accepts.
        let connected =
            tokio::time::timeout(self.connect_timeout, self.connector.connect(&self.config)).await;
        let connected = connected.map_err(|_| StoreError::Unreachable(NO_ANSWER.to_owned()))?;
        connected.map(|(client, _)| client).map_err(|e| StoreError::from_connecting(&e))
    }

    pub(super) fn add_options(&mut self, options: &str) {
        let given =
            self.config.get_options().map(|options| format!("{options} ")).unwrap_or_default();
        self.config.options(format!("{given}{options}"));
    }
}

/// What happens to the connections to one Postgres. A new one may lead to another machine, or to
/// another history of the data.
#[derive(Default)]
pub(super) struct Links {
    opened: AtomicU64,
    changed: Notify,
}

impl Links {
    /// The number of connections that were opened so far.
    pub(super) fn opened(&self) -> u64 {
        self.opened.load(Ordering::Acquire)
    }

    /// Waits until a connection was opened or lost since the last call.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn open(&self) {
        self.opened.fetch_add(1, Ordering::AcqRel);
        self.changed.notify_one();
    }
}

#[derive(Clone)]
struct Connector {
    tls: Option<MakeRustlsConnect>,
    runtime: Handle,
    links: Arc<Links>,
}

/// Opens and drives every connection on one runtime. On the single thread of the HTTP worker that
/// opened it, a connection would stall whenever that worker is busy.
impl Connect for Connector {
    fn connect(
        &self,
        config: &Config,
    ) -> std::pin::Pin<
        Box<
            dyn Future<Output = Result<(Client, JoinHandle<()>), tokio_postgres::Error>>
                + Send
                + '_,
        >,
    > {
        let config = config.clone();
        let tls = self.tls.clone();
        let (runtime, links) = (self.runtime.clone(), self.links.clone());
        let connecting = self.runtime.spawn(async move {
            let connected = match tls {
                Some(tls) => {
                    let (client, connection) = config.connect(tls).await?;
                    (client, runtime.spawn(drive(connection, links.clone())))
                }
                None => {
                    let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
                    (client, runtime.spawn(drive(connection, links.clone())))
                }
            };
            links.open();
            Ok(connected)
        });
        // A caller that stops waiting ends the attempt: otherwise a server that accepts and stays
        // silent would collect sockets.
        let mut connecting = AbortOnDrop(connecting);
        Box::pin(async move {
            (&mut connecting.0)
                .await
                .expect("connecting does not panic, and its runtime outlives the pool")
        })
    }
}

struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn drive(
    connection: impl Future<Output = Result<(), tokio_postgres::Error>>,
    links: Arc<Links>,
) {
    if let Err(e) = connection.await {
        tracing::warn!(cause = %describe(&e), "lost a connection to Postgres");
        links.changed.notify_one();
    }
}

/// Parses a URL. Without `sslmode`, connections to this machine use no TLS, and others use it if
/// the server offers it.
fn parse_url(url: &str) -> Result<Config, String> {
    // The driver's error names the parameter or the part, never a value.
    let mut config: Config = url.parse().map_err(|e: tokio_postgres::Error| describe(&e))?;
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err("expected postgres://user:password@host:port/name".to_owned());
    }
    if !url.contains("sslmode=") && config.get_hosts().iter().all(is_this_machine) {
        config.ssl_mode(SslMode::Disable);
    }
    Ok(config)
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
        }
        Host::Unix(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_off_only_for_this_machine_or_on_request() {
        for (url, mode) in [
            ("postgres://u:p@localhost/d", SslMode::Disable),
            ("postgres://u:p@127.0.0.1:5433/d", SslMode::Disable),
            ("postgres://u:p@db.example/d", SslMode::Prefer),
            ("postgres://u:p@db.example/d?sslmode=disable", SslMode::Disable),
            ("postgres://u:p@localhost/d?sslmode=require", SslMode::Require),
        ] {
            assert_eq!(parse_url(url).unwrap().get_ssl_mode(), mode, "{url}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_server_that_accepts_and_stays_silent_collects_no_sockets() {
        use clap::Parser;
        use tokio::io::AsyncReadExt;
        #[derive(Parser)]
        struct TestCli {
            #[command(flatten)]
            database: DatabaseConfig,
        }
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("postgres://u:p@{}/d", silent.local_addr().unwrap());
        let cli = TestCli::parse_from([
            "test",
            "--database-url",
            &url,
            "--database-connect-timeout-ms",
            "100",
        ]);
        let store = crate::store::Store::new(&cli.database).unwrap();
        for _ in 0..5 {
            assert!(store.ping(Duration::from_secs(1)).await.is_err());
            let (mut socket, _) = silent.accept().await.unwrap();
            let mut received = Vec::new();
            let closed =
                tokio::time::timeout(Duration::from_secs(5), socket.read_to_end(&mut received))
                    .await;
            assert!(closed.is_ok(), "the socket stays open");
        }
    }

    #[test]
    fn an_invalid_url_is_rejected_without_showing_its_password() {
        for url in ["postgres://u:sesame@h/d?sslmode=sesame", "sesame", "postgres://u:sesame@/d"] {
            let error = parse_url(url).unwrap_err();
            assert!(!error.contains("sesame"), "{error}");
        }
    }
}
