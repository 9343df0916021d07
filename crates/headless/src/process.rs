//! What this process has used, as far as the system tells.

/// CPU time of all threads, and the largest resident set.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// User and system, in seconds.
    pub cpu_seconds: f64,
    /// In bytes.
    pub peak_rss_bytes: u64,
}

/// What was used so far; none where the system does not tell.
#[cfg(unix)]
pub fn usage() -> Option<Usage> {
    use nix::sys::resource::{UsageWho, getrusage};
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    let seconds =
        |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    // Linux counts in KiB, macOS in bytes.
    let unit = if cfg!(target_os = "macos") { 1 } else { 1_024 };
    Some(Usage {
        cpu_seconds: seconds(usage.user_time()) + seconds(usage.system_time()),
        peak_rss_bytes: u64::try_from(usage.max_rss()).unwrap_or(0) * unit,
    })
}

/// What was used so far; none where the system does not tell.
#[cfg(not(unix))]
pub fn usage() -> Option<Usage> {
    None
}
