//! The edges: connections, web sockets, bodies that do not come, answers that are not read, headers.
//! Each attack ends in bounded time and memory, while another organization is answered.

mod answers;
mod bodies;
mod headers;
mod line;
mod sockets;
mod texts;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bodega_tests::Server;

/// What the process may grow by under any of these attacks.
const GROWTH_KIB_MAX: u64 = 160 * 1024;

/// A call of somebody else has to be answered within this time, also where all else is slow.
const NEIGHBOUR: Duration = Duration::from_secs(10);

/// Lets an attack happen: it has to end in time, the process must not have grown, and another
/// organization's calls go on meanwhile.
async fn withstood<T>(server: &Server, within: Duration, attack: impl Future<Output = T>) -> T {
    let (_, key) = server.organization("Vecina").await;
    let api = server.api().with_key(&key);
    let (done, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let neighbour = tokio::spawn({
        let (done, answered) = (done.clone(), answered.clone());
        async move {
            while !done.load(Ordering::Relaxed) {
                let call = api.call("GET", "/v1/brands?limit=1").send();
                let answer = tokio::time::timeout(NEIGHBOUR, call).await.expect("an answer");
                answer.expect(200);
                answered.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    });
    let pid = server.pid();
    let before = memory(pid, "VmRSS");
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("a peak to be forgotten");
    let began = Instant::now();
    let result = tokio::time::timeout(within, attack).await.expect("the attack ends in time");
    let growth = memory(pid, "VmHWM").saturating_sub(before);
    println!("{:?}, {growth} KiB more, {answered:?} answers to another", began.elapsed());
    assert!(growth < GROWTH_KIB_MAX, "{growth} KiB more than {before}");
    done.store(true, Ordering::Relaxed);
    neighbour.await.expect("another organization is answered");
    assert!(answered.load(Ordering::Relaxed) > 0, "another organization is answered");
    result
}

fn memory(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find(|line| line.starts_with(name)).expect("its memory");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}
