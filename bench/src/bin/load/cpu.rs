//! CPU time of a process and all its descendants, from `/proc` (`proc_pid_stat(5)`).

use std::collections::{HashMap, HashSet};
use std::fs;

use anyhow::{Context as _, Result};

/// Fields of `/proc/<pid>/stat`, counted from the one after the command's closing parenthesis.
const PPID: usize = 1;
const TIMES: std::ops::Range<usize> = 11..15; // utime, stime, and those of children already waited for

/// CPU seconds, user and system, that `root` and its descendants have used so far.
///
/// # Errors
/// If `root` is gone.
pub(crate) fn tree_seconds(root: u32) -> Result<f64> {
    let mut ticks = own_ticks(root)?.1;
    let mut parents: HashMap<u32, Vec<(u32, u64)>> = HashMap::new();
    for entry in fs::read_dir("/proc").context("cannot read /proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // A process that ended since the listing is nobody's descendant any more.
        if let Ok((parent, ticks)) = own_ticks(pid) {
            parents.entry(parent).or_default().push((pid, ticks));
        }
    }
    let (mut open, mut seen) = (vec![root], HashSet::from([root]));
    while let Some(parent) = open.pop() {
        for (child, child_ticks) in parents.get(&parent).into_iter().flatten() {
            if seen.insert(*child) {
                ticks += child_ticks;
                open.push(*child);
            }
        }
    }
    Ok(seconds(ticks))
}

/// CPU seconds of this process.
pub(crate) fn own_seconds() -> Result<f64> {
    Ok(seconds(own_ticks(std::process::id())?.1))
}

#[expect(clippy::cast_precision_loss, reason = "ticks of a benchmark stay far below 2^52")]
fn seconds(ticks: u64) -> f64 {
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

fn own_ticks(pid: u32) -> Result<(u32, u64)> {
    let stat =
        fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("process {pid} is gone"))?;
    let (_, rest) = stat.rsplit_once(')').context("no command in /proc/<pid>/stat")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let parent = fields.get(PPID).context("a short /proc/<pid>/stat")?.parse()?;
    let mut ticks = 0;
    for field in fields.get(TIMES).context("a short /proc/<pid>/stat")? {
        ticks += field.parse::<u64>()?;
    }
    Ok((parent, ticks))
}
