//! Resource usage of this process.

/// CPU time of all threads, and the peak resident set size.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// User and system time, in seconds.
    pub cpu_seconds: f64,
    /// Peak resident set size, in bytes.
    pub peak_rss_bytes: u64,
}

/// The usage so far; `None` where the system does not report it.
#[cfg(unix)]
pub fn usage() -> Option<Usage> {
    use nix::sys::resource::{UsageWho, getrusage};
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    let seconds =
        |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    // `ru_maxrss` is in KiB on Linux and in bytes on macOS.
    let unit = if cfg!(target_os = "macos") { 1 } else { 1_024 };
    Some(Usage {
        cpu_seconds: seconds(usage.user_time()) + seconds(usage.system_time()),
        peak_rss_bytes: u64::try_from(usage.max_rss()).unwrap_or(0) * unit,
    })
}

/// The usage so far; `None` where the system does not report it.
#[cfg(not(unix))]
pub fn usage() -> Option<Usage> {
    None
}
