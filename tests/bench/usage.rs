//! CPU time and memory of a process and of everything that it started, as
//! Linux tells them.

use std::fs;

use anyhow::{Context, Result};

/// Clock ticks a second, in what the system counts CPU time; fixed by its interface.
const TICKS_PER_SECOND: f64 = 100.0;

/// User and system time of a process and its descendants so far, in seconds.
pub fn cpu_seconds(pid: u32) -> Result<f64> {
    let mut ticks = 0.0;
    for pid in tree(pid)? {
        // One that ended meanwhile counts no more.
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
            continue;
        };
        let fields = after_name(&stat);
        let number = |place: usize| fields.get(place).and_then(|text| text.parse::<f64>().ok());
        ticks += number(11).unwrap_or(0.0) + number(12).unwrap_or(0.0);
    }
    Ok(ticks / TICKS_PER_SECOND)
}

/// Proportional set size of a process and its descendants, in MiB: pages that
/// several share count once in the sum.
pub fn memory_mib(pid: u32) -> Result<f64> {
    let mut kib = 0.0;
    for pid in tree(pid)? {
        let Ok(rollup) = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) else {
            continue;
        };
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
        let size = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        kib += size.unwrap_or(0.0);
    }
    Ok(kib / 1_024.0)
}

fn tree(root: u32) -> Result<Vec<u32>> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc").context("this benchmark needs Linux")? {
        let Some(pid) = entry?
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
            continue;
        };
        let parent = after_name(&stat)
            .get(1)
            .and_then(|text| text.parse::<u32>().ok());
        parents.extend(parent.map(|parent| (pid, parent)));
    }
    let mut found = vec![root];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(
            parents
                .iter()
                .filter(|(_, of)| *of == parent)
                .map(|(pid, _)| *pid),
        );
        next += 1;
    }
    Ok(found)
}

/// The fields after the process's name, which may contain anything: state, parent, …
fn after_name(stat: &str) -> Vec<&str> {
    stat.rsplit_once(") ")
        .map_or(Vec::new(), |(_, rest)| rest.split_whitespace().collect())
}
