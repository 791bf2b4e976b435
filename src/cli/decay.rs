//! `state-soup decay`: a document in ordered chunks, composed by every rule, and how well each
//! state predicts what follows.
//!
//! `--json`: `{ "source", "tokens", "chunks", "chunk_tokens", "continuation_tokens", "gamma",
//! "rules": [{ "rule", "nats", "perplexity", "minus_full_pass", "loss": [per token], "error": [per
//! layer] }], "continuation": [token], "half_life": [[per band of channels] per layer] }`. Losses
//! are in nats; `error` is the relative error of the SSM state against that of one pass;
//! `half_life` is in tokens, from the shortest-lived channels to the longest.

use super::args::Common;
use super::output;
use crate::error::Result;
use crate::lab::{Cut, DecayRequest, DecaySource, DecayView};
use serde_json::json;

/// Flags of `decay`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A text file, or `-` for standard input [default: a sample made of the lab's tasks with
    /// --seed]
    #[arg(value_name = "FILE|-")]
    file: Option<String>,
    /// Chunks
    #[arg(long, default_value_t = 4)]
    chunks: usize,
    /// Tokens of a chunk
    #[arg(long, default_value_t = 64)]
    tokens: usize,
    /// Tokens of the continuation
    #[arg(long, default_value_t = 64)]
    continuation: usize,
    /// Exponent of the decay: 0 is the sum, 1 A-decay, inf the last chunk alone
    #[arg(long, default_value_t = 1.0)]
    gamma: f64,
}

/// Compares and prints.
///
/// # Errors
/// A text that cannot be read or is too short, values out of range, a model that cannot be opened.
pub fn run(common: &Common, args: &Args) -> Result<()> {
    let source = match &args.file {
        Some(file) => {
            let (text, more) = crate::text::beginning(file)?;
            if more {
                let (cut, kib) = (args.chunks * args.tokens + args.continuation, crate::text::MAX / 1024);
                common.tell(&[format!("{file}: only the first {kib} KiB are read; {cut} tokens of it are used.")])?;
            }
            DecaySource::Text(text.into())
        }
        None => DecaySource::Sample(common.seed),
    };
    let cut = Cut { chunks: args.chunks, length: args.tokens, after: args.continuation };
    let request = DecayRequest { source, cut, gamma: args.gamma };
    request.check()?;
    let lab = common.opened()?;
    let view = output::with_progress(common.quiet, "comparing", |control| lab.decay(&request, control))?;
    let source = args.file.clone().unwrap_or_else(|| format!("sample {}", common.seed));
    if common.json { output::json(&as_json(&view, &source)) } else { output::print(&as_text(&view)) }
}

fn as_json(view: &DecayView, source: &str) -> serde_json::Value {
    let rules = view.results.iter().map(|r| {
        json!({
            "rule": r.rule.name(),
            "nats": r.nats(),
            "perplexity": r.perplexity(),
            "minus_full_pass": view.excess(r),
            "loss": r.loss,
            "error": r.error,
        })
    });
    let Cut { chunks, length, after } = view.request.cut;
    json!({
        "source": source,
        "tokens": view.tokens,
        "chunks": chunks,
        "chunk_tokens": length,
        "continuation_tokens": after,
        "gamma": view.request.gamma,
        "rules": rules.collect::<Vec<_>>(),
        "continuation": view.continuation,
        "half_life": view.half_life,
    })
}

fn as_text(view: &DecayView) -> String {
    let middle = view.half_life.len() / 2;
    let row = |r: &crate::lab::RuleResult| {
        let at = |layer: usize| r.error.get(layer).map_or(String::new(), |e| format!("{e:.2e}"));
        vec![
            r.rule.name().into(),
            format!("{:.4}", r.nats()),
            format!("{:.2}", r.perplexity()),
            format!("{:+.4}", view.excess(r)),
            at(0),
            at(middle),
            at(view.half_life.len().saturating_sub(1)),
        ]
    };
    let middle = format!(">layer {middle}");
    let heading = ["rule", ">nats a token", ">perplexity", ">minus full pass", ">error, first layer", middle.as_str(), ">last layer"];
    output::table(&heading, &view.results.iter().map(row).collect::<Vec<_>>())
}
