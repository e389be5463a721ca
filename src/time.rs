//! Instants and days as the protocol writes them.
//!
//! Time is always an argument: nothing in this crate reads a clock, and [`Timestamp::now`] exists
//! for callers, with the feature `std`. Leap seconds, fractions and offsets do not exist here; the
//! protocol has none.

use core::fmt;
use core::str;

use time::{Month, OffsetDateTime, UtcOffset};

/// A second in UTC, written `YYYYMMDDTHHMMSSZ` on the wire.
///
/// ```
/// use countersign::Timestamp;
///
/// let at = Timestamp::parse("20130524T000000Z")?;
/// assert_eq!(at.unix(), 1_369_353_600);
/// assert_eq!(at.date().to_string(), "20130524");
/// assert_eq!(at.extended().to_string(), "2013-05-24T00:00:00Z");
/// # Ok::<(), countersign::TimestampError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Timestamp {
    unix: i64,
    /// The wire form, made once because it is hashed and written several times.
    text: [u8; Self::LEN],
}

/// A day in UTC, written `YYYYMMDD` in a credential scope.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    text: [u8; Self::LEN],
}

/// The text is not a date or time in the form that the protocol asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimestampError;

impl Timestamp {
    /// Length of the wire form in bytes.
    pub(crate) const LEN: usize = 16;

    /// Reads the ISO 8601 basic form, `20130524T000000Z`: 16 characters, a real day, hours to 23,
    /// minutes and seconds to 59.
    ///
    /// # Errors
    /// [`TimestampError`] for anything else, the extended form included.
    pub fn parse(text: impl AsRef<[u8]>) -> Result<Self, TimestampError> {
        let text: &[u8; Self::LEN] = text.as_ref().try_into().map_err(|_| TimestampError)?;
        let [y0, y1, y2, y3, o0, o1, d0, d1, b'T', h0, h1, m0, m1, s0, s1, b'Z'] = *text else {
            return Err(TimestampError);
        };
        let date = day([y0, y1, y2, y3], [o0, o1], [d0, d1])?;
        let unix = seconds(date, [h0, h1], [m0, m1], [s0, s1])?;
        Ok(Self { unix, text: *text })
    }

    /// As [`parse`](Self::parse). What lies on the same day as `now` needs no calendar.
    #[inline(always)]
    pub(crate) fn parse_near(text: &[u8], now: Self) -> Result<Self, TimestampError> {
        let text: &[u8; Self::LEN] = text.try_into().map_err(|_| TimestampError)?;
        let [.., b'T', h0, h1, m0, m1, s0, s1, b'Z'] = *text else {
            return Err(TimestampError);
        };
        let (hour, minute, second) = (number([h0, h1])?, number([m0, m1])?, number([s0, s1])?);
        let same_day = text.first_chunk() == Some(&now.date().text);
        if !same_day || hour > 23 || minute > 59 || second > 59 {
            return Self::parse(text);
        }
        let of_day = 3600 * i64::from(hour) + 60 * i64::from(minute) + i64::from(second);
        Ok(Self { unix: now.unix - now.unix.rem_euclid(DAY) + of_day, text: *text })
    }

