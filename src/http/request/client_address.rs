//! The address of the client, behind trusted proxies.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::dev::ServiceRequest;
use actix_web::http::header::{self, HeaderMap};
use chrono::Utc;
use ipnet::IpNet;

use crate::clock::epoch_ms;
use crate::config::{AddressHeader, HttpConfig};

/// The shortest time between two warnings about unreadable headers of trusted proxies.
const WARNING_INTERVAL_MS: u64 = 60_000;

/// What the headers say about the client.
#[derive(Debug, PartialEq, Eq)]
struct Reported {
    /// That of the client; if the report is unreadable, that of the trusted proxy which wrote it.
    address: IpAddr,
    unreadable: bool,
}

/// The address of the client: that of the peer or, if the peer is a trusted proxy, the one that the
/// trusted proxies report.
pub fn address(request: &ServiceRequest, config: &HttpConfig) -> IpAddr {
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    let header = config.client_address_header;
    let reported = behind(peer, request.headers(), header, &config.trusted_proxies);
    if reported.unreadable {
        warn_of_unreadable(reported.address, header);
    }
    reported.address
}

/// Reads the header from its end, where the nearest proxy appends, as long as each writer is
/// trusted. A client can write anything further left.
fn behind(peer: IpAddr, headers: &HeaderMap, header: AddressHeader, trusted: &[IpNet]) -> Reported {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut nearest = peer.to_canonical();
    let name = match header {
        AddressHeader::XForwardedFor => header::X_FORWARDED_FOR,
        AddressHeader::Forwarded => header::FORWARDED,
    };
    let lines: Vec<&[u8]> = headers.get_all(name).map(|line| line.as_bytes()).collect();
    // Bytes, because a client may have written any to the left of what a proxy adds.
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(|byte| *byte == b',')) {
        if !is_trusted(&nearest) {
            break;
        }
        let hop = std::str::from_utf8(hop).ok().map(str::trim);
        let node = match header {
            AddressHeader::XForwardedFor => hop,
            AddressHeader::Forwarded => hop.and_then(forwarded_for),
        };
        let Some(address) = node.and_then(parse_node) else {
            return Reported { address: nearest, unreadable: true };
        };
        nearest = address;
    }
    Reported { address: nearest, unreadable: false }
}

/// The value of `for` in an element of `Forwarded` (RFC 7239, section 4), without quotes.
fn forwarded_for(element: &str) -> Option<&str> {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let mut nodes = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
    nodes.next().map(|(_, value)| value.trim().trim_matches('"'))
}

/// The address in what proxies write: an address, with a port or not, an IPv6 address in brackets
/// or not, and with a zone or not.
fn parse_node(node: &str) -> Option<IpAddr> {
    let node = node.trim_matches('"');
    let with_port = || node.parse::<SocketAddr>().ok().map(|address| address.ip());
    let in_brackets = || node.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_zone = || {
        let (address, _) = node.trim_start_matches('[').split_once('%')?;
        address.parse().ok()
    };
    let address = node.parse().ok().or_else(with_port).or_else(in_brackets).or_else(with_zone)?;
    Some(IpAddr::to_canonical(&address))
}

