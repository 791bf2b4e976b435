//! The loop on a real pseudo-terminal, driven by hand or by a script: `cargo test --test terminal -- --ignored --nocapture live`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod common;

use state_soup::app::EngineHandle;
use state_soup::engine::{Event, Job, JobKind};
use std::sync::Arc;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

struct Fake(UnboundedSender<Event>);

impl EngineHandle for Fake {
    fn send(&self, job: Job) {
        for event in common::replies(&job) {
            let _ = self.0.send(event);
        }
    }

    fn cancel(&self, _: JobKind) {}
}

#[test]
#[ignore = "needs a terminal"]
fn live() {
    let (sender, receiver) = unbounded_channel();
    let _ = sender.send(Event::Model(common::model()));
    let _ = sender.send(Event::Library(Arc::new(common::library())));
    let look = state_soup::term::caps::detect(|name| std::env::var(name).ok());
    let options = state_soup::app::Options { look, ..common::options() };
    state_soup::term::run(options, state_soup::term::Files::default(), Fake(sender), receiver).unwrap();
    println!("left in good order");
}
