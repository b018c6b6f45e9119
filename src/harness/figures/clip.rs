//! Geometry that the backend leaves to its caller: cutting at a rectangle, and breaking lines into dashes.

use super::svg::Point;

/// The pieces of a polyline inside the rectangle between two corners, the lower coordinates first (Liang and Barsky
/// 1984, segment by segment).
pub(crate) fn polyline(points: &[Point], low: Point, high: Point) -> Vec<Vec<Point>> {
    let mut pieces: Vec<Vec<Point>> = Vec::new();
    for pair in points.windows(2) {
        let Some((from, to)) = segment(pair[0], pair[1], low, high) else {
            continue;
        };
        match pieces.last_mut() {
            // The cut keeps ends that lie inside bit for bit.
            Some(piece) if piece.last() == Some(&from) && from == pair[0] => piece.push(to),
            _ => pieces.push(vec![from, to]),
        }
    }
    pieces
}

/// The part of a segment inside the rectangle.
fn segment(a: Point, b: Point, low: Point, high: Point) -> Option<(Point, Point)> {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    if !(dx.is_finite() && dy.is_finite()) {
        return None;
    }
    let (mut enter, mut leave) = (0.0f64, 1.0f64);
    // On each side: how fast the segment approaches it, and how far inside it begins.
    for (speed, room) in [
        (-dx, a.0 - low.0),
        (dx, high.0 - a.0),
        (-dy, a.1 - low.1),
        (dy, high.1 - a.1),
    ] {
        if speed == 0.0 {
            if room < 0.0 {
                return None;
            }
        } else if speed < 0.0 {
            enter = enter.max(room / speed);
        } else {
            leave = leave.min(room / speed);
        }
    }
    if enter > leave {
        return None;
    }
    let at = |share: f64| (a.0 + share * dx, a.1 + share * dy);
    let from = if enter == 0.0 { a } else { at(enter) };
    let to = if leave == 1.0 { b } else { at(leave) };
    Some((from, to))
}

/// A polygon cut at the rectangle, side by side (Sutherland and Hodgman 1974). A concave one may come back with edges
/// along the rectangle that enclose nothing.
pub(crate) fn polygon(points: &[Point], low: Point, high: Point) -> Vec<Point> {
    type Inside = fn(Point, Point, Point) -> f64;
    // How far inside a point lies of each side of the rectangle; negative outside.
    let sides: [Inside; 4] = [
        |p, low, _| p.0 - low.0,
        |p, _, high| high.0 - p.0,
        |p, low, _| p.1 - low.1,
        |p, _, high| high.1 - p.1,
    ];
    sides.iter().fold(points.to_vec(), |outline, depth| {
        let mut kept = Vec::with_capacity(outline.len());
        for (i, &point) in outline.iter().enumerate() {
            let before = outline[(i + outline.len() - 1) % outline.len()];
            let (d0, d1) = (depth(before, low, high), depth(point, low, high));
            if (d0 < 0.0) != (d1 < 0.0) {
                let share = d0 / (d0 - d1);
                kept.push((
                    before.0 + share * (point.0 - before.0),
                    before.1 + share * (point.1 - before.1),
                ));
            }
            if d1 >= 0.0 {
                kept.push(point);
            }
        }
        kept
    })
}

