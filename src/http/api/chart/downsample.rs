//! Reduces a line to the points that an image of limited width can show.

/// A position in an image, in pixels from the upper left corner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub x: f64,
    pub y: f64,
}

/// Keeps the first, highest, lowest and last point of each column; the others lie between these.
/// `points` run from left to right, columns are `column_width` pixels wide.
pub fn downsample(points: &[Point], column_width: f64) -> Vec<Point> {
    let column = |point: &Point| (point.x / column_width).floor();
    let mut kept = Vec::with_capacity(points.len());
    for points in points.chunk_by(|a, b| column(a) == column(b)) {
        let by_height = |a: &usize, b: &usize| points[*a].y.total_cmp(&points[*b].y);
        let lowest = (0..points.len()).min_by(by_height);
        let highest = (0..points.len()).max_by(by_height);
        let last = points.len().checked_sub(1);
        let mut indices: Vec<_> = [Some(0), lowest, highest, last].into_iter().flatten().collect();
        indices.sort_unstable();
        indices.dedup();
        kept.extend(indices.into_iter().map(|index| points[index]));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_column_keeps_both_ends_and_both_extremes(
            heights in proptest::collection::vec(0.0..100.0, 1..500)
        ) {
            let point = |(n, y): (usize, &f64)| Point { x: n as f64 / 7.0, y: *y };
            let points: Vec<_> = heights.iter().enumerate().map(point).collect();
            let kept = downsample(&points, 2.0);
            prop_assert!(kept.len() <= 4 * points.len().div_ceil(14));
            prop_assert!(kept.is_sorted_by(|a, b| a.x < b.x));
            prop_assert!(kept.iter().all(|point| points.contains(point)));
            for all in points.chunks(14) {
                let kept: Vec<_> =
                    kept.iter().filter(|point| all.contains(point)).copied().collect();
                prop_assert_eq!(kept[0], all[0]);
                prop_assert_eq!(kept[kept.len() - 1], all[all.len() - 1]);
                let highest = |y: f64, point: &Point| y.max(point.y);
                prop_assert_eq!(kept.iter().fold(0.0, highest), all.iter().fold(0.0, highest));
                let lowest = |y: f64, point: &Point| y.min(point.y);
                prop_assert_eq!(kept.iter().fold(1e9, lowest), all.iter().fold(1e9, lowest));
            }
        }
    }
}
