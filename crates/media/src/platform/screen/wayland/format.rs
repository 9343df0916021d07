//! What is asked of a stream: the pixels, the memory and the notes beside them.

use std::io::Cursor;

use pipewire::spa::buffer::DataType;
use pipewire::spa::param::ParamType;
use pipewire::spa::param::format::{FormatProperties, MediaSubtype, MediaType};
use pipewire::spa::param::video::VideoFormat;
use pipewire::spa::pod::serialize::PodSerializer;
use pipewire::spa::pod::{ChoiceValue, Object, Property, Value, object, property};
use pipewire::spa::sys;
use pipewire::spa::utils::{Choice, ChoiceEnum, ChoiceFlags, Fraction, Id, Rectangle, SpaTypes};

use crate::frame::MAX_SIDE;

/// The most frames per second that are asked for.
const MAX_RATE: u32 = 30;

/// The formats without a DMA-BUF modifier, so that buffers are in memory that the
/// processor reads: it encodes them.
pub(super) fn formats() -> Option<Vec<u8>> {
    let side = |side| Rectangle {
        width: side,
        height: side,
    };
    let rate = |num| Fraction { num, denom: 1 };
    serialized(object!(
        SpaTypes::ObjectParamFormat,
        ParamType::EnumFormat,
        property!(FormatProperties::MediaType, Id, MediaType::Video),
        property!(FormatProperties::MediaSubtype, Id, MediaSubtype::Raw),
        property!(
            FormatProperties::VideoFormat,
            Choice,
            Enum,
            Id,
            VideoFormat::BGRx,
            VideoFormat::BGRx,
            VideoFormat::BGRA,
            VideoFormat::RGBx,
            VideoFormat::RGBA,
        ),
        property!(
            FormatProperties::VideoSize,
            Choice,
            Range,
            Rectangle,
            Rectangle {
                width: 1920,
                height: 1080,
            },
            side(2),
            side(MAX_SIDE)
        ),
        // Desktops send frames when something changes: 0.
        property!(
            FormatProperties::VideoFramerate,
            Choice,
            Range,
            Fraction,
            rate(0),
            rate(0),
            rate(1_000)
        ),
        property!(
            FormatProperties::VideoMaxFramerate,
            Choice,
            Range,
            Fraction,
            rate(MAX_RATE),
            rate(1),
            rate(MAX_RATE)
        ),
    ))
}

/// The memory of the buffers, once the format is known.
pub(super) fn buffers() -> Option<Vec<u8>> {
    let kinds = [DataType::MemPtr, DataType::MemFd];
    let kinds = kinds
        .iter()
        .fold(0, |kinds, kind| kinds | 1 << kind.as_raw());
    serialized(Object {
        type_: SpaTypes::ObjectParamBuffers.as_raw(),
        id: ParamType::Buffers.as_raw(),
        properties: vec![Property::new(
            sys::SPA_PARAM_BUFFERS_dataType,
            Value::Choice(ChoiceValue::Int(Choice(
                ChoiceFlags::empty(),
                ChoiceEnum::Flags {
                    default: kinds,
                    flags: Vec::new(),
                },
            ))),
        )],
    })
}

/// A note beside each buffer, of this kind and size in bytes.
pub(super) fn meta(kind: u32, size: usize) -> Option<Vec<u8>> {
    serialized(Object {
        type_: SpaTypes::ObjectParamMeta.as_raw(),
        id: ParamType::Meta.as_raw(),
        properties: vec![
            Property::new(sys::SPA_PARAM_META_type, Value::Id(Id(kind))),
            Property::new(sys::SPA_PARAM_META_size, Value::Int(size as i32)),
        ],
    })
}

fn serialized(object: Object) -> Option<Vec<u8>> {
    let bytes = Cursor::new(Vec::new());
    let serialized = PodSerializer::serialize(bytes, &Value::Object(object));
    serialized.ok().map(|(bytes, _)| bytes.into_inner())
}
