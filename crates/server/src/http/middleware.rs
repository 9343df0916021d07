//! CORS, logging and completion around every request.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Instrument;

use super::app::App;
use super::problem::{ACCESS_DENIED, Problem};
use crate::access::headers::is_foreign;

/// Which web pages may use a path (Fetch standard, section 3.3). Pages of
/// listed origins may use all. Others may create and look up rooms and check the
/// health, without credentials; their requests that would change anything else
/// are refused, since a browser sends "simple" ones without a preflight.
pub(super) async fn cors(State(app): State<App>, request: Request, next: Next) -> Response {
    let listed = &app.service.config.allow_origins;
    let headers = request.headers();
    let foreign = is_foreign(headers, listed);
    let allowed = match headers.get(ORIGIN) {
        Some(origin) if !foreign => Some(origin.clone()),
        _ if is_public(request.uri().path()) => Some(HeaderValue::from_static("*")),
        _ => None,
    };
    let preflight =
        request.method() == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if preflight {
        let mut response = StatusCode::NO_CONTENT.into_response();
        if allowed.is_some() {
            preflight_headers(headers, foreign, response.headers_mut());
        }
        response
    } else if foreign && !may_send(request.method(), request.uri().path()) {
        let why = "web pages of this origin may not change anything here; see --allow-origin";
        Problem::new(ACCESS_DENIED, why).into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("origin"));
    if let Some(allowed) = allowed {
        let exposed = HeaderValue::from_static("allow, location, retry-after, www-authenticate");
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    response
}

/// What a page may send after this preflight: of a listed origin whatever it
/// asks for.
fn preflight_headers(request: &HeaderMap, foreign: bool, response: &mut HeaderMap) {
    let asked = |name| request.get(name).cloned();
    let (methods, fields) = match foreign {
        false => (
            asked(ACCESS_CONTROL_REQUEST_METHOD),
            asked(ACCESS_CONTROL_REQUEST_HEADERS),
        ),
        true => (
            Some(HeaderValue::from_static("GET, POST")),
            Some(HeaderValue::from_static("authorization, content-type")),
        ),
    };
    if let Some(methods) = methods {
        response.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
    }
    if let Some(fields) = fields {
        response.insert(ACCESS_CONTROL_ALLOW_HEADERS, fields);
    }
    let age = HeaderValue::from_static("86400");
    response.insert(ACCESS_CONTROL_MAX_AGE, age);
}

/// Whether pages of every origin may read the answers: `/rooms`, `/rooms/{id}`
/// and `/healthz`.
fn is_public(path: &str) -> bool {
    let path = path.strip_suffix('/').unwrap_or(path);
    let one_room = |rest: &str| !rest.is_empty() && !rest.contains('/');
    matches!(path, "/rooms" | "/healthz") || path.strip_prefix("/rooms/").is_some_and(one_room)
}

/// Whether pages of unlisted origins may send this at all.
fn may_send(method: &Method, path: &str) -> bool {
    method.is_safe() || (*method == Method::POST && matches!(path, "/rooms" | "/rooms/"))
}

/// One line for each request, with the route instead of the path, so that lines
/// of one kind count together.
pub(super) async fn log(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    tracing::info!(
        %method,
        route = route.as_ref().map_or("none", MatchedPath::as_str),
        status = response.status().as_u16(),
        elapsed = ?started.elapsed(),
        "request"
    );
    response
}

/// Runs a request that may change something to its end, also if its client hangs up:
/// what follows a commit (caches, notifications) is never skipped. An upgrade and an
/// event stream are GET and end with their connection.
pub(super) async fn run_to_end(request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    let handled = tokio::spawn(next.run(request).in_current_span()).await;
    handled.unwrap_or_else(|error| {
        tracing::error!(%error, "a handler failed");
        Problem::internal().into_response()
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use axum::Router;
    use axum::middleware::from_fn;
    use axum::routing::post;
    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::Semaphore;
    use tokio::time::timeout;

    use super::*;

    /// Adds a permit when it is dropped.
    struct Dropped(Arc<Semaphore>);

    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.add_permits(1);
        }
    }

    #[tokio::test]
    async fn a_handler_runs_to_its_end_when_its_client_hangs_up() {
        let [started, gone, released, done] = [(); 4].map(|()| Arc::new(Semaphore::new(0)));
        let (begin, may_end, end) = (started.clone(), released.clone(), done.clone());
        let handler = move || async move {
            begin.add_permits(1);
            may_end.acquire().await.unwrap().forget();
            end.add_permits(1);
        };
        let outer = gone.clone();
        // Outside of what is tested: it notices that the client is gone.
        let notice = move |request: Request, next: Next| {
            let dropped = Dropped(outer.clone());
            async move {
                let _dropped = dropped;
                next.run(request).await
            }
        };
        let routes = Router::new()
            .route("/", post(handler))
            .layer(from_fn(run_to_end))
            .layer(from_fn(notice));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await });

        let mut client = TcpStream::connect(address).await.unwrap();
        let request = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
        client.write_all(request).await.unwrap();
        let limit = Duration::from_secs(20);
        timeout(limit, started.acquire())
            .await
            .unwrap()
            .unwrap()
            .forget();
        drop(client);
        timeout(limit, gone.acquire())
            .await
            .unwrap()
            .unwrap()
            .forget();
        released.add_permits(1);
        timeout(limit, done.acquire())
            .await
            .unwrap()
            .unwrap()
            .forget();
        serving.abort();
    }
}
