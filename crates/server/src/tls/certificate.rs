//! The server's certificate, reloaded from its files without a restart.

use std::fs;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, crypto};
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use super::TlsFiles;
use super::{TlsError, certificates, file_error};

/// Interval of the checks for renewed files.
const RELOAD_INTERVAL: Duration = Duration::from_secs(5);

/// A certificate with its key, and their files.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    files: TlsFiles,
    current: Arc<CurrentKey>,
}

/// The key that new handshakes use.
#[derive(Debug)]
struct CurrentKey(RwLock<Arc<CertifiedKey>>);

/// Modification times of the two files.
type Modified = [Option<SystemTime>; 2];

impl Certificate {
    /// Reads the files.
    pub fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        Ok(Self {
            files: files.clone(),
            current: Arc::new(CurrentKey(RwLock::new(Arc::new(read(files)?)))),
        })
    }

    /// The acceptor of TLS handshakes with this certificate.
    pub fn acceptor(&self) -> Result<TlsAcceptor, TlsError> {
        let current: Arc<CurrentKey> = Arc::clone(&self.current);
        let provider = crypto::ring::default_provider();
        let mut config = ServerConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_no_client_auth()
            .with_cert_resolver(current);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Reloads the files when they change. A pair that does not match yet is ignored
    /// and tried again.
    pub async fn stay_current(self) {
        let mut known = self.modified();
        loop {
            sleep(RELOAD_INTERVAL).await;
            let modified = self.modified();
            if modified == known {
                continue;
            }
            match read(&self.files) {
                Ok(key) => {
                    tracing::info!("certificate reloaded");
                    let mut current = self
                        .current
                        .0
                        .write()
                        .unwrap_or_else(PoisonError::into_inner);
                    *current = Arc::new(key);
                    known = modified;
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot reload the certificate; the previous one stays in use")
                }
            }
        }
    }

    fn modified(&self) -> Modified {
        let modified = |file: &Path| fs::metadata(file).and_then(|found| found.modified()).ok();
        [&self.files.certificate, &self.files.key].map(|file| modified(file))
    }
}

impl ResolvesServerCert for CurrentKey {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&current))
    }
}

fn read(files: &TlsFiles) -> Result<CertifiedKey, TlsError> {
    let chain = certificates(&files.certificate)?;
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|why| file_error(&files.key, why))?;
    CertifiedKey::from_der(chain, key, &crypto::ring::default_provider()).map_err(unusable)
}

fn unusable(error: rustls::Error) -> TlsError {
    TlsError::Unusable(error.to_string())
}
