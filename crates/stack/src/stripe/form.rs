//! Bodies of the type `application/x-www-form-urlencoded`, as Stripe takes them: `metadata[order_id]=…`.

/// Fields by name, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a body or a query; `None` if it is not encoded as it should be.
    pub(super) fn read(text: &str) -> Option<Self> {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let fields = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name)?, decode(value)?))
        });
        fields.collect::<Option<_>>().map(Self)
    }

    /// The value of a field; the last one counts.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut fields = self.0.iter().rev();
        fields
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.as_str())
    }

    /// The members of `name[…]`.
    pub(super) fn members(&self, name: &str) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(move |(own, value)| {
            let member = own.strip_prefix(name)?.strip_prefix('[')?;
            Some((member.strip_suffix(']')?, value.as_str()))
        })
    }

    /// The first field that is none of these.
    pub(super) fn stranger(&self, known: &[&str]) -> Option<&str> {
        let stem = |name: &str| name.split('[').next().unwrap_or_default().to_owned();
        let mut names = self.0.iter().map(|(name, _)| name.as_str());
        names.find(|name| !known.contains(&stem(name).as_str()))
    }
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            _ => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_decoded_with_their_members() {
        let form = Form::read("amount=1299&metadata%5Border_id%5D=a%20b&metadata[x]=1+2&amount=7");
        let form = form.expect("a form");
        assert_eq!(form.get("amount"), Some("7"));
        let members: Vec<_> = form.members("metadata").collect();
        assert_eq!(members, [("order_id", "a b"), ("x", "1 2")]);
        assert_eq!(form.stranger(&["amount"]), Some("metadata[order_id]"));
        assert_eq!(form.stranger(&["amount", "metadata"]), None);
        for bad in ["a=%", "a=%zz", "a=%ff"] {
            assert_eq!(Form::read(bad), None, "{bad}");
        }
    }
}
