//! A small HTTP/1.1 client on a raw socket, so that a test sees what really comes over the wire.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use cloudconnexa_sandbox::{Credential, Form, Sandbox};
use serde_json::Value;

pub(crate) const TOKEN: &str = "/api/v1/oauth/token";
pub(crate) const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
pub(crate) const GRANT: &str = "grant_type=client_credentials";

/// An answer, read to the end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    pub(crate) fn error(&self) -> (u16, String, String) {
        let text = |name: &str| self.json()[name].as_str().unwrap_or_default().to_owned();
        (self.status, text("error"), text("error_description"))
    }

    #[track_caller]
    pub(crate) fn token(&self) -> String {
        assert_eq!(self.status, 200, "{self:?} is no token");
        self.json()["access_token"]
            .as_str()
            .expect("a token is a text")
            .to_owned()
    }
}

/// Opens a connection and sends a request on it.
pub(crate) fn send(
    sandbox: &Sandbox,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> TcpStream {
    let mut stream = TcpStream::connect(sandbox.address()).expect("the sandbox listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("20 s is a timeout");
    let headers: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n{}\r\n{body}",
        body.len(),
        headers.concat(),
    );
    stream
        .write_all(request.as_bytes())
        .expect("the sandbox reads");
    stream
}

/// Everything until the server closes.
pub(crate) fn rest(stream: &mut TcpStream) -> io::Result<String> {
    let mut text = Vec::new();
    stream.read_to_end(&mut text)?;
    Ok(String::from_utf8(text).expect("these answers are text"))
}

pub(crate) fn parse(text: &str) -> Reply {
    let (head, body) = text
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no headers in {text:?}"));
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let header = |line: &str| {
        let (name, value) = line.split_once(": ").expect("a header has a colon");
        (name.to_owned(), value.to_owned())
    };
    Reply {
        status: status.expect("a status line has a status"),
        headers: lines.map(header).collect(),
        body: body.to_owned(),
    }
}

pub(crate) fn ask(
    sandbox: &Sandbox,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Reply {
    let mut stream = send(sandbox, method, target, headers, body);
    parse(&rest(&mut stream).expect("the sandbox answers and closes"))
}

pub(crate) fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}")))
}

pub(crate) fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Asks for a token in one of the forms.
pub(crate) fn token(sandbox: &Sandbox, form: Form, credential: &Credential) -> Reply {
    let (id, secret) = (&credential.client_id, &credential.client_secret);
    let all = format!(
        "client_id={}&client_secret={}&{GRANT}",
        encoded(id),
        encoded(secret)
    );
    let raw = basic(id, secret);
    match form {
        Form::Basic => {
            let auth = basic(&encoded(id), &encoded(secret));
            ask(
                sandbox,
                "POST",
                TOKEN,
                &[("Authorization", &auth), FORM],
                GRANT,
            )
        }
        Form::BasicRaw => ask(
            sandbox,
            "POST",
            TOKEN,
            &[("Authorization", &raw), FORM],
            GRANT,
        ),
        Form::Body => ask(sandbox, "POST", TOKEN, &[FORM], &all),
        Form::Query => ask(sandbox, "POST", &format!("{TOKEN}?{all}"), &[], ""),
        Form::Json => {
            let body = r#"{"grant_type":"client_credentials","scope":"default"}"#;
            ask(sandbox, "POST", TOKEN, &[("Authorization", &raw)], body)
        }
        Form::Unknown => ask(sandbox, "POST", TOKEN, &[FORM], GRANT),
    }
}

/// Asks for a token in the first form, with the sandbox's own credential.
pub(crate) fn basic_token(sandbox: &Sandbox) -> Reply {
    token(sandbox, Form::Basic, &sandbox.credential())
}

pub(crate) fn call(sandbox: &Sandbox, token: &str, method: &str, path: &str) -> Reply {
    ask(
        sandbox,
        method,
        path,
        &[("Authorization", &format!("Bearer {token}"))],
        "",
    )
}

pub(crate) fn networks(sandbox: &Sandbox, token: &str) -> Reply {
    call(sandbox, token, "GET", "/api/v1/networks")
}

pub(crate) fn http() -> Sandbox {
    Sandbox::builder().http().start()
}
