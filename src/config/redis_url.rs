//! URLs of Redis as providers print them, and what to do with those that are not for a client.

use std::str::FromStr;

use secrecy::SecretString;

const EXPECTED: &str = "expected redis://:password@host:6379/0, or rediss:// for TLS";

/// The parameter of a URL of Sentinel that has the name of the primary.
const SENTINEL_NAME: &str = "sentinelServiceName=";

/// The domain of Upstash, which serves Redis over TLS only, and over REST.
const UPSTASH: &str = ".upstash.io";

/// The URL of a Redis.
#[derive(Debug, Clone)]
pub enum RedisUrl {
    /// For a client of Redis.
    Server(SecretString),
    /// The address of the REST interface of Upstash. A client of Redis uses the same host.
    UpstashRest { host: String },
}

impl FromStr for RedisUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Upstash prints `redis-cli --tls -u redis://...`.
        let mut words = text.split_whitespace();
        let is_command = words.next() == Some("redis-cli");
        let has = |flag: &str| is_command && text.split_whitespace().any(|word| word == flag);
        if has("-a") || has("--pass") {
            return Err("a password beside the URL is not read: write redis://:PASSWORD@HOST:PORT"
                .to_owned());
        }
        let is_tls_command = has("--tls");
        let url = text.split_whitespace().find(|word| word.contains("://")).unwrap_or(text);
        let Some((scheme, rest)) = url.split_once("://") else {
            let port = url.split_once(':').and_then(|(_, rest)| rest.split('/').next());
            let is_address = port.is_some_and(|port| port.parse::<u16>().is_ok());
            return Err(if is_address && !url.contains('@') {
                format!("{EXPECTED}, such as redis://{url}")
            } else {
                EXPECTED.to_owned()
            });
        };
        let address = rest.split(['/', '?']).next().unwrap_or_default();
        let host = address.rsplit('@').next().and_then(|it| it.split(':').next());
        let host = host.unwrap_or_default();
        let is_upstash = host.ends_with(UPSTASH);
        match scheme {
            "http" | "https" if is_upstash => Ok(Self::UpstashRest { host: host.to_owned() }),
            "redis" if is_upstash || is_tls_command => {
                Ok(Self::Server(format!("rediss://{rest}").into()))
            }
            _ if scheme.ends_with("-sentinel") && !url.contains(SENTINEL_NAME) => {
                Err(format!("the name of the primary is missing: add {SENTINEL_NAME}mymaster"))
            }
            _ if is_of_redis(scheme) && !address.is_empty() => Ok(Self::Server(url.into())),
            _ if is_of_redis(scheme) => Err(EXPECTED.to_owned()),
            _ => Err(format!("{scheme}:// is no URL of Redis: {EXPECTED}")),
        }
    }
}

/// `redis`, `rediss`, `valkey` or `valkeys`, alone or with the kind of deployment.
fn is_of_redis(scheme: &str) -> bool {
    let name = ["-cluster", "-sentinel"].iter().find_map(|kind| scheme.strip_suffix(kind));
    matches!(name.unwrap_or(scheme), "redis" | "rediss" | "valkey" | "valkeys")
}

#[cfg(test)]
impl From<&str> for RedisUrl {
    fn from(url: &str) -> Self {
        Self::Server(url.into())
    }
}

#[cfg(test)]
impl From<String> for RedisUrl {
    fn from(url: String) -> Self {
        Self::Server(url.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn urls_are_read_as_consoles_print_them() {
        for (given, read) in [
            ("redis://:p@h:6379/0", "redis://:p@h:6379/0"),
            ("valkeys://h", "valkeys://h"),
            ("rediss-cluster://:p@h?node=b:1", "rediss-cluster://:p@h?node=b:1"),
            (
                "redis-sentinel://:p@h?sentinelServiceName=m",
                "redis-sentinel://:p@h?sentinelServiceName=m",
            ),
            ("redis-cli --tls -u redis://default:p@h:6379", "rediss://default:p@h:6379"),
            ("redis-cli -u redis://default:p@h:6379 --tls", "rediss://default:p@h:6379"),
            ("redis://default:p@a.upstash.io:6379", "rediss://default:p@a.upstash.io:6379"),
        ] {
            let Ok(RedisUrl::Server(url)) = given.parse() else { panic!("{given}") };
            assert_eq!(url.expose_secret(), read);
        }
        let rest = "https://a-1.upstash.io".parse();
        assert!(matches!(rest, Ok(RedisUrl::UpstashRest { host }) if host == "a-1.upstash.io"));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for (url, reason) in [
            ("localhost:6379", "such as redis://localhost:6379"),
            ("sesame@h:6379", "expected redis://"),
            ("https://:sesame@h", "https:// is no URL of Redis"),
            ("redis-sentinel://:sesame@h", "add sentinelServiceName=mymaster"),
            ("redis+unix:///run/redis", "redis+unix:// is no URL of Redis"),
            ("redis://", "expected redis://"),
        ] {
            let error = url.parse::<RedisUrl>().unwrap_err();
            assert!(error.contains(reason) && !error.contains("sesame"), "{url}: {error}");
        }
    }
}
