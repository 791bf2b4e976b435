//! A file from a hub, behind what there is of it already: a connection that breaks off is taken up
//! again.

use super::cache::POLL;
use super::client::{Client, Failure, WEB_PAGE};
use super::exchange::Message;
use super::part::Part;
use crate::control::Control;
use crate::model::source::Instead;
use std::time::Instant;

/// Tries in a row that bring nothing new, before a download is given up.
const MOST_TRIES: u32 = 5;

const POINTER: &str = "a Git LFS pointer came instead of the content; the server does not resolve large files";

/// A file as it is wanted.
pub struct Wanted<'a> {
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

impl Client {
    /// Receives a file, behind what there is of it already. A connection that breaks off is taken
    /// up again as long as each try brings something.
    ///
    /// # Errors
    /// [`Failure`]. What arrived stays in the part, unless it is wrong: then it is marked to be
    /// discarded.
    pub fn receive(&self, wanted: &Wanted<'_>, part: &mut Part, control: Control<'_>) -> Result<(), Failure> {
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
        Some(Instead::NoJson) => Err("what came is not JSON".into()),
    }
}
