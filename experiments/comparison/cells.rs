//! Cells of the parts of a comparison: one a seed.

use super::{FIRST_PILOT, MAIN, PILOT};
use std::ops::Range;
use ticketsense::harness::Cell;

/// One cell a seed of a part.
pub fn part_cells(part: &'static str, seeds: Range<usize>) -> impl Iterator<Item = Cell> {
    seeds.map(move |number| Cell::new().problem("seed", number).treatment("part", part))
}

/// So many main seeds, and so many pilots behind them.
pub fn seed_cells(main: usize, pilots: usize) -> Vec<Cell> {
    let pilots = part_cells(PILOT, FIRST_PILOT..FIRST_PILOT + pilots);
    part_cells(MAIN, 0..main).chain(pilots).collect()
}