fn warn_of_unreadable(proxy: IpAddr, header: AddressHeader) {
    static WARNED_AT_MS: AtomicU64 = AtomicU64::new(0);
    let now_ms = epoch_ms(Utc::now());
    let warned_at_ms = WARNED_AT_MS.load(Ordering::Relaxed);
    if now_ms.saturating_sub(warned_at_ms) >= WARNING_INTERVAL_MS
        && WARNED_AT_MS
            .compare_exchange(warned_at_ms, now_ms, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    {
        tracing::warn!(
            %proxy,
            "the header {header} of a trusted proxy names no address: its clients count as one"
        );
    }
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
            ("127.0.0.1", vec!["2001:db8::1"], "2001:db8::1"),
            ("127.0.0.1", vec!["198.51.100.1:4711"], "198.51.100.1"),
            ("127.0.0.1", vec!["[2001:db8::1]:4711"], "2001:db8::1"),
            ("127.0.0.1", vec!["[2001:db8::1]"], "2001:db8::1"),
            ("127.0.0.1", vec!["fe80::1%eth0"], "fe80::1"),
            ("127.0.0.1", vec!["[fe80::1%eth0]:4711"], "fe80::1"),
            ("127.0.0.1", vec!["::ffff:198.51.100.1"], "198.51.100.1"),
        ] {
            let lines: Vec<_> = forwarded.iter().map(|line| line.as_bytes()).collect();
            let found = behind(
                peer.parse().unwrap(),
                &with_lines(header::X_FORWARDED_FOR, &lines),
                AddressHeader::XForwardedFor,
                &trusted,
            );
            assert_eq!(found.address.to_string(), client, "{peer} {forwarded:?}");
            assert!(!found.unreadable, "{peer} {forwarded:?}");
        }
    }

    fn with_lines(name: header::HeaderName, lines: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name.clone(), HeaderValue::from_bytes(line).unwrap());
        }
        headers
    }

    #[test]
    fn the_standard_header_is_read_as_its_rfc_says() {
        let trusted: [IpNet; 2] = ["127.0.0.1/32".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
        for (line, client) in [
            ("for=192.0.2.43", "192.0.2.43"),
            ("For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
            ("for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60"),
            ("proto=https; for=\"192.0.2.43:47011\"", "192.0.2.43"),
            ("for=198.51.100.17, for=192.0.2.43;by=10.0.0.1, for=10.1.1.1", "192.0.2.43"),
        ] {
            let headers = with_lines(header::FORWARDED, &[line.as_bytes()]);
            let peer = "127.0.0.1".parse().unwrap();
            let found = behind(peer, &headers, AddressHeader::Forwarded, &trusted);
            assert_eq!(found.address.to_string(), client, "{line}");
            // A client may add a header that its proxy does not write.
            let other = behind(peer, &headers, AddressHeader::XForwardedFor, &trusted);
            assert_eq!((other.address, other.unreadable), (peer, false), "{line}");
        }
    }

    #[test]
    fn an_unreadable_report_of_a_trusted_proxy_is_noticed() {
        let trusted = ["127.0.0.1/32".parse().unwrap()];
        let peer: IpAddr = "127.0.0.1".parse().unwrap();
        for line in ["198.51.100.1, nonsense", "unknown", "_hidden", ""] {
            let headers = with_lines(header::X_FORWARDED_FOR, &[line.as_bytes()]);
            let found = behind(peer, &headers, AddressHeader::XForwardedFor, &trusted);
            assert_eq!((found.address, found.unreadable), (peer, true), "{line}");
        }
    }

    #[test]
    fn bytes_that_a_client_writes_do_not_hide_what_its_proxy_adds() {
        let trusted = ["127.0.0.1/32".parse().unwrap()];
        for line in [b"\xff\xfe, 198.51.100.1".as_slice(), b"1.1.1.1\xff, 198.51.100.1"] {
            let headers = with_lines(header::X_FORWARDED_FOR, &[line]);
            let peer = "127.0.0.1".parse().unwrap();
            let found = behind(peer, &headers, AddressHeader::XForwardedFor, &trusted);
            assert_eq!(found.address.to_string(), "198.51.100.1");
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
            let header = AddressHeader::XForwardedFor;
            let read = |peer| behind(peer, &headers, header, &trusted).address;
            prop_assert_eq!(read("10.0.0.1".parse().unwrap()).to_string(), client);
            let untrusted = "203.0.113.9".parse().unwrap();
            prop_assert_eq!(read(untrusted), untrusted);
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
            let address =
                behind(peer, &headers, AddressHeader::XForwardedFor, &trusted).address;
            let is_address = |hop: &str| parse_node(hop.trim()) == Some(address);
            let is_named = String::from_utf8_lossy(&line).split(',').any(is_address);
            prop_assert!(address == peer || is_named, "{address}");
        }
    }
}
