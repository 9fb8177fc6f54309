//! URLs of Postgres as hosting providers and other programs write them.
//!
//! The driver knows one form and few parameters. Parameters that other programs need are translated
//! or left out. A parameter that nobody is known to print is an error: it may be a mistyped one
//! that matters, such as `sslmode`.

use std::borrow::Cow;
use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;
use percent_encoding::percent_decode_str;
use secrecy::SecretString;

const EXPECTED: &str = "expected postgres://user:password@host:port/name";

/// Parameters that the driver reads.
const DRIVERS: [&str; 15] = [
    "user",
    "password",
    "dbname",
    "options",
    "host",
    "hostaddr",
    "port",
    "sslnegotiation",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "target_session_attrs",
    "channel_binding",
    "load_balance_hosts",
];

/// Parameters of other programs, which mean nothing here or have a setting of their own.
const OTHERS: [&str; 27] = [
    "application_name",
    "charset",
    "client_encoding",
    "connect_timeout",
    "connection_limit",
    "encoding",
    "fallback_application_name",
    "gssencmode",
    "max_connections",
    "max_idle_connections",
    "min_connections",
    "pool",
    "pool_size",
    "pool_timeout",
    "prepareThreshold",
    "prepared_statements",
    "reconnect",
    "socket_timeout",
    "sslaccept",
    "sslsni",
    "statement_cache_capacity",
    "statement_cache_size",
    "supa",
    "tcp_user_timeout",
    "timeout",
    "uselibpqcompat",
    "workaround",
];

/// The pooler between tickerd and Postgres.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Pooler {
    /// A direct connection, or a pooler that keeps one connection for each session.
    None,
    /// A pooler that assigns a connection for one transaction.
    Transaction,
}

/// The URL of a Postgres server or of a pooler in front of it.
#[derive(Debug, Clone)]
pub struct PostgresUrl {
    /// As the driver reads it.
    url: SecretString,
    /// What the URL says about a pooler, and why.
    pooler: Option<&'static str>,
    /// The server past the pooler, where the provider's names tell.
    direct: Option<SecretString>,
    ca_file: Option<PathBuf>,
    left_out: Vec<String>,
}

impl PostgresUrl {
    pub fn url(&self) -> &SecretString {
        &self.url
    }

    pub fn pooler(&self) -> Pooler {
        if self.pooler.is_some() { Pooler::Transaction } else { Pooler::None }
    }

    /// Why the URL is that of a transaction pooler.
    pub fn pooler_reason(&self) -> Option<&'static str> {
        self.pooler
    }

    /// The URL past the pooler, if the provider names its servers so that it is known.
    pub fn direct(&self) -> Option<&SecretString> {
        self.direct.as_ref()
    }

    /// The file of `sslrootcert`.
    pub fn ca_file(&self) -> Option<&std::path::Path> {
        self.ca_file.as_deref()
    }

    /// The names of parameters that were left out.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    fn plain(url: &str) -> Self {
        Self { url: url.into(), pooler: None, direct: None, ca_file: None, left_out: Vec::new() }
    }
}

/// Whether a text can be the name of a parameter.
fn is_name(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
}

