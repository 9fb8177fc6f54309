//! Lines, in few bytes.

use std::fmt::{self, Write};

use super::downsample::Point;

/// A line through points, each told by its distance from the one before: that is short.
pub fn path(points: &[Point]) -> String {
    let (mut path, mut at) = (String::new(), (0, 0));
    for (n, point) in points.iter().enumerate() {
        let to = ((point.x * 10.0).round() as i32, (point.y * 10.0).round() as i32);
        let verb = ["M", "l", " "][n.min(2)];
        let _ = write!(path, "{verb}{} {}", Tenths(to.0 - at.0), Tenths(to.1 - at.1));
        at = to;
    }
    path
}

/// A number of tenths.
struct Tenths(i32);

impl fmt::Display for Tenths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, size) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        match (size / 10, size % 10) {
            (whole, 0) => write!(f, "{sign}{whole}"),
            (whole, tenth) => write!(f, "{sign}{whole}.{tenth}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_told_by_its_steps() {
        let points = [(12.0, 30.0), (12.5, 28.96), (13.0, 29.0)].map(|(x, y)| Point { x, y });
        assert_eq!(path(&points), "M12 30l0.5 -1 0.5 0");
    }
}
