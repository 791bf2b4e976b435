//! The thread that owns the device. It takes requests by urgency and lets urgent ones overtake long
//! ones between chunks.

use super::mailbox::{Mailbox, Pending};
use super::{Event, Generation, Job, JobKind, News};
use crate::control::{Cancel, Control};
use crate::error::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// The receiver of events. It is called from the engine's threads; it must be quick and never
/// block.
pub type Outbox = Arc<dyn Fn(Event) + Send + Sync>;

/// Does the work: the real laboratory, or a fake in tests.
///
/// `run` may be re-entered, on the same thread, from inside its own `control.report`. This is how a
/// ranking overtakes a library build. No lock may therefore be held across a report.
pub trait Work: Sync {
    /// Runs one request and sends its results (not `Done` or `Failed`) through `tell`.
    ///
    /// # Errors
    /// The error of the work; [`Error::Cancelled`] if it was cancelled.
    fn run(&self, job: &Job, tell: &Outbox, control: Control<'_>) -> Result<()>;
}

/// Opens the work on the engine's thread: loads the model and opens the library.
pub type Open = Box<dyn FnOnce(&Outbox, Control<'_>) -> Result<Box<dyn Work>> + Send>;

/// The sender's side of the engine. Dropping it closes the engine and waits for its thread.
pub struct Engine {
    mailbox: Arc<Mailbox>,
    tell: Outbox,
    opening: Cancel,
    thread: Option<JoinHandle<()>>,
}

impl Engine {
    /// Starts the thread, which first runs `open`.
    ///
    /// # Errors
    /// [`Error::Io`] if the system cannot start a thread.
    pub fn start(open: Open, tell: Outbox) -> Result<Self> {
        let mailbox = Arc::new(Mailbox::default());
        let opening = Cancel::new();
        let thread = {
            let (mailbox, tell, opening) = (Arc::clone(&mailbox), Arc::clone(&tell), opening.clone());
            std::thread::Builder::new()
                .name("engine".into())
                .spawn(move || serve(open, &mailbox, &tell, &opening))
                .map_err(Error::io("engine thread"))?
        };
        Ok(Self { mailbox, tell, opening, thread: Some(thread) })
    }

    /// Sends a request. A waiting or running one of the same kind is cancelled, unless the kind
    /// queues (edits and results).
    pub fn send(&self, job: Job) {
        if let Some(replaced) = self.mailbox.put(job) {
            tell_cancelled(&self.tell, &replaced);
        }
    }

    /// Cancels the waiting and running jobs of a kind.
    pub fn cancel(&self, kind: JobKind) {
        if kind == JobKind::Open {
            self.opening.cancel();
        }
        for job in self.mailbox.cancel(kind) {
            tell_cancelled(&self.tell, &job);
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.opening.cancel();
        self.mailbox.close();
        if let Some(thread) = self.thread.take() {
            // A panic on the engine's thread was already reported as a failure.
            let _ = thread.join();
        }
    }
}

fn tell_cancelled(tell: &Outbox, job: &Job) {
    tell(job.event(failed(&Error::Cancelled)));
}

fn serve(open: Open, mailbox: &Mailbox, tell: &Outbox, opening: &Cancel) {
    let progress = progress_to(tell, 0, JobKind::Open);
    let opened = guarded(|| open(tell, Control::new(opening, &progress)));
    let work = match opened {
        Ok(work) => work,
        Err(error) => {
            tell(opening_event(failed(&error)));
            // Without a model, every request is answered with the same sentence, so that no sender
            // waits for ever.
            let message = format!("there is no model to work with: {error}");
            while let Some(pending) = mailbox.wait() {
                tell(pending.job.event(News::Failed { cancelled: false, message: message.clone() }));
            }
            return;
        }
    };
    tell(opening_event(News::Done));
    let server = Server { work: &*work, mailbox, tell };
    while let Some(pending) = mailbox.wait() {
        server.run(&pending);
    }
}

struct Server<'a> {
    work: &'a dyn Work,
    mailbox: &'a Mailbox,
    tell: &'a Outbox,
}

impl Server<'_> {
    /// Runs a job. At each of its progress reports, all more urgent requests run first.
    fn run(&self, pending: &Pending) {
        let Pending { job, cancel } = pending;
        let kind = job.request.kind();
        let overtaking = AtomicBool::new(false);
        let report = progress_to(self.tell, job.generation, kind);
        let pause = || {
            // A job started here pauses too. Only the outermost pause of this job may start others.
            if !overtaking.swap(true, Ordering::Relaxed) {
                while let Some(urgent) = self.mailbox.take_above(Some(kind.about().urgency)) {
                    self.run(&urgent);
                }
                overtaking.store(false, Ordering::Relaxed);
            }
        };
        self.mailbox.begin(kind, cancel.clone());
        let result = guarded(|| {
            let control = Control::new(cancel, &report).with_pauses(&pause);
            control.check()?;
            self.work.run(job, self.tell, control)
        });
        self.mailbox.end();
        (self.tell)(job.event(result.map_or_else(|error| failed(&error), |()| News::Done)));
    }
}

/// Opening has no request: the engine begins with it.
fn opening_event(news: News) -> Event {
    Event::Job { generation: 0, kind: JobKind::Open, news }
}

fn failed(error: &Error) -> News {
    News::Failed { cancelled: matches!(error, Error::Cancelled), message: error.to_string() }
}

fn progress_to(tell: &Outbox, generation: Generation, kind: JobKind) -> impl Fn(crate::control::Progress) + Sync + use<> {
    let tell = Arc::clone(tell);
    move |p| {
        let news = News::Progress { done: p.done, total: p.total, unit: p.unit };
        tell(Event::Job { generation, kind, news });
    }
}

/// Turns a panic in the work into an error, so that it does not end the engine's thread.
fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let what = panic.downcast_ref::<&str>().map(ToString::to_string).or_else(|| panic.downcast_ref::<String>().cloned());
        Err(Error::Model(format!("the engine hit a bug and dropped this request: {}", what.unwrap_or_else(|| "no message".into()))))
    })
}

