//! A TCP proxy that injects network faults.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The fault that a proxy injects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Everything is forwarded.
    None,
    /// The port is closed, and every connection has ended.
    Refuse,
    /// Connections are accepted and stay open, but nothing is forwarded. Data that was held back is
    /// forwarded afterwards.
    Stall,
    /// Every connection has ended, and each new one ends at once.
    Cut,
    /// Each forwarded piece of data is delayed by this time.
    Slow(Duration),
    /// Requests arrive, responses are lost. The affected connections end with the fault.
    LoseResponses,
    /// Existing connections stay open and silent, as if the server's machine had vanished. New ones
    /// work.
    Vanish,
}

/// The current fault.
#[derive(Clone, Copy)]
struct State {
    fault: Fault,
    /// The number of changes so far.
    number: u32,
    /// Connections opened before this change have vanished.
    vanished: u32,
}

/// A TCP proxy in front of a server. It runs on a thread of its own while this value lives.
pub struct Proxy {
    url: String,
    state: watch::Sender<State>,
}

impl Proxy {
    /// A proxy in front of the server of a URL.
    pub fn to(url: &str) -> Self {
        let server = authority(url).to_owned();
        let (state, changes) = watch::channel(State { fault: Fault::None, number: 0, vanished: 0 });
        let (opened, port) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let listener =
                    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
                let address = listener.local_addr().expect("an address");
                opened.send(address).expect("the test waits");
                serve(listener, address, server, changes).await;
            });
        });
        let address = port.recv().expect("the proxy listens");
        Self { url: url.replacen(authority(url), &address.to_string(), 1), state }
    }

    /// The URL of the server, through the proxy.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    pub fn set(&self, fault: Fault) {
        self.state.send_modify(|state| {
            state.number += 1;
            state.fault = fault;
            if fault == Fault::Vanish {
                state.vanished = state.number;
            }
        });
    }
}

/// The `host:port` of a URL.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").expect("a URL").1;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    rest[..end].rsplit('@').next().expect("never empty")
}

type Changes = watch::Receiver<State>;

async fn serve(
    mut listener: TcpListener,
    address: SocketAddr,
    server: String,
    mut changes: Changes,
) {
    loop {
        let State { fault, number, .. } = *changes.borrow_and_update();
        if fault == Fault::Refuse {
            drop(listener);
            if changes.wait_for(|state| state.fault != Fault::Refuse).await.is_err() {
                return;
            }
            listener = TcpListener::bind(address).await.expect("the port is still ours");
            continue;
        }
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                if fault != Fault::Cut {
                    tokio::spawn(connect(client, server.clone(), number, changes.clone()));
                }
            }
            changed = changes.changed() => if changed.is_err() { return },
        }
    }
}

async fn connect(client: TcpStream, server: String, opened_at: u32, changes: Changes) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    for stream in [&client, &server] {
        stream.set_nodelay(true).expect("an option that every system has");
    }
    let ((from_client, to_client), (from_server, to_server)) =
        (client.into_split(), server.into_split());
    tokio::select! {
        () = pump(from_client, to_server, false, opened_at, changes.clone()) => {}
        () = pump(from_server, to_client, true, opened_at, changes.clone()) => {}
        () = must_end(changes) => {}
    }
}

/// Forwards data of one side, subject to the current fault, until that side ends.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    is_response: bool,
    opened_at: u32,
    mut changes: Changes,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).await;
        let passes = |state: &State| state.fault != Fault::Stall && state.vanished <= opened_at;
        let Ok(State { fault, .. }) = changes.wait_for(passes).await.map(|state| *state) else {
            return;
        };
        let Ok(count @ 1..) = read else { return };
        if fault == Fault::LoseResponses && is_response {
            continue;
        }
        if let Fault::Slow(late) = fault {
            tokio::time::sleep(late).await;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

/// Returns when the current fault requires a connection to end.
async fn must_end(mut changes: Changes) {
    let mut lost_responses = false;
    loop {
        let fault = changes.borrow_and_update().fault;
        if matches!(fault, Fault::Cut | Fault::Refuse)
            || (lost_responses && fault != Fault::LoseResponses)
        {
            return;
        }
        lost_responses = fault == Fault::LoseResponses;
        if changes.changed().await.is_err() {
            return;
        }
    }
}