/// A polyline broken into pieces of length `on`, with gaps of length `off`, both measured along it.
pub(crate) fn dashes(points: &[Point], on: f64, off: f64) -> Vec<Vec<Point>> {
    let mut pieces = Vec::new();
    let mut piece: Vec<Point> = points.first().copied().into_iter().collect();
    let (mut drawing, mut left) = (true, on);
    for pair in points.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        let length = (b.0 - a.0).hypot(b.1 - a.1);
        let mut done = 0.0;
        while length - done > left {
            done += left;
            let share = done / length;
            let point = (a.0 + share * (b.0 - a.0), a.1 + share * (b.1 - a.1));
            if drawing {
                piece.push(point);
                pieces.push(std::mem::take(&mut piece));
            } else {
                piece = vec![point];
            }
            drawing = !drawing;
            left = if drawing { on } else { off };
        }
        left -= length - done;
        if drawing {
            piece.push(b);
        }
    }
    if piece.len() > 1 {
        pieces.push(piece);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LOW: Point = (0.0, 0.0);
    const HIGH: Point = (10.0, 5.0);

    fn length(points: &[Point]) -> f64 {
        points
            .windows(2)
            .map(|p| (p[1].0 - p[0].0).hypot(p[1].1 - p[0].1))
            .sum()
    }

    /// Twice the signed area, by the shoelace formula.
    fn area(points: &[Point]) -> f64 {
        let next = |i: usize| points[(i + 1) % points.len()];
        (0..points.len())
            .map(|i| points[i].0 * next(i).1 - next(i).0 * points[i].1)
            .sum()
    }

    #[test]
    fn a_line_that_leaves_and_comes_back_falls_into_two_pieces() {
        let pieces = polyline(
            &[(-5.0, 1.0), (5.0, 1.0), (5.0, 9.0), (7.0, 9.0), (7.0, 1.0)],
            LOW,
            HIGH,
        );
        assert_eq!(
            pieces,
            [vec![(0.0, 1.0), (5.0, 1.0), (5.0, 5.0)], vec![(7.0, 5.0), (7.0, 1.0)]]
        );
        assert!(polyline(&[(-1.0, -1.0), (20.0, -1.0)], LOW, HIGH).is_empty());
        assert!(polyline(&[(f64::NAN, 1.0), (5.0, 1.0)], LOW, HIGH).is_empty());
    }

    #[test]
    fn a_polygon_around_the_rectangle_becomes_the_rectangle() {
        let around = [(-9.0, -9.0), (99.0, -9.0), (99.0, 99.0), (-9.0, 99.0)];
        assert_eq!(area(&polygon(&around, LOW, HIGH)).abs(), 2.0 * 50.0);
        assert!(polygon(&[(20.0, 1.0), (30.0, 1.0), (25.0, 3.0)], LOW, HIGH).is_empty());
        assert!(polygon(&[], LOW, HIGH).is_empty());
    }

    #[test]
    fn dashes_cover_their_share_of_a_line() {
        let pieces = dashes(&[(0.0, 0.0), (6.0, 0.0), (6.0, 4.0)], 2.0, 1.0);
        assert_eq!(
            pieces,
            [
                vec![(0.0, 0.0), (2.0, 0.0)],
                vec![(3.0, 0.0), (5.0, 0.0)],
                vec![(6.0, 0.0), (6.0, 2.0)],
                vec![(6.0, 3.0), (6.0, 4.0)],
            ]
        );
    }

    proptest! {
        #[test]
        fn what_is_cut_lies_inside_and_what_lies_inside_is_kept(
            points in prop::collection::vec((-20.0..30.0f64, -20.0..30.0f64), 2..12)
        ) {
            // Coordinates are below 100 and the shares of a cut below 1: rounding stays below 1e-12.
            let slack = 1e-12;
            let inside = |p: &Point| {
                p.0 >= LOW.0 - slack && p.0 <= HIGH.0 + slack && p.1 >= LOW.1 - slack && p.1 <= HIGH.1 + slack
            };
            let pieces = polyline(&points, LOW, HIGH);
            prop_assert!(pieces.iter().flatten().all(inside));
            prop_assert!(polygon(&points, LOW, HIGH).iter().all(inside));
            for point in points.iter().filter(|p| p.0 > LOW.0 && p.0 < HIGH.0 && p.1 > LOW.1 && p.1 < HIGH.1) {
                prop_assert!(pieces.iter().flatten().any(|p| p == point));
            }
            let everything = polyline(&points, (-100.0, -100.0), (100.0, 100.0));
            prop_assert_eq!(everything, vec![points]);
        }

        #[test]
        fn the_length_of_dashes_is_their_share_up_to_one_period(
            points in prop::collection::vec((-20.0..30.0f64, -20.0..30.0f64), 2..12)
        ) {
            let whole = length(&points);
            let drawn: f64 = dashes(&points, 3.0, 1.0).iter().map(|piece| length(piece)).sum();
            prop_assert!((drawn - 0.75 * whole).abs() <= 1.0, "{} of {}", drawn, whole);
        }
    }
}
