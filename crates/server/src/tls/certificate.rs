//! The certificate that we show, as its files have it: renewed ones are taken
//! without a restart.

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

use super::{TlsError, certificates, unread};
use crate::TlsFiles;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// A certificate with its key, and the files that they come from.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    files: TlsFiles,
    shown: Arc<RtcResponse>,
}

/// What every handshake from now on is made with.
#[derive(Debug)]
struct RtcResponse(RwLock<Arc<CertifiedKey>>);

/// When the two files were written.
type Written = [Option<SystemTime>; 2];

impl Certificate {
    /// Reads the files.
    pub fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        Ok(Self {
            files: files.clone(),
            shown: Arc::new(RtcResponse(RwLock::new(Arc::new(read(files)?)))),
        })
    }

    /// What takes handshakes with it.
    pub fn acceptor(&self) -> Result<TlsAcceptor, TlsError> {
        let shown: Arc<RtcResponse> = Arc::clone(&self.shown);
        let provider = crypto::ring::default_provider();
        let mut config = ServerConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_no_client_auth()
            .with_cert_resolver(shown);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Reads the files again whenever they were written. What cannot be used, for
    /// one of the two is still to come, changes nothing.
    pub async fn stay_current(self) {
        let mut known = self.written();
        loop {
            sleep(LOOK).await;
            let written = self.written();
            if written == known {
                continue;
            }
            match read(&self.files) {
                Ok(key) => {
                    tracing::info!("the certificate was renewed");
                    let mut shown = self.shown.0.write().unwrap_or_else(PoisonError::into_inner);
                    *shown = Arc::new(key);
                    known = written;
                }
                Err(error) => tracing::warn!(%error, "the certificate stays what it was"),
            }
        }
    }

    fn written(&self) -> Written {
        let written = |file: &Path| fs::metadata(file).and_then(|found| found.modified()).ok();
        [&self.files.certificate, &self.files.key].map(|file| written(file))
    }
}

impl ResolvesServerCert for RtcResponse {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let shown = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&shown))
    }
}

fn read(files: &TlsFiles) -> Result<CertifiedKey, TlsError> {
    let chain = certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|why| unread(&files.key, why))?;
    CertifiedKey::from_der(chain, key, &crypto::ring::default_provider()).map_err(unusable)
}

fn unusable(error: rustls::Error) -> TlsError {
    TlsError::Unusable(error.to_string())
}
