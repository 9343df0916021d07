//! TLS of incoming connections, and the trust roots of outgoing ones.

mod certificate;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore, crypto};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

pub(crate) use certificate::Certificate;

/// A certificate and its key, as PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, with those up to a known authority after it.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Names a PEM file of additional trust roots, as for OpenSSL.
const OWN_AUTHORITIES: &str = "SSL_CERT_FILE";

/// A certificate that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate's or the key's file.
    #[error("{file} cannot be read: {why}")]
    File {
        /// Its path.
        file: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Certificate and key do not work together.
    #[error("the certificate and its key cannot be used: {0}")]
    Unusable(String),
}

/// A connection, with TLS or without.
pub(crate) type Stream = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// Does the TLS handshake of an incoming connection.
///
/// # Errors
/// When it fails, or takes longer than `limit`.
pub(crate) async fn secure(
    tls: &TlsAcceptor,
    socket: TcpStream,
    limit: Duration,
) -> io::Result<Stream> {
    let secured = timeout(limit, tls.accept(socket)).await;
    let secured = secured.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    Ok(Either::Right(Box::new(secured)))
}

/// Disables Nagle's algorithm: small messages must not wait for acknowledgements.
pub(crate) fn without_delay(socket: &TcpStream) {
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
}

/// TLS settings of outgoing requests: trusts the public roots and those of the file
/// that `SSL_CERT_FILE` names.
pub(crate) fn client() -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if let Some(file) = std::env::var_os(OWN_AUTHORITIES).filter(|file| !file.is_empty()) {
        roots.add_parsable_certificates(certificates(Path::new(&file))?);
    }
    let config = ClientConfig::builder_with_provider(crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Unusable(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|why| file_error(file, why))?;
    if certificates.is_empty() {
        return Err(file_error(file, "the file contains no certificate"));
    }
    Ok(certificates)
}

fn file_error(file: &Path, why: impl ToString) -> TlsError {
    TlsError::File {
        file: file.to_owned(),
        why: why.to_string(),
    }
}
