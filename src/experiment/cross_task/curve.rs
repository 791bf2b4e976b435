//! Curves over the share α of a mix: how wide a change is, and where to add points.

/// A curve: α ascending, value.
pub type Curve = [(f64, f64)];

/// Smallest change from the first value to the last for which a width is defined.
pub const MOVED: f64 = 0.2;

/// The distance in α between 25 % and 75 % of the way from the first value to the last. Each is
/// taken at its first crossing, with linear interpolation. `None` if the value changes by less than
/// [`MOVED`]. A straight line over 0 to 1 has width 0.5; a jump between two points has at most half
/// of their distance.
pub fn width(curve: &Curve) -> Option<f64> {
    let ((_, from), (_, to)) = (*curve.first()?, *curve.last()?);
    let way = to - from;
    if way.is_nan() || way.abs() < MOVED {
        return None;
    }
    let crossing = |share: f64| {
        let done = |v: f64| (v - from) / way;
        let (a, b) = curve.windows(2).map(|w| (w[0], w[1])).find(|(_, b)| done(b.1) >= share)?;
        let (low, high) = (done(a.1), done(b.1));
        Some(a.0 + (b.0 - a.0) * ((share - low) / (high - low)).clamp(0.0, 1.0))
    };
    Some(crossing(0.75)? - crossing(0.25)?)
}

/// The next α to measure: the midpoint of the two neighbouring points between which the value
/// changes most.
pub fn next_point(curve: &Curve) -> Option<f64> {
    let steepest = curve.windows(2).max_by(|a, b| jump(a).total_cmp(&jump(b)))?;
    Some(f64::midpoint(steepest[0].0, steepest[1].0))
}

/// The largest absolute change between neighbouring points.
pub fn largest_jump(curve: &Curve) -> f64 {
    curve.windows(2).map(jump).fold(0.0, f64::max)
}

fn jump(w: &[(f64, f64)]) -> f64 {
    (w[1].1 - w[0].1).abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(of: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
        (0..=8).map(|i| f64::from(i) / 8.0).map(|a| (a, of(a))).collect()
    }

    #[test]
    fn lines_are_wide_and_jumps_are_narrow() {
        assert!((width(&curve(|a| a)).unwrap() - 0.5).abs() < 1e-12);
        assert!((width(&curve(|a| 1.0 - 0.6 * a)).unwrap() - 0.5).abs() < 1e-12);
        assert!((width(&curve(|a| f64::from(u8::from(a > 0.6)))).unwrap() - 0.0625).abs() < 1e-12);
        let soft = width(&curve(|a| 1.0 / (1.0 + (-20.0 * (a - 0.5)).exp()))).unwrap();
        assert!(soft > 0.0625 && soft < 0.25, "{soft}");
        assert_eq!(width(&curve(|_| 0.3)), None);
        assert_eq!(width(&[]), None);
        assert_eq!(width(&curve(|_| f64::NAN)), None);
    }

    #[test]
    fn looking_closer_narrows_a_jump_down() {
        let step = |a: f64| f64::from(u8::from(a > 0.43));
        let mut points = curve(step);
        for _ in 0..6 {
            let at = next_point(&points).unwrap();
            let place = points.partition_point(|(a, _)| *a < at);
            points.insert(place, (at, step(at)));
        }
        assert_eq!(points.len(), 15);
        let (low, high) = points.windows(2).map(|w| (w[0], w[1])).find(|(a, b)| a.1 != b.1).unwrap();
        assert!(low.0 <= 0.43 && high.0 > 0.43 && high.0 - low.0 < 0.003);
        assert!(width(&points).unwrap() < 0.002);
        assert_eq!(largest_jump(&points), 1.0);
    }
}
