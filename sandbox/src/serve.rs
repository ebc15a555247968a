//! The sockets: accept, TLS, HTTP/1.1 and the end of a connection.

use std::error::Error;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::router::{self, ConnectionAbort};
use crate::server_state::ServerState;

/// Serves until it is dropped, with one task per connection.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    state: Arc<ServerState>,
) {
    loop {
        match listener.accept().await {
            Ok((tcp, peer)) => {
                tokio::spawn(connection(tcp, peer, tls.clone(), Arc::clone(&state)));
            }
            // Probably no free file descriptor; an immediate retry would fail too.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn connection(
    tcp: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    state: Arc<ServerState>,
) {
    // A failure is harmless: small chunks may then arrive together.
    tcp.set_nodelay(true).ok();
    match tls {
        None => http(tcp, |tcp| tcp, peer, state).await,
        Some(tls) => {
            // A client that does not trust the certificate aborts the handshake; this is not an error here.
            if let Ok(stream) = tls.accept(tcp).await {
                http(stream, |stream| stream.get_ref().0, peer, state).await;
            }
        }
    }
}

async fn http<S>(stream: S, tcp: fn(&S) -> &TcpStream, peer: SocketAddr, state: Arc<ServerState>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let service = service_fn(|request| router::answer(Arc::clone(&state), peer, request));
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    let ended = Pin::new(&mut connection).await;
    let stream = connection.into_parts().io.into_inner();
    if ended.is_err_and(|error| abort_reason(&error) == Some(ConnectionAbort::Reset)) {
        // Without linger time, closing sends RST. Failure means that the peer has disconnected.
        tcp(&stream).set_zero_linger().ok();
    }
}

/// The fault that ended the connection, if one did.
fn abort_reason(error: &hyper::Error) -> Option<ConnectionAbort> {
    error.source()?.downcast_ref().copied()
}
