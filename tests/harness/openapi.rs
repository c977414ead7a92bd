//! docs/openapi.json as a judge: whether a request or an answer is one that it tells of.
//!
//! Clients must ignore fields that they do not know, so the document leaves its answers open. Here they
//! are closed: a field that the document does not have is a mistake in one of the two.

use jsonschema::Validator;
use reqwest::header::HeaderMap;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// The document, ready to judge.
pub struct Document {
    /// As it stands in docs/.
    pub json: Value,
    /// By `/components/schemas/NAME` or the place of any other schema in the document.
    validators: BTreeMap<String, Validator>,
}

impl Document {
    /// The document of this repository.
    pub fn get() -> &'static Self {
        static DOCUMENT: OnceLock<Document> = OnceLock::new();
        DOCUMENT.get_or_init(|| {
            let text = include_str!("../../docs/openapi.json");
            Self::new(serde_json::from_str(text).expect("docs/openapi.json is JSON"))
        })
    }

    fn new(json: Value) -> Self {
        let mut closed = json.clone();
        let schemas = closed["components"]["schemas"].as_object_mut();
        for (name, schema) in schemas.expect("the document has schemas") {
            if !name.ends_with("Request") {
                close(schema);
            }
        }
        let mut validators = BTreeMap::new();
        let mut add = |place: String, schema: &Value| {
            // References of a schema lead from the root of the document.
            let schema = json!({ "allOf": [schema], "components": closed["components"] });
            let validator = jsonschema::options()
                .with_draft(jsonschema::Draft::Draft202012)
                .should_validate_formats(true)
                .build(&schema)
                .unwrap_or_else(|error| panic!("{place} is no schema: {error}"));
            validators.insert(place, validator);
        };
        for (path, methods) in members(&json["paths"]) {
            let post = &methods["post"];
            let body = &post["requestBody"]["content"]["application/json"]["schema"];
            add(path.clone(), body);
            for (status, response) in members(&post["responses"]) {
                add(format!("{path} {status}"), schema_of(response));
            }
        }
        for (name, webhook) in members(&json["webhooks"]) {
            let content = &webhook["post"]["requestBody"]["content"]["application/json"];
            let mut schema = content["schema"].clone();
            close(&mut schema);
            add(name.clone(), &schema);
        }
        let refused = &json["components"]["responses"]["MethodNotAllowed"];
        add("405".to_owned(), schema_of(refused));
        Self { json, validators }
    }

    /// The names of the functions.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        let paths = members(&self.json["paths"]);
        paths.map(|(path, _)| path.trim_start_matches('/'))
    }

    /// The schema of a function's request.
    pub fn request(&self, function: &str) -> &Value {
        let path = &self.json["paths"][format!("/{function}")];
        let body = &path["post"]["requestBody"]["content"]["application/json"]["schema"];
        self.resolve(body)
    }

    /// Whether a function's request is valid as far as the document can tell.
    pub fn accepts(&self, function: &str, body: &Value) -> bool {
        self.validator(&format!("/{function}")).is_valid(body)
    }

    /// The codes that a function may answer with.
    pub fn codes(&self, function: &str) -> Vec<&str> {
        let responses = &self.json["paths"][format!("/{function}")]["post"]["responses"];
        let schemas = members(responses).map(|(_, response)| schema_of(response));
        let variants = schemas.flat_map(|schema| match schema["oneOf"].as_array() {
            Some(several) => several.iter().collect(),
            None => vec![schema],
        });
        variants
            .filter_map(|schema| self.resolve(schema)["properties"]["code"]["const"].as_str())
            .collect()
    }

    /// What is wrong with a function's answer; nothing if the document tells of it.
    pub fn problems(
        &self,
        function: &str,
        status: u16,
        headers: &HeaderMap,
        body: &Value,
    ) -> Vec<String> {
        let (place, response) = if status == 405 {
            let response = &self.json["components"]["responses"]["MethodNotAllowed"];
            ("405".to_owned(), response)
        } else {
            let responses = &self.json["paths"][format!("/{function}")]["post"]["responses"];
            (
                format!("/{function} {status}"),
                &responses[status.to_string()],
            )
        };
        if response.is_null() {
            return vec![format!("{function} has no answer with status {status}")];
        }
        let errors = self.validator(&place).iter_errors(body);
        let mut problems: Vec<String> = errors
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        let declared = members(&response["headers"])
            .map(|(name, header)| (name.as_str(), self.resolve(header)))
            .collect::<BTreeMap<_, _>>();
        for (name, header) in &declared {
            match headers.get(*name).and_then(|value| value.to_str().ok()) {
                None if header["required"] == true => problems.push(format!("{name} is missing")),
                Some(value) if !allows(&header["schema"], value) => {
                    problems.push(format!("{name} is {value:?}"));
                }
                _ => {}
            }
        }
        for name in ["retry-after", "idempotent-replayed", "allow"] {
            if headers.contains_key(name) && !declared.contains_key(name) {
                problems.push(format!("{name} is not declared"));
            }
        }
        if headers.contains_key("retry-after") != (body["retryable"] == true) {
            problems.push("retry-after stands there if, and only if, it is retryable".to_owned());
        }
        problems
    }

    /// What is wrong with an event as an endpoint gets it; nothing if the document tells of it.
    pub fn event_problems(&self, event: &Value) -> Vec<String> {
        let name = event["type"].as_str().unwrap_or_default();
        let Some(validator) = self.validators.get(name) else {
            return vec![format!("{name} is not told of")];
        };
        let errors = validator.iter_errors(event);
        errors
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect()
    }

    fn validator(&self, place: &str) -> &Validator {
        let validator = self.validators.get(place);
        validator.unwrap_or_else(|| panic!("the document does not have {place}"))
    }

    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        let Some(pointer) = value["$ref"].as_str() else {
            return value;
        };
        let target = self.json.pointer(pointer.trim_start_matches('#'));
        target.unwrap_or_else(|| panic!("{pointer} leads nowhere"))
    }
}

/// Fails unless the document tells of this answer. What a gateway answers in a function's stead is not
/// the function's answer; only the functions expose headers.
pub fn assert_documented(function: &str, status: u16, headers: &HeaderMap, body: &Value) {
    if headers.contains_key("access-control-expose-headers") {
        let problems = Document::get().problems(function, status, headers, body);
        assert!(
            problems.is_empty(),
            "docs/openapi.json does not tell of this answer of {function}, status {status}: {problems:#?}\n{body}"
        );
    }
}

/// Closes every object whose members are told.
fn close(schema: &mut Value) {
    if let Value::Object(members) = schema {
        if members.contains_key("properties") && !members.contains_key("additionalProperties") {
            members.insert("additionalProperties".to_owned(), json!(false));
        }
        members.values_mut().for_each(close);
    }
    if let Value::Array(items) = schema {
        items.iter_mut().for_each(close);
    }
}

fn allows(schema: &Value, header: &str) -> bool {
    let value = match schema["type"].as_str() {
        Some("integer") => header.parse::<u64>().map_or(json!(header), Value::from),
        _ => json!(header),
    };
    jsonschema::is_valid(schema, &value)
}

fn schema_of(response: &Value) -> &Value {
    &response["content"]["application/json"]["schema"]
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}
