//! When a part that ended is started again, for `up --restart`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The first wait; each further end within a minute doubles it.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// The longest wait. A database that recovers needs a moment, and its clients end meanwhile.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// Ends that count together.
const WINDOW: Duration = Duration::from_secs(60);
/// A part that ends more often than this within the window will not be mended by starting it again.
const MOST_IN_WINDOW: usize = 15;

/// Remembers how often each part ended lately.
#[derive(Debug, Default)]
pub(crate) struct Restarts {
    ends: BTreeMap<String, Vec<Instant>>,
}

impl Restarts {
    /// How long to wait before `part`, which ended at `now`, is started again; `None` to give up.
    pub(crate) fn wait(&mut self, part: &str, now: Instant) -> Option<Duration> {
        let ends = self.ends.entry(part.to_owned()).or_default();
        ends.retain(|end| now.duration_since(*end) < WINDOW);
        ends.push(now);
        if ends.len() > MOST_IN_WINDOW {
            return None;
        }
        let doublings = u32::try_from(ends.len() - 1).unwrap_or(u32::MAX);
        Some(
            FIRST_WAIT
                .saturating_mul(2_u32.saturating_pow(doublings))
                .min(LONGEST_WAIT),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_then_it_gives_up() {
        let mut restarts = Restarts::default();
        let now = Instant::now();
        let waits: Vec<_> = (0..=MOST_IN_WINDOW)
            .map(|_| restarts.wait("api", now))
            .collect();
        assert_eq!(waits[..2], [Some(FIRST_WAIT), Some(FIRST_WAIT * 2)]);
        assert_eq!(waits[MOST_IN_WINDOW - 1], Some(LONGEST_WAIT));
        assert_eq!(waits[MOST_IN_WINDOW], None);
    }

    #[test]
    fn old_ends_and_other_parts_do_not_count() {
        let mut restarts = Restarts::default();
        let then = Instant::now();
        for _ in 0..MOST_IN_WINDOW {
            restarts.wait("api", then);
        }
        assert_eq!(restarts.wait("postgres", then), Some(FIRST_WAIT));
        assert_eq!(restarts.wait("api", then + WINDOW), Some(FIRST_WAIT));
    }
}
