//! Times and durations, as CEL has them: times of the years 1 to 9999, and durations that fit in 64
//! bits of nanoseconds.

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};

use super::budget::Fault;

type Time = DateTime<FixedOffset>;

/// 0001-01-01T00:00:00Z, in seconds since 1970.
const SECONDS_MIN: i64 = -62_135_596_800;

/// 9999-12-31T23:59:59Z.
const SECONDS_MAX: i64 = 253_402_300_799;

fn out_of_range() -> Fault {
    Fault::wrong("a time is out of range")
}

fn checked(time: Option<Time>) -> Result<Time, Fault> {
    time.filter(|time| (SECONDS_MIN..=SECONDS_MAX).contains(&time.timestamp()))
        .ok_or_else(out_of_range)
}

pub(super) fn timestamp(text: &str) -> Result<Time, Fault> {
    let time = DateTime::parse_from_rfc3339(text);
    checked(Some(time.map_err(|_| Fault::wrong("this text is no time"))?))
}

pub(super) fn of_seconds(seconds: i64) -> Result<Time, Fault> {
    checked(DateTime::from_timestamp(seconds, 0).map(|time| time.fixed_offset()))
}

pub(super) fn later(time: Time, by: TimeDelta) -> Result<Time, Fault> {
    checked(time.checked_add_signed(by))
}

pub(super) fn earlier(time: Time, by: TimeDelta) -> Result<Time, Fault> {
    checked(time.checked_sub_signed(by))
}

pub(super) fn in_range(time: TimeDelta) -> Result<TimeDelta, Fault> {
    time.num_nanoseconds().map(|_| time).ok_or_else(out_of_range)
}

pub(super) fn sum(a: TimeDelta, b: TimeDelta) -> Result<TimeDelta, Fault> {
    a.checked_add(&b).ok_or_else(out_of_range).and_then(in_range)
}

pub(super) fn difference(a: TimeDelta, b: TimeDelta) -> Result<TimeDelta, Fault> {
    a.checked_sub(&b).ok_or_else(out_of_range).and_then(in_range)
}

/// `1h30m`, `1.5s`, `-200ms`.
pub(super) fn duration(text: &str) -> Result<TimeDelta, Fault> {
    let wrong = || Fault::wrong("this text is no duration");
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if rest == "0" {
        return Ok(TimeDelta::zero());
    }
    let mut nanos = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let (number, unit) = rest.split_at(end);
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let units = [("ms", 1e6), ("us", 1e3), ("ns", 1.0), ("h", 3.6e12), ("m", 6e10), ("s", 1e9)];
        let (left, factor) = units
            .iter()
            .find_map(|(name, factor)| Some((unit.strip_prefix(name)?, factor)))
            .ok_or_else(wrong)?;
        nanos += number * factor;
        rest = left;
    }
    if text.is_empty() || text == "-" || nanos >= i64::MAX as f64 {
        return Err(wrong());
    }
    let nanos = nanos as i64;
    Ok(TimeDelta::nanoseconds(if negative { -nanos } else { nanos }))
}

/// `+05:30`, `-08:00`, `UTC`.
pub(super) fn zone(text: &str) -> Result<FixedOffset, Fault> {
    let wrong = || Fault::wrong("a time zone is an offset such as +05:30, or UTC");
    let (hours, minutes) = match text {
        "" | "UTC" | "Z" => ("0", "0"),
        text => text.split_once(':').ok_or_else(wrong)?,
    };
    let (h, m): (i32, i32) =
        (hours.parse().map_err(|_| wrong())?, minutes.parse().map_err(|_| wrong())?);
    if !(-23..=23).contains(&h) || !(0..=59).contains(&m) {
        return Err(wrong());
    }
    let minutes = if hours.starts_with('-') { h * 60 - m } else { h * 60 + m };
    FixedOffset::east_opt(minutes * 60).ok_or_else(wrong)
}

/// In UTC, without zeros at the end.
pub(super) fn written(time: &Time) -> String {
    let time = time.with_timezone(&Utc);
    let nanos = time.timestamp_subsec_nanos() % 1_000_000_000;
    format!("{}{}Z", time.format("%Y-%m-%dT%H:%M:%S"), fraction(nanos))
}

/// In seconds.
pub(super) fn written_duration(time: &TimeDelta) -> String {
    let (seconds, nanos) = (time.num_seconds(), time.subsec_nanos());
    let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
    format!("{sign}{}{}s", seconds.unsigned_abs(), fraction(nanos.unsigned_abs()))
}

fn fraction(nanos: u32) -> String {
    match nanos {
        0 => String::new(),
        nanos => format!(".{nanos:09}").trim_end_matches('0').to_owned(),
    }
}
