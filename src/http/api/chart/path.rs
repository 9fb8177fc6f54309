//! Writes a line as a compact SVG path.

use std::fmt::{self, Write};

use super::downsample::Point;

/// The path data of a line through `points`, in tenths of a pixel. Coordinates are relative to the
/// previous point, which takes fewer bytes than absolute ones.
pub fn path(points: &[Point]) -> String {
    let mut path = String::new();
    let (mut x, mut y) = (0, 0);
    for (n, point) in points.iter().enumerate() {
        let [next_x, next_y] = [point.x, point.y].map(|pixels| (pixels * 10.0).round() as i32);
        let command = ["M", "l", " "][n.min(2)];
        let _ = write!(path, "{command}{} {}", Tenths(next_x - x), Tenths(next_y - y));
        (x, y) = (next_x, next_y);
    }
    path
}

/// A number in tenths, written as a decimal without trailing zeros.
struct Tenths(i32);

impl fmt::Display for Tenths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let tenths = self.0.unsigned_abs();
        match (tenths / 10, tenths % 10) {
            (whole, 0) => write!(f, "{sign}{whole}"),
            (whole, tenth) => write!(f, "{sign}{whole}.{tenth}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_relative_coordinates() {
        let points = [(12.0, 30.0), (12.5, 28.96), (13.0, 29.0)].map(|(x, y)| Point { x, y });
        assert_eq!(path(&points), "M12 30l0.5 -1 0.5 0");
    }
}
