//! What the machine can hash: Argon2id with the parameters of Hallpass (`crates/token/src/password.rs`) and
//! nothing around it.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, Version};

const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Prints how many hashes a second `threads` threads make together.
pub(crate) fn rate(threads: usize, measure_secs: f64) -> Result<()> {
    ensure!(threads > 0, "--threads must be at least 1");
    let measure = Duration::from_secs_f64(measure_secs);
    let workers: Vec<_> = (0..threads).map(|_| thread::spawn(move || hash_for(measure))).collect();
    let mut per_sec = 0.0;
    for worker in workers {
        let (hashes, seconds) = worker.join().map_err(|_| anyhow!("a thread panicked"))??;
        per_sec += f64::from(hashes) / seconds;
    }
    println!("{}", serde_json::json!({ "per_sec": per_sec, "threads": threads }));
    Ok(())
}

fn hash_for(measure: Duration) -> Result<(u32, f64)> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| anyhow!("{error}"))?;
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let (begun, mut hashes) = (Instant::now(), 0_u32);
    while begun.elapsed() < measure {
        let salt = [u8::try_from(hashes % 256)?; 16];
        let hash = argon.hash_password_with_salt(b"a password of a person", &salt);
        std::hint::black_box(hash.map_err(|error| anyhow!("{error}"))?);
        hashes = hashes.checked_add(1).context("more hashes than a benchmark makes")?;
    }
    Ok((hashes, begun.elapsed().as_secs_f64()))
}
