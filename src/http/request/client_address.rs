//! The address of the client, behind trusted proxies.

use std::net::{IpAddr, Ipv4Addr};

use actix_web::dev::ServiceRequest;
use actix_web::http::header::{self, HeaderMap};
use ipnet::IpNet;

/// The address of the client: that of the peer or, if the peer is a trusted proxy, the one that the
/// trusted proxies report.
pub fn address(request: &ServiceRequest, trusted: &[IpNet]) -> IpAddr {
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    behind(peer, request.headers(), trusted)
}

/// Reads `X-Forwarded-For` from its end, where the nearest proxy appends, as long as each writer is
/// trusted. A client can write anything further left.
fn behind(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let mut nearest = peer.to_canonical();
    let lines: Vec<_> = headers
        .get_all(header::X_FORWARDED_FOR)
        .map(|line| line.to_str().unwrap_or_default())
        .collect();
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        if !trusted.iter().any(|network| network.contains(&nearest)) {
            break;
        }
        let Ok(address) = hop.trim().parse::<IpAddr>() else { break };
        nearest = address.to_canonical();
    }
    nearest
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;
    use proptest::prelude::*;

    #[test]
    fn a_client_can_not_choose_its_address() {
        let trusted: [IpNet; 2] = ["127.0.0.1/32".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
        for (peer, forwarded, client) in [
            ("203.0.113.9", vec!["198.51.100.1"], "203.0.113.9"),
            ("127.0.0.1", vec![], "127.0.0.1"),
            ("127.0.0.1", vec!["198.51.100.1"], "198.51.100.1"),
            ("::ffff:127.0.0.1", vec!["198.51.100.1"], "198.51.100.1"),
            ("127.0.0.1", vec!["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
            ("127.0.0.1", vec!["1.1.1.1, 198.51.100.1, 10.1.2.3"], "198.51.100.1"),
            ("127.0.0.1", vec!["1.1.1.1", "198.51.100.1", "10.1.2.3"], "198.51.100.1"),
            ("127.0.0.1", vec!["198.51.100.1, nonsense"], "127.0.0.1"),
            ("127.0.0.1", vec!["2001:db8::1"], "2001:db8::1"),
        ] {
            let mut headers = HeaderMap::new();
            forwarded
                .iter()
                .for_each(|line| headers.append(header::X_FORWARDED_FOR, line.parse().unwrap()));
            assert_eq!(
                behind(peer.parse().unwrap(), &headers, &trusted).to_string(),
                client,
                "{peer} {forwarded:?}"
            );
        }
    }

    /// A line of the header: addresses and arbitrary text.
    fn line() -> impl Strategy<Value = String> {
        let hop = prop_oneof![
            any::<Ipv4Addr>().prop_map(|it| it.to_string()),
            "[ -~]{0,20}",
            Just("10.1.2.3".to_owned())
        ];
        prop::collection::vec(hop, 0..4).prop_map(|hops| hops.join(", "))
    }

    proptest! {
        #[test]
        fn addresses_that_a_client_writes_before_its_proxy_are_ignored(
            forged in prop::collection::vec(line(), 0..3),
            client in "[1-9]\\.[0-9]\\.[0-9]\\.[0-9]",
            more in line()
        ) {
            let trusted = ["10.0.0.0/8".parse().unwrap()];
            let mut headers = HeaderMap::new();
            let last = format!("{more}, {client}, 10.9.9.9");
            for line in forged.iter().chain([&last]) {
                headers.append(header::X_FORWARDED_FOR, line.parse().unwrap());
            }
            let proxy = "10.0.0.1".parse().unwrap();
            prop_assert_eq!(behind(proxy, &headers, &trusted).to_string(), client);
            let untrusted = "203.0.113.9".parse().unwrap();
            prop_assert_eq!(behind(untrusted, &headers, &trusted), untrusted);
        }

        #[test]
        fn the_address_is_always_one_of_the_header_or_that_of_the_peer(
            line in prop::collection::vec(32u8..=255, 0..60)
        ) {
            let value = HeaderValue::from_bytes(&line);
            prop_assume!(value.is_ok());
            let mut headers = HeaderMap::new();
            headers.append(header::X_FORWARDED_FOR, value.unwrap());
            let peer: IpAddr = "127.0.0.1".parse().unwrap();
            let trusted = ["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()];
            let address = behind(peer, &headers, &trusted);
            let is_address = |hop: &str| {
                hop.trim().parse().is_ok_and(|hop: IpAddr| hop.to_canonical() == address)
            };
            let is_named = String::from_utf8_lossy(&line).split(',').any(is_address);
            prop_assert!(address == peer || is_named, "{address}");
        }
    }
}
