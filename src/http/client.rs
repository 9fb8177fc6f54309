//! Where a request comes from.

use std::net::{IpAddr, Ipv4Addr};

use actix_web::dev::ServiceRequest;

/// The address of the peer. Behind a proxy that is the proxy's.
pub fn address(request: &ServiceRequest) -> IpAddr {
    request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip())
}
