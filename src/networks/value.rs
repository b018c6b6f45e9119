//! Values with and without a tangent: the only place where a rule of differentiation for a primitive is written.
//!
//! Layers and losses are written once over [`Value`]. Run over plain arrays, their forward pass is the network and
//! their vector-Jacobian product the gradient. Run over [`Dual`], the tangent of the forward pass is `J v` and the
//! tangent of the vector-Jacobian product is the exact Hessian-vector product `H v` (forward over reverse: Pearlmutter
//! 1994). No layer carries second-order code.

use super::array::Array;
use super::real::Real;
use std::fmt::Debug;

/// An array, with or without a derivative along one direction. Every layer is composed of these primitives.
pub trait Value<T: Real>: Clone + Debug {
    /// The array itself.
    fn value(&self) -> &Array<T>;

    /// A value that does not depend on the parameters: its tangent is zero.
    fn constant(array: Array<T>) -> Self;

    /// `op(X) · op(Y)`, with tangent `op(Ẋ) op(Y) + op(X) op(Ẏ)`.
    fn product(&self, transpose: bool, other: &Self, transpose_other: bool) -> Self {
        self.block_product(1, transpose, other, transpose_other)
    }

    /// [`Value::product`] of each of `blocks` pairs of matrices, stacked in X and Y one below the other.
    fn block_product(&self, blocks: usize, transpose: bool, other: &Self, transpose_other: bool) -> Self;

    /// A fixed linear map `L`, with tangent `L Ẋ`: sums, repeats, selections, scalings.
    fn linear(&self, map: impl Fn(&Array<T>) -> Array<T>) -> Self;

    /// `X + Y`, with tangent `Ẋ + Ẏ`.
    fn add(&self, other: &Self) -> Self;

    /// `X ∘ Y` entry by entry, with tangent `Ẋ ∘ Y + X ∘ Ẏ`.
    fn multiply(&self, other: &Self) -> Self;

    /// `f(X)` entry by entry, with tangent `f′(X) ∘ Ẋ`.
    fn map(&self, f: impl Fn(T) -> T, derivative: impl Fn(T) -> T) -> Self;

    /// The same entries in another number of rows.
    fn reshaped(&self, rows: usize, columns: usize) -> Self {
        self.linear(|x| Array::raw(rows, columns, x.as_slice().to_vec()))
    }

    /// `s X`.
    fn scale(&self, factor: T) -> Self {
        self.linear(|x| x.mapped(|v| factor * v))
    }
}

impl<T: Real> Value<T> for Array<T> {
    fn value(&self) -> &Array<T> {
        self
    }

    fn constant(array: Array<T>) -> Self {
        array
    }

    fn block_product(&self, blocks: usize, transpose: bool, other: &Self, transpose_other: bool) -> Self {
        Array::block_product(self, blocks, transpose, other, transpose_other)
    }

    fn linear(&self, map: impl Fn(&Array<T>) -> Array<T>) -> Self {
        map(self)
    }

    fn add(&self, other: &Self) -> Self {
        self.zipped(other, |a, b| a + b)
    }

    fn multiply(&self, other: &Self) -> Self {
        self.zipped(other, |a, b| a * b)
    }

    fn map(&self, f: impl Fn(T) -> T, _: impl Fn(T) -> T) -> Self {
        self.mapped(f)
    }
}

/// A value and its derivative along one direction of parameter space, of equal shapes.
#[derive(Clone, Debug, PartialEq)]
pub struct Dual<T> {
    /// The value.
    pub value: Array<T>,
    /// Its derivative along the direction.
    pub tangent: Array<T>,
}

impl<T: Real> Value<T> for Dual<T> {
    fn value(&self) -> &Array<T> {
        &self.value
    }

    fn constant(array: Array<T>) -> Self {
        Dual {
            tangent: Array::zeros(array.rows(), array.columns()),
            value: array,
        }
    }

    fn block_product(&self, blocks: usize, transpose: bool, other: &Self, transpose_other: bool) -> Self {
        let product = |a: &Array<T>, b: &Array<T>| Array::block_product(a, blocks, transpose, b, transpose_other);
        let left = product(&self.tangent, &other.value);
        let right = product(&self.value, &other.tangent);
        Dual {
            value: product(&self.value, &other.value),
            tangent: left.zipped(&right, |a, b| a + b),
        }
    }

    fn linear(&self, map: impl Fn(&Array<T>) -> Array<T>) -> Self {
        Dual {
            value: map(&self.value),
            tangent: map(&self.tangent),
        }
    }

    fn add(&self, other: &Self) -> Self {
        Dual {
            value: self.value.zipped(&other.value, |a, b| a + b),
            tangent: self.tangent.zipped(&other.tangent, |a, b| a + b),
        }
    }

    fn multiply(&self, other: &Self) -> Self {
        let left = self.tangent.zipped(&other.value, |a, b| a * b);
        let right = self.value.zipped(&other.tangent, |a, b| a * b);
        Dual {
            value: self.value.zipped(&other.value, |a, b| a * b),
            tangent: left.zipped(&right, |a, b| a + b),
        }
    }

    fn map(&self, f: impl Fn(T) -> T, derivative: impl Fn(T) -> T) -> Self {
        Dual {
            value: self.value.mapped(f),
            tangent: self.value.zipped(&self.tangent, |v, t| derivative(v) * t),
        }
    }
}
