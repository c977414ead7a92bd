//! Phoenix's frames: `vsn=1.0.0` has objects, `vsn=2.0.0` (what supabase-js sends) has arrays, and a binary form for
//! what a client broadcasts.

use serde_json::{Value, json};

/// How a connection writes its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    One,
    Two,
}

/// One frame.
#[derive(Debug, PartialEq)]
pub(super) struct Frame {
    pub(super) join_ref: Option<String>,
    pub(super) reference: Option<String>,
    pub(super) topic: String,
    pub(super) event: String,
    pub(super) payload: Value,
}

/// What a client broadcasts, in its binary form.
const PUSH: u8 = 3;
const JSON: u8 = 1;

impl Version {
    /// Of the query.
    pub(crate) fn of(query: Option<&str>) -> Option<Self> {
        let asked = query?.split('&').find_map(|pair| pair.strip_prefix("vsn="));
        match asked {
            Some("1.0.0") | None => Some(Self::One),
            Some("2.0.0") => Some(Self::Two),
            Some(_) => None,
        }
    }

    /// Reads a text.
    pub(super) fn read(self, text: &str) -> Option<Frame> {
        let value: Value = serde_json::from_str(text).ok()?;
        let part = |at: usize, name: &str| match self {
            Self::One => value.get(name),
            Self::Two => value.get(at),
        };
        let text = |at, name| part(at, name).and_then(Value::as_str).map(str::to_owned);
        Some(Frame {
            join_ref: text(0, "join_ref"),
            reference: text(1, "ref"),
            topic: text(2, "topic")?,
            event: text(3, "event")?,
            payload: part(4, "payload").cloned().unwrap_or_default(),
        })
    }

    /// Reads what a client broadcasts; of its two forms the one that has JSON in it.
    pub(super) fn read_binary(self, bytes: &[u8]) -> Option<Frame> {
        let [kind, sizes @ ..] = bytes.first_chunk::<7>()?;
        if (self, *kind, sizes[5]) != (Self::Two, PUSH, JSON) {
            return None;
        }
        let mut rest = bytes.get(7..)?;
        let mut parts = sizes[..5].iter().map(|size| {
            let (part, after) = rest.split_at_checked(usize::from(*size))?;
            rest = after;
            String::from_utf8(part.to_vec()).ok()
        });
        let mut next = || parts.next().flatten();
        let (join_ref, reference, topic, event) = (next()?, next()?, next()?, next()?);
        next()?;
        drop(parts);
        let payload: Value = serde_json::from_slice(rest).ok()?;
        let given = |text: String| (!text.is_empty()).then_some(text);
        Some(Frame {
            join_ref: given(join_ref),
            reference: given(reference),
            topic,
            event: "broadcast".to_owned(),
            payload: json!({"type": "broadcast", "event": event, "payload": payload}),
        })
    }

    /// Writes it.
    pub(super) fn write(self, frame: &Frame) -> String {
        let Frame {
            join_ref,
            reference,
            topic,
            event,
            payload,
        } = frame;
        match self {
            Self::One => {
                json!({"ref": reference, "topic": topic, "event": event, "payload": payload})
            }
            Self::Two => json!([join_ref, reference, topic, event, payload]),
        }
        .to_string()
    }
}

impl Frame {
    /// The answer to it.
    pub(super) fn reply(&self, status: &str, response: Value) -> Self {
        Self {
            join_ref: self.join_ref.clone(),
            reference: self.reference.clone(),
            topic: self.topic.clone(),
            event: "phx_reply".to_owned(),
            payload: json!({"status": status, "response": response}),
        }
    }

    /// The refusal of it.
    pub(super) fn refuse(&self, reason: &str) -> Self {
        self.reply("error", json!({"reason": reason}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(payload: Value) -> Frame {
        Frame {
            join_ref: Some("1".to_owned()),
            reference: Some("2".to_owned()),
            topic: "realtime:t".to_owned(),
            event: "broadcast".to_owned(),
            payload,
        }
    }

    #[test]
    fn both_versions_are_read_and_written() {
        let one = r#"{"ref":"2","join_ref":"1","topic":"realtime:t","event":"broadcast","payload":{"a":1}}"#;
        let two = r#"["1","2","realtime:t","broadcast",{"a":1}]"#;
        assert_eq!(Version::One.read(one), Some(frame(json!({"a": 1}))));
        assert_eq!(Version::Two.read(two), Some(frame(json!({"a": 1}))));
        assert_eq!(Version::Two.write(&frame(json!({"a": 1}))), two);
        for bad in ["", "{}", "[]", "[1,2,3,4,5]", "nothing"] {
            assert_eq!(Version::Two.read(bad), None, "{bad}");
            assert_eq!(Version::One.read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_broadcast_is_read_from_its_bytes() {
        let mut bytes = vec![PUSH, 1, 1, 10, 5, 0, JSON];
        bytes.extend_from_slice(b"12realtime:thello{\"a\":1}");
        let payload = json!({"type": "broadcast", "event": "hello", "payload": {"a": 1}});
        assert_eq!(Version::Two.read_binary(&bytes), Some(frame(payload)));
        assert_eq!(Version::One.read_binary(&bytes), None);
        for end in 0..bytes.len() {
            assert_eq!(Version::Two.read_binary(&bytes[..end]), None, "{end}");
        }
    }

    #[test]
    fn a_version_is_one_or_two() {
        assert_eq!(Version::of(Some("apikey=x&vsn=2.0.0")), Some(Version::Two));
        assert_eq!(Version::of(Some("vsn=1.0.0")), Some(Version::One));
        assert_eq!(Version::of(Some("apikey=x")), Some(Version::One));
        assert_eq!(Version::of(Some("vsn=3.0.0")), None);
    }
}