impl FromStr for PostgresUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = without_command(text.trim());
        let text = text.strip_prefix("jdbc:").unwrap_or(text);
        let Some((scheme, rest)) = text.split_once("://") else {
            // The other form of libpq: `host=... user=...`.
            let is_keywords = ["host=", "dbname=", "user="].iter().any(|key| text.contains(key));
            return if is_keywords { Ok(Self::plain(text)) } else { Err(EXPECTED.to_owned()) };
        };
        // SQLAlchemy names its driver: `postgresql+asyncpg`.
        if !matches!(scheme.split('+').next(), Some("postgres" | "postgresql")) {
            // Anything else may hold a password: `PGPASSWORD=... psql postgres://`.
            let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+';
            let is_shown = scheme.len() <= 20 && scheme.bytes().all(is_word);
            let shown = if is_shown { scheme } else { "..." };
            return Err(format!("{shown}:// is no URL of Postgres: {EXPECTED}"));
        }
        let (server, query) = rest.split_once('?').unwrap_or((rest, ""));
        let server = Server::parse(server)?;
        let mut parameters = Parameters::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            parameters.read(key, value, pair)?;
        }
        let pooler = server.pooler().or(parameters.pooler);
        let url = |hosts: &str| parameters.url(&server, hosts).into();
        Ok(Self {
            url: url(server.hosts),
            pooler,
            direct: pooler.and_then(|_| server.direct()).map(|hosts| url(&hosts)),
            ca_file: parameters.ca_file.clone(),
            left_out: parameters.left_out.clone(),
        })
    }
}

/// Without the command that the console of a provider prints around a URL: `psql 'postgres://...'`.
fn without_command(text: &str) -> &str {
    let Some(rest) = text.strip_prefix("psql ") else { return text };
    rest.trim().trim_matches(['\'', '"'])
}

/// The part of a URL before its parameters.
struct Server<'a> {
    /// `user:password@`, as the driver reads it, or empty.
    user: Cow<'a, str>,
    hosts: &'a str,
    /// The path with its slash.
    name: &'a str,
}

impl<'a> Server<'a> {
    fn parse(text: &'a str) -> Result<Self, String> {
        let (authority, name) = text.split_at(text.find('/').unwrap_or(text.len()));
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (user, hosts),
            None if name.contains('@') => {
                let escapes = "/ is %2F, @ is %40, ? is %3F, # is %23";
                return Err(format!("percent-encode the password: {escapes}"));
            }
            None => ("", authority),
        };
        let placeholder = user.to_ascii_lowercase();
        if placeholder.contains("your-password") || placeholder.contains("your_password") {
            return Err("the password is still a placeholder: write the real one".to_owned());
        }
        for host in hosts.split(',') {
            let port = host.rsplit_once(':').filter(|_| !host.ends_with(']')).map(|it| it.1);
            if port.is_some_and(|port| !port.is_empty() && port.parse::<u16>().is_err()) {
                return Err(format!("the port is no number: {EXPECTED}"));
            }
        }
        // The driver ends the password at the first @.
        let user = match user {
            "" => Cow::Borrowed(""),
            user => Cow::Owned(format!("{}@", user.replace('@', "%40"))),
        };
        Ok(Self { user, hosts, name })
    }

    /// The host and the port, of the only server.
    fn only_host(&self) -> Option<(&'a str, &'a str)> {
        let is_one = !self.hosts.contains([',', '[']);
        is_one.then(|| self.hosts.split_once(':').unwrap_or((self.hosts, "5432")))
    }

    /// Why the host is a transaction pooler, by the names that providers give.
    fn pooler(&self) -> Option<&'static str> {
        let (host, port) = self.only_host()?;
        if is_neon_pooler(host) {
            return Some("a host of Neon with -pooler in its name");
        }
        (is_supabase(host) && port == "6543").then_some("port 6543 of Supabase")
    }

    /// The server past the pooler.
    fn direct(&self) -> Option<String> {
        let (host, port) = self.only_host()?;
        if is_neon_pooler(host) {
            return Some(format!("{}:{port}", host.replacen("-pooler.", ".", 1)));
        }
        (is_supabase(host) && port == "6543").then(|| format!("{host}:5432"))
    }
}

fn is_neon_pooler(host: &str) -> bool {
    let first = host.split('.').next().unwrap_or_default();
    first.ends_with("-pooler") && host.ends_with(".neon.tech")
}

fn is_supabase(host: &str) -> bool {
    host.ends_with(".supabase.com") || host.ends_with(".supabase.co")
}

