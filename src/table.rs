//! Typed rows, to and from CSV without loss: the only form in which results leave a run.

use crate::error::{Error, Result};
use std::path::Path;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Whole numbers.
    Integer,
    /// Real numbers, written with the shortest digits that read back to the same bits.
    Real,
    /// Words.
    Text,
}

/// A column's name, kind, unit and meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Lower-case name, unique in its table.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Unit, or the empty string for a pure number or a word.
    pub unit: &'static str,
    /// One sentence.
    pub meaning: &'static str,
}

impl Column {
    /// A column of whole numbers.
    pub const fn integer(name: &'static str, unit: &'static str, meaning: &'static str) -> Self {
        Column {
            name,
            kind: Kind::Integer,
            unit,
            meaning,
        }
    }

    /// A column of real numbers.
    pub const fn real(name: &'static str, unit: &'static str, meaning: &'static str) -> Self {
        Column {
            name,
            kind: Kind::Real,
            unit,
            meaning,
        }
    }

    /// A column of words.
    pub const fn text(name: &'static str, meaning: &'static str) -> Self {
        Column {
            name,
            kind: Kind::Text,
            unit: "",
            meaning,
        }
    }
}

/// One entry of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number.
    Integer(i64),
    /// A real number; NaN and the infinities are allowed and survive the round trip.
    Real(f64),
    /// A word.
    Text(String),
    /// Nothing: the quantity does not exist for this row.
    Missing,
}

macro_rules! value_from {
    ($($source:ty => $variant:ident),* $(,)?) => {
        $(impl From<$source> for Value {
            fn from(v: $source) -> Self { Value::$variant(v.into()) }
        })*
    };
}
value_from!(i64 => Integer, i32 => Integer, u32 => Integer, bool => Integer, f64 => Real, f32 => Real, String => Text, &str => Text);

impl From<usize> for Value {
    fn from(v: usize) -> Self {
        // A count above i64::MAX cannot arise from memory that exists.
        Value::Integer(i64::try_from(v).unwrap_or(i64::MAX))
    }
}

impl From<u64> for Value {
    fn from(v: u64) -> Self {
        Value::Integer(i64::try_from(v).unwrap_or(i64::MAX))
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(v: Option<T>) -> Self {
        v.map_or(Value::Missing, Into::into)
    }
}

impl Value {
    fn matches(&self, kind: Kind) -> bool {
        matches!(
            (self, kind),
            (Value::Missing, _)
                | (Value::Integer(_), Kind::Integer)
                | (Value::Real(_), Kind::Real)
                | (Value::Text(_), Kind::Text)
        )
    }

    fn to_field(&self) -> String {
        match self {
            Value::Integer(v) => v.to_string(),
            Value::Real(v) => format_real(*v),
            Value::Text(v) => v.clone(),
            Value::Missing => String::new(),
        }
    }
}

/// A real number with the shortest digits that read back to the same bits; plain between 1e-5 and 1e16.
pub fn format_real(v: f64) -> String {
    let size = v.abs();
    if v == 0.0 || !v.is_finite() || (1e-5..1e16).contains(&size) {
        format!("{v}")
    } else {
        format!("{v:e}")
    }
}

/// One row, in the order of its table's columns.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Row(pub Vec<Value>);

/// Builds a [`Row`] from values of any convertible type.
///
/// ```
/// use ticketsense::{row, table::Value};
/// let row = row![3usize, 0.5, "omp", None::<f64>];
/// assert_eq!(row.0[2], Value::Text("omp".into()));
/// assert_eq!(row.0[3], Value::Missing);
/// ```
#[macro_export]
macro_rules! row {
    ($($value:expr),* $(,)?) => { $crate::table::Row(vec![$($crate::table::Value::from($value)),*]) };
}

/// Rows under typed columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Row>,
}

impl Table {
    /// An empty table.
    pub fn new(columns: &[Column]) -> Self {
        Table {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    /// A table with rows.
    ///
    /// # Errors
    /// As [`Table::push`].
    pub fn with_rows(columns: &[Column], rows: Vec<Row>) -> Result<Self> {
        let mut table = Table::new(columns);
        for row in rows {
            table.push(row)?;
        }
        Ok(table)
    }

    /// Adds a row.
    ///
    /// # Errors
    /// [`Error::Shape`] when the number of values or the kind of one differs from the columns.
    pub fn push(&mut self, row: Row) -> Result<()> {
        if row.0.len() != self.columns.len() {
            return Err(Error::shape(
                "row of a table",
                format!("{} values", self.columns.len()),
                row.0.len(),
            ));
        }
        for (value, column) in row.0.iter().zip(&self.columns) {
            if !value.matches(column.kind) {
                return Err(Error::shape(
                    format!("column {}", column.name),
                    format!("{:?}", column.kind),
                    format!("{value:?}"),
                ));
            }
        }
        self.rows.push(row);
        Ok(())
    }

    /// The columns.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The rows.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The position of a column.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest name.
    pub fn position(&self, name: &str) -> Result<usize> {
        self.columns
            .iter()
            .position(|c| c.name == name)
            .ok_or_else(|| Error::unknown("column", name, self.columns.iter().map(|c| c.name)))
    }

    /// A view of each row by column name.
    pub fn iter(&self) -> impl Iterator<Item = Record<'_>> {
        self.rows.iter().map(|row| Record { table: self, row })
    }

    /// The rows for which `keep` is true, as views.
    pub fn filter<'a>(&'a self, keep: impl Fn(&Record<'a>) -> bool + 'a) -> impl Iterator<Item = Record<'a>> {
        self.iter().filter(move |r| keep(r))
    }

