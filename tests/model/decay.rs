//! The rules for a document's chunks on the bundled model: what must hold of any model, and what is
//! refused.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::common;
use state_soup::control::{Cancel, Control, quiet};
use state_soup::error::Error;
use state_soup::lab::{Cut, DecayRequest, DecaySource, DecayView, Lab};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

const CUT: Cut = Cut { chunks: 3, length: 48, after: 32 };

fn lab() -> &'static Lab {
    static LAB: OnceLock<(tempfile::TempDir, Lab)> = OnceLock::new();
    &LAB.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let lab = quiet(|control| Lab::open(common::bundled(&dir.path().join("library")), control)).unwrap();
        (dir, lab)
    })
    .1
}

fn request(gamma: f64) -> DecayRequest {
    DecayRequest { source: DecaySource::Sample(3), cut: CUT, gamma }
}

fn compared(request: &DecayRequest) -> DecayView {
    quiet(|control| lab().decay(request, control)).unwrap()
}

fn of<'v>(view: &'v DecayView, rule: &str) -> &'v state_soup::lab::RuleResult {
    view.results.iter().find(|r| r.rule.name() == rule).unwrap()
}

#[test]
fn what_the_algebra_says_holds_on_the_model() {
    let view = compared(&request(1.0));
    assert_eq!(view.results.iter().map(|r| r.rule.name()).collect::<Vec<_>>(), DecayRequest::rule_names());
    for result in &view.results {
        assert_eq!((result.loss.len(), result.error.len()), (32, 12), "{:?}", result.rule);
        assert!(result.loss.iter().all(|l| l.is_finite() && *l >= 0.0) && result.error.iter().all(|e| e.is_finite()), "{:?}", result.rule);
    }
    let full = of(&view, "full pass");
    assert!(full.error.iter().all(|e| *e == 0.0));
    assert_eq!(view.excess(full), 0.0);
    // One linear layer with the halo is exact; without it, or without the decay, it is not.
    let [halo, plain, mean] = ["A-decay with halo", "A-decay", "mean"].map(|r| of(&view, r).error[0]);
    assert!(halo < 1e-5, "{halo}");
    assert!(plain > 100.0 * halo && mean > plain, "{halo} {plain} {mean}");
    assert!(of(&view, "empty").error.iter().all(|e| (e - 1.0).abs() < 1e-9));
    // What was read helps to predict what follows: over the samples, as a single one may be of
    // tasks that have nothing in common.
    let samples = (0..4).map(|n| compared(&DecayRequest { source: DecaySource::Sample(n), ..request(1.0) })).collect::<Vec<_>>();
    let nats = |rule: &str| samples.iter().map(|view| of(view, rule).nats()).sum::<f64>();
    assert!(nats("A-decay with halo") < nats("empty"));

    let sum = compared(&request(0.0));
    let far = of(&sum, "A-decay").loss.iter().zip(&of(&sum, "sum").loss).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(far < 1e-4, "γ = 0 adds the chunks up, but for the order of the sums: {far}");
    for (a, b) in of(&sum, "A-decay").error.iter().zip(&of(&sum, "sum").error) {
        assert!((a - b).abs() < 1e-6, "{a} {b}");
    }
    let last = compared(&request(f64::INFINITY));
    assert_eq!(of(&last, "A-decay").loss, of(&last, "last only").loss, "γ = ∞ keeps the last chunk");
}

#[test]
fn another_gamma_reads_no_chunk_again_and_gives_the_same_as_a_fresh_lab() {
    // One γ after another in one lab, while a cache holds the chunks, and each in a lab of its own.
    let dir = tempfile::tempdir().unwrap();
    let own = quiet(|control| Lab::open(common::bundled(&dir.path().join("library")), control)).unwrap();
    let units = |lab: &Lab, gamma: f64| {
        let tokens = AtomicU64::new(0);
        let count = |p: state_soup::control::Progress| {
            if p.unit == "tokens" {
                tokens.fetch_max(p.total, Ordering::Relaxed);
            }
        };
        let view = lab.decay(&request(gamma), Control::new(&Cancel::new(), &count)).unwrap();
        (view, tokens.into_inner())
    };
    let (first, read) = units(&own, 1.0);
    let (second, asked) = units(&own, 0.3);
    let chunks = (CUT.chunks * CUT.length) as u64;
    assert!(read >= 2 * chunks, "{read}");
    assert_eq!(asked, 2 * (CUT.after as u64 + 1), "two rules depend on γ; each reads the continuation and nothing else");
    assert_eq!(first, compared(&request(1.0)));
    assert_eq!(second, compared(&request(0.3)));
    assert_ne!(of(&first, "A-decay").loss, of(&second, "A-decay").loss);
    assert_eq!(of(&first, "mean"), of(&second, "mean"));
}

#[test]
fn chunks_are_marked_in_the_text_and_half_lives_grow_along_the_strip() {
    let view = compared(&request(1.0));
    assert_eq!((view.bounds.len(), view.bounds[0]), (CUT.chunks + 2, 0));
    assert!(view.bounds.windows(2).all(|w| w[0] < w[1]) && *view.bounds.last().unwrap() <= view.text.len());
    assert!(view.bounds.iter().all(|b| view.text.is_char_boundary(*b)));
    assert_eq!(view.continuation.len(), CUT.after);
    let after = &view.text[view.bounds[CUT.chunks]..view.bounds[CUT.chunks + 1]];
    assert!(after.ends_with(view.continuation.last().unwrap().as_str()), "{after:?} ends with {:?}", view.continuation.last());
    assert_eq!(view.half_life.len(), 12);
    for lives in &view.half_life {
        assert!(lives.len() == 32 && lives[0] > 0.0 && lives.windows(2).all(|w| w[0] <= w[1]), "{lives:?}");
    }
    // The same text, given as such, is read the same way.
    let typed = compared(&DecayRequest { source: DecaySource::Text(view.text.clone()), ..request(1.0) });
    assert_eq!(typed.results, view.results);
}

#[test]
fn what_cannot_be_compared_is_refused_with_the_reason() {
    let refused = |request: &DecayRequest| quiet(|control| lab().decay(request, control)).unwrap_err().to_string();
    let text = |text: &str| DecayRequest { source: DecaySource::Text(text.into()), ..request(1.0) };
    let message = refused(&text("far too short"));
    assert!(message.contains("3 chunks of 48 and a continuation of 32 need 177"), "{message}");
    assert!(refused(&text(&"a ".repeat(200_000))).contains("longer than 256 KiB"));
    assert!(refused(&DecayRequest { gamma: f64::NAN, ..request(1.0) }).contains("gamma"));
    assert!(refused(&DecayRequest { cut: Cut { chunks: 65, ..CUT }, ..request(1.0) }).contains("2 to 64"));
    assert!(refused(&DecayRequest { cut: Cut { length: 0, ..CUT }, ..request(1.0) }).contains("1 to 4096"));

    let cancel = Cancel::new();
    cancel.cancel();
    let fresh = DecayRequest { source: DecaySource::Sample(99), ..request(1.0) };
    assert!(matches!(lab().decay(&fresh, Control::new(&cancel, &|_| {})), Err(Error::Cancelled)));
}
