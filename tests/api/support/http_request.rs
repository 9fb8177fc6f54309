//! HTTP requests over plain sockets: no retries, and every header is visible.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A response, read from a socket.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// Status line and headers, in lower case.
    pub head: String,
    pub body: Vec<u8>,
}

impl Reply {
    /// Whether the server announced that it closes the connection.
    pub fn closes(&self) -> bool {
        self.header("connection") == Some("close")
    }

    /// The value of a header, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.split("\r\n").skip(1);
        lines.find_map(|line| {
            line.split_once(": ").filter(|(found, _)| *found == name).map(|(_, value)| value)
        })
    }
}

/// The head of a GET request.
pub fn get(path: &str, key: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: a\r\nx-api-key: {key}\r\n\r\n")
}

/// Sends a request and reads the whole response. A response that ends early is an error.
pub async fn send_request(stream: &mut TcpStream, request: &str) -> io::Result<Reply> {
    stream.write_all(request.as_bytes()).await?;
    let mut received = Vec::new();
    let head_end = loop {
        if let Some(at) = received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break at;
        }
        more(stream, &mut received).await?;
    };
    let body = received.split_off(head_end + 4);
    let head = String::from_utf8_lossy(&received[..head_end]).to_lowercase();
    let status =
        head.get(9..12).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    let mut reply = Reply { status, head, body };
    let length = reply
        .header("content-length")
        .map(|length| length.parse::<usize>().expect("a length is a number"));
    let is_whole = |body: &[u8]| match length {
        Some(length) => body.len() >= length,
        // A chunked body. These bodies are text, which never contains the final chunk.
        None => body.ends_with(b"\r\n0\r\n\r\n") || body == b"0\r\n\r\n",
    };
    while !is_whole(&reply.body) {
        more(stream, &mut reply.body).await?;
    }
    Ok(reply)
}

async fn more(stream: &mut TcpStream, received: &mut Vec<u8>) -> io::Result<()> {
    match stream.read_buf(received).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}