    /// Reads the ISO 8601 extended form in UTC, `2015-12-30T12:00:00Z`, with up to nine digits of a
    /// fraction of the second, which is cut.
    #[cfg(feature = "post-policy")]
    pub(crate) fn parse_extended(text: &str) -> Result<Self, TimestampError> {
        let (fixed, rest) = text.as_bytes().split_first_chunk::<19>().ok_or(TimestampError)?;
        let fraction = rest.strip_suffix(b"Z").ok_or(TimestampError)?;
        let digits = match fraction.split_first() {
            None => fraction,
            Some((b'.', digits)) if (1..=9).contains(&digits.len()) => digits,
            Some(_) => return Err(TimestampError),
        };
        let [y0, y1, y2, y3, b'-', o0, o1, b'-', d0, d1, b'T', h0, h1, b':', m0, m1, b':', s0, s1] =
            *fixed
        else {
            return Err(TimestampError);
        };
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(TimestampError);
        }
        Self::parse([y0, y1, y2, y3, o0, o1, d0, d1, b'T', h0, h1, m0, m1, s0, s1, b'Z'])
    }

    /// Reads the date of an HTTP `Date` field: the basic form above or an IMF-fixdate (RFC 9110
    /// section 5.6.7), `Fri, 24 May 2013 00:00:00 GMT`.
    pub(crate) fn parse_http_date(text: &[u8]) -> Result<Self, TimestampError> {
        let Ok(fixed) = <&[u8; 29]>::try_from(text) else {
            return Self::parse(text);
        };
        let [
            w0,
            w1,
            w2,
            b',',
            b' ',
            d0,
            d1,
            b' ',
            o0,
            o1,
            o2,
            b' ',
            y0,
            y1,
            y2,
            y3,
            b' ',
            h0,
            h1,
            b':',
            m0,
            m1,
            b':',
            s0,
            s1,
            b' ',
            b'G',
            b'M',
            b'T',
        ] = *fixed
        else {
            return Err(TimestampError);
        };
        let month = match &[o0, o1, o2] {
            b"Jan" => *b"01",
            b"Feb" => *b"02",
            b"Mar" => *b"03",
            b"Apr" => *b"04",
            b"May" => *b"05",
            b"Jun" => *b"06",
            b"Jul" => *b"07",
            b"Aug" => *b"08",
            b"Sep" => *b"09",
            b"Oct" => *b"10",
            b"Nov" => *b"11",
            b"Dec" => *b"12",
            _ => return Err(TimestampError),
        };
        // The weekday says nothing that the date does not; a published suite has a wrong one.
        if !matches!(&[w0, w1, w2], b"Mon" | b"Tue" | b"Wed" | b"Thu" | b"Fri" | b"Sat" | b"Sun") {
            return Err(TimestampError);
        }
        let date = day([y0, y1, y2, y3], month, [d0, d1])?;
        let unix = seconds(date, [h0, h1], [m0, m1], [s0, s1])?;
        let [o0, o1] = month;
        let text = [y0, y1, y2, y3, o0, o1, d0, d1, b'T', h0, h1, m0, m1, s0, s1, b'Z'];
        Ok(Self { unix, text })
    }

    /// The instant `seconds` after 1970-01-01T00:00:00Z; `None` outside the years 0 to 9999.
    #[must_use]
    pub fn from_unix(seconds: i64) -> Option<Self> {
        let at = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
        let year = u16::try_from(at.year()).ok().filter(|year| *year <= 9999)?;
        let hms = (at.hour(), at.minute(), at.second());
        Some(Self { unix: seconds, text: basic(year, u8::from(at.month()), at.day(), hms) })
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn unix(self) -> i64 {
        self.unix
    }

    /// The day this instant lies in.
    #[inline]
    #[must_use]
    pub fn date(self) -> Date {
        let [y0, y1, y2, y3, o0, o1, d0, d1, ..] = self.text;
        Date { text: [y0, y1, y2, y3, o0, o1, d0, d1] }
    }

    /// The ISO 8601 extended form, `2013-05-24T00:00:00Z`, as error bodies show it.
    #[must_use]
    pub fn extended(self) -> impl fmt::Display {
        Extended(self)
    }

    /// The extended form up to the seconds.
    pub(crate) const fn extended_text(&self) -> [u8; 19] {
        let [y0, y1, y2, y3, o0, o1, d0, d1, _, h0, h1, m0, m1, s0, s1, _] = self.text;
        [y0, y1, y2, y3, b'-', o0, o1, b'-', d0, d1, b'T', h0, h1, b':', m0, m1, b':', s0, s1]
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.text
    }

    /// The instant `seconds` later; `None` past the year 9999.
    pub(crate) fn plus(self, seconds: u64) -> Option<Self> {
        let unix = self.unix.checked_add(i64::try_from(seconds).ok()?)?;
        // What lies on the same day needs no calendar.
        match unix - (self.unix - self.unix.rem_euclid(DAY)) {
            of_day @ ..DAY => {
                let [y0, y1, y2, y3, o0, o1, d0, d1, ..] = self.text;
                let (hour, second) = (of_day / 3600, of_day % 3600);
                let [h0, h1] = two(hour as u8);
                let ([m0, m1], [s0, s1]) = (two((second / 60) as u8), two((second % 60) as u8));
                let text = [y0, y1, y2, y3, o0, o1, d0, d1, b'T', h0, h1, m0, m1, s0, s1, b'Z'];
                Some(Self { unix, text })
            }
            _ => Self::from_unix(unix),
        }
    }

    /// The present, by the system's clock.
    ///
    /// # Panics
    /// If the system's clock stands after the year 9999.
    #[cfg(feature = "std")]
    #[must_use]
    pub fn now() -> Self {
        Self::try_from(std::time::SystemTime::now()).expect("the clock stands before year 10000")
    }
}

#[cfg(feature = "std")]
impl TryFrom<std::time::SystemTime> for Timestamp {
    type Error = TimestampError;

