//! One operation of the API, and its representation in the document.

use utoipa::openapi::link::LinkBuilder;
use utoipa::openapi::path::OperationBuilder;
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::{ContentBuilder, HttpMethod, Required, Response, SecurityRequirement};

use super::parameters::{self, ExampleValues};
use super::problems::{ANYWHERE, OF_A_QUERY, WITH_A_KEY, by_status};
use super::responses::{ALWAYS, CACHED, KEY_LIMIT, PAGED, problem, with_headers};
use super::schema::{BodySchema, TypeSchema};
use crate::http::request::parameter::Parameter;

pub const KEY_IN_HEADER: &str = "key";
pub const KEY_AS_BEARER: &str = "bearer";
pub const KEY_IN_QUERY: &str = "apikey";

pub struct Operation {
    /// Published ids never change: clients generate code from them.
    pub id: &'static str,
    pub method: HttpMethod,
    pub path: &'static str,
    pub tag: &'static str,
    pub summary: &'static str,
    pub description: &'static str,
    pub limited_by: LimitedBy,
    pub parameters: &'static [Parameter],
    /// The schema of the request body, and an example in JSON.
    pub request_body: Option<(BodySchema, &'static str)>,
    pub responses: Vec<Success>,
    /// Error codes in addition to those that all operations of this kind share.
    pub problems: &'static [&'static str],
    pub links: &'static [OperationLink],
    pub example: ExampleValues,
}

/// The limit that a request counts towards.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum LimitedBy {
    /// The limit of the key. The operation requires a key.
    Key,
    Nothing,
}

impl LimitedBy {
    fn headers(self) -> &'static [&'static str] {
        match self {
            Self::Key => KEY_LIMIT,
            Self::Nothing => &[],
        }
    }
}

/// A response that is not a problem document.
pub struct Success {
    pub status: u16,
    pub description: &'static str,
    /// Media types with their schemas; empty if there is no body.
    pub bodies: Vec<(&'static str, BodySchema)>,
    /// The JSON response to the operation's example.
    pub example: Option<&'static str>,
    /// Whether it may come from the cache, and has the headers of the cache.
    pub is_cached: bool,
    /// Headers in addition to those of the limit and of the cache.
    pub headers: &'static [&'static str],
}

/// A link from a response to a related operation.
pub struct OperationLink {
    pub name: &'static str,
    /// The id of the operation.
    pub operation: &'static str,
    /// The operation's parameters, as (name, runtime expression).
    pub parameters: &'static [(&'static str, &'static str)],
}

impl Success {
    /// A 200 with a body in any of these media types.
    pub fn ok(bodies: Vec<(&'static str, BodySchema)>) -> Self {
        Self {
            status: 200,
            description: "Success",
            bodies,
            example: None,
            is_cached: false,
            headers: &[],
        }
    }
}

impl Operation {
    /// The operation with the header of paged responses.
    pub fn paged(mut self) -> Self {
        self.responses.iter_mut().for_each(|response| response.headers = PAGED);
        self
    }

    pub fn schemas(&self) -> impl Iterator<Item = TypeSchema> {
        let responses = self.responses.iter().flat_map(|response| &response.bodies);
        let bodies = responses.map(|(_, body)| body);
        let all = bodies.chain(self.request_body.iter().map(|(body, _)| body));
        all.filter_map(|body| {
            if let BodySchema::Json(schema) = body { Some(schema.clone()) } else { None }
        })
    }

    /// The operation for the document. `security` names the ways to send a key.
    pub fn to_openapi(&self, security: &[&str]) -> utoipa::openapi::path::Operation {
        let mut operation = OperationBuilder::new()
            .operation_id(Some(self.id))
            .tag(self.tag)
            .summary(Some(self.summary))
            .description(Some(self.description).filter(|description| !description.is_empty()));
        for parameter in parameters::in_path(self.path, self.example) {
            operation = operation.parameter(parameter);
        }
        for parameter in self.parameters {
            operation = operation.parameter(parameters::in_query(parameter, self.example));
        }
        if let Some((body, example)) = &self.request_body {
            let content = ContentBuilder::new()
                .schema(Some(body.reference()))
                .example(Some(parsed(example)))
                .build();
            let body = RequestBodyBuilder::new()
                .content("application/json", content)
                .required(Some(Required::True));
            operation = operation.request_body(Some(body.build()));
        }
        let security = if self.limited_by == LimitedBy::Key { security } else { &[] };
        for scheme in security {
            operation = operation.security(SecurityRequirement::new(*scheme, [""; 0]));
        }
        for response in &self.responses {
            operation = operation.response(response.status.to_string(), self.success(response));
        }
        if self.responses.iter().any(|response| response.is_cached) {
            let not_modified = ResponseBuilder::new()
                .description("The client has this response already (`If-None-Match`)");
            let not_modified = with_headers(not_modified, [ALWAYS, KEY_LIMIT, CACHED]);
            operation = operation.response("304", not_modified.build());
        }
        for (status, problems) in by_status(&self.codes()) {
            let problem = problem(status, &problems, self.limited_by.headers());
            operation = operation.response(status.to_string(), problem);
        }
        operation.build()
    }

    /// All error codes of the operation.
    fn codes(&self) -> Vec<&'static str> {
        let of_limit: &[&[&str]] = match self.limited_by {
            LimitedBy::Key => &[WITH_A_KEY, OF_A_QUERY],
            LimitedBy::Nothing => &[],
        };
        let of_body: &[&str] =
            if self.request_body.is_some() { &["invalid_body", "body_too_slow"] } else { &[] };
        [ANYWHERE, &of_limit.concat(), of_body, self.problems].concat()
    }

    fn success(&self, success: &Success) -> Response {
        let mut response = ResponseBuilder::new().description(success.description);
        for (media_type, body) in &success.bodies {
            let example = success.example.filter(|_| *media_type == "application/json").map(parsed);
            let content =
                ContentBuilder::new().schema(Some(body.reference())).example(example).build();
            response = response.content(*media_type, content);
        }
        for link in self.links.iter().filter(|_| !success.bodies.is_empty()) {
            let builder = LinkBuilder::new().operation_id(link.operation);
            let builder = link
                .parameters
                .iter()
                .fold(builder, |builder, (name, value)| builder.parameter(*name, *value));
            response = response.link(link.name, builder.build());
        }
        let limit = self.limited_by.headers();
        let cached = if success.is_cached { CACHED } else { &[] };
        with_headers(response, [ALWAYS, limit, cached, success.headers]).build()
    }
}

fn parsed(example: &str) -> serde_json::Value {
    serde_json::from_str(example).expect("examples are JSON: a test compares them with responses")
}
