//! The face for operators, on a listener of its own: every route and what guards it, on one screen.

mod freshness;
mod metrics;
mod token;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::{App, Error, web};

use super::error::not_found;
use super::middleware::{closed_boundary, operators_only};
use super::{State, plain};
pub use freshness::Freshness;
pub use token::{AdminToken, AdminTokenFault};

/// Without a token: what shows no key and changes nothing. Below /admin: what does.
pub fn app(
    state: &'static State,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = Error,
        InitError = (),
    >,
> {
    let admin = web::scope("/admin").default_service(web::to(not_found)).wrap(from_fn(operators_only));
    App::new()
        .app_data(state)
        .service(plain("/metrics", metrics::metrics))
        .service(admin)
        .default_service(web::to(not_found))
        .wrap(from_fn(closed_boundary))
}
