//! TLS to Postgres and Redis.
//!
//! Certificates are always verified, against the authorities of the system or of one PEM file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("expected PEM certificates in {path}: {reason}")]
    CaFile { path: PathBuf, reason: String },
    #[error(
        "this system has no certificate authorities to verify TLS with: \
         install its ca-certificates package, or set a PEM file (DATABASE_CA_FILE, REDIS_CA_FILE)"
    )]
    NoAuthorities,
    #[error("TLS can't be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// A client configuration that trusts the authorities in `ca_file`, or those of the system.
///
/// # Errors
/// See [`TlsError`].
pub fn client_config(ca_file: Option<&Path>) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(path) => {
            let error = |reason: String| TlsError::CaFile { path: path.to_owned(), reason };
            for certificate in
                CertificateDer::pem_file_iter(path).map_err(|e| error(e.to_string()))?
            {
                roots
                    .add(certificate.map_err(|e| error(e.to_string()))?)
                    .map_err(|e| error(e.to_string()))?;
            }
            if roots.is_empty() {
                return Err(error("the file has none".to_owned()));
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(TlsError::NoAuthorities);
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
