//! A client that writes bytes as it likes.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};

/// No test waits longer for a byte.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Wire(TcpStream);

impl Wire {
    pub async fn to(address: &str) -> Self {
        Self(TcpStream::connect(address).await.expect("it is let in"))
    }

    /// One whose system takes in little that nobody reads.
    pub async fn narrow(address: &str) -> Self {
        let address: SocketAddr = address.parse().expect("an address");
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("a small buffer");
        Self(socket.connect(address).await.expect("it is let in"))
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sent = timeout(PATIENCE, self.0.write_all(bytes.as_ref()))
            .await
            .expect("they are taken in time");
        sent.expect("they are taken");
    }

    /// Sends what the other side may not want to read to its end.
    pub async fn offer(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = timeout(PATIENCE, self.0.write_all(bytes.as_ref()))
            .await
            .expect("they are taken or refused in time");
    }

    /// Sends the same again and again until nothing of it is taken for `still`: how many bytes were
    /// taken.
    pub async fn send_until_stuck(&mut self, bytes: &[u8], still: Duration) -> usize {
        let mut taken = 0;
        while let Ok(Ok(wrote)) = timeout(still, self.0.write(&bytes[taken % bytes.len()..])).await
        {
            taken += wrote;
        }
        taken
    }

    /// Sends as much as is taken at once, and how much that was.
    pub async fn send_some(&mut self, bytes: &[u8]) -> usize {
        // Nothing is, for as long as the other side waits for us to read.
        timeout(Duration::from_millis(1), self.0.write(bytes))
            .await
            .map_or(0, |wrote| wrote.expect("they are taken"))
    }

    /// Sends one byte at a time until the other side ends the connection: how long it went on.
    pub async fn drip(&mut self, text: &str, every: Duration) -> Duration {
        let started = Instant::now();
        for byte in text.bytes().cycle() {
            assert!(started.elapsed() < PATIENCE, "it is let go on for ever");
            if self.0.write_all(&[byte]).await.is_err() || self.has_ended(every).await {
                break;
            }
        }
        started.elapsed()
    }

    /// Whether the other side ends the connection within this time; what it sends until then is
    /// read.
    pub async fn has_ended(&mut self, within: Duration) -> bool {
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

    /// What still comes until the other side ends the connection, and how long that took.
    pub async fn rest(&mut self) -> (String, Duration) {
        let (started, mut bytes) = (Instant::now(), Vec::new());
        // A connection that is reset ends as well.
        let _ = timeout(PATIENCE, self.0.read_to_end(&mut bytes))
            .await
            .expect("the connection is ended");
        (String::from_utf8_lossy(&bytes).into_owned(), started.elapsed())
    }

    /// Some of what has come.
    pub async fn some(&mut self, bytes_max: usize) -> Vec<u8> {
        let mut bytes = vec![0; bytes_max];
        let read = timeout(PATIENCE, self.0.read(&mut bytes))
            .await
            .expect("something comes")
            .unwrap_or_default();
        bytes.truncate(read);
        bytes
    }

    /// Reads until this has come.
    pub async fn until(&mut self, end: &str) -> String {
        let mut bytes = Vec::new();
        while !String::from_utf8_lossy(&bytes).ends_with(end) {
            let more = self.some(4096).await;
            assert!(!more.is_empty(), "it ended: {}", String::from_utf8_lossy(&bytes));
            bytes.extend(more);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Says that nothing more will be sent.
    pub async fn finish(&mut self) {
        let _ = self.0.shutdown().await;
    }
}
