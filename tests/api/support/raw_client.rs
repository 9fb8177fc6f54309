//! A client that controls every byte it sends.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};

/// The longest wait for a byte in any test.
const BYTE_TIMEOUT: Duration = Duration::from_secs(30);

pub struct RawClient(TcpStream);

impl RawClient {
    pub async fn connect(address: &str) -> Self {
        Self(TcpStream::connect(address).await.expect("the server accepts the connection"))
    }

    /// A client with a small receive buffer.
    pub async fn with_small_buffer(address: &str) -> Self {
        let address: SocketAddr = address.parse().expect("an address");
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("a small buffer");
        Self(socket.connect(address).await.expect("the server accepts the connection"))
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sent = timeout(BYTE_TIMEOUT, self.0.write_all(bytes.as_ref()))
            .await
            .expect("the bytes are accepted in time");
        sent.expect("the bytes are accepted");
    }

    /// Sends bytes that the server may refuse to read completely.
    pub async fn send_if_accepted(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = timeout(BYTE_TIMEOUT, self.0.write_all(bytes.as_ref()))
            .await
            .expect("the bytes are accepted or rejected in time");
    }

    /// Sends the same bytes repeatedly until none are accepted for `still`. Returns the number of
    /// bytes sent.
    pub async fn send_until_stuck(&mut self, bytes: &[u8], still: Duration) -> usize {
        let mut taken = 0;
        while let Ok(Ok(wrote)) = timeout(still, self.0.write(&bytes[taken % bytes.len()..])).await
        {
            taken += wrote;
        }
        taken
    }

    /// Sends as many bytes as are accepted at once, and returns their number.
    pub async fn try_send(&mut self, bytes: &[u8]) -> usize {
        // None are accepted while the server waits for this client to read.
        timeout(Duration::from_millis(1), self.0.write(bytes))
            .await
            .map_or(0, |wrote| wrote.expect("the bytes are accepted"))
    }

    /// Sends one byte at a time until the server closes the connection. Returns how long that took.
    pub async fn send_slowly(&mut self, text: &str, every: Duration) -> Duration {
        let started = Instant::now();
        for byte in text.bytes().cycle() {
            assert!(started.elapsed() < BYTE_TIMEOUT, "the server never closes the connection");
            if self.0.write_all(&[byte]).await.is_err() || self.is_closed_within(every).await {
                break;
            }
        }
        started.elapsed()
    }

    /// Whether the server closes the connection within this time. Received data is discarded.
    pub async fn is_closed_within(&mut self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        let mut bytes = [0; 4096];
        loop {
            match tokio::time::timeout_at(deadline, self.0.read(&mut bytes)).await {
                Err(_) => return false,
                Ok(Ok(read)) if read > 0 => {}
                Ok(_) => return true,
            }
        }
    }

    /// Reads until the server closes the connection. Returns the text and how long that took.
    pub async fn read_to_end(&mut self) -> (String, Duration) {
        let (started, mut bytes) = (Instant::now(), Vec::new());
        // A reset ends the connection too.
        let _ = timeout(BYTE_TIMEOUT, self.0.read_to_end(&mut bytes))
            .await
            .expect("the connection is closed");
        (String::from_utf8_lossy(&bytes).into_owned(), started.elapsed())
    }

    /// Reads some bytes.
    pub async fn read_some(&mut self, bytes_max: usize) -> Vec<u8> {
        let mut bytes = vec![0; bytes_max];
        let read = timeout(BYTE_TIMEOUT, self.0.read(&mut bytes))
            .await
            .expect("data arrives")
            .unwrap_or_default();
        bytes.truncate(read);
        bytes
    }

    /// Reads until the text ends with `end`.
    pub async fn read_until(&mut self, end: &str) -> String {
        let mut bytes = Vec::new();
        while !String::from_utf8_lossy(&bytes).ends_with(end) {
            let more = self.read_some(4096).await;
            assert!(!more.is_empty(), "the connection ended: {}", String::from_utf8_lossy(&bytes));
            bytes.extend(more);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Closes the sending side of the connection.
    pub async fn close_sending(&mut self) {
        let _ = self.0.shutdown().await;
    }
}
