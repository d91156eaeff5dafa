//! The OpenAPI document of both HTTP functions: the committed one is what the code says.

use std::{collections::BTreeSet, env, fs, path::Path};

use serde_json::Value;
use utoipa::OpenApi;

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
const TOPOLOGY: &str = include_str!("../../../../infra/topology.yaml");

/// Both functions' parts as one document.
fn document() -> String {
    let intake = causeway_intake::openapi::Document::openapi();
    let document = intake.merge_from(causeway_admin::openapi::Document::openapi());
    format!("{}\n", document.to_pretty_json().expect("JSON"))
}

#[test]
fn the_committed_document_is_what_the_code_says() {
    let (path, now) = (Path::new(COMMITTED), document());
    if env::var_os("UPDATE_OPENAPI").is_some() {
        fs::write(path, &now).expect("docs/openapi.json can be written");
    }
    let committed = fs::read_to_string(path).expect("docs/openapi.json is there");
    let line = committed.lines().zip(now.lines()).position(|(old, new)| old != new).unwrap_or_default() + 1;
    assert!(
        committed == now,
        "docs/openapi.json differs from the code from line {line} on. If the change is meant, run\n\
         UPDATE_OPENAPI=1 cargo test -p causeway-admin --test admin openapi\nand commit the file."
    );
}

#[test]
fn every_operation_has_a_name_of_its_own_and_tells_its_errors() {
    let document: Value = serde_json::from_str(&document()).expect("JSON");
    let mut names = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let name = operation["operationId"].as_str().expect("a name");
            assert!(names.insert(name.to_owned()), "{name} is there twice");
            let answers = operation["responses"].as_object().expect("answers");
            let anonymous = operation["security"].is_array();
            assert_eq!(anonymous, ["/healthz", "/openapi.json"].contains(&path.as_str()), "{path}");
            if anonymous {
                continue;
            }
            let mut wanted = vec!["401", "403", "500", "503"];
            if operation.get("requestBody").is_some() {
                wanted.extend(["400", "413"]);
            }
            if ["requestWithdrawal", "createTransfer"].contains(&name) {
                let told = answers["403"]["description"].as_str().expect("a description");
                assert!(told.contains("FORBIDDEN") && told.contains("BLOCKED"), "{told}");
            }
            for status in wanted {
                assert!(answers.contains_key(status), "{method} {path} does not tell {status}");
            }
            let own = if path.starts_with("/withdrawal") { "WithdrawalError" } else { "TransferError" };
            for (status, answer) in answers.iter().filter(|(status, _)| !status.starts_with('2')) {
                let schema = &answer["content"]["application/json"]["schema"]["$ref"];
                assert_eq!(*schema, format!("#/components/schemas/{own}"), "{method} {path} {status}");
            }
        }
    }
}

#[test]
fn every_schema_that_is_referred_to_is_there() {
    let text = document();
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let schemas = document["components"]["schemas"].as_object().expect("schemas");
    let named = text.split("#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next());
    let dangling: BTreeSet<&str> = named.filter(|name| !schemas.contains_key(*name)).collect();
    assert!(dangling.is_empty(), "{dangling:?}");
    assert_eq!(document["components"]["securitySchemes"]["token"]["scheme"], "bearer");
}

#[test]
fn every_route_of_the_topology_is_documented() {
    let document: Value = serde_json::from_str(&document()).expect("JSON");
    let paths = document["paths"].as_object().expect("paths");
    let routes = TOPOLOGY.lines().filter_map(|line| line.trim().strip_prefix("- {route: "));
    let mut count = 0;
    for route in routes {
        let route = route.split(", ").next().expect("a route").trim_matches('"').trim_end_matches(", ");
        let (method, path) = route.trim_end_matches(',').split_once(' ').expect("a method and a path");
        let found = match path.strip_suffix("{proxy+}") {
            Some(prefix) => paths.keys().any(|path| path.starts_with(prefix)),
            None => paths.get(path).is_some_and(|methods| methods.get(method.to_lowercase()).is_some()),
        };
        assert!(found, "{route} is not documented");
        count += 1;
    }
    assert_eq!(count, 12);
}
