//! Questions to a hub over HTTP: what it announces of a file, and the file itself.
//!
//! Each exchange runs on a thread of its own that never touches a file, so that a network that
//! stands still can be called off as well as one that flows. Nothing that the hub says is believed
//! here: names, sizes and hashes are checked by whoever uses them.

use super::cache::{POLL, Part, is_commit};
use super::instead::Instead;
use crate::control::Control;
use crate::error::Error;
use rustls::ClientConfig;
use std::error::Error as _;
use std::fmt;
use std::io::{ErrorKind, Read};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// Redirects followed in a row.
const MOST_REDIRECTS: usize = 10;
/// Tries in a row that bring nothing new, before a download is given up.
const MOST_TRIES: u32 = 5;
/// Bytes read at once.
const PIECE: usize = 256 << 10;
/// An exchange is given up after this many times the silence that one read may last: name look-up,
/// connection, encryption and each line of an answer may take one each.
const STEPS: u32 = 3;

const WEB_PAGE: &str = "a web page came instead of the file; a proxy or a network that asks to sign in may stand between: open \
    the address in a browser, or check HF_ENDPOINT";
const POINTER: &str = "a Git LFS pointer came instead of the content; the server does not resolve large files";

/// A secret that identifies the user to the hub. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

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
    fn of(&self, scheme: &str, host: &str) -> Option<&str> {
        let is_direct = self.direct.split(',').map(|d| d.trim().trim_start_matches('.')).filter(|d| !d.is_empty()).any(|d| {
            let name = d.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(d, |(name, _)| name);
            d == "*" || host.eq_ignore_ascii_case(name) || host.to_ascii_lowercase().ends_with(&format!(".{}", name.to_ascii_lowercase()))
        });
        if is_direct { None } else { if scheme == "https" { &self.https } else { &self.http }.as_deref() }
    }
}

/// Why there is no file.
pub(super) enum Failure {
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
pub(super) enum Absent {
    File,
    Revision,
    Repository,
}

/// What a hub says of a file before it sends it. The ETag is unchecked.
pub(super) struct Announced {
    pub commit: String,
    pub etag: Option<String>,
    pub size: Option<u64>,
}

/// A file as it is wanted.
pub(super) struct Wanted<'a> {
    pub url: &'a str,
    /// Bytes, where they are announced.
    pub size: Option<u64>,
    /// The most bytes a JSON file may have; `None` for weights, which have as many as are
    /// announced.
    pub limit: Option<u64>,
}

impl Wanted<'_> {
    fn is_json(&self) -> bool {
        self.limit.is_some()
    }
}

/// Whoever asks a hub.
#[derive(Clone)]
pub(super) struct Client {
    pub endpoint: String,
    pub token: Option<Token>,
    pub patience: Patience,
    pub proxies: Proxies,
    /// How connections are encrypted and checked, where it is not the usual way.
    pub tls: Option<Arc<ClientConfig>>,
}

/// The head of an answer.
struct Answer {
    status: u16,
    commit: Option<String>,
    etag: Option<String>,
    /// The length of the file itself, behind redirects and whatever part is sent.
    size: Option<u64>,
    /// The first byte that is sent.
    from: Option<u64>,
    is_page: bool,
    encoding: Option<String>,
    error_code: Option<String>,
}

enum Message {
    Answer(Answer),
    Bytes(Vec<u8>),
    End,
    Broken(Failure),
}

/// An exchange that goes on, on its own thread. It ends when this is dropped.
struct Exchange {
    messages: Receiver<Message>,
    limit: Duration,
}

impl Exchange {
    fn next(&self, control: Control<'_>) -> Result<Message, Failure> {
        let begun = Instant::now();
        loop {
            control.check()?;
            match self.messages.recv_timeout(POLL.min(self.limit)) {
                Ok(Message::Broken(failure)) => return Err(failure),
                Ok(message) => return Ok(message),
                Err(RecvTimeoutError::Timeout) if begun.elapsed() < self.limit => {}
                Err(RecvTimeoutError::Timeout) => return Err(Failure::Network(format!("nothing came for {:?}", self.limit))),
                Err(RecvTimeoutError::Disconnected) => return Err(Failure::Network("the connection broke down".into())),
            }
        }
    }
}

