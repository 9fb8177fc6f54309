//! One operation of the API, and how the document writes it.

use utoipa::openapi::link::LinkBuilder;
use utoipa::openapi::path::OperationBuilder;
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::{ContentBuilder, HttpMethod, Required, Response, SecurityRequirement};

use super::answers::{
    EVERYWHERE, OF_ADDRESSES, OF_KEPT, OF_LIMITS, OF_PAGES, problem, with_headers,
};
use super::parameters;
use super::problems::{ANYWHERE, OF_A_QUERY, WITH_A_KEY, by_status};
use super::schema::{Body, Collected};
use crate::http::request::parameter::Parameter;

pub const KEY_IN_HEADER: &str = "key";
pub const KEY_AS_BEARER: &str = "bearer";
pub const KEY_IN_QUERY: &str = "apikey";

/// What the parameters are in the request that the example answers: (name, value).
pub type Example = &'static [(&'static str, &'static str)];

pub struct Operation {
    /// Published, and stays: code is generated from it.
    pub id: &'static str,
    pub method: HttpMethod,
    pub path: &'static str,
    pub tag: &'static str,
    pub summary: &'static str,
    pub about: &'static str,
    pub counted: Counted,
    pub parameters: &'static [Parameter],
    /// What is sent: its form, and an example in JSON.
    pub sent: Option<(Body, &'static str)>,
    pub answers: Vec<Good>,
    /// Codes beside those that everybody may meet.
    pub problems: &'static [&'static str],
    pub follow: &'static [Follow],
    pub example: Example,
}

/// Whose limit a request counts against.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    ByKey,
    ByAddress,
    Not,
}

impl Counted {
    /// What says how that limit stands.
    fn headers(self) -> &'static [&'static str] {
        match self {
            Self::ByKey => OF_LIMITS,
            Self::ByAddress => OF_ADDRESSES,
            Self::Not => &[],
        }
    }
}

/// An answer that is no problem.
pub struct Good {
    pub status: u16,
    pub about: &'static str,
    /// Media types and what is written in them; none where there is no body.
    pub bodies: Vec<(&'static str, Body)>,
    /// An answer in JSON to the operation's example.
    pub example: Option<&'static str>,
    /// Whether it comes from the cache, with what that says of it.
    pub kept: bool,
    /// Headers beside those that say how the limit stands and what the cache knows.
    pub headers: &'static [&'static str],
}

/// What an answer leads to.
pub struct Follow {
    pub name: &'static str,
    /// The id of an operation.
    pub to: &'static str,
    /// Its parameters, by where they stand here.
    pub with: &'static [(&'static str, &'static str)],
}

impl Good {
    /// 200 with a body in one of these forms.
    pub fn ok(bodies: Vec<(&'static str, Body)>) -> Self {
        Self {
            status: 200,
            about: "What was asked for",
            bodies,
            example: None,
            kept: false,
            headers: &[],
        }
    }
}

impl Operation {
    /// The same where an answer says in its headers where the next page is.
    pub fn paged(mut self) -> Self {
        self.answers.iter_mut().for_each(|answer| answer.headers = OF_PAGES);
        self
    }

    pub fn schemas(&self) -> impl Iterator<Item = Collected> {
        let bodies = self.answers.iter().flat_map(|answer| &answer.bodies).map(|(_, body)| body);
        let all = bodies.chain(self.sent.iter().map(|(body, _)| body));
        all.filter_map(|body| {
            if let Body::Json(collected) = body { Some(collected.clone()) } else { None }
        })
    }

    /// Where a key is needed, it is sent in one of these `ways`.
    pub fn written(&self, ways: &[&str]) -> utoipa::openapi::path::Operation {
        let mut written = OperationBuilder::new()
            .operation_id(Some(self.id))
            .tag(self.tag)
            .summary(Some(self.summary))
            .description(Some(self.about).filter(|about| !about.is_empty()));
        for parameter in parameters::of_path(self.path, self.example) {
            written = written.parameter(parameter);
        }
        for parameter in self.parameters {
            written = written.parameter(parameters::of_query(parameter, self.example));
        }
        if let Some((body, example)) = &self.sent {
            let content = ContentBuilder::new()
                .schema(Some(body.reference()))
                .example(Some(parsed(example)))
                .build();
            let sent = RequestBodyBuilder::new()
                .content("application/json", content)
                .required(Some(Required::True));
            written = written.request_body(Some(sent.build()));
        }
        let ways = if self.counted == Counted::ByKey { ways } else { &[] };
        for scheme in ways {
            written = written.security(SecurityRequirement::new(*scheme, [""; 0]));
        }
        for answer in &self.answers {
            written = written.response(answer.status.to_string(), self.good(answer));
        }
        if self.answers.iter().any(|answer| answer.kept) {
            let same = ResponseBuilder::new()
                .description("The client has this very answer (`If-None-Match`)");
            let same = with_headers(same, [EVERYWHERE, OF_LIMITS, OF_KEPT]);
            written = written.response("304", same.build());
        }
        for (status, problems) in by_status(&self.codes()) {
            written = written
                .response(status.to_string(), problem(status, &problems, self.counted.headers()));
        }
        written.build()
    }

    fn codes(&self) -> Vec<&'static str> {
        let counted: &[&[&str]] = match self.counted {
            Counted::ByKey => &[WITH_A_KEY, OF_A_QUERY],
            Counted::ByAddress => &[&["address_limited"]],
            Counted::Not => &[],
        };
        let sent: &[&str] =
            if self.sent.is_some() { &["invalid_body", "body_too_slow"] } else { &[] };
        [ANYWHERE, &counted.concat(), sent, self.problems].concat()
    }

    fn good(&self, answer: &Good) -> Response {
        let mut written = ResponseBuilder::new().description(answer.about);
        for (media, body) in &answer.bodies {
            let example = answer.example.filter(|_| *media == "application/json").map(parsed);
            let content =
                ContentBuilder::new().schema(Some(body.reference())).example(example).build();
            written = written.content(*media, content);
        }
        for follow in self.follow.iter().filter(|_| !answer.bodies.is_empty()) {
            let link = LinkBuilder::new().operation_id(follow.to);
            let link =
                follow.with.iter().fold(link, |link, (name, value)| link.parameter(*name, *value));
            written = written.link(follow.name, link.build());
        }
        let limits = self.counted.headers();
        let kept = if answer.kept { OF_KEPT } else { &[] };
        with_headers(written, [EVERYWHERE, limits, kept, answer.headers]).build()
    }
}

fn parsed(example: &str) -> serde_json::Value {
    serde_json::from_str(example).expect("an example is JSON, which a test holds")
}
