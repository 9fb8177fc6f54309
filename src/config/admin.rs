//! The listener for operators.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use secrecy::SecretString;

/// The listener for operators: an address of its own, so that what faces the internet can't reach
/// it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Operators")]
pub struct AdminConfig {
    /// The address to listen on for operators. Loopback unless told otherwise: metrics are shown
    /// there without a token
    #[arg(long, env = "ADMIN_HOST", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub admin_host: IpAddr,
    /// The port to listen on for operators; 0 for any free one, off for none
    #[arg(long, env = "ADMIN_PORT", default_value = "9900", value_name = "PORT|off")]
    pub admin_port: AdminPort,
    /// What /admin asks for, as Authorization: Bearer TOKEN. Without it, /admin is switched off
    #[arg(long, env = "ADMIN_TOKEN", hide_env_values = true, conflicts_with = "admin_token_file")]
    pub admin_token: Option<SecretString>,
    /// A file whose first line is that token, as service managers and containers hand out secrets
    #[arg(long, env = "ADMIN_TOKEN_FILE")]
    pub admin_token_file: Option<PathBuf>,
}

/// Where operators are listened to, if anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminPort {
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