    /// Cuts the fraction of the second.
    fn try_from(time: std::time::SystemTime) -> Result<Self, TimestampError> {
        let seconds = match time.duration_since(std::time::UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_secs()).map_err(|_| TimestampError)?,
            Err(before) => {
                -i64::try_from(before.duration().as_secs()).map_err(|_| TimestampError)?
            }
        };
        Self::from_unix(seconds).ok_or(TimestampError)
    }
}

impl Date {
    /// Length of the wire form in bytes.
    pub(crate) const LEN: usize = 8;

    /// Reads `YYYYMMDD`, a real day.
    ///
    /// # Errors
    /// [`TimestampError`] for anything else.
    pub fn parse(text: impl AsRef<[u8]>) -> Result<Self, TimestampError> {
        let text: &[u8; Self::LEN] = text.as_ref().try_into().map_err(|_| TimestampError)?;
        let [y0, y1, y2, y3, o0, o1, d0, d1] = *text;
        day([y0, y1, y2, y3], [o0, o1], [d0, d1])?;
        Ok(Self { text: *text })
    }

    /// As [`parse`](Self::parse). The day of `now` needs no calendar.
    #[inline]
    pub(crate) fn parse_near(text: &[u8], now: Timestamp) -> Result<Self, TimestampError> {
        let today = now.date();
        if text == today.text { Ok(today) } else { Self::parse(text) }
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.text
    }
}

/// Seconds of a day; the protocol has no leap seconds.
const DAY: i64 = 86_400;

/// A real day.
fn day(year: [u8; 4], month: [u8; 2], day: [u8; 2]) -> Result<time::Date, TimestampError> {
    let [y0, y1, y2, y3] = year;
    let year = i32::from(number([y0, y1])?) * 100 + i32::from(number([y2, y3])?);
    let month = Month::try_from(number(month)?).map_err(|_| TimestampError)?;
    time::Date::from_calendar_date(year, month, number(day)?).map_err(|_| TimestampError)
}

/// Seconds from 1970 to a time of that day.
fn seconds(
    date: time::Date,
    hour: [u8; 2],
    minute: [u8; 2],
    second: [u8; 2],
) -> Result<i64, TimestampError> {
    let time = time::Time::from_hms(number(hour)?, number(minute)?, number(second)?);
    let time = time.map_err(|_| TimestampError)?;
    Ok(OffsetDateTime::new_in_offset(date, time, UtcOffset::UTC).unix_timestamp())
}

/// A number of two digits.
#[inline(always)]
fn number([tens, ones]: [u8; 2]) -> Result<u8, TimestampError> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    if tens > 9 || ones > 9 { Err(TimestampError) } else { Ok(10 * tens + ones) }
}

/// The digits of a number below 100.
const fn two(number: u8) -> [u8; 2] {
    [b'0' + number / 10, b'0' + number % 10]
}

fn basic(year: u16, month: u8, day: u8, (h, m, s): (u8, u8, u8)) -> [u8; Timestamp::LEN] {
    let [y0, y1] = two((year / 100) as u8);
    let [y2, y3] = two((year % 100) as u8);
    let ([o0, o1], [d0, d1]) = (two(month), two(day));
    let ([h0, h1], [m0, m1], [s0, s1]) = (two(h), two(m), two(s));
    [y0, y1, y2, y3, o0, o1, d0, d1, b'T', h0, h1, m0, m1, s0, s1, b'Z']
}

struct Extended(Timestamp);

impl fmt::Display for Extended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ascii(&self.0.extended_text()))?;
        f.write_str("Z")
    }
}

/// The text of bytes that are known to be ASCII.
fn ascii(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap_or_default()
}

impl PartialEq for Timestamp {
    fn eq(&self, other: &Self) -> bool {
        self.unix == other.unix
    }
}

impl Eq for Timestamp {}

impl PartialOrd for Timestamp {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timestamp {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.unix.cmp(&other.unix)
    }
}

impl core::hash::Hash for Timestamp {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.unix.hash(state);
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ascii(&self.text))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ascii(&self.text))
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for TimestampError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a date or time in the form YYYYMMDD'T'HHMMSS'Z'")
    }
}

