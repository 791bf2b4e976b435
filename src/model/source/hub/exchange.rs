//! One question to a hub over HTTP and its answer. Each runs on a thread of its own that never
//! touches a file, so that a network that stands still can be called off as well as one that flows.

use super::cache::POLL;
use super::client::{Client, Failure};
use crate::control::Control;
use crate::error::Error;
use std::error::Error as _;
use std::io::{ErrorKind, Read};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// Redirects followed in a row.
const MOST_REDIRECTS: usize = 10;
/// Bytes read at once.
const PIECE: usize = 256 << 10;
/// An exchange is given up after this many times the silence that one read may last: name look-up,
/// connection, encryption and each line of an answer may take one each.
const STEPS: u32 = 3;

/// The head of an answer.
pub struct Answer {
    pub status: u16,
    pub commit: Option<String>,
    pub etag: Option<String>,
    /// The length of the file itself, behind redirects and whatever part is sent.
    pub size: Option<u64>,
    /// The first byte that is sent.
    pub from: Option<u64>,
    pub is_page: bool,
    pub encoding: Option<String>,
    pub error_code: Option<String>,
}

pub enum Message {
    Answer(Answer),
    Bytes(Vec<u8>),
    End,
    Broken(Failure),
}

/// An exchange that goes on, on its own thread. It ends when this is dropped.
pub struct Exchange {
    messages: Receiver<Message>,
    limit: Duration,
}

impl Exchange {
    pub fn next(&self, control: Control<'_>) -> Result<Message, Failure> {
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
    pub fn ask(
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
