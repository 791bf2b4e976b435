//! A made-up comparison of the rules, from hashes of the request: equal requests give equal
//! pictures.

use state_soup::lab::{DecayRequest, DecaySource, DecayView, RuleResult};
use state_soup::soup::chunks::ChunkRule;
use std::sync::Arc;

/// The fake comparison: every rule has its own losses and errors, the full pass the least; γ = 1 is
/// best.
pub fn decay(request: &DecayRequest) -> DecayView {
    let text: Arc<str> = match &request.source {
        DecaySource::Text(text) => Arc::clone(text),
        DecaySource::Sample(seed) => {
            (0..80).map(|i| format!("w{} -> v{i}\n", hash("sample", *seed as usize + i) % 100)).collect::<String>().into()
        }
    };
    let cut = request.cut;
    let per_token = text.len() as f64 / cut.tokens() as f64;
    let bound = |token: usize| {
        let wanted = (per_token * token as f64) as usize;
        (wanted..=text.len()).find(|b| text.is_char_boundary(*b)).unwrap_or(text.len())
    };
    let result = |rule: ChunkRule, at: usize| {
        let far = match rule {
            ChunkRule::FullPass => 0.0,
            ChunkRule::Decay { gamma, halo } => 0.1 + (gamma.min(9.0) - 1.0).abs() + if halo { 0.0 } else { 0.05 },
            _ => 0.3 * at as f64,
        };
        let loss = |p: usize| 2.0 + unit(&format!("{text}|{p}")) + (far as f32) * (-(p as f32) / 20.0).exp();
        RuleResult { rule, loss: (0..cut.after).map(loss).collect(), error: (0..12).map(|l| far * f64::from(l + 1) / 12.0).collect() }
    };
    DecayView {
        request: request.clone(),
        bounds: (0..=cut.chunks).map(|c| bound(c * cut.length)).chain([bound(cut.tokens())]).collect(),
        tokens: cut.tokens(),
        continuation: (0..cut.after).map(|i| format!(" w{i}")).collect(),
        results: request.rules().into_iter().enumerate().map(|(at, rule)| result(rule, at)).collect(),
        half_life: (0..12).map(|l| (0..32).map(|b| 0.5 * 1.25_f32.powi(b + l)).collect()).collect(),
        text,
    }
}

fn hash(text: &str, salt: usize) -> u32 {
    let digest = blake3::hash(format!("{text}|{salt}").as_bytes());
    u32::from_le_bytes([digest.as_bytes()[0], digest.as_bytes()[1], digest.as_bytes()[2], digest.as_bytes()[3]])
}

/// A number in 0..1 from a text.
fn unit(text: &str) -> f32 {
    (f64::from(hash(text, 0)) / f64::from(u32::MAX)) as f32
}
