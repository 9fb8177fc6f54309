//! The key service, as the operator who sent a request.

use std::future::{Ready, ready};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

use crate::caller::Actor;
use crate::http::request::query::value;
use crate::http::respond::error::Problem;
use crate::http::server::state::State;
use crate::keys::KeyService;

/// The header with the operator's name for the audit, since several operators may share a token.
const ACTOR: &str = "X-Actor";
/// The name of operators who send no [`ACTOR`] header.
const DEFAULT_ACTOR: &str = "admin";
/// How long a request waits for a connection to Redis to notify other instances. Without Redis they
/// find the change when they poll, so requests don't wait.
const NO_WAIT: Duration = Duration::ZERO;

/// The same service that the command line uses. All its changes are recorded under the operator's
/// name.
pub struct AdminService(pub KeyService);

impl FromRequest for AdminService {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let state = State::of(request);
        let name = request
            .headers()
            .get(ACTOR)
            .map_or(Ok(DEFAULT_ACTOR), |name| std::str::from_utf8(name.as_bytes()));
        let actor = value(ACTOR, name.unwrap_or_default()).map(|name| Actor::http(&name));
        ready(actor.map(|actor| {
            let (store, redis) = (state.store.clone(), state.redis.clone());
            Self(KeyService::new(store, redis, NO_WAIT, actor))
        }))
    }
}
