//! One kept connection to a server.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::Failure;

pub const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
pub const X_CACHE: HeaderName = HeaderName::from_static("x-cache");
const REQUEST_TIMEOUT_S: u64 = 10;

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// The value of a header, or nothing.
    pub fn header(&self, name: &HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

pub struct Link {
    address: SocketAddr,
    host: HeaderValue,
    sender: Option<SendRequest<Empty<Bytes>>>,
}

impl Link {
    pub fn new(address: SocketAddr) -> Result<Self, Failure> {
        Ok(Self { address, host: HeaderValue::from_str(&address.to_string())?, sender: None })
    }

    /// Connects where there is no connection, and asks. After a failure the next call connects
    /// anew.
    pub async fn ask(
        &mut self,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
    ) -> Result<Answer, Failure> {
        let sender = self.sender.take();
        let asked = tokio::time::timeout(
            Duration::from_secs(REQUEST_TIMEOUT_S),
            self.exchange(sender, path, headers),
        );
        asked.await.map_err(|_| format!("no answer within {REQUEST_TIMEOUT_S} s"))?
    }

    async fn exchange(
        &mut self,
        sender: Option<SendRequest<Empty<Bytes>>>,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
    ) -> Result<Answer, Failure> {
        let mut sender = match sender {
            Some(sender) if !sender.is_closed() => sender,
            _ => self.connect().await?,
        };
        sender.ready().await?;
        let mut request = Request::get(path).body(Empty::new())?;
        request.headers_mut().insert(HOST, self.host.clone());
        for (name, value) in headers {
            request.headers_mut().insert(name, value.clone());
        }
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        self.sender = Some(sender);
        Ok(Answer { status: head.status, headers: head.headers, body })
    }

    async fn connect(&self) -> Result<SendRequest<Empty<Bytes>>, Failure> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // Ends when the sender is dropped; what goes wrong there is told to who asks.
        tokio::spawn(connection);
        Ok(sender)
    }
}
