//! TLS to Postgres and Redis.
//!
//! Certificates are always verified, against the authorities of the system or the certificates of
//! one PEM file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

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
    Setup(String),
}

/// A client configuration that trusts the certificates in `ca_file`, or the authorities of the
/// system.
///
/// A certificate in `ca_file` is that of an authority, or that of the server itself.
///
/// # Errors
/// See [`TlsError`].
pub fn client_config(ca_file: Option<&Path>) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let setup = |error: &dyn std::fmt::Display| TlsError::Setup(error.to_string());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| setup(&error))?;
    let config = match ca_file {
        // "Dangerous" is how rustls names every verifier of its users.
        Some(path) => config
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(FileVerifier::new(path, provider)?)),
        None => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(TlsError::NoAuthorities);
            }
            config.with_root_certificates(roots)
        }
    };
    Ok(config.with_no_client_auth())
}

/// Verifies a server against the certificates of a file.
///
/// A server whose own certificate is in the file is trusted whatever its names and dates: it proves
/// that it holds the key. Such a certificate is often self-signed and marked as an authority, as
/// the manual of Postgres makes it, which the usual verification rejects.
#[derive(Debug)]
struct FileVerifier {
    certificates: Vec<CertificateDer<'static>>,
    authorities: Arc<WebPkiServerVerifier>,
}

impl FileVerifier {
    fn new(path: &Path, provider: Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let error = |reason: String| TlsError::CaFile { path: path.to_owned(), reason };
        let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
            .map_err(|e| error(e.to_string()))?
            .collect::<Result<_, _>>()
            .map_err(|e| error(e.to_string()))?;
        if certificates.is_empty() {
            return Err(error("the file has none".to_owned()));
        }
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            roots.add(certificate.clone()).map_err(|e| error(e.to_string()))?;
        }
        let authorities =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
        let authorities = authorities.map_err(|e| TlsError::Setup(e.to_string()))?;
        Ok(Self { certificates, authorities })
    }
}

impl ServerCertVerifier for FileVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.certificates.iter().any(|certificate| certificate == end_entity) {
            return Ok(ServerCertVerified::assertion());
        }
        self.authorities.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        )
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.authorities.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.authorities.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
    }
}

/// Whether a connection failed because no trusted authority signed the certificate of the server.
pub fn is_untrusted(error: &(dyn std::error::Error + 'static)) -> bool {
    let cause = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    // Two authorities of one name differ in their signatures. The last one is the error of a
    // self-signed certificate that is marked as an authority.
    let is_untrusted = |reason: &CertificateError| {
        matches!(
            reason,
            CertificateError::UnknownIssuer
                | CertificateError::BadSignature
                | CertificateError::Other(_)
        )
    };
    match cause.and_then(|cause| cause.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(reason)) => is_untrusted(reason),
        _ => false,
    }
}
