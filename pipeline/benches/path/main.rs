//! What a frame costs in cycles, on bursts from memory: the whole path, the fast path, and each stage alone. perf/METHOD.md
//! says how to read it.

mod exchange;
mod stages;
mod ticks;
mod walk;
mod whole;

use std::error::Error;
use std::time::Duration;

use criterion::Criterion;
use ticks::Ticks;

fn main() -> Result<(), Box<dyn Error>> {
    let criterion = Criterion::default().with_measurement(Ticks::new());
    let criterion =
        criterion.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    let mut criterion = criterion.configure_from_args();
    whole::benches(&mut criterion)?;
    stages::benches(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}