impl Client {
    /// What the hub announces of a file.
    ///
    /// # Errors
    /// [`Failure`]; nothing has been written.
    pub(super) fn announced(&self, url: &str, control: Control<'_>) -> Result<Announced, Failure> {
        let (answer, _) = self.ask("HEAD", url, 0, self.patience.answer, control)?;
        if !matches!(answer.status, 200 | 206 | 301 | 302 | 303 | 307 | 308) {
            return Err(self.refusal(&answer));
        }
        let Some(commit) = answer.commit else {
            return Err(Failure::Refused(if answer.is_page {
                WEB_PAGE.into()
            } else {
                "the answer names no commit (X-Repo-Commit): this is no Hugging Face hub, or a proxy stands between; check HF_ENDPOINT"
                    .into()
            }));
        };
        if !is_commit(&commit) {
            let shown: String = commit.chars().take(80).collect();
            return Err(Failure::Refused(format!("the hub calls its commit {shown:?}, which is no commit hash; nothing was written")));
        }
        let size = answer.size.filter(|_| answer.encoding.is_none());
        Ok(Announced { commit, etag: answer.etag, size })
    }

    /// Receives a file, behind what there is of it already. A connection that breaks off is taken
    /// up again as long as each try brings something.
    ///
    /// # Errors
    /// [`Failure`]. What arrived stays in the part, unless it is wrong: then it is marked to be
    /// discarded.
    pub(super) fn receive(&self, wanted: &Wanted<'_>, part: &mut Part, control: Control<'_>) -> Result<(), Failure> {
        let mut fruitless = 0;
        loop {
            let before = part.len();
            let why = match self.attempt(wanted, part, control) {
                Err(Failure::Network(why)) => why,
                other => return other,
            };
            fruitless = if part.len() > before { 0 } else { fruitless + 1 };
            let of = wanted.size.map_or_else(String::new, |size| format!(" of {size}"));
            if fruitless >= MOST_TRIES {
                let kept = format!("{why}; {}{of} bytes have arrived and are kept, the next try goes on behind them", part.len());
                return Err(Failure::Network(if part.len() > 0 { kept } else { why }));
            }
            tracing::warn!("{} of {}{of} bytes arrived: {why}; trying again", part.len(), wanted.url);
            let begun = Instant::now();
            while begun.elapsed() < self.patience.pause {
                control.check()?;
                control.report(part.len(), wanted.size.unwrap_or(0), "bytes; the connection broke off and is taken up again");
                std::thread::sleep(POLL.min(self.patience.pause));
            }
        }
    }

    fn attempt(&self, wanted: &Wanted<'_>, part: &mut Part, control: Control<'_>) -> Result<(), Failure> {
        if wanted.size.is_some_and(|size| part.len() > size) {
            part.restart()?;
        }
        if wanted.size.is_none_or(|size| part.len() < size || size == 0) {
            self.receive_once(wanted, part, control)?;
        }
        check_head(part.head(), true, wanted.is_json()).map_err(|why| wrong(part, why))
    }

    fn receive_once(&self, wanted: &Wanted<'_>, part: &mut Part, control: Control<'_>) -> Result<(), Failure> {
        let offset = part.len();
        let (answer, exchange) = self.ask("GET", wanted.url, offset, self.patience.bytes, control)?;
        match answer.status {
            200 => {}
            206 if answer.from.is_none_or(|from| from == offset) => {}
            206 | 416 => {
                part.restart()?;
                return Err(Failure::Network("the hub does not go on where the last try ended".into()));
            }
            _ => return Err(self.refusal(&answer)),
        }
        if answer.is_page {
            return Err(Failure::Refused(WEB_PAGE.into()));
        }
        if let Some(encoding) = answer.encoding {
            let shown: String = encoding.chars().take(20).collect();
            return Err(Failure::Refused(format!("it comes encoded as {shown:?}, though it was asked for as it is")));
        }
        let size = wanted.size.or(answer.size);
        let most = match (size, wanted.limit) {
            (Some(size), Some(limit)) if size > limit => return Err(Failure::Refused(too_large(limit))),
            (Some(size), _) => size,
            (None, Some(limit)) => limit,
            (None, None) => return Err(Failure::Refused("the hub does not say how long it is".into())),
        };
        let mut is_first = true;
        while let Message::Bytes(bytes) = exchange.next(control)? {
            if is_first && (offset == 0 || answer.status == 200) {
                // Before anything is given up for it: a page must not cost what earlier tries
                // brought.
                check_head(&bytes, false, wanted.is_json()).map_err(Failure::Refused)?;
                part.restart()?;
            }
            is_first = false;
            if part.len() + bytes.len() as u64 > most {
                let longer = || format!("it is longer than the {most} bytes that were announced");
                return Err(wrong(part, size.map_or_else(|| too_large(most), |_| longer())));
            }
            let known = part.head().len();
            part.write(&bytes)?;
            if part.head().len() > known {
                check_head(part.head(), false, wanted.is_json()).map_err(|why| wrong(part, why))?;
            }
            control.report(part.len(), size.unwrap_or(0), "bytes");
        }
        match size {
            Some(size) if part.len() < size => {
                if part.len() > 0 {
                    // What stands for the file may be shorter than it, and too short to be told on
                    // the way.
                    check_head(part.head(), true, wanted.is_json()).map_err(|why| wrong(part, why))?;
                }
                Err(Failure::Network(format!("it ended after {} of {size} bytes", part.len())))
            }
            _ => Ok(()),
        }
    }

