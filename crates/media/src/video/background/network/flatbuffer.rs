//! Reads FlatBuffers, the encoding of TensorFlow Lite models, without trusting an offset.

use super::Malformed;

/// The most entries of a vector of tables or numbers.
const MAX_ENTRIES: usize = 4096;

/// A table: fields by number, each of which may be absent.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where the offsets of the fields are, and how many bytes.
    fields: (usize, usize),
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Malformed> {
    let end = at.checked_add(N).ok_or(Malformed("an offset"))?;
    let bytes = bytes.get(at..end).ok_or(Malformed("an offset"))?;
    bytes.try_into().map_err(|_| Malformed("an offset"))
}

fn u16_at(bytes: &[u8], at: usize) -> Result<usize, Malformed> {
    Ok(u16::from_le_bytes(array(bytes, at)?).into())
}

fn u32_at(bytes: &[u8], at: usize) -> Result<usize, Malformed> {
    Ok(u32::from_le_bytes(array(bytes, at)?) as usize)
}

/// Where the offset at this place leads.
fn follow(bytes: &[u8], at: usize) -> Result<usize, Malformed> {
    at.checked_add(u32_at(bytes, at)?)
        .ok_or(Malformed("an offset"))
}

impl<'a> Table<'a> {
    /// The root of a file.
    pub(super) fn root(bytes: &'a [u8]) -> Result<Self, Malformed> {
        Self::at(bytes, follow(bytes, 0)?)
    }

    fn at(bytes: &'a [u8], at: usize) -> Result<Self, Malformed> {
        let back = i64::from(i32::from_le_bytes(array(bytes, at)?));
        let fields = usize::try_from(at as i64 - back).map_err(|_| Malformed("an offset"))?;
        let length = u16_at(bytes, fields)?;
        let fields = (fields, length);
        Ok(Self { bytes, at, fields })
    }

    /// Where a field is.
    fn field(&self, number: usize) -> Result<Option<usize>, Malformed> {
        let (start, length) = self.fields;
        let entry = 4 + 2 * number;
        if entry + 2 > length {
            return Ok(None);
        }
        let offset = u16_at(self.bytes, start + entry)?;
        Ok((offset != 0).then_some(self.at + offset))
    }

    /// A byte; 0 where it is absent.
    pub(super) fn byte(&self, number: usize) -> Result<i8, Malformed> {
        let Some(at) = self.field(number)? else {
            return Ok(0);
        };
        Ok(i8::from_le_bytes(array(self.bytes, at)?))
    }

    /// A number; 0 where it is absent.
    pub(super) fn int(&self, number: usize) -> Result<i32, Malformed> {
        let Some(at) = self.field(number)? else {
            return Ok(0);
        };
        Ok(i32::from_le_bytes(array(self.bytes, at)?))
    }

    /// Another table.
    pub(super) fn table(&self, number: usize) -> Result<Option<Self>, Malformed> {
        let Some(at) = self.field(number)? else {
            return Ok(None);
        };
        Self::at(self.bytes, follow(self.bytes, at)?).map(Some)
    }

    /// Where the first entry of a vector is, and how many there are.
    fn vector(&self, number: usize) -> Result<(usize, usize), Malformed> {
        let Some(at) = self.field(number)? else {
            return Ok((0, 0));
        };
        let at = follow(self.bytes, at)?;
        Ok((at + 4, u32_at(self.bytes, at)?))
    }

    /// Bytes; none where they are absent.
    pub(super) fn bytes(&self, number: usize) -> Result<&'a [u8], Malformed> {
        let (at, length) = self.vector(number)?;
        let end = at.checked_add(length).ok_or(Malformed("a length"))?;
        self.bytes.get(at..end).ok_or(Malformed("a length"))
    }

    /// Numbers; none where they are absent.
    pub(super) fn ints(&self, number: usize) -> Result<Vec<i32>, Malformed> {
        let places = self.places(number)?;
        places
            .map(|at| Ok(i32::from_le_bytes(array(self.bytes, at)?)))
            .collect()
    }

    /// Tables; none where they are absent.
    pub(super) fn tables(&self, number: usize) -> Result<Vec<Self>, Malformed> {
        let places = self.places(number)?;
        places
            .map(|at| Self::at(self.bytes, follow(self.bytes, at)?))
            .collect()
    }

    /// Where the entries of four bytes of a vector are.
    fn places(&self, number: usize) -> Result<impl Iterator<Item = usize> + use<>, Malformed> {
        let (at, length) = self.vector(number)?;
        if length > MAX_ENTRIES {
            return Err(Malformed("a length"));
        }
        Ok((0..length).map(move |n| at + 4 * n))
    }
}
