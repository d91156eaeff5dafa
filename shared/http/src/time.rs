//! Times as clients see them.

use causeway_domain::clock::Millis;

/// ISO 8601 in UTC with milliseconds, such as `2026-11-21T09:00:00.000Z`.
pub fn iso(at: Millis) -> String {
    let ms = i64::try_from(at).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(ms)
        .map(|at| at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_are_utc_with_milliseconds() {
        assert_eq!(super::iso(1_766_000_000_007), "2025-12-17T19:33:20.007Z");
        assert_eq!(super::iso(0), "1970-01-01T00:00:00.000Z");
    }
}