impl core::error::Error for TimestampError {}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{Date, Timestamp};

    #[test]
    fn reads_only_real_instants() {
        for text in ["20130524T000000Z", "20240229T235959Z", "19700101T000000Z", "99991231T235959Z"]
        {
            let at = Timestamp::parse(text).expect(text);
            assert_eq!(at.as_bytes(), text.as_bytes());
            assert_eq!(Timestamp::from_unix(at.unix()).map(|again| again.text), Some(at.text));
        }
        for text in [
            "",
            "20130524",
            "20130524T000000",
            "20130524T000000z",
            "20130524t000000Z",
            "2013-05-24T00:00:00Z",
            "20130524T000000.0Z",
            "20230229T000000Z",
            "20131301T000000Z",
            "20130500T000000Z",
            "20130524T240000Z",
            "20130524T006000Z",
            "20130524T000060Z",
            "+0130524T000000Z",
            "2013052 T000000Z",
            " 0130524T000000Z",
        ] {
            assert!(Timestamp::parse(text).is_err(), "{text}");
            for near in ["20130524T080910Z", "20240229T000000Z", "20230228T235959Z"] {
                let near = Timestamp::parse(near).expect(near);
                assert!(Timestamp::parse_near(text.as_bytes(), near).is_err(), "{text}");
            }
        }
    }

    /// It does not matter how near.
    #[test]
    fn reads_the_same_without_a_calendar() {
        let days = ["19691231", "19700101", "20130523", "20130524", "20240229", "00000101"];
        let times = ["000000", "080910", "235959"];
        let all = || days.iter().flat_map(|day| times.map(|time| std::format!("{day}T{time}Z")));
        for near in all() {
            let near = Timestamp::parse(&near).expect("an instant");
            for text in all() {
                let at = Timestamp::parse_near(text.as_bytes(), near).expect("an instant");
                let parsed = Timestamp::parse(&text).expect("an instant");
                assert_eq!((at.unix, at.text), (parsed.unix, parsed.text));
                let date = Date::parse_near(&text.as_bytes()[..8], near);
                assert_eq!(date, Ok(parsed.date()));
                if let Ok(seconds) = u64::try_from(at.unix - near.unix) {
                    let later = near.plus(seconds).expect("an instant");
                    assert_eq!((at.unix, at.text), (later.unix, later.text));
                }
            }
        }
    }

    #[test]
    fn reads_http_dates() {
        let at = Timestamp::parse_http_date(b"Fri, 24 May 2013 00:00:00 GMT").expect("a date");
        assert_eq!(at.unix(), 1_369_353_600);
        assert!(Timestamp::parse_http_date(b"20130524T000000Z").is_ok());
        for text in [
            "Xxx, 24 May 2013 00:00:00 GMT",
            "Fri, 24 May 2013 00:00:00 UTC",
            "fri, 24 May 2013 00:00:00 GMT",
            "Fri, 24 may 2013 00:00:00 GMT",
            "Fri, 31 Apr 2013 00:00:00 GMT",
            "Friday, 24-May-13 00:00:00 GMT",
        ] {
            assert!(Timestamp::parse_http_date(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[cfg(feature = "post-policy")]
    #[test]
    fn reads_the_extended_form() {
        let whole = Timestamp::parse("20151230T120000Z").expect("a time");
        for text in ["2015-12-30T12:00:00Z", "2015-12-30T12:00:00.000Z", "2015-12-30T12:00:00.9Z"] {
            assert_eq!(Timestamp::parse_extended(text), Ok(whole), "{text}");
        }
        assert!(Timestamp::parse_extended("2015-12-30T12:00:00.123456789Z").is_ok());
        for text in [
            "",
            "2015-12-30",
            "2015-12-30T12:00:00",
            "2015-12-30 12:00:00Z",
            "2015-12-30T12:00:00z",
            "2015-12-30T12:00:00.Z",
            "2015-12-30T12:00:00,0Z",
            "2015-12-30T12:00:00.0123456789Z",
            "2015-12-30T12:00:00.0x0Z",
            "2015-12-30T12:00:00+00:00",
            "2015-12-30T12:00Z",
            "2015-02-30T12:00:00Z",
            "2015-12-30T12:00:60Z",
            "20151230T120000Z",
            "2015-12-30T12:00:00Z ",
            "2015-12-30T12:00:0\u{e9}Z",
        ] {
            assert!(Timestamp::parse_extended(text).is_err(), "{text}");
        }
    }

    #[test]
    fn days_and_limits() {
        assert!(Date::parse("20240229").is_ok() && Date::parse("20230229").is_err());
        assert!(
            Timestamp::from_unix(i64::MAX).is_none() && Timestamp::from_unix(i64::MIN).is_none()
        );
        let last = Timestamp::parse("99991231T235959Z").expect("an instant");
        assert_eq!(last.plus(1), None);
        assert_eq!(last.plus(u64::MAX), None);
    }
}
