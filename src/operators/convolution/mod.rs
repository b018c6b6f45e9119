//! Convolution layers as measurement operators: in one and two dimensions, with any numbers of channels.
//!
//! What deep learning calls a convolution is a *correlation*: the kernel slides without being turned around,
//!
//! `y_o[t] = Σ_i Σ_u w_oi[u] x_i[t + u − c]`, with the centre `c = ⌊(size − 1)/2⌋` on each axis,
//!
//! which is the "same" size of the frameworks. Turning the kernel conjugates every Fourier coefficient of a circular layer,
//! so that singular values, coherence and restricted isometry constants are those of the convolution. What lies outside
//! the signal is the signal again ([`CircularConvolution`]) or zero ([`ZeroPaddedConvolution`]).
//!
//! Vectors are channels one after the other, each row by row: the order of the frameworks without their batch.

/// A type with a `layer` is the operator that its layer is.
macro_rules! operator_of_layer {
    ($type:ty) => {
        impl $crate::operators::MeasurementOperator for $type {
            fn shape(&self) -> $crate::operators::Shape {
                self.layer.shape()
            }

            fn apply_into(&self, x: &[f64], y: &mut [f64]) {
                self.layer.apply_into(x, y);
            }

            fn adjoint_into(&self, y: &[f64], x: &mut [f64]) {
                self.layer.adjoint_into(y, x);
            }

            fn apply_sparse_into(&self, support: &[usize], values: &[f64], y: &mut [f64]) {
                self.layer.apply_sparse_into(support, values, y);
            }

            fn columns_into(&self, support: &[usize], out: &mut nalgebra::DMatrix<f64>) {
                self.layer.columns_into(support, out);
            }

            fn column_norms(&self) -> Vec<f64> {
                self.layer.column_norms()
            }
        }
    };
}

mod circular;
mod engine;
mod kernels;
mod layer;
mod zero_padded;

pub use circular::CircularConvolution;
pub use kernels::{Grid, KernelBank};
pub use zero_padded::ZeroPaddedConvolution;
