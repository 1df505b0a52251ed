//! A retry is safe: the first answer to an `Idempotency-Key` is kept with its change.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bodega_kernel::{Cx, FieldError, Problem, Result, Retention, Tx, problem, text};
use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::aead::{Aead, KeyInit};
use chrono::TimeDelta;
use entity::platform::idempotency_record::Model as Record;
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{Answer, Body, Call};

const KEY_CHARS_MAX: usize = 255;

/// The keys being answered by this process; other nodes are held off by the database.
#[derive(Default)]
pub(crate) struct InProgress(Mutex<HashSet<(Uuid, String)>>);

/// One key being answered; free again when dropped.
pub(crate) struct Held<'a> {
    all: &'a InProgress,
    key: (Uuid, String),
}

impl InProgress {
    /// Takes a key, unless it is being answered already.
    pub(crate) fn hold(&self, organization: Uuid, key: &str) -> Result<Held<'_>> {
        let key = (organization, key.to_owned());
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.insert(key.clone()) {
            return Err(Problem::new(&problem::IDEMPOTENCY_IN_PROGRESS).retry_after(1));
        }
        Ok(Held { all: self, key })
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.all.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// The key of a header: quoted, as the IETF draft has it, or bare, as most send it.
pub(crate) fn key(header: &str) -> Result<String> {
    let bare = header.trim();
    let bare = bare.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(bare);
    let fits = !bare.is_empty() && bare.chars().count() <= KEY_CHARS_MAX;
    if !fits || bare.chars().any(char::is_control) {
        let detail = text("must have 1 to 255 characters", "debe tener de 1 a 255 caracteres");
        return Err(Problem::invalid(FieldError::new(
            "header",
            "/Idempotency-Key",
            "invalid",
            detail,
        )));
    }
    Ok(bare.to_owned())
}

/// What makes two requests the same.
pub(crate) fn fingerprint(call: &Call<'_>) -> Vec<u8> {
    let mut hash = Sha256::new();
    let same = (call.operation.id, &call.id, &call.query, &call.body, call.if_match);
    hash.update(serde_json::to_vec(&same).unwrap_or_default());
    hash.finalize().to_vec()
}

/// Closes what is kept of an answer with a secret in it. The key is made of the caller's token, which
/// is stored nowhere, so the database alone cannot open it.
pub(crate) struct Seal(ChaCha20Poly1305);

const SEALED: &str = "sealed";

impl Seal {
    pub(crate) fn of(token: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"bodega idempotency record\0");
        hash.update(token.as_bytes());
        let key: [u8; 32] = hash.finalize().into();
        Self(ChaCha20Poly1305::new(&key.into()))
    }

    fn close(&self, record: &Record, plain: &[u8]) -> Value {
        let nonce = Self::nonce(record);
        let closed = self.0.encrypt(&nonce.into(), plain).unwrap_or_default();
        serde_json::json!({ SEALED: STANDARD.encode(closed) })
    }

    fn open(&self, record: &Record) -> Option<Value> {
        let closed = STANDARD.decode(record.body.get(SEALED)?.as_str()?).ok()?;
        let nonce = Self::nonce(record);
        serde_json::from_slice(&self.0.decrypt(&nonce.into(), closed.as_slice()).ok()?).ok()
    }

    /// A request, its idempotency key and its time, so that no nonce ever stands for two texts.
    fn nonce(record: &Record) -> [u8; 12] {
        let mut hash = Sha256::new();
        hash.update(&record.fingerprint);
        hash.update(record.created_at.timestamp_micros().to_le_bytes());
        hash.update(record.idempotency_key.as_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        let mut nonce = [0; 12];
        nonce.copy_from_slice(&digest[..12]);
        nonce
    }
}

/// What is kept under a key, if anything is.
pub(crate) async fn remembered(tx: &Tx, key: &str) -> Result<Option<Record>> {
    let kept = TimeDelta::hours(Retention::of(&tx.platform).idempotency_hours.into());
    tx.remembered(key, tx.now - kept).await
}

/// The answer that was given before, if it was given to the same request.
pub(crate) fn replay(
    record: Record,
    fingerprint: &[u8],
    seal: impl FnOnce() -> Seal,
) -> Result<Answer> {
    let same = record.fingerprint == fingerprint;
    let sealed = record.body.get(SEALED).is_some();
    let body = if sealed { seal().open(&record) } else { Some(record.body) };
    match body.filter(|_| same) {
        Some(body) => {
            let status = u16::try_from(record.status).unwrap_or(500);
            Ok(Answer { status, body: Body::Tree(body), replayed: true })
        }
        None => {
            let detail = text("came before with another request", "ya llegó con otra solicitud");
            Err(Problem::new(&problem::IDEMPOTENCY_KEY_REUSED).at(FieldError::new(
                "header",
                "/Idempotency-Key",
                "idempotency_key_reused",
                detail,
            )))
        }
    }
}

/// What to keep of an answer.
pub(crate) fn record(
    cx: &Cx,
    key: &str,
    fingerprint: Vec<u8>,
    status: u16,
    body: &Body,
    seal: Option<&Seal>,
) -> Result<Record> {
    let mut record = Record {
        organization_id: cx.organization,
        idempotency_key: key.to_owned(),
        fingerprint,
        status: status.into(),
        body: Value::Null,
        created_at: cx.now,
    };
    record.body = match seal {
        Some(seal) => seal.close(&record, &body.to_bytes()),
        None => body.clone().tree()?,
    };
    Ok(record)
}
