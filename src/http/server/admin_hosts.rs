//! The names under which operators reach their listener.
//!
//! A page of another site can let its own name lead to this machine (DNS rebinding), and then send
//! requests as if they were of its own origin. They have its name in `Host`.

use std::net::IpAddr;

use crate::config::AdminConfig;

pub struct AdminHosts {
    /// The address that the listener has.
    address: IpAddr,
    names: Vec<String>,
}

impl AdminHosts {
    pub fn new(config: &AdminConfig) -> Self {
        Self { address: config.admin_host, names: config.admin_hosts.clone() }
    }

    /// Whether the value of a `Host` header names this machine: a loopback name or address, the
    /// address of the listener (any address if it listens on all), or a name of `ADMIN_HOSTS`.
    pub fn knows(&self, host: &str) -> bool {
        let name = without_port(host);
        let name = name.strip_suffix('.').unwrap_or(name);
        let unbracketed = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        if let Ok(address) = unbracketed.unwrap_or(name).parse::<IpAddr>() {
            let address = address.to_canonical();
            return address.is_loopback()
                || address == self.address.to_canonical()
                || self.address.is_unspecified();
        }
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        is("localhost") || self.names.iter().any(|known| is(known))
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(address: &str) -> AdminHosts {
        AdminHosts { address: address.parse().unwrap(), names: vec!["ops.example".to_owned()] }
    }

    #[test]
    fn only_names_and_addresses_of_this_machine_are_known() {
        let known = [
            "127.0.0.1",
            "127.0.0.1:9900",
            "[::1]:9900",
            "localhost",
            "LOCALHOST:1",
            "localhost.",
            "10.1.2.3:9900",
            "ops.example",
            "Ops.Example:9900",
        ];
        let unknown = [
            "",
            ":9900",
            "attacker.example",
            "attacker.example:9900",
            "127.0.0.1.attacker.example",
            "localhost.attacker.example",
            "x.ops.example",
            "10.1.2.4",
            "[::2]",
            "127.0.0.1:x",
        ];
        let hosts_of_one = hosts("10.1.2.3");
        assert!(known.iter().all(|host| hosts_of_one.knows(host)));
        assert!(!unknown.iter().any(|host| hosts_of_one.knows(host)));
        // A name alone can be made to lead elsewhere, an address can't.
        let hosts_of_all = hosts("0.0.0.0");
        assert!(hosts_of_all.knows("10.1.2.4:9900") && !hosts_of_all.knows("attacker.example"));
    }
}
