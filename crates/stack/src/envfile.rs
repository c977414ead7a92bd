//! The settings a project gives its functions: `.env` files and our own environment.

use std::path::Path;

use anyhow::{Context, Result, bail};

// Settings of the stack itself. The JWK set may hold private keys, the rest is nobody's business.
const OWN: &[&str] = &[
    "INTERLOCK_API_PORT",
    "INTERLOCK_DB_PORT",
    "INTERLOCK_JWKS",
    "INTERLOCK_ADMIN_DB_URL",
    "INTERLOCK_DB_URL",
    "INTERLOCK_STRIPE_PORT",
    "INTERLOCK_MAIL_PORT",
];

/// Names and values for every function, later ones winning.
pub(crate) fn settings(root: &Path) -> Result<Vec<(String, String)>> {
    let mut all = Vec::new();
    for name in ["supabase/functions/.env", "functions/.env"] {
        let path = root.join(name);
        if path.is_file() {
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            all.extend(parse(&text).with_context(|| format!("in {}", path.display()))?);
        }
    }
    all.extend(
        std::env::vars_os()
            // Names are looked at first: a value that is not Unicode may be somebody else's.
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .filter(|(name, _)| is_setting(name) && !OWN.contains(&name.as_str()))
            .filter_map(|(name, value)| Some((name, value.into_string().ok()?))),
    );
    Ok(all)
}

/// Whether a variable of our own environment is handed on to functions.
pub(crate) fn is_setting(name: &str) -> bool {
    ["INTERLOCK_", "STRIPE_", "RESEND_", "ALPINE_IQ_", "CRM_"]
        .iter()
        .any(|start| name.starts_with(start))
}

fn parse(text: &str) -> Result<Vec<(String, String)>> {
    let mut all = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let Some((name, value)) = line.split_once('=') else {
            bail!("line {} is not NAME=value", index + 1);
        };
        let name = name.trim();
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            bail!("line {}: {name:?} is not a name", index + 1);
        }
        if name.starts_with("SUPABASE_") {
            bail!(
                "line {}: {name} is the platform's; names starting with SUPABASE_ are reserved",
                index + 1
            );
        }
        all.push((name.to_owned(), unquote(value.trim())));
    }
    Ok(all)
}

fn unquote(value: &str) -> String {
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote)
            && let Some((inner, _)) = inner.split_once(quote)
        {
            return match quote {
                '"' => inner.replace("\\n", "\n"),
                _ => inner.to_owned(),
            };
        }
    }
    // A comment needs a blank before it, so that values may have a "#".
    match value.split_once(" #") {
        Some((value, _)) => value.trim_end().to_owned(),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_comments_and_exports_are_understood() {
        let all = parse("# c\nA=1\nexport B = \"two # 2\\n\"\nC='x' # y\nD=a#b # c\nE=\n").unwrap();
        let all: Vec<_> = all.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(
            all,
            [
                ("A", "1"),
                ("B", "two # 2\n"),
                ("C", "x"),
                ("D", "a#b"),
                ("E", "")
            ]
        );
    }

    #[test]
    fn a_reserved_name_is_refused_with_its_line() {
        let error = parse("A=1\nSUPABASE_URL=x").unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
    }
}