/// The part of a URL after its `?`.
#[derive(Default)]
struct Parameters {
    kept: Vec<String>,
    pooler: Option<&'static str>,
    ca_file: Option<PathBuf>,
    left_out: Vec<String>,
}

impl Parameters {
    fn read(&mut self, key: &str, value: &str, pair: &str) -> Result<(), String> {
        let value = percent_decode_str(value).decode_utf8_lossy();
        let is_on = matches!(&*value, "true" | "1" | "yes" | "on");
        match key {
            "sslmode" | "ssl" | "tls" => self.kept.push(format!("sslmode={}", tls_mode(&value)?)),
            // Certificates are always verified, by default with the system's authorities.
            "sslrootcert" if value == "system" => {}
            "sslrootcert" => self.ca_file = Some(PathBuf::from(&*value)),
            "sslcert" | "sslkey" | "sslpassword" => {
                return Err(format!("{key}: tickerd signs in with a password, not a certificate"));
            }
            "pgbouncer" if is_on => self.pooler = Some("pgbouncer=true"),
            "pool_mode" if value == "transaction" => self.pooler = Some("pool_mode=transaction"),
            "pgbouncer" | "pool_mode" => {}
            "schema" | "currentSchema" if value == "public" => {}
            "schema" | "currentSchema" => {
                return Err(format!(
                    "{key}={value}: tickerd uses the first schema of its role: remove it, and run \
                     ALTER ROLE ... SET search_path = {value}"
                ));
            }
            "target_session_attrs" if value == "primary" => {
                self.kept.push("target_session_attrs=read-write".to_owned());
            }
            key if DRIVERS.contains(&key) => self.kept.push(pair.to_owned()),
            key if OTHERS.contains(&key) => self.left_out.push(key.to_owned()),
            // Anything else may be a part of a password.
            key if is_name(key) => {
                return Err(format!("the parameter {key:?} is unknown: remove it"));
            }
            _ => {
                return Err(
                    "what follows the ? is no parameter: percent-encode a ? in the password \
                            (%3F)"
                        .to_owned(),
                );
            }
        }
        Ok(())
    }

    fn url(&self, server: &Server<'_>, hosts: &str) -> String {
        let query = self.kept.join("&");
        let mark = if query.is_empty() { "" } else { "?" };
        format!("postgres://{}{hosts}{}{mark}{query}", server.user, server.name)
    }
}

