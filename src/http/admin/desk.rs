//! Whoever asks over HTTP, at the desk where the command line asks, too.

use std::future::{Ready, ready};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

use crate::caller::Actor;
use crate::http::request::query::value;
use crate::http::respond::error::Problem;
use crate::http::server::state::State;
use crate::keys::KeyService;

/// Says who asks, where several do with one token.
const ACTOR: &str = "X-Actor";
/// Whoever does not say.
const NOBODY: &str = "admin";

pub struct AdminService(pub KeyService);

impl FromRequest for AdminService {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let state = State::of(request);
        let name = request
            .headers()
            .get(ACTOR)
            .map_or(Ok(NOBODY), |name| std::str::from_utf8(name.as_bytes()));
        let actor = value(ACTOR, name.unwrap_or_default()).map(|name| Actor::http(&name));
        // No request waits for a Redis that is lost: instances then look for changes by themselves.
        ready(actor.map(|actor| {
            Self(KeyService::new(state.store.clone(), state.redis.clone(), Duration::ZERO, actor))
        }))
    }
}
