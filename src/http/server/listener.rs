//! One listener and its workers, set up as actix-web does it, but with connections that are closed
//! when their client stalls.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use actix_http::{HttpService, Request, Response};
use actix_server::Server;
use actix_service::{Service, ServiceFactoryExt, fn_service, map_config};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{AppConfig, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::{App, Error};
use tokio::net::TcpStream;

use super::connection::{Connection, Timeouts};
use crate::config::HttpConfig;

/// The bytes of a response in a connection's buffer from which on no more are added.
const WRITE_BUFFER_BYTES: usize = 16 * 1024;

/// For a client to disconnect after the response to a request whose body was not read.
const HANG_UP: Duration = Duration::from_secs(1);

/// The threads that serve a listener.
pub struct Workers {
    /// `None` for one per core.
    pub count: Option<usize>,
    /// Connections of one worker.
    pub connections_max: usize,
    /// How long a connection may be idle between requests.
    pub keep_alive: Duration,
}

/// The service of an app.
pub fn service_of<B: MessageBody, S>(
    app: App<S>,
) -> impl ServiceFactory<
    Request,
    Config = (),
    Response = ServiceResponse<B>,
    Error = Error,
    InitError = (),
    Service: Service<Request, Future: 'static>,
>
where
    S: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<B>,
            Error = Error,
            InitError = (),
        > + 'static,
{
    map_config(app, |()| AppConfig::default())
}

/// Starts workers that each serve a `service` to the clients of `listener`.
///
/// # Errors
/// When the listener can't be used.
pub fn serve<B, S>(
    listener: TcpListener,
    workers: Workers,
    http: &HttpConfig,
    service: impl Fn() -> S + Send + Clone + 'static,
) -> io::Result<Server>
where
    B: MessageBody + 'static,
    S: ServiceFactory<Request, Config = (), Error = Error, InitError = ()> + 'static,
    S::Response: Into<Response<B>>,
{
    let keep_alive = workers.keep_alive;
    let stall = Duration::from_millis(http.client_stall_timeout_ms);
    let timeouts = Timeouts {
        head: Duration::from_millis(http.request_head_timeout_ms),
        idle: keep_alive + Duration::from_secs(1),
        stall,
    };
    let mut builder = Server::build()
        .max_concurrent_connections(workers.connections_max)
        .shutdown_timeout(http.shutdown_timeout_s)
        .disable_signals();
    if let Some(count) = workers.count {
        builder = builder.workers(count);
    }
    let stopping = builder.graceful_shutdown_signal();
    let builder = builder.listen("http", listener, move || {
        let stopping = stopping.clone();
        let service = service();
        let http = HttpService::build()
            .keep_alive(keep_alive)
            .client_request_timeout(timeouts.head)
            .client_disconnect_timeout(HANG_UP)
            .h1_write_buffer_size(WRITE_BUFFER_BYTES)
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .on_connect_ext(|connection: &Connection, data| {
                data.insert(connection.progress());
            })
            .h1(service.map_err(|error: Error| Response::<BoxBody>::from(error)));
        fn_service(move |socket: TcpStream| async move {
            let peer = socket.peer_addr().ok();
            Ok::<_, io::Error>((Connection::new(socket, timeouts)?, peer))
        })
        .and_then(http.map_err(|error| io::Error::other(error.to_string())))
    })?;
    Ok(builder.run())
}
