//! How much memory a process has taken at most, as the system counts it.

use std::fs;

use crate::Server;

impl Server {
    /// The most memory the process has taken since it started, or since [`Server::forget_peak`], in
    /// MiB.
    pub fn peak_mib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("a process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kib / 1024
    }

    /// Measures the peak anew from now on.
    pub fn forget_peak(&self) {
        fs::write(format!("/proc/{}/clear_refs", self.pid()), "5").expect("a process of ours");
    }
}