#[cfg(test)]
mod tests {
    use super::super::Request;
    use super::*;
    use crate::lab::{BuildRequest, RankView};
    use crate::library::{Metric, Part, Ranking};
    use std::sync::mpsc::{Receiver, channel};
    use std::sync::{Barrier, Mutex};

    /// A fake that builds in 100 steps and ranks at once. Its steps wait at a barrier, so that the
    /// test decides what arrives when.
    struct Stepper {
        step: Arc<Barrier>,
        log: Arc<Mutex<Vec<String>>>,
    }

    impl Work for Stepper {
        fn run(&self, job: &Job, tell: &Outbox, control: Control<'_>) -> Result<()> {
            match &job.request {
                Request::Build(_) => {
                    for i in 0..100 {
                        if i == 1 {
                            self.step.wait();
                            self.step.wait();
                        }
                        control.check()?;
                        self.log.lock().unwrap().push(format!("build {i}"));
                        control.report(i, 100, "skills");
                    }
                    Ok(())
                }
                Request::Rank { .. } => {
                    self.log.lock().unwrap().push(format!("rank {}", job.generation));
                    tell(job.event(News::Ranking(Arc::new(Ranking::default()))));
                    Ok(())
                }
                Request::Inspect(_) => panic!("planted"),
                _ => Err(Error::Input("no".into())),
            }
        }
    }

    fn start() -> (Engine, Receiver<Event>, Arc<Barrier>, Arc<Mutex<Vec<String>>>) {
        let (step, log) = (Arc::new(Barrier::new(2)), Arc::new(Mutex::new(Vec::new())));
        let work = Stepper { step: Arc::clone(&step), log: Arc::clone(&log) };
        let (tx, rx) = channel();
        let tx = Mutex::new(tx);
        let tell: Outbox = Arc::new(move |event| {
            let _ = tx.lock().unwrap().send(event);
        });
        let engine = Engine::start(Box::new(move |_, _| Ok(Box::new(work) as Box<dyn Work>)), tell).unwrap();
        (engine, rx, step, log)
    }

    fn rank(generation: u64) -> Job {
        let view = RankView { metric: Metric::Cosine, layers: 0..1, part: Part::Ssm };
        Job { generation, request: Request::Rank { query: String::new(), view } }
    }

    fn until_end(rx: &Receiver<Event>, wanted: Generation) -> News {
        let end = |event| match event {
            Event::Job { generation, news: news @ (News::Done | News::Failed { .. }), .. } if generation == wanted => Some(news),
            _ => None,
        };
        rx.iter().find_map(end).unwrap()
    }

    #[test]
    fn a_ranking_overtakes_a_build_at_the_next_chunk() {
        let (engine, rx, step, log) = start();
        engine.send(Job { generation: 1, request: Request::Build(BuildRequest::default()) });
        step.wait(); // the build is in its second step
        engine.send(rank(2));
        step.wait();
        assert!(matches!(until_end(&rx, 2), News::Done));
        assert!(matches!(until_end(&rx, 1), News::Done));
        let log = log.lock().unwrap();
        assert_eq!(log[..4], ["build 0", "build 1", "rank 2", "build 2"]);
        assert_eq!(log.len(), 101);
    }

    #[test]
    fn cancelling_stops_at_the_next_chunk_and_says_so() {
        let (engine, rx, step, log) = start();
        engine.send(Job { generation: 1, request: Request::Build(BuildRequest::default()) });
        step.wait();
        engine.cancel(JobKind::Build);
        step.wait();
        assert!(matches!(until_end(&rx, 1), News::Failed { cancelled: true, .. }));
        assert_eq!(*log.lock().unwrap(), ["build 0"]);
    }

    #[test]
    fn a_panic_becomes_a_sentence_and_the_engine_lives_on() {
        let (engine, rx, ..) = start();
        engine.send(Job { generation: 1, request: Request::Inspect("x".into()) });
        let News::Failed { message, cancelled: false } = until_end(&rx, 1) else { panic!("no failure") };
        assert!(message.contains("planted"), "{message}");
        engine.send(rank(2));
        assert!(matches!(until_end(&rx, 2), News::Done));
    }

    #[test]
    fn without_a_model_requests_are_refused_not_left_waiting() {
        let (tx, rx) = channel();
        let tx = Mutex::new(tx);
        let tell: Outbox = Arc::new(move |event| {
            let _ = tx.lock().unwrap().send(event);
        });
        let engine = Engine::start(Box::new(|_, _| Err(Error::Model("model.safetensors is cut short".into()))), tell).unwrap();
        engine.send(rank(7));
        assert!(matches!(rx.recv().unwrap(), Event::Job { kind: JobKind::Open, news: News::Failed { .. }, .. }));
        let News::Failed { message, .. } = until_end(&rx, 7) else { panic!("no failure") };
        assert!(message.contains("cut short"), "{message}");
    }
}
