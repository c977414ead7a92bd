//! Amounts as people read them.

/// An amount in minor units, with the decimals that its currency has (ISO 4217).
pub fn money(amount: i64, currency: &str) -> String {
    let decimals = match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX"
        | "UYI" | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    };
    let sign = if amount < 0 { "−" } else { "" };
    let one = 10_u64.pow(decimals);
    let amount = amount.unsigned_abs();
    let (whole, rest) = (amount / one, amount % one);
    match decimals {
        0 => format!("{sign}{whole} {currency}"),
        _ => format!(
            "{sign}{whole}.{rest:0width$} {currency}",
            width = decimals as usize
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_currency_has_its_decimals() {
        assert_eq!(money(123_456, "EUR"), "1234.56 EUR");
        assert_eq!(money(5, "USD"), "0.05 USD");
        assert_eq!(money(-250, "EUR"), "−2.50 EUR");
        assert_eq!(money(500, "JPY"), "500 JPY");
        assert_eq!(money(1_500, "KWD"), "1.500 KWD");
    }
}
