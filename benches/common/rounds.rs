//! Measuring several candidates in turn, so that whatever disturbs one disturbs the others.

use std::time::{Duration, Instant};

/// Runs an operation that many times.
pub(crate) type Candidate<'c> = Box<dyn FnMut(usize) + 'c>;

/// Nanoseconds of an operation, round by round.
pub(crate) struct Times(Vec<f64>);

/// An operation as a candidate.
pub(crate) fn candidate<'c>(mut operation: impl FnMut() + 'c) -> Candidate<'c> {
    Box::new(move |count| {
        for _ in 0..count {
            operation();
        }
    })
}

/// Measures every candidate once in each round, for about `slice`.
pub(crate) fn interleaved(
    candidates: &mut [Candidate<'_>],
    rounds: usize,
    slice: Duration,
) -> Vec<Times> {
    let counts: Vec<usize> = candidates.iter_mut().map(|run| calibrate(run, slice)).collect();
    let mut times: Vec<Times> = candidates.iter().map(|_| Times(Vec::new())).collect();
    for _ in 0..rounds {
        for ((run, count), times) in candidates.iter_mut().zip(&counts).zip(&mut times) {
            times.0.push(nanoseconds(run, *count));
        }
    }
    times
}

/// How often an operation runs in `slice`; it has been warmed up then.
fn calibrate(run: &mut Candidate<'_>, slice: Duration) -> usize {
    let mut count = 1;
    loop {
        let taken = nanoseconds(run, count) * count as f64;
        if taken >= slice.as_nanos() as f64 / 2.0 {
            let wanted = slice.as_nanos() as f64 / (taken / count as f64);
            return (wanted as usize).max(1);
        }
        count *= 2;
    }
}

fn nanoseconds(run: &mut Candidate<'_>, count: usize) -> f64 {
    let began = Instant::now();
    run(count);
    began.elapsed().as_nanos() as f64 / count as f64
}

impl Times {
    /// The time of undisturbed rounds: a tenth were quicker. The quickest of all would be a matter
    /// of luck where neighbours are on the machine.
    pub(crate) fn quiet(&self) -> f64 {
        quantile(self.0.clone(), 0.1)
    }

    /// The quiet time of this over that of `floor`.
    pub(crate) fn quiet_ratio(&self, floor: &Self) -> f64 {
        self.quiet() / floor.quiet()
    }

    /// The median of the ratios of each round.
    pub(crate) fn median_ratio(&self, floor: &Self) -> f64 {
        quantile(self.0.iter().zip(&floor.0).map(|(ours, floor)| ours / floor).collect(), 0.5)
    }
}

fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() - 1) as f64 * share;
    let (low, high) = (values[at.floor() as usize], values[at.ceil() as usize]);
    low + (high - low) * at.fract()
}
