//! An HTTP client with one persistent connection.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::LoadtestError;

pub const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
pub const X_CACHE: HeaderName = HeaderName::from_static("x-cache");
const REQUEST_TIMEOUT_S: u64 = 10;

pub struct Response {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Response {
    /// The value of a header, or "" if it is missing.
    pub fn header(&self, name: &HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

pub struct HttpClient {
    address: SocketAddr,
    host: HeaderValue,
    sender: Option<SendRequest<Empty<Bytes>>>,
}

impl HttpClient {
    pub fn new(address: SocketAddr) -> Result<Self, LoadtestError> {
        Ok(Self { address, host: HeaderValue::from_str(&address.to_string())?, sender: None })
    }

    /// Sends a GET request, over a new connection if there is none or the last request failed.
    pub async fn get(
        &mut self,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
    ) -> Result<Response, LoadtestError> {
        let sender = self.sender.take();
        let response = tokio::time::timeout(
            Duration::from_secs(REQUEST_TIMEOUT_S),
            self.exchange(sender, path, headers),
        );
        response.await.map_err(|_| format!("no response within {REQUEST_TIMEOUT_S} s"))?
    }

    async fn exchange(
        &mut self,
        sender: Option<SendRequest<Empty<Bytes>>>,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
    ) -> Result<Response, LoadtestError> {
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
        Ok(Response { status: head.status, headers: head.headers, body })
    }

    async fn connect(&self) -> Result<SendRequest<Empty<Bytes>>, LoadtestError> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // The task ends when the sender is dropped. Its errors are reported by the sender.
        tokio::spawn(connection);
        Ok(sender)
    }
}
