//! What the kernel tells of processes and cores.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

/// What `/proc` counts processor time in: always a hundredth of a second.
const TICKS_PER_SECOND: f64 = 100.0;

/// Memory in KiB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// What is in memory now.
    pub(crate) resident: u64,
    /// The most there ever was.
    pub(crate) peak: u64,
}

/// Processor seconds so far, of threads by what they do.
pub(crate) type Threads = BTreeMap<&'static str, f64>;

/// Reads a process's memory.
pub(crate) fn memory(pid: u32) -> Memory {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
    };
    Memory { resident: kib("VmRSS:"), peak: kib("VmHWM:") }
}

/// Processor seconds, the process's own and the kernel's for it.
pub(crate) fn cpu_s(pid: u32) -> f64 {
    spent(&fs::read_to_string(format!("/proc/{pid}/stat")).expect("a running process"))
}

/// Processor seconds by kind of thread.
pub(crate) fn threads(pid: u32) -> Threads {
    let mut all = Threads::new();
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("a running process");
    for task in tasks.flatten() {
        // A thread may have ended in between.
        let Ok(stat) = fs::read_to_string(task.path().join("stat")) else { continue };
        let name = stat.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')'));
        let name = name.map(|(name, _)| name).unwrap_or_default();
        let main = task.file_name().to_str() == Some(&pid.to_string());
        *all.entry(kind(name, main)).or_default() += spent(&stat);
    }
    all
}

/// Names are cut to 15 bytes by the kernel.
fn kind(name: &str, main: bool) -> &'static str {
    match name {
        _ if main => "main",
        name if name.starts_with("actix-") => "worker",
        name if name.starts_with("sqlx-sqlite") => "SQLite",
        _ => "other",
    }
}

/// The sum of the fields `utime` and `stime` of a `stat` line.
fn spent(stat: &str) -> f64 {
    let after_name = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2);
    ticks.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_SECOND
}

/// Seconds that a core has worked and that it has been there, whoever it worked for.
pub(crate) fn core_s(core: usize) -> (f64, f64) {
    let stat = fs::read_to_string("/proc/stat").expect("/proc/stat");
    let name = format!("cpu{core} ");
    let line = stat.lines().find_map(|line| line.strip_prefix(&name)).unwrap_or_default();
    let fields: Vec<f64> =
        line.split_whitespace().take(8).filter_map(|field| field.parse().ok()).collect();
    let all: f64 = fields.iter().sum();
    let idle: f64 = fields.iter().skip(3).take(2).sum();
    ((all - idle) / TICKS_PER_SECOND, all / TICKS_PER_SECOND)
}

/// Keeps this process, and what it starts, on one core.
pub(crate) fn pin_self(core: usize) -> bool {
    let (core, pid) = (core.to_string(), std::process::id().to_string());
    let pinned = Command::new("taskset").args(["-acp", &core, &pid]).output();
    pinned.is_ok_and(|output| output.status.success())
}
