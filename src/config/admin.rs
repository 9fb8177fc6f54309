//! Settings of the listener for operators.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use secrecy::SecretString;

/// The listener for operators. It has an address of its own, which the internet cannot reach.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Operators")]
pub struct AdminConfig {
    /// Address to listen on for operators
    ///
    /// Loopback by default, because this listener shows metrics without a token.
    #[arg(
        long,
        env = "ADMIN_HOST",
        default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST),
        value_parser = super::listen_address
    )]
    pub admin_host: IpAddr,
    /// Port to listen on for operators; 0 for any free port, `off` for none
    #[arg(long, env = "ADMIN_PORT", default_value = "9900", value_name = "PORT|off")]
    pub admin_port: AdminPort,
    /// Names under which operators reach `/admin`, separated by commas
    ///
    /// Requests to `/admin` under other names are refused, so that no web page can send them
    /// through a name of its own (DNS rebinding). `localhost`, loopback addresses and `ADMIN_HOST`
    /// are always accepted, and every address if `ADMIN_HOST` means all. Example: `tickerd` for
    /// the service of that name in Docker Compose.
    #[arg(long, env = "ADMIN_HOSTS", value_delimiter = ',')]
    pub admin_hosts: Vec<String>,
    /// Token that `/admin` requires as `Authorization: Bearer TOKEN`, 24 characters or more
    ///
    /// Without a token, `/admin` is switched off.
    #[arg(long, env = "ADMIN_TOKEN", hide_env_values = true, conflicts_with = "admin_token_file")]
    pub admin_token: Option<SecretString>,
    /// File whose first line is that token
    ///
    /// Service managers and containers pass secrets in files.
    #[arg(long, env = "ADMIN_TOKEN_FILE")]
    pub admin_token_file: Option<PathBuf>,
}

/// The port for operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminPort {
    /// No listener.
    Off,
    At(u16),
}

impl FromStr for AdminPort {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.eq_ignore_ascii_case("off") {
            return Ok(Self::Off);
        }
        text.parse().map(Self::At).map_err(|_| "expected a port from 0 to 65535, or off")
    }
}
