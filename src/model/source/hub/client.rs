//! Questions to a hub: what it announces of a file, and why it refuses.
//!
//! Nothing that the hub says is believed here: names, sizes and hashes are checked by whoever uses
//! them.

use super::exchange::Answer;
use super::names::is_commit;
use crate::control::Control;
use crate::error::Error;
use rustls::ClientConfig;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub const WEB_PAGE: &str = "a web page came instead of the file; a proxy or a network that asks to sign in may stand between: open \
    the address in a browser, or check HF_ENDPOINT";

/// A secret that identifies the user to the hub. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(pub(super) String);

impl Token {
    /// A token as it stands in a variable or file; `None` if nothing stands there.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.replace(['\r', '\n'], "");
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.into()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// How long to wait for a hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For a connection, and for an answer about a file.
    pub answer: Duration,
    /// For the next bytes of a file.
    pub bytes: Duration,
    /// Between two tries.
    pub pause: Duration,
}

/// Ways around a direct connection, as `HTTPS_PROXY` and its like name them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For `http` addresses.
    pub http: Option<String>,
    /// For `https` addresses.
    pub https: Option<String>,
    /// Hosts and domains reached directly, comma-separated; `*` for all.
    pub direct: String,
}

impl Proxies {
    pub(super) fn of(&self, scheme: &str, host: &str) -> Option<&str> {
        let is_direct = self.direct.split(',').map(|d| d.trim().trim_start_matches('.')).filter(|d| !d.is_empty()).any(|d| {
            let name = d.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(d, |(name, _)| name);
            d == "*" || host.eq_ignore_ascii_case(name) || host.to_ascii_lowercase().ends_with(&format!(".{}", name.to_ascii_lowercase()))
        });
        if is_direct { None } else { if scheme == "https" { &self.https } else { &self.http }.as_deref() }
    }
}

/// Why there is no file.
pub enum Failure {
    /// No connection, a silence, or a connection that broke off: the next try may go better.
    Network(String),
    /// The hub has no such file.
    Absent(Absent),
    /// What the hub answers is of no use.
    Refused(String),
    /// Something on this side.
    Here(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Here(error)
    }
}

/// What a hub does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    File,
    Revision,
    Repository,
}

/// What a hub says of a file before it sends it. The ETag is unchecked.
pub struct Announced {
    pub commit: String,
    pub etag: Option<String>,
    pub size: Option<u64>,
}

/// Whoever asks a hub.
#[derive(Clone)]
pub struct Client {
    pub endpoint: String,
    pub token: Option<Token>,
    pub patience: Patience,
    pub proxies: Proxies,
    /// How connections are encrypted and checked, where it is not the usual way.
    pub tls: Option<Arc<ClientConfig>>,
}

impl Client {
    /// What the hub announces of a file.
    ///
    /// # Errors
    /// [`Failure`]; nothing has been written.
    pub fn announced(&self, url: &str, control: Control<'_>) -> Result<Announced, Failure> {
        let (answer, _) = self.ask("HEAD", url, 0, self.patience.answer, control)?;
        if !matches!(answer.status, 200 | 206 | 301 | 302 | 303 | 307 | 308) {
            return Err(self.refusal(&answer));
        }
        let Some(commit) = answer.commit else {
            return Err(Failure::Refused(if answer.is_page {
                WEB_PAGE.into()
            } else {
                "the answer names no commit (X-Repo-Commit): this is not a Hugging Face hub, or a proxy is in between; check HF_ENDPOINT"
                    .into()
            }));
        };
        if !is_commit(&commit) {
            let shown: String = commit.chars().take(80).collect();
            return Err(Failure::Refused(format!("the hub calls its commit {shown:?}, which is not a commit hash; nothing was written")));
        }
        let size = answer.size.filter(|_| answer.encoding.is_none());
        Ok(Announced { commit, etag: answer.etag, size })
    }

    /// The sentence for an answer that is none.
    pub fn refusal(&self, answer: &Answer) -> Failure {
        match (answer.status, answer.error_code.as_deref()) {
            (_, Some("RepoNotFound")) if self.token.is_some() => Failure::Absent(Absent::Repository),
            (404, Some("RevisionNotFound")) => Failure::Absent(Absent::Revision),
            (404, Some("RepoNotFound")) => Failure::Absent(Absent::Repository),
            (404, _) => Failure::Absent(Absent::File),
            (401 | 403, code) => {
                let why = if code == Some("GatedRepo") {
                    "its terms must be accepted on the hub's page of the model"
                } else {
                    "the repository may not exist, or is not for everybody"
                };
                let token = if self.token.is_some() {
                    "the token that was sent does not open it"
                } else {
                    "there is no token: set HF_TOKEN, or sign in with `hf auth login`"
                };
                Failure::Refused(format!("the hub asks for permission; {why}; {token}"))
            }
            (511, _) => Failure::Refused("the network asks to sign in".into()),
            (status @ (408 | 425 | 429 | 500..), _) => Failure::Network(format!("the hub answered {status}")),
            (status, _) => Failure::Refused(format!("the hub answered {status}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_trimmed_and_never_shown() {
        let token = Token::new(" hf_secret\r\n").unwrap();
        assert_eq!(token.0, "hf_secret");
        assert!(!format!("{token:?}").contains("secret"));
        assert_eq!(Token::new(" \n"), None);
    }

    #[test]
    fn proxies_follow_scheme_and_exceptions() {
        let proxies = Proxies { http: Some("a".into()), https: Some("b".into()), direct: "localhost, .corp.example,10.0.0.1:80".into() };
        assert_eq!(proxies.of("https", "huggingface.co"), Some("b"));
        assert_eq!(proxies.of("http", "huggingface.co"), Some("a"));
        for direct in ["localhost", "corp.example", "Hub.Corp.Example", "10.0.0.1"] {
            assert_eq!(proxies.of("http", direct), None, "{direct}");
        }
        assert_eq!(proxies.of("http", "notcorp.example"), Some("a"));
        assert_eq!(Proxies { direct: "*".into(), ..proxies }.of("https", "x"), None);
    }
}
