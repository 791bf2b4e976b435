//! Random damage to the bytes of a file: the same for the same seed.

#![allow(dead_code, clippy::unwrap_used)]

use rand::prelude::*;
use rand_chacha::ChaCha8Rng;

/// Words that a reader may stumble over.
const WORDS: [&str; 24] = [
    "null",
    "true",
    "-1",
    "0",
    "1e999",
    "18446744073709551615",
    "Infinity",
    "NaN",
    "[",
    "]",
    "{",
    "}",
    "\"",
    ",",
    ":",
    "[[[[[[[[",
    "\\u0000",
    "\"\"",
    "{\"type\":\"Sequence\",\"decoders\":[",
    "<|endoftext|>",
    "\u{feff}",
    "999999999999",
    "\"auto\"",
    "../",
];

/// How many mutations of each kind are tried: `STATE_SOUP_MUTATIONS`, else `usual`.
pub fn count(usual: usize) -> usize {
    std::env::var("STATE_SOUP_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

/// The bytes with one to four random changes.
pub fn mutated(bytes: &[u8], random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for _ in 0..random.random_range(1..=4) {
        if out.is_empty() {
            break;
        }
        let at = random.random_range(0..out.len());
        let span = at..(at + random.random_range(1..=16)).min(out.len());
        match random.random_range(0..8) {
            0 => out[at] ^= 1 << random.random_range(0..8),
            1 => out[at] = random.random(),
            2 => drop(out.drain(span)),
            3 => {
                let piece = out[span].to_vec();
                let to = random.random_range(0..=out.len());
                out.splice(to..to, piece);
            }
            4 => drop(out.splice(at..at, WORDS.choose(random).unwrap().bytes())),
            5 => drop(out.splice(span, WORDS.choose(random).unwrap().bytes())),
            6 => out.truncate(at),
            _ => out[span].fill(if random.random() { 0xff } else { 0 }),
        }
    }
    out
}
