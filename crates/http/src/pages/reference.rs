//! The reference page, from the OpenAPI document.
//!
//! It reads the finished document rather than the router, so that people and machines read the same.

use serde_json::{Map, Value};

use super::html::{Escaped, Fill, fill, page, prose, put};
use crate::error::Code;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
const SCHEMA: &str = "#/components/schemas/";
const EXTENSION: &str = " (extension)";

struct Operation<'d> {
    method: &'static str,
    path: &'d str,
    id: &'d str,
    tag: &'d str,
    summary: &'d str,
    ours: bool,
    item: &'d Value,
}

struct Reference<'d> {
    schemas: &'d Map<String, Value>,
    operations: Vec<Operation<'d>>,
    /// In the document's order.
    tags: Vec<&'d str>,
}

/// The page of a document.
pub(super) fn page_of(document: &Value) -> String {
    let none = Map::new();
    let schemas = document["components"]["schemas"].as_object().unwrap_or(&none);
    let reference = Reference::read(document, schemas);
    let intro = document["info"]["description"].as_str().unwrap_or_default();
    let intro = intro.split("\n\n|").next().unwrap_or_default();
    let body = fill(
        include_str!("reference.html"),
        &[
            ("intro", Fill::Html(&prose(intro))),
            ("index", Fill::Html(&reference.index())),
            ("operations", Fill::Html(&reference.sections())),
            ("objects", Fill::Html(&reference.objects())),
            ("errors", Fill::Html(&errors())),
        ],
    );
    page("Hallpass API reference", "reference", &body)
}

/// The page of a document as JSON.
pub(super) fn page_of_json(json: &str) -> String {
    page_of(&serde_json::from_str(json).unwrap_or(Value::Null))
}

