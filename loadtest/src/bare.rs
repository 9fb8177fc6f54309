//! The ceiling: actix-web that answers every request with the same bytes. No key, no limit, no
//! cache, no database.

use std::io::Write;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use actix_web::web::Bytes;
use actix_web::{App, HttpResponse, HttpServer, web};
use clap::Args;

use crate::Failure;

#[derive(Debug, Clone, Args)]
pub struct BareArgs {
    /// A file with the bytes to answer
    #[arg(long)]
    body: PathBuf,
    /// What they are encoded with, as in gzip
    #[arg(long)]
    encoding: Option<String>,
    /// Threads that serve requests
    #[arg(long, default_value_t = 2)]
    workers: usize,
}

pub fn run(args: &BareArgs) -> Result<(), Failure> {
    let body = std::fs::read(&args.body).map_err(|e| {
        format!("can't read {}: {e}; name a file with the bytes to answer", args.body.display())
    })?;
    let (body, encoding) = (Bytes::from(body), args.encoding.clone());
    actix_web::rt::System::new().block_on(async {
        let server = HttpServer::new(move || {
            let (body, encoding) = (body.clone(), encoding.clone());
            App::new().default_service(web::to(move || {
                std::future::ready(answer(&body, encoding.as_deref()))
            }))
        });
        let server = server.workers(args.workers).bind((Ipv4Addr::LOCALHOST, 0))?;
        for address in server.addrs() {
            // As tickerd says it, so that one function can wait for both.
            writeln!(std::io::stderr(), r#"{{"message":"listening","address":"{address}"}}"#)?;
        }
        server.run().await?;
        Ok(())
    })
}

fn answer(body: &Bytes, encoding: Option<&str>) -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    answer.insert_header((CONTENT_TYPE, "application/json"));
    if let Some(encoding) = encoding {
        answer.insert_header((CONTENT_ENCODING, encoding));
    }
    answer.body(body.clone())
}
