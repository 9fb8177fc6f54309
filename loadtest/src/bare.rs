//! The ceiling: an actix-web server that sends the same bytes for every request, without keys,
//! limits, cache or database.

use std::io::Write;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use actix_web::web::Bytes;
use actix_web::{App, HttpResponse, HttpServer, web};
use clap::Args;

use crate::LoadtestError;

#[derive(Debug, Clone, Args)]
pub struct BareArgs {
    /// The file with the response body
    #[arg(long)]
    body: PathBuf,
    /// The content encoding of the body, such as gzip
    #[arg(long)]
    encoding: Option<String>,
    /// The number of threads
    #[arg(long, default_value_t = 2)]
    workers: usize,
}

pub fn run(args: &BareArgs) -> Result<(), LoadtestError> {
    let body = std::fs::read(&args.body)
        .map_err(|error| format!("can't read the body from {}: {error}", args.body.display()))?;
    let body = Bytes::from(body);
    let encoding = args.encoding.clone();
    actix_web::rt::System::new().block_on(async {
        let server = HttpServer::new(move || {
            let (body, encoding) = (body.clone(), encoding.clone());
            App::new().default_service(web::to(move || {
                std::future::ready(response(&body, encoding.as_deref()))
            }))
        });
        let server = server.workers(args.workers).bind((Ipv4Addr::LOCALHOST, 0))?;
        for address in server.addrs() {
            // The same message as tickerd's, so that one function can wait for both.
            writeln!(std::io::stderr(), r#"{{"message":"listening","address":"{address}"}}"#)?;
        }
        server.run().await?;
        Ok(())
    })
}

fn response(body: &Bytes, encoding: Option<&str>) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, "application/json"));
    if let Some(encoding) = encoding {
        response.insert_header((CONTENT_ENCODING, encoding));
    }
    response.body(body.clone())
}
