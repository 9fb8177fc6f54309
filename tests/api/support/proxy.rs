//! What networks do to connections, done on purpose.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What a proxy does to its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Everything is passed on.
    None,
    /// Nobody listens, and every connection has ended.
    Refuse,
    /// Connections are accepted and nothing is passed on, nor any connection ended. What was held
    /// is passed on afterwards.
    Stall,
    /// Every connection has ended, and each new one ends at once.
    Cut,
    /// Whatever is passed on is late by so much, each time.
    Slow(Duration),
    /// Requests arrive, answers are lost. The connections so treated end with the fault.
    LoseAnswers,
    /// Connections that are there stay open and silent for ever, as if the machine behind them had
    /// vanished; new ones are served.
    Vanish,
}

/// What a proxy is told.
#[derive(Clone, Copy)]
struct Orders {
    fault: Fault,
    /// How many orders there were.
    number: u32,
    /// Connections that are older than this order have vanished.
    vanished: u32,
}

/// A TCP proxy in front of a server, on a thread of its own, for as long as this value lives.
pub struct Proxy {
    url: String,
    orders: watch::Sender<Orders>,
}

impl Proxy {
    /// A proxy in front of the server that a URL names.
    pub fn to(url: &str) -> Self {
        let server = authority(url).to_owned();
        let (orders, told) = watch::channel(Orders { fault: Fault::None, number: 0, vanished: 0 });
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
                serve(listener, address, server, told).await;
            });
        });
        let address = port.recv().expect("the proxy listens");
        Self { url: url.replacen(authority(url), &address.to_string(), 1), orders }
    }

    /// The same URL, through the proxy.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    pub fn set(&self, fault: Fault) {
        self.orders.send_modify(|orders| {
            orders.number += 1;
            orders.fault = fault;
            if fault == Fault::Vanish {
                orders.vanished = orders.number;
            }
        });
    }
}

/// `host:port` of a URL.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").expect("a URL").1;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    rest[..end].rsplit('@').next().expect("never empty")
}

type Notified = watch::Receiver<Orders>;

async fn serve(mut listener: TcpListener, address: SocketAddr, server: String, mut told: Notified) {
    loop {
        let Orders { fault, number, .. } = *told.borrow_and_update();
        if fault == Fault::Refuse {
            drop(listener);
            if told.wait_for(|orders| orders.fault != Fault::Refuse).await.is_err() {
                return;
            }
            listener = TcpListener::bind(address).await.expect("the port is still ours");
            continue;
        }
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                if fault != Fault::Cut {
                    tokio::spawn(connect(client, server.clone(), number, told.clone()));
                }
            }
            changed = told.changed() => if changed.is_err() { return },
        }
    }
}

async fn connect(client: TcpStream, server: String, born: u32, told: Notified) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    for stream in [&client, &server] {
        stream.set_nodelay(true).expect("an option that every system has");
    }
    let ((from_client, to_client), (from_server, to_server)) =
        (client.into_split(), server.into_split());
    tokio::select! {
        () = pump(from_client, to_server, false, born, told.clone()) => {}
        () = pump(from_server, to_client, true, born, told.clone()) => {}
        () = ends(told) => {}
    }
}

/// Passes on what one side sends, as the fault of the moment has it, until that side ends.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    is_answer: bool,
    born: u32,
    mut told: Notified,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).await;
        let passes = |orders: &Orders| orders.fault != Fault::Stall && orders.vanished <= born;
        let Ok(Orders { fault, .. }) = told.wait_for(passes).await.map(|orders| *orders) else {
            return;
        };
        let Ok(count @ 1..) = read else { return };
        if fault == Fault::LoseAnswers && is_answer {
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

/// Waits until a connection has to end.
async fn ends(mut told: Notified) {
    let mut lost_answers = false;
    loop {
        let fault = told.borrow_and_update().fault;
        if matches!(fault, Fault::Cut | Fault::Refuse)
            || (lost_answers && fault != Fault::LoseAnswers)
        {
            return;
        }
        lost_answers = fault == Fault::LoseAnswers;
        if told.changed().await.is_err() {
            return;
        }
    }
}
