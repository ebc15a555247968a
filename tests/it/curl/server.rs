//! A server on loopback with responses that the test defines, over plain HTTP.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A server that listens until the test process ends.
pub(super) struct Server {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Each connection has one request. `answer` gets it, including the body, and writes any
    /// response.
    pub(super) fn start(answer: impl Fn(&str, &mut TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let known = Arc::clone(&heads);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = read_request(&mut stream);
                known.lock().unwrap().push(request.clone());
                answer(&request, &mut stream);
            }
        });
        Self { address, heads }
    }

    /// A server that always sends the same response.
    pub(super) fn saying(status: &'static str, body: &'static str) -> Self {
        Self::start(move |_, stream| reply(stream, status, "", body))
    }

    /// `http://127.0.0.1:PORT`
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `127.0.0.1:PORT`
    pub(super) fn authority(&self) -> String {
        self.address.to_string()
    }

    /// All requests so far.
    pub(super) fn requests(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

/// Sends a complete response; each of the `headers` ends in CRLF. Errors are ignored, because the
/// client may have closed the connection.
pub(super) fn reply(stream: &mut TcpStream, status: &str, headers: &str, body: &str) {
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    drop(stream.write_all(answer.as_bytes()));
}

/// Reads the head, and as much of the body as the head announces.
fn read_request(stream: &mut TcpStream) -> String {
    let mut request = String::new();
    let mut byte = [0];
    while !request.ends_with("\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
        request.push(char::from(byte[0]));
    }
    let length = request
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "))
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    request + &String::from_utf8(body).unwrap()
}