    /// The sentence for an answer that is none.
    fn refusal(&self, answer: &Answer) -> Failure {
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

    fn ask(
        &self,
        method: &'static str,
        url: &str,
        from: u64,
        patience: Duration,
        control: Control<'_>,
    ) -> Result<(Answer, Exchange), Failure> {
        let (send, messages) = sync_channel(8);
        let (client, url) = (self.clone(), url.to_owned());
        let work = move || {
            let end = client.exchange(method, &url, from, patience, &send).err().map_or(Message::End, Message::Broken);
            // Nobody listens any more if the asking side has left.
            let _ = send.send(end);
        };
        std::thread::Builder::new().name("download".into()).spawn(work).map_err(Error::io("download thread"))?;
        let exchange = Exchange { messages, limit: patience.saturating_mul(STEPS) };
        match exchange.next(control)? {
            Message::Answer(answer) => Ok((answer, exchange)),
            _ => Err(Failure::Network("the connection ended without an answer".into())),
        }
    }

    /// The whole exchange, on its own thread.
    fn exchange(&self, method: &str, url: &str, from: u64, patience: Duration, send: &SyncSender<Message>) -> Result<(), Failure> {
        let mut url = url.to_owned();
        for _ in 0..=MOST_REDIRECTS {
            let (response, next) = self.request(method, &url, from, patience)?;
            let answer = read_answer(&response);
            // A hub tells of a large file in the answer that sends on to its store; the store knows
            // nothing of commits.
            let is_told = method == "HEAD" && answer.commit.is_some();
            if let Some(next) = next.filter(|next| !(next.is_elsewhere && is_told)) {
                url = next.url;
                continue;
            }
            let has_body = method == "GET" && (200..300).contains(&answer.status);
            // Nobody listens any more if the asking side has left; the body's first piece finds
            // that out.
            let _ = send.send(Message::Answer(answer));
            return if has_body { read_body(response.into_reader(), patience, send) } else { Ok(()) };
        }
        Err(Failure::Refused(format!("it is sent on more than {MOST_REDIRECTS} times")))
    }

    /// One request, and where its answer sends on to.
    fn request(&self, method: &str, url: &str, from: u64, patience: Duration) -> Result<(ureq::Response, Option<Next>), Failure> {
        let mut plain = ureq::AgentBuilder::new().redirects(0).timeout_connect(patience).timeout_read(patience).timeout_write(patience);
        if let Some(tls) = &self.tls {
            plain = plain.tls_config(Arc::clone(tls));
        }
        let unusable = |_| Failure::Refused("the address is none; check HF_ENDPOINT".into());
        let here = ureq::request(method, url).request_url().map_err(unusable)?;
        let agent = match self.proxies.of(here.scheme(), here.host()) {
            // A proxy may hold a password: it is not printed.
            Some(proxy) => plain.proxy(ureq::Proxy::new(proxy).map_err(|_| {
                Failure::Refused("the proxy that the environment names is not understood; http:// and socks5:// are".into())
            })?),
            None => plain,
        }
        .build();
        let mut request = agent
            .request(method, url)
            .set("User-Agent", concat!("state-soup/", env!("CARGO_PKG_VERSION")))
            .set("Accept-Encoding", "identity");
        if let Some(token) = &self.token
            && self.is_hub(&here)
        {
            if !token.0.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(Failure::Refused("the token (HF_TOKEN, or the token file) holds characters that no token has".into()));
            }
            request = request.set("Authorization", &format!("Bearer {}", token.0));
        }
        if from > 0 {
            request = request.set("Range", &format!("bytes={from}-"));
        }
        let response = match request.call() {
            Ok(response) | Err(ureq::Error::Status(_, response)) => response,
            Err(ureq::Error::Transport(why)) => return Err(Failure::Network(transport(&why, here.host()))),
        };
        if !matches!(response.status(), 301 | 302 | 303 | 307 | 308) {
            return Ok((response, None));
        }
        let Some(there) = response.header("Location").and_then(|to| here.as_url().join(to).ok()) else {
            return Err(Failure::Refused("the answer sends on to nowhere".into()));
        };
        if !matches!(there.scheme(), "http" | "https") {
            return Err(Failure::Refused(format!(
                "the answer sends on to an address of the kind `{}:`; only http(s) is followed",
                there.scheme()
            )));
        }
        let next = Next { url: there.to_string(), is_elsewhere: there.origin() != here.as_url().origin() };
        Ok((response, Some(next)))
    }

