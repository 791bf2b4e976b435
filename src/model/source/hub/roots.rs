//! The certificates that a hub's own is checked against: the web's, which are inside the program,
//! and those that the environment names, for networks whose proxies open encrypted connections.

use crate::error::{Error, Result};
use crate::files;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where to find certificates that are trusted besides the web's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roots {
    /// A file of certificates (PEM): `SSL_CERT_FILE`.
    pub file: Option<PathBuf>,
    /// Folders of such files: `SSL_CERT_DIR`. Files without a certificate are ignored.
    pub folders: Vec<PathBuf>,
}

impl Roots {
    /// How connections are encrypted and checked; `None` if nothing is named, so that the web's
    /// certificates suffice.
    ///
    /// # Errors
    /// [`Error::Hub`] naming the variable and the file that cannot be read, or holds no
    /// certificate.
    pub(super) fn config(&self) -> Result<Option<Arc<ClientConfig>>> {
        if self.file.is_none() && self.folders.is_empty() {
            return Ok(None);
        }
        let mut store = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(path) = &self.file {
            let wrong = |why: String| Error::Hub(format!("SSL_CERT_FILE: {why}"));
            let read = certificates(path).map_err(|e| wrong(e.to_string()))?;
            if add(&mut store, path, read) == 0 {
                return Err(wrong(format!("{} holds no certificate (PEM: -----BEGIN CERTIFICATE-----)", path.display())));
            }
        }
        for folder in &self.folders {
            let wrong = |e| Error::Hub(format!("SSL_CERT_DIR: {}: {e}", folder.display()));
            for entry in std::fs::read_dir(folder).map_err(wrong)? {
                let path = entry.map_err(wrong)?.path();
                match certificates(&path) {
                    Ok(read) => _ = add(&mut store, &path, read),
                    Err(why) => tracing::debug!("SSL_CERT_DIR: {why}"),
                }
            }
        }
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| Error::Hub(format!("connections cannot be encrypted: {e}")))?
            .with_root_certificates(store)
            .with_no_client_auth();
        Ok(Some(Arc::new(config)))
    }
}

/// The certificates in a file; other things between them (keys, comments) are skipped.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let bytes = files::read(path, files::SMALL)?;
    let read: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    read.map_err(|e| Error::Input(format!("{} is damaged: {e:?}", path.display())))
}

/// Adds certificates, except those that are damaged or cannot sign for others: system bundles hold
/// some. Returns how many were added.
fn add(store: &mut RootCertStore, path: &Path, read: Vec<CertificateDer<'static>>) -> usize {
    let all = read.len();
    let (added, _) = store.add_parsable_certificates(read);
    if added < all {
        tracing::warn!("{} of the {all} certificates in {} cannot be used", all - added, path.display());
    }
    added
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(roots: &Roots) -> String {
        roots.config().unwrap_err().to_string()
    }

    #[test]
    fn what_the_environment_names_is_read_or_refused_by_its_name() {
        assert!(Roots::default().config().unwrap().is_none());
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hub/tls/root.pem");
        let text = std::fs::read_to_string(&root).unwrap();
        assert!(Roots { file: Some(root), folders: Vec::new() }.config().unwrap().is_some());

        let dir = tempfile::tempdir().unwrap();
        let of = |content: &str| {
            let path = dir.path().join("bundle.pem");
            std::fs::write(&path, content).unwrap();
            Roots { file: Some(path), folders: Vec::new() }
        };
        assert!(of(&format!("# of the office\n{text}\nand more\n{text}")).config().is_ok());
        for (content, part) in [
            ("", "holds no certificate"),
            ("-----BEGIN PRIVATE KEY-----\nMAAA\n-----END PRIVATE KEY-----\n", "holds no certificate"),
            ("-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n", "holds no certificate"),
            (&text[..text.len() / 2], "is damaged"),
        ] {
            let message = refused(&of(content));
            assert!(message.starts_with("SSL_CERT_FILE: ") && message.contains("bundle.pem") && message.contains(part), "{message}");
        }
        let none = Roots { file: Some(dir.path().join("none")), folders: Vec::new() };
        assert!(refused(&none).contains("No such file"));

        // In folders, files without a certificate are ignored.
        std::fs::write(dir.path().join("README"), "no certificate").unwrap();
        std::fs::create_dir(dir.path().join("folder")).unwrap();
        assert!(Roots { file: None, folders: vec![dir.path().to_owned()] }.config().unwrap().is_some());
        let gone = refused(&Roots { file: None, folders: vec![dir.path().join("gone")] });
        assert!(gone.starts_with("SSL_CERT_DIR: ") && gone.contains("gone"), "{gone}");
    }
}
