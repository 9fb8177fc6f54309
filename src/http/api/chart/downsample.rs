//! Leaves out the points that a picture is too narrow to show.

/// A place in a picture, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub x: f64,
    pub y: f64,
}

/// The points of a line, left to right, of which each column of a picture keeps its first, highest,
/// lowest and last: what is left out lies between these. A column is `column` pixels wide.
pub fn downsample(points: &[Point], column: f64) -> Vec<Point> {
    let column_of = |point: &Point| (point.x / column).floor();
    let mut kept = Vec::with_capacity(points.len());
    for points in points.chunk_by(|a, b| column_of(a) == column_of(b)) {
        let by_height = |at: &usize, other: &usize| points[*at].y.total_cmp(&points[*other].y);
        let (low, high) =
            ((0..points.len()).min_by(by_height), (0..points.len()).max_by(by_height));
        let mut places = [Some(0), low, high, points.len().checked_sub(1)];
        places.sort_unstable();
        let mut places: Vec<_> = places.into_iter().flatten().collect();
        places.dedup();
        kept.extend(places.into_iter().map(|at| points[at]));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_column_keeps_both_ends_and_both_extremes(heights in proptest::collection::vec(0.0..100.0, 1..500)) {
            let points: Vec<_> = heights.iter().enumerate().map(|(n, y)| Point { x: n as f64 / 7.0, y: *y }).collect();
            let kept = downsample(&points, 2.0);
            prop_assert!(kept.len() <= 4 * points.len().div_ceil(14));
            prop_assert!(kept.is_sorted_by(|a, b| a.x < b.x));
            prop_assert!(kept.iter().all(|point| points.contains(point)));
            for all in points.chunks(14) {
                let of_kept: Vec<_> = kept.iter().filter(|point| all.contains(point)).collect();
                prop_assert_eq!(*of_kept[0], all[0]);
                prop_assert_eq!(*of_kept[of_kept.len() - 1], all[all.len() - 1]);
                let highest = |y: f64, point: &Point| y.max(point.y);
                prop_assert_eq!(of_kept.iter().fold(0.0, |y, point| highest(y, point)), all.iter().fold(0.0, highest));
                let lowest = |y: f64, point: &Point| y.min(point.y);
                prop_assert_eq!(of_kept.iter().fold(1e9, |y, point| lowest(y, point)), all.iter().fold(1e9, lowest));
            }
        }
    }
}