impl<'d> Reference<'d> {
    fn read(document: &'d Value, schemas: &'d Map<String, Value>) -> Self {
        let mut operations = Vec::new();
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            for method in METHODS {
                let Some(item) = item.get(method) else { continue };
                let summary = item["summary"].as_str().unwrap_or_default();
                operations.push(Operation {
                    method,
                    path,
                    id: item["operationId"].as_str().unwrap_or_default(),
                    tag: item["tags"][0].as_str().unwrap_or_default(),
                    summary: summary.strip_suffix(EXTENSION).unwrap_or(summary),
                    ours: summary.ends_with(EXTENSION),
                    item,
                });
            }
        }
        let mut tags: Vec<&str> = Vec::new();
        for operation in &operations {
            if !tags.contains(&operation.tag) {
                tags.push(operation.tag);
            }
        }
        Self { schemas, operations, tags }
    }

    fn of_tag(&self, tag: &str) -> impl Iterator<Item = &Operation<'d>> {
        self.operations.iter().filter(move |operation| operation.tag == tag)
    }

    fn index(&self) -> String {
        let mut out = String::new();
        for tag in &self.tags {
            put(
                &mut out,
                format_args!("<li class=\"group\"><a href=\"#{}\">{}</a><ul>\n", anchor(tag), Escaped(tag)),
            );
            for operation in self.of_tag(tag) {
                put(
                    &mut out,
                    format_args!(
                        "<li data-find=\"{} {}\"><a href=\"#{}\">{}</a></li>\n",
                        operation.method,
                        Escaped(operation.path),
                        Escaped(operation.id),
                        Escaped(operation.summary),
                    ),
                );
            }
            out.push_str("</ul></li>\n");
        }
        out
    }

    fn sections(&self) -> String {
        let mut out = String::new();
        for tag in &self.tags {
            let anchor = anchor(tag);
            put(
                &mut out,
                format_args!(
                    "<section aria-labelledby=\"{anchor}\">\n<h2 id=\"{anchor}\">{}</h2>\n",
                    Escaped(tag)
                ),
            );
            for operation in self.of_tag(tag) {
                self.article(&mut out, operation);
            }
            out.push_str("</section>\n");
        }
        out
    }

    fn article(&self, out: &mut String, operation: &Operation<'_>) {
        let id = Escaped(operation.id);
        let tag = if operation.ours { " <span class=\"tag ours\">extension</span>" } else { "" };
        put(
            out,
            format_args!(
                "<article id=\"{id}\" aria-labelledby=\"{id}-title\">\n<h3 id=\"{id}-title\">{}{tag}</h3>\n\
                 <p class=\"route\"><span class=\"method {}\">{}</span> <code>{}</code></p>\n",
                Escaped(operation.summary),
                operation.method,
                operation.method.to_uppercase(),
                Escaped(operation.path),
            ),
        );
        if let Some(text) = operation.item["description"].as_str() {
            put(out, format_args!("<p>{}</p>\n", prose(text)));
        }
        let parameters: Vec<&Value> = operation.item["parameters"].as_array().into_iter().flatten().collect();
        for (place, title) in [("path", "In the path"), ("query", "In the query")] {
            let here: Vec<Field<'_>> = parameters
                .iter()
                .filter(|parameter| parameter["in"] == place)
                .map(|parameter| Field {
                    name: parameter["name"].as_str().unwrap_or_default(),
                    schema: &parameter["schema"],
                    about: parameter["description"].as_str(),
                    required: parameter["required"] == true,
                })
                .collect();
            self.fields(out, title, &here);
        }
        let body = &operation.item["requestBody"]["content"]["application/json"]["schema"];
        if !body.is_null() {
            self.fields(out, "In the body", &self.fields_of(body));
        }
        let answer = &operation.item["responses"]["200"]["content"]["application/json"]["schema"];
        put(out, format_args!("<h4>Answer</h4>\n<p>{}</p>\n", self.kind(answer)));
        put(
            out,
            format_args!(
                "<h4>Example</h4>\n<pre tabindex=\"0\" role=\"region\" aria-label=\"Shell: {}\"><code>{}</code></pre>\n\
                 </article>\n",
                Escaped(operation.summary),
                Escaped(&self.example(operation, body)),
            ),
        );
    }

    /// A call that shows the required parameters.
    fn example(&self, operation: &Operation<'_>, body: &Value) -> String {
        let query: Vec<String> = operation.item["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "query" && parameter["required"] == true)
            .filter_map(|parameter| parameter["name"].as_str())
            .map(|name| format!("{name}={}", sample(name)))
            .collect();
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        let mut call = String::from("curl");
        if !(operation.method == "get" || (operation.method == "post" && !body.is_null())) {
            put(&mut call, format_args!(" -X {}", operation.method.to_uppercase()));
        }
        let path = operation.path.strip_prefix("/api/v1").unwrap_or(operation.path);
        put(&mut call, format_args!(" \"$API{path}{query}\" \\\n  -H \"Authorization: Bearer $TOKEN\""));
        if !body.is_null() {
            let shown: Vec<String> = self
                .fields_of(body)
                .iter()
                .filter(|field| field.required || SHOWN.iter().any(|(name, _)| *name == field.name))
                .map(|field| format!("\"{}\": {}", field.name, sample_json(field)))
                .collect();
            put(
                &mut call,
                format_args!(
                    " \\\n  -H \"Content-Type: application/json\" \\\n  -d '{{{}}}'",
                    shown.join(", ")
                ),
            );
        }
        call
    }

    /// Every object that an answer or a body holds.
    fn objects(&self) -> String {
        let mut out = String::new();
        for (name, schema) in self.schemas {
            // Lists are told as lists of their items.
            if name.starts_with("ListView_") || name.starts_with("Error") {
                continue;
            }
            put(
                &mut out,
                format_args!(
                    "<article id=\"object-{0}\" aria-labelledby=\"object-{0}-title\">\n\
                     <h3 id=\"object-{0}-title\">{0}</h3>\n",
                    Escaped(name)
                ),
            );
            if let Some(about) = schema["description"].as_str() {
                put(&mut out, format_args!("<p>{}</p>\n", prose(about)));
            }
            self.fields(&mut out, "", &self.fields_of(schema));
            out.push_str("</article>\n");
        }
        out
    }

    fn fields(&self, out: &mut String, title: &str, fields: &[Field<'_>]) {
        if fields.is_empty() {
            return;
        }
        if !title.is_empty() {
            put(out, format_args!("<h4>{title}</h4>\n"));
        }
        out.push_str("<dl class=\"fields\">\n");
        for field in fields {
            let needed = if field.required { " <span class=\"needed\">required</span>" } else { "" };
            put(
                out,
                format_args!(
                    "<div><dt><code>{}</code>{needed}<span class=\"kind\">{}</span></dt><dd>{}</dd></div>\n",
                    Escaped(field.name),
                    self.kind(field.schema),
                    field.about.map(|about| format!("<p>{}</p>", prose(about))).unwrap_or_default(),
                ),
            );
        }
        out.push_str("</dl>\n");
    }

    /// The fields of an object, those of its parts included.
    fn fields_of(&self, schema: &'d Value) -> Vec<Field<'d>> {
        if let Some(name) = reference(schema) {
            return self.schemas.get(name).map(|schema| self.fields_of(schema)).unwrap_or_default();
        }
        if let Some(parts) = schema["allOf"].as_array() {
            return parts.iter().flat_map(|part| self.fields_of(part)).collect();
        }
        let required = |name: &str| {
            schema["required"].as_array().is_some_and(|names| names.iter().any(|required| required == name))
        };
        schema["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, schema)| Field {
                name,
                schema,
                about: schema["description"].as_str(),
                required: required(name),
            })
            .collect()
    }

    /// A type for people: a link to an object, or a word.
    fn kind(&self, schema: &Value) -> String {
        if let Some(name) = reference(schema) {
            if let Some(item) = name.strip_prefix("ListView_") {
                let page = self.schemas.keys().find(|known| *known == "PageInfo").map_or("", String::as_str);
                return format!("<code>data</code>: list of {}, <code>page_info</code>: {}", link(item), link(page));
            }
            return link(name);
        }
        if let Some(options) = schema["oneOf"].as_array() {
            return options.iter().map(|option| self.kind(option)).collect::<Vec<_>>().join(" or ");
        }
        let words: Vec<&str> = match &schema["type"] {
            Value::String(word) => vec![word],
            Value::Array(words) => words.iter().filter_map(Value::as_str).collect(),
            _ => vec!["any"],
        };
        words
            .into_iter()
            .map(|word| match (word, schema["format"].as_str()) {
                ("array", _) => format!("list of {}", self.kind(&schema["items"])),
                ("string", Some("date-time")) => "date-time".to_owned(),
                (word, _) => Escaped(word).to_string(),
            })
            .collect::<Vec<_>>()
            .join(" or ")
    }
}

struct Field<'a> {
    name: &'a str,
    schema: &'a Value,
    about: Option<&'a str>,
    required: bool,
}

