//! Bodies: read when it is known who sends them, within a time, and no more of them at once than the
//! process can hold.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::web;
use bodega_kernel::{Problem, Result, problem};
use futures::StreamExt;
use uuid::Uuid;

/// A body has to arrive within this time …
const BODY_TIMEOUT: Duration = Duration::from_secs(15);

/// … and some of it within this.
const PROGRESS_TIMEOUT: Duration = Duration::from_secs(5);

/// What a process holds of bodies at the same time, and what of it one organization may have.
const HELD_BYTES_MAX: usize = 64 * 1024 * 1024;
const HELD_BYTES_OF_ORGANIZATION_MAX: usize = 16 * 1024 * 1024;

/// Of each body so much is not counted: small ones always find room.
const FREE_BYTES: usize = 16 * 1024;

/// Bytes of bodies in work, by organization.
static HELD: LazyLock<Mutex<HashMap<Uuid, usize>>> = LazyLock::new(Mutex::default);

/// A body, counted for as long as it is there.
pub struct Body {
    /// What came.
    pub bytes: Vec<u8>,
    organization: Uuid,
    counted: usize,
}

/// The body, where it is no larger than this and arrives in time.
pub async fn body(mut payload: web::Payload, bytes_max: usize, organization: Uuid) -> Result<Body> {
    let mut body = Body { bytes: Vec::new(), organization, counted: 0 };
    let late = |_| Problem::new(&problem::REQUEST_TIMEOUT);
    let read = async {
        while let Some(chunk) =
            tokio::time::timeout(PROGRESS_TIMEOUT, payload.next()).await.map_err(late)?
        {
            let chunk = chunk.map_err(|_| Problem::new(&problem::MALFORMED_REQUEST))?;
            let bytes = body.bytes.len() + chunk.len();
            if bytes > bytes_max {
                return Err(Problem::new(&problem::PAYLOAD_TOO_LARGE).with("bytes_max", bytes_max));
            }
            body.count(bytes)?;
            body.bytes.extend_from_slice(&chunk);
        }
        Ok(())
    };
    tokio::time::timeout(BODY_TIMEOUT, read).await.map_err(late)??;
    Ok(body)
}

impl Body {
    /// Takes room for so many bytes.
    fn count(&mut self, bytes: usize) -> Result<()> {
        let more = bytes.saturating_sub(FREE_BYTES).saturating_sub(self.counted);
        if more == 0 {
            return Ok(());
        }
        let mut held = held();
        let all = held.values().sum::<usize>();
        let own = held.get(&self.organization).copied().unwrap_or(0);
        if all + more > HELD_BYTES_MAX || own + more > HELD_BYTES_OF_ORGANIZATION_MAX {
            return Err(Problem::new(&problem::BUSY).retry_after(1));
        }
        held.insert(self.organization, own + more);
        self.counted += more;
        Ok(())
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if self.counted == 0 {
            return;
        }
        let mut held = held();
        if let Some(own) = held.get_mut(&self.organization) {
            *own = own.saturating_sub(self.counted);
            if *own == 0 {
                held.remove(&self.organization);
            }
        }
    }
}

fn held() -> MutexGuard<'static, HashMap<Uuid, usize>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organization_has_its_share_and_gets_it_back() {
        let one = |organization| Body { bytes: Vec::new(), organization, counted: 0 };
        let (own, other) = (Uuid::now_v7(), Uuid::now_v7());
        let mut bodies: Vec<_> = (0..16).map(|_| one(own)).collect();
        for body in &mut bodies {
            assert!(body.count(FREE_BYTES + 1024 * 1024).is_ok());
        }
        assert!(one(own).count(FREE_BYTES + 1).is_err());
        assert!(one(own).count(FREE_BYTES).is_ok());
        assert!(one(other).count(1024 * 1024).is_ok());
        bodies.pop();
        assert!(one(own).count(FREE_BYTES + 1).is_ok());
    }
}
