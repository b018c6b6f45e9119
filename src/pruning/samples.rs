//! A data set in the form that a run of iterative pruning takes.

use super::imp::ImpData;
use crate::data::{Dataset, Split};
use crate::error::{Error, Result};
use crate::networks::{Array, InputShape};
use crate::training::Examples;

/// The three splits of a data set as arrays.
///
/// ```
/// use ticketsense::data::{self, DataChoice};
/// use ticketsense::pruning::ImpSamples;
/// let samples = ImpSamples::new(data::load(&DataChoice::Digits)?)?;
/// assert_eq!(samples.view().training.inputs.rows(), 1258);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Debug)]
pub struct ImpSamples {
    splits: [(Array<f32>, Vec<usize>); 3],
    shape: InputShape,
    classes: usize,
    identity: String,
}

impl ImpSamples {
    /// Takes a data set apart, so that its values are held once: see [`Dataset::into_splits`].
    ///
    /// # Errors
    /// [`Error::Argument`] when a split is empty.
    pub fn new(dataset: Dataset) -> Result<Self> {
        for split in Split::ALL {
            if dataset.split(split).is_empty() {
                return Err(Error::argument("data", format!("some {split} samples"), dataset.name()));
            }
        }
        Ok(ImpSamples {
            shape: dataset.shape(),
            classes: dataset.classes(),
            identity: dataset.checksum().to_string(),
            splits: dataset.into_splits()?,
        })
    }

    /// The view that iterative pruning takes.
    pub fn view(&self) -> ImpData<'_> {
        let [training, validation, test] = &self.splits;
        ImpData {
            training: Examples::labelled(&training.0, &training.1),
            validation: Examples::labelled(&validation.0, &validation.1),
            test: Examples::labelled(&test.0, &test.1),
            shape: self.shape,
            classes: self.classes,
            identity: &self.identity,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Content, ImageShape, Normalisation, RawValues, Splits};

    #[test]
    fn a_split_without_samples_is_refused_by_name() {
        let content = Content {
            name: "few".into(),
            image: ImageShape {
                channels: 1,
                height: 1,
                width: 1,
            },
            classes: 2,
            values: RawValues::Reals(&[0.0, 1.0, 2.0]),
            labels: vec![0, 1, 0],
            splits: Splits::last_twelfth_validates(2, 1),
        };
        let error = ImpSamples::new(Dataset::new(content, Normalisation::Raw).unwrap()).unwrap_err();
        assert!(error.to_string().contains("some validation samples"), "{error}");
    }
}