fn reference(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix(SCHEMA)
}

fn link(name: &str) -> String {
    format!("<a href=\"#object-{0}\">{0}</a>", Escaped(name))
}

fn anchor(tag: &str) -> String {
    tag.to_lowercase().replace(' ', "-")
}

/// What examples say, where a field is worth showing though it is not required by itself.
const SHOWN: &[(&str, &str)] = &[
    ("company_id", "biz_…"),
    ("user_id", "user_…"),
    ("channel_id", "chat_feed_…"),
    ("content", "Hello!"),
    ("title", "Ann"),
    ("email", "ann@example.com"),
    ("parent_company_id", "biz_…"),
    ("child_company_id", "biz_…"),
    ("app_id", "app_…"),
    ("product_id", "prod_…"),
    ("name", "General"),
    ("role", "owner"),
    ("token", "eyJ…"),
    ("ban_urls", "true"),
];

fn sample(name: &str) -> &'static str {
    SHOWN.iter().find(|(shown, _)| *shown == name).map_or("…", |(_, value)| value)
}

fn sample_json(field: &Field<'_>) -> String {
    match sample(field.name) {
        "true" => "true".to_owned(),
        text => format!("\"{text}\""),
    }
}

fn errors() -> String {
    let mut out = String::new();
    for code in Code::ALL {
        put(
            &mut out,
            format_args!(
                "<tr><td>{}</td><th scope=\"row\"><code>{}</code></th><td>{}</td></tr>\n",
                code.status().as_u16(),
                code.name(),
                prose(code.meaning()),
            ),
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_and_every_object_it_names_is_there() {
        let json = crate::openapi_json();
        let html = page_of_json(&json);
        for (_, path, id) in crate::routes_of_api() {
            assert!(html.contains(&format!("<article id=\"{id}\"")), "{id}");
            assert!(html.contains(&format!("<code>{path}</code>")), "{path}");
        }
        let mut rest = html.as_str();
        while let Some((_, after)) = rest.split_once("href=\"#") {
            let (target, after) = after.split_once('"').unwrap();
            assert!(html.contains(&format!("id=\"{target}\"")), "#{target} leads nowhere");
            rest = after;
        }
        assert!(!html.contains("{{") && !html.contains(" style="));
    }
}
