//! `GET /openapi.json`, generated from the code. Each dialect describes its own
//! paths; the errors common to all requests are added here.

use std::sync::LazyLock;

use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use utoipa::OpenApi;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn, PathItem};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Components, Content, ContentBuilder, OpenApi as Document, Ref, RefOr, ResponseBuilder,
};

use super::app::App;
use super::extract::BothForms;
use super::problem::Problem;
use super::{events, operate, rooms, s0, s1, s2, system, twirp, validate, webhooks};

pub(super) fn routes() -> Router<App> {
    Router::new().both("/openapi.json", get(show))
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Visavis", description = "Rooms and their participants"),
    components(schemas(Problem)),
    security((), ("token" = []), ("gateway" = []))
)]
struct Api;

async fn show() -> impl IntoResponse {
    static DOCUMENT: LazyLock<Document> = LazyLock::new(document);
    Json(&*DOCUMENT)
}

/// All dialects in one document.
fn document() -> Document {
    let mut document = Api::openapi();
    for dialect in [
        rooms::Api::openapi(),
        s0::Api::openapi(),
        s1::Api::openapi(),
        s2::Api::openapi(),
        webhooks::Api::openapi(),
        events::Api::openapi(),
        system::Api::openapi(),
        validate::Api::openapi(),
        twirp::document(),
        operate::Api::openapi(),
    ] {
        document.merge(dialect);
    }
    let components = document.components.get_or_insert_with(Components::new);
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT");
    components.add_security_scheme("token", SecurityScheme::Http(token.build()));
    let user = ApiKeyValue::with_description("X-User-Id", "a user's UUID, set by a listed proxy");
    components.add_security_scheme("gateway", SecurityScheme::ApiKey(ApiKey::Header(user)));
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            complete(operation);
        }
    }
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.post,
        &mut item.patch,
        &mut item.put,
        &mut item.delete,
    ]
    .into_iter()
    .filter_map(Option::as_mut)
}

/// Adds the errors that follow from the operation's form. Error responses
/// without other content carry a [`Problem`].
fn complete(operation: &mut Operation) {
    let mut problems = vec![("500", "The server failed; try again")];
    let asks_nobody = |needs: &Vec<_>| needs.len() == 1 && needs[0] == Default::default();
    if !operation.security.as_ref().is_some_and(asks_nobody) {
        problems.push(("401", "Authentication failed"));
        problems.push(("403", "Permission denied"));
    }
    let has_body = operation.request_body.is_some();
    let parameters = operation.parameters.as_deref().unwrap_or_default();
    if has_body || !parameters.is_empty() {
        problems.push(("400", "The request is invalid"));
    }
    if has_body {
        problems.push(("413", "The body is too long"));
    }
    if parameters.iter().any(is_in_path) {
        problems.push(("404", "Not found"));
    }
    let answers = &mut operation.responses.responses;
    for (status, description) in problems {
        let answer = ResponseBuilder::new().description(description);
        answers
            .entry(status.to_owned())
            .or_insert_with(|| answer.into());
    }
    for (status, answer) in answers {
        if let RefOr::T(answer) = answer
            && status.starts_with(['4', '5'])
            && answer.content.is_empty()
        {
            let kind = "application/problem+json".to_owned();
            answer.content.insert(kind, problem().into());
        }
    }
}

fn is_in_path(parameter: &RefOr<Parameter>) -> bool {
    matches!(parameter, RefOr::T(one) if one.parameter_in == ParameterIn::Path)
}

fn problem() -> Content {
    ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .build()
}