    /// CSV with a header line; lines end in `\n`.
    pub fn to_csv(&self) -> String {
        let mut writer = csv::WriterBuilder::new()
            .terminator(csv::Terminator::Any(b'\n'))
            .from_writer(Vec::new());
        // Writing into memory cannot fail, and every record has the header's length by construction.
        let _ = writer.write_record(self.columns.iter().map(|c| c.name));
        for row in &self.rows {
            let _ = writer.write_record(row.0.iter().map(Value::to_field));
        }
        String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
    }

    /// Reads back what [`Table::to_csv`] wrote; the header must be exactly these columns.
    ///
    /// # Errors
    /// [`Error::Format`] naming the file, line and column.
    pub fn from_csv(path: impl AsRef<Path>, text: &str, columns: &[Column]) -> Result<Self> {
        let path = path.as_ref();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header = reader
            .headers()
            .map_err(|e| Error::format(path, "header", "CSV", e))?
            .clone();
        let names: Vec<&str> = columns.iter().map(|c| c.name).collect();
        if header.iter().ne(names.iter().copied()) {
            return Err(Error::format(
                path,
                "header",
                names.join(","),
                header.iter().collect::<Vec<_>>().join(","),
            ));
        }
        let mut table = Table::new(columns);
        for (number, record) in reader.records().enumerate() {
            let line = number + 2;
            let record = record.map_err(|e| Error::format(path, format!("line {line}"), "CSV", e))?;
            let mut values = Vec::with_capacity(columns.len());
            for (field, column) in record.iter().zip(columns) {
                let wrong = || {
                    Error::format(
                        path,
                        format!("line {line}, column {}", column.name),
                        format!("{:?}", column.kind),
                        field,
                    )
                };
                values.push(match column.kind {
                    _ if field.is_empty() => Value::Missing,
                    Kind::Integer => Value::Integer(field.parse().map_err(|_| wrong())?),
                    Kind::Real => Value::Real(field.parse().map_err(|_| wrong())?),
                    Kind::Text => Value::Text(field.to_string()),
                });
            }
            table.push(Row(values))?;
        }
        Ok(table)
    }
}

/// One row seen through its column names.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    table: &'a Table,
    row: &'a Row,
}

impl<'a> Record<'a> {
    fn value(&self, name: &str) -> Result<&'a Value> {
        Ok(&self.row.0[self.table.position(name)?])
    }

    fn wrong(&self, name: &str, expected: &str) -> Error {
        Error::shape(format!("column {name}"), expected, "another kind or nothing")
    }

    /// A whole number.
    ///
    /// # Errors
    /// When the column is unknown, holds something else, or is empty here.
    pub fn integer(&self, name: &str) -> Result<i64> {
        match self.value(name)? {
            Value::Integer(v) => Ok(*v),
            _ => Err(self.wrong(name, "a whole number")),
        }
    }

    /// A real number; whole numbers are converted.
    ///
    /// # Errors
    /// When the column is unknown, holds something else, or is empty here.
    pub fn real(&self, name: &str) -> Result<f64> {
        match self.value(name)? {
            Value::Real(v) => Ok(*v),
            Value::Integer(v) => Ok(*v as f64),
            _ => Err(self.wrong(name, "a real number")),
        }
    }

    /// A real number, or nothing where the entry is missing.
    ///
    /// # Errors
    /// When the column is unknown or holds words.
    pub fn optional_real(&self, name: &str) -> Result<Option<f64>> {
        match self.value(name)? {
            Value::Missing => Ok(None),
            _ => self.real(name).map(Some),
        }
    }

    /// A word; the empty string where the entry is missing.
    ///
    /// # Errors
    /// When the column is unknown or holds numbers.
    pub fn text(&self, name: &str) -> Result<&'a str> {
        match self.value(name)? {
            Value::Text(v) => Ok(v),
            Value::Missing => Ok(""),
            _ => Err(self.wrong(name, "a word")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[
        Column::integer("count", "", "A count."),
        Column::real("x", "", "A number."),
        Column::text("name", "A word."),
    ];

    #[test]
    fn csv_round_trips_every_value_bit_for_bit() {
        let mut table = Table::new(COLUMNS);
        for x in [
            0.1 + 0.2,
            1e-300,
            -0.0,
            f64::MAX,
            f64::NAN,
            f64::INFINITY,
            123456.75,
            1e-5,
        ] {
            table.push(row![7usize, x, "a \"quoted\", word\nline"]).unwrap();
        }
        table
            .push(Row(vec![Value::Missing, Value::Missing, Value::Missing]))
            .unwrap();
        let text = table.to_csv();
        let back = Table::from_csv("t.csv", &text, COLUMNS).unwrap();
        assert_eq!(back.to_csv(), text);
        for (a, b) in table.rows().iter().zip(back.rows()) {
            match (&a.0[1], &b.0[1]) {
                (Value::Real(a), Value::Real(b)) => assert!(a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())),
                (a, b) => assert_eq!(a, b),
            }
        }
    }

    #[test]
    fn a_wrong_kind_or_length_is_refused() {
        let mut table = Table::new(COLUMNS);
        assert!(table.push(row![1.5, 1.0, "x"]).is_err());
        assert!(table.push(row![1usize, 1.0]).is_err());
    }

    #[test]
    fn a_damaged_file_is_refused_with_line_and_column() {
        let error = Table::from_csv("t.csv", "count,x,name\n1,2.0,a\n1,two,b\n", COLUMNS)
            .unwrap_err()
            .to_string();
        assert!(error.contains("line 3") && error.contains("column x"), "{error}");
        assert!(Table::from_csv("t.csv", "count,y,name\n", COLUMNS).is_err());
        assert!(Table::from_csv("t.csv", "count,x,name\n1,2.0\n", COLUMNS).is_err());
    }
}