/// The mode of TLS as the driver names it. Certificates are always verified, so every mode that
/// verifies one means `require`.
fn tls_mode(value: &str) -> Result<&'static str, String> {
    match value {
        "" | "true" | "1" | "require" | "required" | "verify-ca" | "verify-full" | "no-verify" => {
            Ok("require")
        }
        "allow" | "prefer" => Ok("prefer"),
        "false" | "0" | "disable" => Ok("disable"),
        _ => Err("sslmode: expected disable, prefer, require or verify-full".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn parse(url: &str) -> PostgresUrl {
        url.parse().unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    #[test]
    fn urls_of_other_programs_are_translated() {
        for (given, read) in [
            ("postgres://u:p@h:5432/d", "postgres://u:p@h:5432/d"),
            ("postgresql+asyncpg://u:p@h/d?ssl=true", "postgres://u:p@h/d?sslmode=require"),
            ("postgresql+psycopg2://u:p@h/d?ssl=false", "postgres://u:p@h/d?sslmode=disable"),
            ("jdbc:postgresql://h/d?user=u&password=p", "postgres://h/d?user=u&password=p"),
            (
                "psql 'postgresql://u:p@h/d?sslmode=verify-full'",
                "postgres://u:p@h/d?sslmode=require",
            ),
            ("postgres://u:p@h/d?schema=public&connection_limit=5", "postgres://u:p@h/d"),
            ("postgres://u:p@h/d?sslmode=no-verify", "postgres://u:p@h/d?sslmode=require"),
            ("postgres://u:a@b@h/d", "postgres://u:a%40b@h/d"),
            (
                "postgres://h1:1,h2:2/d?target_session_attrs=primary",
                "postgres://h1:1,h2:2/d?target_session_attrs=read-write",
            ),
            ("postgres://[::1]:5432/d", "postgres://[::1]:5432/d"),
            (
                "postgres://u:p@h/d?options=endpoint%3Dep-a&channel_binding=require",
                "postgres://u:p@h/d?options=endpoint%3Dep-a&channel_binding=require",
            ),
            ("host=h user=u dbname=d", "host=h user=u dbname=d"),
        ] {
            assert_eq!(parse(given).url().expose_secret(), read, "{given}");
        }
    }

    #[test]
    fn poolers_are_known_by_the_names_of_providers_and_so_is_the_way_past_them() {
        for (url, direct) in [
            (
                "postgres://u:p@ep-a-1-pooler.eu-central-1.aws.neon.tech/d?sslmode=require",
                Some("postgres://u:p@ep-a-1.eu-central-1.aws.neon.tech:5432/d?sslmode=require"),
            ),
            (
                "postgres://postgres.x:p@aws-0-eu-west-1.pooler.supabase.com:6543/postgres?supa=y",
                Some("postgres://postgres.x:p@aws-0-eu-west-1.pooler.supabase.com:5432/postgres"),
            ),
            ("postgres://u:p@h:6432/d?pgbouncer=true", None),
        ] {
            let parsed = parse(url);
            assert_eq!(parsed.pooler(), Pooler::Transaction, "{url}");
            assert_eq!(parsed.direct().map(|it| it.expose_secret()), direct, "{url}");
        }
        for url in [
            "postgres://u:p@ep-a-1.eu-central-1.aws.neon.tech/d",
            "postgres://u:p@aws-0-eu-west-1.pooler.supabase.com:5432/postgres",
            "postgres://u:p@my-pooler.example.com:6543/d",
            "postgres://u:p@h/d?pgbouncer=false",
        ] {
            let parsed = parse(url);
            assert_eq!((parsed.pooler(), parsed.direct().is_none()), (Pooler::None, true), "{url}");
        }
    }

    #[test]
    fn a_certificate_file_and_parameters_that_are_left_out_are_told() {
        let url = parse("postgres://u:p@h/d?sslrootcert=%2Fa%2Fb.pem&supa=x&pool_timeout=3");
        assert_eq!(url.ca_file(), Some(std::path::Path::new("/a/b.pem")));
        assert_eq!(url.left_out(), ["supa", "pool_timeout"]);
        assert_eq!(parse("postgres://u:p@h/d?sslrootcert=system").ca_file(), None);
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for (url, reason) in [
            ("mysql://u:s3same@h/d", "mysql:// is no URL of Postgres"),
            ("https://u:s3same@h/d", "https:// is no URL of Postgres"),
            ("localhost:5432/d", "expected postgres://"),
            ("s3same", "expected postgres://"),
            ("postgres://u:s3s/ame@h/d", "percent-encode the password"),
            ("postgres://u:s3same@h:port/d", "the port is no number"),
            ("postgres://tick:7?s3same@db:5432/tick", "percent-encode"),
            ("PGPASSWORD=s3same psql postgres://h/d", "is no URL of Postgres"),
            ("postgres://u:[YOUR-PASSWORD]@h/d", "still a placeholder"),
            ("postgres://u:s3same@h/d?sslmode=s3same", "sslmode: expected"),
            ("postgres://u:s3same@h/d?sslmod=require", "\"sslmod\" is unknown"),
            ("postgres://u:s3same@h/d?schema=other", "search_path"),
            ("postgres://u:s3same@h/d?sslcert=x", "signs in with a password"),
        ] {
            let error = url.parse::<PostgresUrl>().unwrap_err();
            assert!(error.contains(reason) && !error.contains("s3s"), "{url}: {error}");
        }
    }
}
