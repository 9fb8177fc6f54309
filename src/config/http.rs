//! Settings of the listener for clients.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use clap::{ArgAction, Args, ValueEnum};
use ipnet::IpNet;

use super::{count, listen_address, milliseconds, port, threads, timeout};

/// The HTTP server.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "HTTP")]
pub struct HttpConfig {
    /// Address to listen on; loopback by default, because a proxy adds TLS
    ///
    /// A socket that systemd passes (`LISTEN_FDS`) is used instead of HOST and PORT. A `HOST` that
    /// is a name, as conda sets it, is ignored; `TICKERD_HOST` is not.
    #[arg(
        long,
        env = "HOST",
        default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST),
        value_parser = listen_address
    )]
    pub host: IpAddr,
    /// Port to listen on; 0 for any free port
    #[arg(long, env = "PORT", default_value_t = 3000, value_parser = port)]
    pub port: u16,
    /// Threads that serve requests; 0 for one per core
    #[arg(long, env = "WORKERS", default_value_t = 0, value_parser = threads())]
    pub workers: u16,
    /// Maximum connections of each worker; more wait in the queue of the system
    #[arg(long, env = "CONNECTIONS_PER_WORKER_MAX", default_value_t = 10_000)]
    pub connections_per_worker_max: usize,
    /// Time that a connection may be idle between requests
    ///
    /// It is longer than the 60 s after which common load balancers close an idle connection. The
    /// load balancer must be the one that closes.
    #[arg(long, env = "KEEP_ALIVE_S", default_value_t = 75)]
    pub keep_alive_s: u64,
    /// Time for a client to send the head of its request
    ///
    /// After it, the response is 408. From the second request of a connection on, the connection is
    /// closed instead.
    #[arg(
        long,
        env = "REQUEST_HEAD_TIMEOUT_MS",
        default_value_t = 5000,
        value_parser = timeout()
    )]
    pub request_head_timeout_ms: u64,
    /// Time for a client to send the body of its request; after it, the response is 408
    #[arg(long, env = "BODY_TIMEOUT_MS", default_value_t = 5000, value_parser = timeout())]
    pub body_timeout_ms: u64,
    /// Time for a client to read more of its response
    ///
    /// The connection is closed when the client reads less than 64 KiB in this time while more
    /// waits. The default tolerates brief mobile dropouts.
    #[arg(
        long,
        env = "CLIENT_STALL_TIMEOUT_MS",
        default_value_t = 30_000,
        value_parser = timeout()
    )]
    pub client_stall_timeout_ms: u64,
    /// Maximum streams in progress of one key; beyond it, the response is 429 with `Retry-After`
    ///
    /// A stream is a CSV or NDJSON response without a `limit` and with more than 1000 rows. Any
    /// other response of more than 256 KiB counts as one while it is sent.
    #[arg(
        long,
        env = "STREAMS_PER_KEY_MAX",
        default_value_t = 100,
        value_parser = count(1_000_000)
    )]
    pub streams_per_key_max: u32,
    /// Maximum streams in progress; beyond it, the response is 503 with `Retry-After`
    ///
    /// A stream holds 40 to 100 KiB while its client reads slowly, so 1000 hold 100 MiB. A
    /// long page holds up to 1 MiB, unless it lies in the cache.
    #[arg(long, env = "STREAMS_MAX", default_value_t = 1000, value_parser = count(1_000_000))]
    pub streams_max: u32,
    /// Maximum size of path and query; beyond it, the response is 414
    #[arg(long, env = "URL_BYTES_MAX", default_value_t = 4096)]
    pub url_bytes_max: usize,
    /// Maximum size of all headers; beyond it, the response is 431
    #[arg(long, env = "HEADER_BYTES_MAX", default_value_t = 16 * 1024)]
    pub header_bytes_max: usize,
    /// Maximum size of a request body; beyond it, the response is 413
    ///
    /// Watchlists and `/admin` read bodies.
    #[arg(long, env = "BODY_BYTES_MAX", default_value_t = 16 * 1024)]
    pub body_bytes_max: u64,
    /// Time after SIGTERM in which connections are still accepted; 0 to stop accepting at once
    ///
    /// In this time each response says `Connection: close`. A client that sends a request in this
    /// time never meets a connection that tickerd has just closed.
    #[arg(
        long,
        env = "DRAIN_MS",
        default_value_t = 1000,
        value_parser = milliseconds(0, 600_000)
    )]
    pub drain_ms: u64,
    /// Time for requests in flight to finish after that
    #[arg(long, env = "SHUTDOWN_TIMEOUT_S", default_value_t = 10)]
    pub shutdown_timeout_s: u64,
    /// Proxies whose `X-Forwarded-For` is trusted: addresses or networks, separated by commas
    ///
    /// Example: `127.0.0.1,10.0.0.0/8`. The address of a client is the last one in
    /// `X-Forwarded-For` that is not in this list. Any other sender's header is ignored.
    #[arg(long, env = "TRUSTED_PROXIES", value_delimiter = ',', value_parser = network)]
    pub trusted_proxies: Vec<IpNet>,
    /// Header in which the trusted proxies name the client: `x-forwarded-for` or `forwarded`
    ///
    /// `forwarded` is that of RFC 7239. Only one is read, because a client could send the one that
    /// its proxy does not write.
    #[arg(
        long,
        env = "CLIENT_ADDRESS_HEADER",
        value_enum,
        ignore_case = true,
        default_value_t = AddressHeader::XForwardedFor
    )]
    pub client_address_header: AddressHeader,
    /// Whether a client's `traceparent` decides that its trace is kept
    ///
    /// Otherwise its trace id is used, but `OTEL_TRACES_SAMPLER_ARG` alone decides, because anybody
    /// can send the header. Set it to `true` if all clients are your own, or a proxy replaces it.
    #[arg(long, env = "TRACEPARENT_TRUSTED", default_value_t = false, action = ArgAction::Set)]
    pub traceparent_trusted: bool,
    /// Whether clients may send a key as `?apikey=KEY`
    ///
    /// It is for spreadsheets and other programs that cannot send headers. Proxies log URLs and
    /// browsers remember them: set it to `false` if no client needs it.
    #[arg(long, env = "APIKEY_IN_QUERY", default_value_t = true, action = ArgAction::Set)]
    pub apikey_in_query: bool,
    /// URL of a pricing page, shown to clients of the tier `free` at their limit
    #[arg(long, env = "UPGRADE_URL")]
    pub upgrade_url: Option<String>,
}

/// The header in which proxies name the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AddressHeader {
    XForwardedFor,
    /// RFC 7239.
    Forwarded,
}

impl fmt::Display for AddressHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        })
    }
}

/// Parses a network, or an address as the network of that address alone.
fn network(text: &str) -> Result<IpNet, &'static str> {
    let text = text.trim();
    let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    network.map_err(|_| "expected an address or a network, as in 127.0.0.1,10.0.0.0/8")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_network_is_read_as_it_is_written_and_an_address_is_one_of_its_own(
            address: IpAddr,
            length in 0u8..=32,
        ) {
            let net = IpNet::new(address, length).unwrap();
            prop_assert_eq!(network(&net.to_string()), Ok(net));
            let single = network(&address.to_string()).unwrap();
            prop_assert_eq!((single.network(), single.broadcast()), (address, address));
        }

        #[test]
        fn any_text_is_a_network_or_refused_with_an_example(
            text in "[0-9a-f.:/]{0,20}|.{0,10}",
        ) {
            let parsed = network(&text);
            prop_assert!(parsed.is_ok() || parsed.is_err_and(|e| e.contains("as in 127.0.0.1")));
        }
    }
}
