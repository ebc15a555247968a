//! The sockets: accepting, TLS, HTTP/1.1, and how a connection ends.

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

use crate::route::{self, Broken};
use crate::world::World;

/// Serves until it is dropped; each connection is a task of its own.
pub(crate) async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, world: Arc<World>) {
    loop {
        match listener.accept().await {
            Ok((tcp, peer)) => {
                tokio::spawn(connection(tcp, peer, tls.clone(), Arc::clone(&world)));
            }
            // Out of file descriptors, most likely: the next accept would fail at once as well.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn connection(tcp: TcpStream, peer: SocketAddr, tls: Option<TlsAcceptor>, world: Arc<World>) {
    // Best effort: without it small chunks may arrive together, which harms nothing.
    tcp.set_nodelay(true).ok();
    match tls {
        None => http(tcp, |tcp| tcp, peer, world).await,
        Some(tls) => {
            // A client that does not trust the certificate ends the handshake; there is nobody to tell.
            if let Ok(stream) = tls.accept(tcp).await {
                http(stream, |stream| stream.get_ref().0, peer, world).await;
            }
        }
    }
}

async fn http<S>(stream: S, tcp: fn(&S) -> &TcpStream, peer: SocketAddr, world: Arc<World>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let service = service_fn(|request| route::answer(Arc::clone(&world), peer, request));
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    let ended = Pin::new(&mut connection).await;
    let stream = connection.into_parts().io.into_inner();
    if ended.is_err_and(|error| broken(&error) == Some(Broken::Reset)) {
        // With no linger time, closing sends RST. A peer that is gone already cannot be reset.
        tcp(&stream).set_zero_linger().ok();
    }
}

/// Why our own service broke the connection off, if it was it.
fn broken(error: &hyper::Error) -> Option<Broken> {
    error.source()?.downcast_ref().copied()
}
