//! exp(x) for x ≤ 0 as straight-line code, so that the compiler makes vector instructions of loops over it.

/// Below this, exp(x) is below the smallest normal f32.
const LOWEST: f32 = -87.0;
/// 1.5 · 2²³: adding it to a small number rounds that to the nearest whole one, which then lies in the lowest bits.
const ROUNDER: f32 = 12_582_912.0;

/// exp(x) for x ≤ 0, −∞ included, within 2 units in the last place; exactly 1 at 0, and 0 below −87 (where it is under 2·10⁻³⁸).
///
/// x = k·ln 2 + r with |r| ≤ ln 2 / 2 (ln 2 in two parts, so that r keeps its digits); exp(r) by its Taylor polynomial of degree 7,
/// below f32's rounding there; 2^k through the exponent bits.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    let held = x.max(LOWEST);
    let rounded = held * std::f32::consts::LOG2_E + ROUNDER;
    let k = rounded - ROUNDER;
    let r = held - k * 0.693_359_4 + k * 2.121_944_4e-4;
    let p = 1.0 / 720.0 + r * (1.0 / 5040.0);
    let p = 1.0 / 120.0 + r * p;
    let p = 1.0 / 24.0 + r * p;
    let p = 1.0 / 6.0 + r * p;
    let p = 1.0 + r * (1.0 + r * (0.5 + r * p));
    // The low bits of ROUNDER's own pattern are 0, so the shift leaves k + 127 as the exponent: 2^k.
    let power = f32::from_bits(rounded.to_bits().wrapping_add(127) << 23);
    if x < LOWEST { 0.0 } else { p * power }
}

#[cfg(test)]
mod tests {
    use super::exp;

    #[test]
    fn agrees_with_the_standard_library() {
        let mut worst = 0.0f64;
        for i in 0..=870_000 {
            let x = -(i as f32) * 1e-4;
            let want = f64::from(x).exp();
            worst = worst.max((f64::from(exp(x)) / want - 1.0).abs());
        }
        assert!(worst < 2.5e-7, "{worst}");
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-0.0), 1.0);
        for x in [-87.01, -1e9, f32::NEG_INFINITY] {
            assert_eq!(exp(x), 0.0, "{x}");
        }
    }
}
