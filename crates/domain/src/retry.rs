//! When a call is made again.
//!
//! Exponential backoff with full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter"):
//! the n-th repeat waits a random time between nothing and `BASE_MS` × 2ⁿ, so that losers of one
//! collision do not collide again together.

/// How often a call is repeated at the most.
pub const MAX_REPEATS: u32 = 3;

/// The upper end of the first wait, in milliseconds.
const BASE_MS: f64 = 100.0;

/// What a retryable answer asks to wait where nothing says how long, in seconds.
pub const RETRY_AFTER_S: f64 = 1.0;

/// What has to be left for a call after a wait that upstream asked for, in milliseconds: a call that is cut short would
/// turn a clean refusal into an outcome that nobody knows.
const ROOM_MS: f64 = 1_000.0;

/// The longest wait that is passed on, in seconds: a day.
pub const MAX_WAIT_S: f64 = 86_400.0;

/// How long an answer of that status asks to wait, in seconds. `header_s` is what stands in its `Retry-After`, not
/// a number if that cannot be read. Of other statuses the header says nothing about this.
pub fn asked_s(status: u16, header_s: Option<f64>) -> Option<f64> {
    match (status, header_s) {
        (429 | 503, Some(seconds)) if seconds.is_nan() => Some(RETRY_AFTER_S),
        (429 | 503, Some(seconds)) => Some(seconds.clamp(0.0, MAX_WAIT_S)),
        (429, None) => Some(RETRY_AFTER_S),
        _ => None,
    }
}

/// A call that took so long before a lock was refused to it has waited for that lock, in milliseconds.
pub const WAITED_MS: f64 = 500.0;

/// How long to wait before the next repeat, in milliseconds; `None` when it is not to be made.
///
/// `repeats` counts those already made, `random` is in [0, 1), `asked_ms` is what upstream asks to wait at least,
/// `left_ms` is what remains of the request's budget.
pub fn backoff(repeats: u32, random: f64, asked_ms: f64, left_ms: f64) -> Option<f64> {
    if repeats >= MAX_REPEATS {
        return None;
    }
    let jitter_ms = (BASE_MS * f64::from(1_u32 << repeats) * random.clamp(0.0, 1.0)).floor();
    let wait_ms = asked_ms + jitter_ms;
    let room_ms = if asked_ms > 0.0 { ROOM_MS } else { 0.0 };
    (wait_ms + room_ms < left_ms).then_some(wait_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end() {
        let waits: Vec<_> = (0..5)
            .map(|repeats| backoff(repeats, 0.999_999, 0.0, 10_000.0))
            .collect();
        assert_eq!(waits, [Some(99.0), Some(199.0), Some(399.0), None, None]);
    }

    #[test]
    fn jitter_is_full() {
        assert_eq!(backoff(2, 0.0, 0.0, 10_000.0), Some(0.0));
    }

    #[test]
    fn nothing_is_repeated_beyond_the_budget() {
        assert_eq!(backoff(0, 0.5, 0.0, 50.0), None);
        assert_eq!(backoff(0, 0.5, 0.0, 51.0), Some(50.0));
        assert_eq!(backoff(0, 0.0, 0.0, -1.0), None);
    }

    #[test]
    fn what_upstream_asks_comes_before_the_jitter_or_not_at_all() {
        assert_eq!(backoff(0, 0.5, 3_000.0, 4_051.0), Some(3_050.0));
        assert_eq!(backoff(0, 0.5, 3_000.0, 4_050.0), None);
    }

    #[test]
    fn a_wait_is_read_within_bounds() {
        for (status, header_s, asked) in [
            (429, None, Some(1.0)),
            (503, None, None),
            (429, Some(f64::NAN), Some(1.0)),
            (503, Some(f64::NAN), Some(1.0)),
            (429, Some(7.0), Some(7.0)),
            (503, Some(0.0), Some(0.0)),
            (429, Some(-5.0), Some(0.0)),
            (503, Some(f64::INFINITY), Some(86_400.0)),
            (200, Some(7.0), None),
            (502, Some(7.0), None),
            (504, Some(f64::NAN), None),
        ] {
            assert_eq!(asked_s(status, header_s), asked, "{status} {header_s:?}");
        }
    }
}