    /// Whether an address is the hub's own: the same scheme, host and port.
    fn is_hub(&self, url: &ureq::RequestUrl) -> bool {
        ureq::get(&self.endpoint).request_url().is_ok_and(|hub| hub.as_url().origin() == url.as_url().origin())
    }
}

struct Next {
    url: String,
    /// On another host.
    is_elsewhere: bool,
}

fn read_answer(response: &ureq::Response) -> Answer {
    let text = |name: &str| response.header(name).map(str::to_owned);
    let number = |name: &str| response.header(name).and_then(|v| v.trim().parse::<u64>().ok());
    let is_redirect = (300..400).contains(&response.status());
    // `bytes 10-99/100`
    let range = response.header("Content-Range").and_then(|v| v.trim().strip_prefix("bytes ")?.split_once('/'));
    let from = range.and_then(|(bytes, _)| bytes.split_once('-')?.0.trim().parse().ok());
    let whole = range.and_then(|(_, size)| size.trim().parse().ok());
    let length = if response.status() == 200 { number("Content-Length") } else { None };
    Answer {
        status: response.status(),
        commit: text("X-Repo-Commit"),
        etag: text("X-Linked-Etag").or_else(|| text("ETag")),
        size: number("X-Linked-Size").or(whole).or(length),
        from,
        is_page: !is_redirect && response.header("Content-Type").is_some_and(|kind| kind.to_ascii_lowercase().contains("text/html")),
        encoding: text("Content-Encoding").filter(|kind| !kind.trim().eq_ignore_ascii_case("identity")),
        error_code: text("X-Error-Code"),
    }
}

fn read_body(mut body: impl Read, patience: Duration, send: &SyncSender<Message>) -> Result<(), Failure> {
    loop {
        let mut piece = vec![0; PIECE];
        match body.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(n) => {
                piece.truncate(n);
                if send.send(Message::Bytes(piece)).is_err() {
                    return Ok(());
                }
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) if matches!(e.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) => {
                return Err(Failure::Network(format!("nothing came for {patience:?}")));
            }
            Err(e) => return Err(Failure::Network(format!("the connection broke off ({e})"))),
        }
    }
}

/// What the client library says, without the address, which may hold a signature. It may quote the
/// answer.
fn transport(why: &ureq::Transport, host: &str) -> String {
    let message = why.message().map_or_else(String::new, |message| format!(": {message}"));
    let cause = why.source().map(ToString::to_string).filter(|cause| cause.contains("certificate"));
    let cause = cause.map_or_else(String::new, |cause| {
        format!(": {cause}; where a network signs connections itself, SSL_CERT_FILE names its certificates")
    });
    format!("{} ({host}){message}{cause}", why.kind()).replace(char::is_control, "?")
}

/// What has arrived is not the file: it does not stay.
fn wrong(part: &mut Part, why: String) -> Failure {
    part.discard();
    Failure::Refused(why)
}

fn too_large(limit: u64) -> String {
    format!("it is larger than the {limit} bytes that such a file may have")
}

/// Refuses what is no file of a model by its first bytes. Before it is whole, `{` may still be
/// missing.
fn check_head(head: &[u8], is_whole: bool, is_json: bool) -> Result<(), String> {
    match Instead::of(head, is_whole, is_json) {
        None => Ok(()),
        Some(Instead::Page) => Err(WEB_PAGE.into()),
        Some(Instead::Pointer) => Err(POINTER.into()),
        Some(Instead::NoJson) => Err("what came is no JSON".into()),
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
