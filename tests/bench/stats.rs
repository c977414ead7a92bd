//! Small statistics of few samples.

/// The median; not a number without samples.
pub(crate) fn median(samples: &[f64]) -> f64 {
    quantile(samples, 0.5)
}

/// A quantile by linear interpolation between the nearest ranks; not a number without samples.
pub(crate) fn quantile(samples: &[f64], share: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let rank = share.clamp(0.0, 1.0) * last as f64;
    let below = sorted[rank.floor() as usize];
    let above = sorted[rank.ceil() as usize];
    below + (above - below) * rank.fract()
}

/// (largest − smallest) ÷ median; not a number without samples.
pub(crate) fn spread(samples: &[f64]) -> f64 {
    (quantile(samples, 1.0) - quantile(samples, 0.0)) / median(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(&[9.0, 1.0, 3.0]), 3.0);
    }

    #[test]
    fn quantiles_reach_from_the_smallest_to_the_largest() {
        let samples = [5.0, 1.0, 3.0];
        assert_eq!(quantile(&samples, 0.0), 1.0);
        assert_eq!(quantile(&samples, 0.75), 4.0);
        assert_eq!(quantile(&samples, 1.0), 5.0);
    }

    #[test]
    fn nothing_measured_is_not_a_number() {
        assert!(median(&[]).is_nan());
        assert!(spread(&[]).is_nan());
    }
}
