//! When a call is made again.
//!
//! Exponential backoff with full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter"):
//! the n-th repeat waits a random time between nothing and `BASE_MS` × 2ⁿ, so that losers of one
//! collision do not collide again together.

/// How often a call is repeated at the most.
pub const MAX_REPEATS: u32 = 3;

/// The upper end of the first wait, in milliseconds.
const BASE_MS: f64 = 100.0;

/// How long to wait before the next repeat, in milliseconds; `None` when it is not to be made.
///
/// `repeats` counts those already made, `random` is in [0, 1), `left` is what remains of the
/// request's budget in milliseconds.
pub fn backoff(repeats: u32, random: f64, left: f64) -> Option<f64> {
    if repeats >= MAX_REPEATS {
        return None;
    }
    let wait = (BASE_MS * f64::from(1_u32 << repeats) * random.clamp(0.0, 1.0)).floor();
    (wait < left).then_some(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end() {
        let waits: Vec<_> = (0..5)
            .map(|repeats| backoff(repeats, 0.999_999, 10_000.0))
            .collect();
        assert_eq!(waits, [Some(99.0), Some(199.0), Some(399.0), None, None]);
    }

    #[test]
    fn jitter_is_full() {
        assert_eq!(backoff(2, 0.0, 10_000.0), Some(0.0));
    }

    #[test]
    fn nothing_is_repeated_beyond_the_budget() {
        assert_eq!(backoff(0, 0.5, 50.0), None);
        assert_eq!(backoff(0, 0.5, 51.0), Some(50.0));
        assert_eq!(backoff(0, 0.0, -1.0), None);
    }
}
